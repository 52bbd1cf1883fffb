"""Answering a request that a page shows: the errands of the command line, and what came of them.

What is given is the request that was shown, byte for byte (`errand_request.read_again`). An errand that stopped
half way has not failed: what was begun is found again and said, for the wallet goes on with it by itself.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import RegieError, Rejected
from protocol.names import visible
from protocol.openid4vp import VerifiedRequest
from wallet.errand_acting import acting_of
from wallet.errand_grant import Granted, allow
from wallet.errand_profile import profile_of
from wallet.errand_request import is_known, read_again, refuse, share
from wallet.errand_sync import deliver_stops
from wallet.grant import latest_end
from wallet.opened import OpenWallet
from wallet.profile import propose_until
from wallet.records import Activity, GrantRecord
from wallet.state import state_of
from wallet.ui.answerable import answer_to
from wallet.ui.asked import RequestView, view_request
from wallet.ui.wish import NOTHING, Wish, choice_of, share_choice_of

Outcome: TypeAlias = Literal["granted", "begun", "copied", "maybe_copied", "refused"]
"""`begun`: kept here, and not yet certain; `maybe_copied`: it left, and nobody confirmed that it came."""


@dataclass(frozen=True)
class Asking:
    """A request that is open on a page. `link` is where it came from, to ask for it again once it has expired.

    `wish`: what the resident chose so far; `error`: code of what was not right in it; `shows`: whether the page
    shows the very values. `mandate`: number of the one to act under, None for oneself.
    """

    link: str
    request: VerifiedRequest
    wish: Wish = NOTHING
    error: str | None = None
    shows: bool = False
    mandate: str | None = None


@dataclass(frozen=True)
class Done:
    """What came of an answer. `names`: attributes as `adres.postcode`; `problem`: code of what is not certain.

    `redirect`: where the asker wants the resident to go on.
    """

    outcome: Outcome
    organisation: str
    kind: str
    grant_id: str | None = None
    names: tuple[str, ...] = ()
    redirect: str | None = None
    problem: str | None = None


def begin(
    wallet: OpenWallet, link: str, request: VerifiedRequest, language: str, mandate: str | None = None
) -> Asking:
    """A request as its page begins: nothing is ticked. The resident's profile may propose an earlier last day, but
    none after the end of the mandate (`mandate`: its number). Raises as `acting_of`.
    """
    now, acting = wallet.now(), acting_of(wallet, mandate) if mandate is not None else None
    try:
        answer = answer_to(request, wallet.copies(), NOTHING, now, language, acting)
        latest = answer.until or latest_end(request, now)
    except Rejected:
        latest = None  # the page says what is wrong with it
    day = propose_until(profile_of(wallet), latest, now)
    return Asking(link, request, Wish(until=day.isoformat()) if day else NOTHING, mandate=mandate)


def look(wallet: OpenWallet, asking: Asking, language: str) -> RequestView:
    """The page of a request as things stand in this wallet."""
    asker, now = asking.request.asker, wallet.now()
    running = tuple(
        grant_id
        for grant_id, record in wallet.grants().items()
        if record.agency.id == asker.id and state_of(record, now) == "active"
    )
    return view_request(
        asking.request,
        wallet.copies(),
        asking.wish,
        now,
        language,
        is_known=is_known(wallet, asker.id),
        agreements=running,
        acting=acting_of(wallet, asking.mandate) if asking.mandate is not None else None,
    )


def give(wallet: OpenWallet, asking: Asking, kind: str) -> Done:
    """Say yes to what was shown, as chosen. Raises as the errands do when nothing was begun."""
    deliver_stops(wallet)
    request = read_again(wallet, asking.request)
    if kind == "copy":
        return _copy(wallet, request, asking.wish)
    return _grant(wallet, request, asking.wish, kind, asking.mandate)


def _grant(wallet: OpenWallet, request: VerifiedRequest, wish: Wish, kind: str, mandate: str | None) -> Done:
    name, choice = visible(request.asker.name), choice_of(request, wish)
    number = wallet.new_grant_id()
    try:
        granted = allow(wallet, request, choice, mandate=mandate)
    except RegieError as error:
        record = wallet.grants().get(number)
        if record is None or record.state == "failed" or record.stop is not None:
            raise
        return Done("begun", name, kind, number, problem=error.code)
    return _granted(granted, name, kind)


def _granted(granted: Granted, name: str, kind: str) -> Done:
    record = granted.record
    is_certain = record.state == "active" and record.stop is None
    return Done(
        outcome="granted" if is_certain else "begun",
        organisation=name,
        kind=kind,
        grant_id=granted.id,
        redirect=granted.redirect,
        problem=None if is_certain else "needs_others" if needs_others(record) else record.problem,
    )


def needs_others(record: GrantRecord) -> bool:
    """Whether it waits for somebody else who has to agree too."""
    return record.state == "intended" and record.joint is not None and not record.joint.is_complete


def _copy(wallet: OpenWallet, request: VerifiedRequest, wish: Wish) -> Done:
    if not (request.asker.is_listed or request.asker.registration or wish.unregistered):
        raise Rejected(
            "need_word", "nobody knows this asker, and the resident has not said to give it all the same"
        )
    name, before = visible(request.asker.name), set(wallet.vault.all("activities", Activity))
    try:
        shared = share(wallet, request, choice=share_choice_of(wish))
    except RegieError as error:
        after = wallet.vault.all("activities", Activity)
        begun = [after[key] for key in after if key not in before and after[key].kind == "maybe_shared"]
        if not begun:
            raise
        return Done("maybe_copied", name, "copy", names=tuple(begun[0].given), problem=error.code)
    return Done("copied", name, "copy", names=tuple(shared.attributes), redirect=shared.redirect)


def decline(wallet: OpenWallet, asking: Asking, kind: str) -> Done:
    """Say no. Nobody learns why, nor what the wallet holds."""
    deliver_stops(wallet)
    redirect = refuse(wallet, asking.request)
    return Done("refused", visible(asking.request.asker.name), kind, redirect=redirect)
