"""What every page of the counter works with: the counter, the drawer, and who is acting."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from flask import current_app

from issuer.counter import Counter
from issuer.revoke import MAX_REASON
from issuer.ui.drawer import Drawer
from protocol.errors import Rejected
from protocol.trust_list import TrustList
from service.fetch import Fetcher
from service.ui.errors import find
from service.ui.staff import member

T = TypeVar("T")
_EXTENSION = "regie.counter"


@dataclass(frozen=True)
class Desk:
    """The parts of one counter. `url`: the issuer identifier, below which offers are fetched."""

    counter: Counter
    drawer: Drawer
    url: str
    name: str
    fetcher: Fetcher = field(default_factory=Fetcher)
    trust: Callable[[int], TrustList] | None = None

    def trust_list(self) -> TrustList:
        """Whose logs agreements are in. Raises `Rejected`: `no_trust_list`; `Unavailable`: `trust_list`."""
        if self.trust is None:
            raise Rejected("no_trust_list", "config.json names no trust list", status=409)
        return self.trust(self.now)

    def install(self) -> None:
        """On the app that is being made."""
        current_app.extensions[_EXTENSION] = self

    @property
    def now(self) -> int:
        """POSIX seconds."""
        return self.counter.office.clock.now()

    def put(self, value: object) -> str:
        """Into the drawer of who is signed in; its id."""
        return self.drawer.put(member().id, value, self.now)

    def get(self, id_: str, kind: type[T]) -> T:
        """Out of it. Raises `Rejected`: `visit_over` (404)."""
        return self.drawer.get(member().id, id_, kind, self.now)


def desk() -> Desk:
    """The counter of this request."""
    found: Desk = current_app.extensions[_EXTENSION]
    return found


def check_reason(reason: str) -> str:
    """A reason as the office keeps it. Raises `Rejected`: `bad_reason`."""
    text = reason.strip()
    if not 0 < len(text) <= MAX_REASON or not text.isprintable():
        raise Rejected("bad_reason", f"a reason has 1 to {MAX_REASON} characters")
    return text


def sentence(code: str) -> str:
    """What is wrong, beside the field where it is."""
    words = str(find(code).title)
    return f"{words[:1].upper()}{words[1:]}."
