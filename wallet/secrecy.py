"""Secrecy of data (Wet BRP articles 2.59 and 3.21): the register gives them to no private party.

A resident may, but is asked twice: what a company has of somebody who hides is hard to hide again. The listed
agencies have a task in law, and keep secrecy themselves: the flag travels with every attribute. Pure.
"""

from collections.abc import Iterable

from protocol.attributes import CREDENTIAL_TYPES
from protocol.errors import Rejected
from protocol.openid4vp import VerifiedRequest
from wallet.card import claims_of
from wallet.records import Copy, ShareChoice

_FLAG = "geheimhouding"


def needs_second_yes(request: VerifiedRequest, copies: Iterable[Copy]) -> bool:
    """Whether who asks is no government body, and the newest card of some type says that data are secret."""
    if request.asker.is_listed:
        return False
    newest: dict[tuple[str, str | None], Copy] = {}
    for copy in copies:
        key = (copy.vct, copy.mandate)
        if copy.vct in CREDENTIAL_TYPES and (key not in newest or copy.iat > newest[key].iat):
            newest[key] = copy
    return any(claims_of(copy).get(_FLAG) not in (None, False) for copy in newest.values())


def check_secrecy(request: VerifiedRequest, copies: Iterable[Copy], choice: ShareChoice) -> None:
    """Raises `Rejected`: `secrecy` 403 while the resident has not said it a second time."""
    if not choice.secret and needs_second_yes(request, copies):
        raise Rejected(
            "secrecy",
            "your data are secret, and this is no government body; nothing was given; decline the request, or give"
            " it all the same with --secret",
            status=403,
        )
