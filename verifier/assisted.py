"""Helped at the counter: an officer explains, the resident decides in the own wallet, another officer confirms.

Somebody who is helped can be led. So what was decided with help counts only when a second officer, who was not
the one that helped, has asked the resident whether it was understood and free (GDPR article 4 point 11).
"""

from protocol.errors import Rejected
from verifier.book import Helped
from verifier.desk import Desk


def note_help(desk: Desk, request_id: str, officer: str) -> None:
    """From now on nothing is read of this request before a second officer confirms.

    Raises `Rejected`: `unknown_request` 404, `helped_already` 409, `request_ended` 410 when nothing was or can be
    decided any more.
    """
    now, stored = desk.now(), desk.store.requests.get(request_id)
    if stored.state == "declined" or (stored.state == "open" and now >= stored.request.exp):
        raise Rejected("request_ended", "this request has ended", status=410)
    desk.store.book.help(request_id, desk.officers.known_as(officer), now)


def confirm_help(desk: Desk, request_id: str, officer: str) -> None:
    """By an officer who was not the first, once the resident has decided; again by the same one changes nothing.

    Raises `Rejected`: `unknown_request`, `not_helped` 404, `same_officer` 403, `helped_already`,
    `not_answered` 409.
    """
    if desk.store.requests.get(request_id).state != "answered":
        raise Rejected("not_answered", "the resident has not decided yet", status=409)
    # While an account is being begun, or was cut off in that, the book still has names beside pseudonyms.
    mine = (desk.officers.known_as(officer), officer)
    helped = desk.store.book.helped(request_id)
    if helped is None:
        raise Rejected("not_helped", "nobody helped with this request", status=404)
    if helped.officer in mine:
        raise Rejected("same_officer", "the second officer is somebody else than the first", status=403)
    if desk.store.book.confirm(request_id, mine[0], desk.now()):
        return
    helped = desk.store.book.helped(request_id)
    if helped is None or helped.second not in mine:
        raise Rejected("helped_already", "another officer has confirmed it", status=409)


def waits_for_second(helped: Helped | None) -> bool:
    """Whether nothing may be read yet."""
    return helped is not None and helped.second is None


def check_helped(desk: Desk, request_id: str) -> None:
    """Before anything of an answer is used. Raises `Rejected`: `second_officer` 403."""
    if waits_for_second(desk.store.book.helped(request_id)):
        raise Rejected("second_officer", "the resident was helped: a second officer confirms first", status=403)
