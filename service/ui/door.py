"""The door of a face on somebody's own machine: a name that no other site can have, and a way in that opens once.

    launch = LocalDoor(home, "wallet").launch(port)      # the command line: prints launch.url
    LocalDoor(home, "wallet").guard(app)                 # the app: `create(home)`

What it keeps out (security.md 1.4; docs/faces.md): another name that resolves to this machine (DNS rebinding) gets
421 before any routing; another user or program on this machine has no token; a page on another port has another
host name, so that it neither gets nor sets our cookie. `door.json` (0600) holds the name, the port, and SHA-256 of
the launch token and of the sessions: nobody who reads it comes in.
"""

import hmac
import secrets
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, current_app, redirect, render_template, request
from werkzeug.exceptions import Forbidden

from protocol.canonical import parse_struct
from protocol.errors import Rejected
from service.app import opened_once
from service.clock import Clock, SystemClock
from service.home import Home
from service.journal import log_event
from service.serve import SERVE_LOCK
from service.ui.hosts import HostGuard

FILE, LAUNCH = "door.json", "door-launch.json"
SESSION_SECONDS = 30 * 24 * 3600
"""So that the installed app need not be opened from the program every day; the wallet's own lock is another."""
MAX_SESSIONS = 8
LAUNCH_SECONDS = 24 * 3600
_LETTERS = "abcdefghjkmnpqrstvwxyz23456789"
_OPEN = ("/assets/", "/open/")


class _Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: str
    since: int


class _Door(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`name` is the label before `.localhost`; `port` the one that is tried first, 0 before the first start."""

    name: str
    port: int = 0
    sessions: tuple[_Session, ...] = ()


class _Launch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: str
    since: int


@dataclass(frozen=True)
class Launch:
    """Where the face is, and the address that opens it once."""

    origin: str
    port: int
    url: str


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


class LocalDoor:
    """The door of the face `room` in the home at `home`, which must exist."""

    def __init__(self, home: Path | str, room: str, *, clock: Clock | None = None) -> None:
        self._home = Home(home)
        self._room = room
        self._clock = clock or SystemClock()
        self._writes = threading.Lock()

    # -- the command line

    def launch(self, port: int | None = None, *, scheme: str = "http") -> Launch:
        """Settle the port and make a launch token; an older one that was not used opens nothing any more.

        `port`: that one; None for the one of last time, or a free one where that is taken or there was none.
        Raises `Unavailable`: `in_use` when the port would change while a server of this home answers.
        """
        door = self._read()
        settled = port or _free(door.port)
        if settled != door.port:
            with self._home.lock(SERVE_LOCK):
                # Who took our port may have been sent our cookies by a window that was left open.
                is_taken = bool(door.port) and port is None
                kept = _Door(name=self._new_name()) if is_taken else door
                door = msgspec.structs.replace(kept, port=settled)
                self._write(door)
        token = secrets.token_urlsafe(32)
        self._home.write_json(LAUNCH, _Launch(digest=_digest(token), since=self._clock.now()), secret=True)
        origin = f"{scheme}://{door.name}.localhost:{settled}"
        return Launch(origin=origin, port=settled, url=f"{origin}/open/{token}")

    # -- the app

    @property
    def host(self) -> str:
        """`NAME.localhost:PORT`: what `Host` must be."""
        door = self._read()
        return f"{door.name}.localhost:{door.port}"

    def guard(
        self,
        app: Flask,
        *,
        closed: Any,
        hosts: Iterable[str] = (),
        public: Sequence[str] = (),
        returns: Sequence[str] = (),
        home_path: str = "/",
    ) -> None:
        """Let into `app` only who came through this door.

        `closed`: the lazy sentence that says how to open the face again. `hosts`: other values of `Host` (the name
        in the LAN, with TLS). `public`: paths that need no session (a manifest, icons). `returns`: paths to which
        another site sends the browser back (a sign-in): see `page_of_return`.
        """
        app.wsgi_app = HostGuard(app.wsgi_app, frozenset({self.host, *hosts}), self._room)  # type: ignore[method-assign]
        app.add_url_rule("/open/<token>", endpoint="open", view_func=opened_once(self._open_to(home_path)))

        def check() -> Response | str | tuple[str, int] | None:
            path = request.path
            if path.startswith(_OPEN) or path in ("/view", *public) or self.has_session():
                return None
            if path in returns and comes_from_elsewhere():
                return page_of_return()
            log_event(self._room, "closed")
            return render_template("ui/closed.html", how=closed), 403

        # Before all other checks: who has not come in is told nothing else.
        app.before_request_funcs.setdefault(None, []).insert(0, check)

    def has_session(self) -> bool:
        """Whether this request carries the cookie of an open session."""
        token = request.cookies.get(self._cookie, "")
        digest, oldest = _digest(token), self._clock.now() - SESSION_SECONDS
        known = [session for session in self._read().sessions if session.since > oldest]
        return any(hmac.compare_digest(session.digest, digest) for session in known)

    def close(self) -> None:
        """End all sessions: every window must be opened anew."""
        with self._writes:
            self._write(msgspec.structs.replace(self._read(), sessions=()))

    @property
    def _cookie(self) -> str:
        return f"regie-{self._room}-door"

    def _open_to(self, home_path: str) -> Any:
        def open_door(token: str) -> Response:
            """Use the token up, begin a session, go to the first page."""
            if request.headers.get("Sec-Purpose") or not self._use_up(token):
                raise Forbidden
            session = self._begin()
            answer: Any = redirect(f"{request.script_root}{home_path}", 303)
            answer.set_cookie(
                self._cookie,
                session,
                max_age=SESSION_SECONDS,
                path="/",
                secure=request.is_secure,
                httponly=True,
                samesite="Strict",
            )
            return answer  # type: ignore[no-any-return]

        return open_door

    def _use_up(self, token: str) -> bool:
        """Whether `token` is the launch token, and nobody used it before."""
        try:
            launch = parse_struct(self._home.read_secret(LAUNCH), _Launch)
        except (Rejected, FileNotFoundError):  # used up, perhaps at this very moment
            return False
        is_old = launch.since < self._clock.now() - LAUNCH_SECONDS
        if is_old or not hmac.compare_digest(launch.digest, _digest(token)):
            return False
        try:
            self._home.file(LAUNCH).unlink()  # of several that come at once, one takes it away
        except FileNotFoundError:
            return False
        return True

    def _begin(self) -> str:
        token = secrets.token_urlsafe(32)
        with self._writes:
            door = self._read()
            new = _Session(digest=_digest(token), since=self._clock.now())
            self._write(msgspec.structs.replace(door, sessions=(*door.sessions, new)[-MAX_SESSIONS:]))
        return token

    def _new_name(self) -> str:
        return f"{self._room}-{''.join(secrets.choice(_LETTERS) for _ in range(12))}"

    def _read(self) -> _Door:
        if not self._home.has(FILE):
            self._home.create_secret(FILE, msgspec.json.encode(_Door(name=self._new_name())))
        return parse_struct(self._home.read_secret(FILE), _Door)

    def _write(self, door: _Door) -> None:
        self._home.write_json(FILE, door, secret=True)


def _free(port: int) -> int:
    """`port` if nobody listens there, else a free one."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port")


def comes_from_elsewhere() -> bool:
    """Whether another site sent the browser here, so that it held back our SameSite=Strict cookies."""
    return request.method == "GET" and request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def page_of_return() -> Response:
    """A page that loads the same address again: this time from a page of ours, and so with our cookies."""
    text = render_template("ui/return.html", address=request.full_path.rstrip("?"))
    return current_app.response_class(text)
