"""A resident hands over a receipt on paper: its code ends the agreement, in the log and here (protocol section 9).

Whoever has the code may end it, at any counter; that it ends cannot be undone, so nobody is asked who he is. The
log's signed receipt is enough here: the agency reads nothing more from that moment, whatever the log does later.
"""

import re

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.note import parse_vkey
from protocol.receipt import verify_revocation_receipt
from protocol.revocation_code import (
    CODE_DIGITS,
    PAPER_QR_PREFIX,
    STOP_QR_PREFIX,
    lock_for,
    parse_code,
    parse_paper_qr,
    revocation_secret,
)
from verifier.desk import Desk

MAX_VERSIONS = 16
"""Of one grant that a receipt is held against: it is renewed when the data change."""
_TYPED = re.compile(rf"[\s\d.-]{{{CODE_DIGITS + 1},}}")


def is_receipt(text: str) -> bool:
    """Whether somebody scanned the code of a receipt or a stop paper, or typed its digits."""
    return text.startswith((PAPER_QR_PREFIX, STOP_QR_PREFIX)) or _TYPED.fullmatch(text) is not None


def find_by_receipt(desk: Desk, text: str) -> str | None:
    """The id of the grant; a receipt names none, but its code gives the lock of each version.

    Raises `Rejected`: `bad_code`.
    """
    code = _code(text)
    locks = (b64u_encode(lock_for(code, version)) for version in range(1, MAX_VERSIONS + 1))
    return next((found for lock in locks if (found := desk.store.lists.by_lock(lock)) is not None), None)


def find_own(desk: Desk, text: str) -> str | None:
    """The same for any paper: None for one of another organisation, or of a whole wallet."""
    try:
        return find_by_receipt(desk, text)
    except Rejected:
        return None


def stop_by_receipt(desk: Desk, text: str) -> str:
    """End the grant of a receipt; its id. Again changes nothing.

    1. a grant of this agency; 2. the code is that of its current version; 3. the log ends it and signs for that;
    4. it has ended here. Raises `Rejected`: `bad_code`, `unknown_grant` 404, `bad_receipt`; `Unavailable`, after
    which nothing has changed here.
    """
    found = find_by_receipt(desk, text)  # 1.
    if found is None:
        raise Rejected("unknown_grant", "no agreement of this agency has this code", status=404)
    grant = desk.store.grants.get(found)
    version = grant.answer.terms.version
    code = _code(text)
    if b64u_encode(lock_for(code, version)) != grant.lock:  # 2.
        raise Rejected("bad_code", "the code is not that of this agreement")
    listed = desk.trust(desk.now()).log(grant.log)
    answer = desk.log(desk.log_trust(desk.trust(desk.now()), grant.log)).revoke(revocation_secret(code, version))
    verify_revocation_receipt(  # 3.
        answer.receipt, parse_vkey(listed.receipt_vkey), origin=grant.log, lock=lock_for(code, version)
    )
    desk.store.grants.end(grant.lock, desk.now())  # 4.
    return found


def _code(text: str) -> bytes:
    return parse_paper_qr(text)[1] if text.startswith(PAPER_QR_PREFIX) else parse_code(text)
