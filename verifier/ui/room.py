"""What every page of the desk needs: the agency's `Desk`, what is being watched, and the forms already sent."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from flask import Flask, current_app, request

from protocol.errors import Rejected
from verifier.desk import Desk
from verifier.ui.watch import Watch
from verifier.ui.words import text_of

_EXTENSION = "regie.desk"
MAX_SPENT = 10_000
TOKEN_BYTES = 16


class Spent:
    """Forms that were sent: loading the page of a reading again must not read again. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def spend(self, token: str) -> None:
        """Raises `Rejected`: `read_already` 409 the second time, and for what is no token."""
        with self._lock:
            if len(token) != len(new_token()) or token in self._known:
                raise Rejected("read_already", "this form was sent before", status=409)
            self._known[token] = None
            if len(self._known) > MAX_SPENT:
                self._known.popitem(last=False)


def new_token() -> str:
    """For one form."""
    return secrets.token_urlsafe(TOKEN_BYTES)


@dataclass(frozen=True)
class Room:
    """One agency's desk; lives as long as the server."""

    desk: Desk
    watch: Watch
    spent: Spent = field(default_factory=Spent)


def install(app: Flask, desk: Desk) -> None:
    """Put the room into `app`."""
    app.extensions[_EXTENSION] = Room(desk, Watch(desk))
    app.jinja_env.globals["service_name"] = service_name


def room() -> Room:
    """Of the request under way."""
    found: Room = current_app.extensions[_EXTENSION]
    return found


def desk() -> Desk:
    """Of the request under way."""
    return room().desk


def service_name(service: str, version: int) -> str:
    """As the trust list names it in the language of the page; its id when it is not listed any more."""
    trust = desk().trust(desk().now())
    try:
        return text_of(trust.service(desk().config.oin, service, version).name)
    except Rejected:
        return service


def page_number() -> int:
    """`?page=`; 1 for what is no number."""
    text = request.args.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1
