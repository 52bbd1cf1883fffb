"""The resident's browser, on the device of the wallet (HAIP 1.0 section 5.1, OpenID4VP 1.0 sections 13.3, 14.2).

The address that `Desk.ask` gives belongs in the session that the resident has with the agency. Whoever opens it
first gets a secret of its own, and the answer is worth nothing until the wallet has brought its user back to that
very browser: who sends somebody else the link of a wallet, or the answer's address, gains nothing.
"""

from dataclasses import dataclass

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.errors import Rejected
from verifier.desk import Desk
from verifier.sessions import RETURN_SECONDS, StoredSession, hash_of

SECRET_BYTES = 32


@dataclass(frozen=True)
class Begun:
    """`link` opens the wallet; `secret` is for this browser alone, to be kept for `seconds`."""

    request: str
    link: str
    secret: str
    seconds: int


def cookie_name(desk: Desk, request_id: str) -> str:
    """One cookie for each request. `__Host-`: no other host of the domain can set it, so that nobody can put a
    session of his own into somebody's browser (RFC 6265bis section 4.1.3.2); plain HTTP of a demo cannot have it.
    """
    return f"{'__Host-' if desk.config.url.startswith('https://') else ''}regie-{request_id}"


def find_start(desk: Desk, start: str) -> StoredSession:
    """What stands behind an address. Raises `Rejected`: `unknown_start` 404, `request_ended` 410."""
    session = desk.store.sessions.find(start)
    stored = desk.store.requests.get(session.request)
    if stored.state != "open" or desk.now() >= stored.request.exp or session.state not in ("waiting", "begun"):
        raise Rejected("request_ended", "this request has ended", status=410)
    return session


def begin(desk: Desk, start: str, cookie: str) -> Begun:
    """The first browser is the session; `cookie` is what it sent, so that the same one may press twice.

    Raises `Rejected`: `unknown_start` 404, `request_ended`, `start_used` 410.
    """
    session = find_start(desk, start)
    request = desk.store.requests.get(session.request).request
    now = desk.now()
    seconds = request.exp - now + RETURN_SECONDS  # an answer of the last second has its time to come back, too
    if session.session is not None and is_session(session, cookie):
        return Begun(request.id, desk.link(request), cookie, seconds)
    secret = desk.parts.random(SECRET_BYTES)
    desk.store.sessions.begin(request.id, hash_of(secret), now)
    return Begun(request.id, desk.link(request), b64u_encode(secret), seconds)


def is_session(session: StoredSession, cookie: str) -> bool:
    """Whether a cookie is the session's secret."""
    return session.session is not None and is_equal(_hash_of_cookie(cookie), session.session)


def come_back(desk: Desk, request_id: str, code: str, cookie: str) -> None:
    """`redirect_uri` was opened with its response code, in the browser that holds `cookie`.

    1. the code is that of the answer; 2. across devices that is all; 3. else the browser is the one that began.
    Raises `Rejected`: `unknown_request` 404; `other_session` 403, after which the answer is gone for good.
    """
    stored = desk.store.requests.get(request_id)
    if stored.response_code is None or not is_equal(code.encode(), stored.response_code.encode()):  # 1.
        raise Rejected("unknown_request", "there is no such answer", status=404)
    if desk.store.sessions.of(request_id) is None:  # 2.
        return
    state = desk.store.sessions.come_back(request_id, _hash_of_cookie(cookie), desk.now())  # 3.
    if state != "returned":
        raise Rejected(
            "other_session", "the answer came back to another browser than the one that asked", status=403
        )


def check_returned(desk: Desk, request_id: str) -> None:
    """Before anything of an answer is used. Raises `Rejected`: `not_returned`, `other_session`, both 403."""
    session = desk.store.sessions.of(request_id)
    if session is None or session.state == "returned":
        return
    if session.state == "broken":
        raise Rejected(
            "other_session", "the answer came back to another browser than the one that asked", status=403
        )
    raise Rejected("not_returned", "the wallet has not come back to the session that asked", status=403)


def _hash_of_cookie(cookie: str) -> bytes:
    try:
        return hash_of(b64u_decode(cookie))
    except Rejected:
        return b""
