"""Reading somebody's request, sharing a copy once, and saying no."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.direct_post import error_form
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.names import visible
from protocol.openid4vp import VerifiedRequest, parse_authorization_url, verify_request_object
from wallet.card import always_shown
from wallet.choose import Chosen
from wallet.consent import asked_attributes, path_text
from wallet.errand_registration import with_checked_registration
from wallet.opened import OpenWallet
from wallet.pick import Picked, pick_cards
from wallet.present import decide_share, sign_presentation
from wallet.records import Activity, ActivityKind, ShareChoice
from wallet.secrecy import check_secrecy
from wallet.seed import key_of

Approve: TypeAlias = Callable[[VerifiedRequest], None]
"""Shows a verified request to the resident and raises when the answer is no."""
ApproveShare: TypeAlias = Callable[[VerifiedRequest, Picked], None]
"""The same with the cards that would answer it."""


def approved(request: VerifiedRequest, picked: Picked | None = None) -> None:
    """For scripts: the command itself was the yes."""


@dataclass(frozen=True)
class Shared:
    """What a copy was given of; `redirect`: where the asker wants the resident to go on."""

    request: VerifiedRequest
    attributes: list[str]
    redirect: str | None


def read_request(wallet: OpenWallet, link: str) -> VerifiedRequest:
    """Fetch and verify what a link leads to; nothing of the wallet is in the call but a random nonce.

    An answer could go to where the request says: that address is looked at here already, before the resident is
    asked and anything is kept; so is the status of a registration certificate.
    Raises `Rejected` of `verify_request_object`, `bad_url`, `registration_revoked`, and `Unavailable`.
    """
    parsed = parse_authorization_url(link)
    nonce = b64u_encode(wallet.random(32))
    token = wallet.peers.request_object(parsed, nonce)
    request = verify_request_object(
        token,
        parsed.client_id,
        wallet.trust_list(),
        wallet.now(),
        wallet_nonce=nonce if parsed.post else None,
    )
    wallet.peers.check_address(request.response_uri)
    return with_checked_registration(wallet, request)


def read_again(wallet: OpenWallet, request: VerifiedRequest) -> VerifiedRequest:
    """The very request that a resident was shown, judged anew as if it came now; only its status is fetched.

    What is decided is then what was shown, byte for byte. Raises as `read_request`, and `expired`.
    """
    wallet.peers.check_address(request.response_uri)
    again = verify_request_object(request.token, request.client_id, wallet.trust_list(), wallet.now())
    return with_checked_registration(wallet, again)


def spend(wallet: OpenWallet, chosen: Mapping[str, Chosen], asker: str) -> None:
    """Mark the whole set of the chosen copies as this asker's. Inside a transaction, before anything is sent."""
    spend_all(wallet, list(chosen.values()), asker)


def spend_all(wallet: OpenWallet, chosen: list[Chosen], asker: str) -> None:
    """The same for several copies to a query; a copy without a set is marked alone."""
    names = {item.name for item in chosen}
    sets = {(item.copy.issuer, item.copy.set_id) for item in chosen if item.copy.set_id}
    for name, copy in wallet.copies().items():
        if copy.agency is None and (name in names or (copy.issuer, copy.set_id) in sets):
            wallet.vault.put("copies", name, replace(copy, agency=asker))


def is_known(wallet: OpenWallet, asker: str) -> bool:
    """Whether the resident has given this asker anything before."""
    spent = any(copy.agency == asker for copy in wallet.copies().values())
    granted = any(record.agency.id == asker for record in wallet.grants().values())
    activities = wallet.activities()
    return spent or granted or any(a.agency == asker and a.kind in ("shared", "maybe_shared") for a in activities)


def share_once(
    wallet: OpenWallet, link: str, approve: ApproveShare = approved, *, choice: ShareChoice | None = None
) -> Shared:
    """From a link to a copy given. Raises as `share`, and `Rejected` and `Unavailable` when it cannot be read."""
    wallet.check_searched()
    return share(wallet, read_request(wallet, link), approve, choice=choice)


def share(
    wallet: OpenWallet,
    request: VerifiedRequest,
    approve: ApproveShare = approved,
    *,
    choice: ShareChoice | None = None,
) -> Shared:
    """1. judge the request; 2. choose copies; 3. keep that they are spent and what was given; 4. send.

    A crash or an error after 3 leaves `maybe_shared` in the activities: the asker may have the copy or not.
    Raises `Rejected` `sync_first`, and `Rejected` and `Unavailable` of rules and peers.
    """
    wallet.check_searched()
    choice = choice or ShareChoice()
    decide_share(request, choice)  # 1.
    check_secrecy(request, wallet.copies().values(), choice)
    asker = request.asker.id
    picked = pick_cards(wallet.copies(), request.query, asker, wallet.now(), choice)  # 2.
    secrets = wallet.secrets()
    approve(request, picked)
    chosen = [item for items in picked.given.values() for item in items]
    keys = {item.name: key_of(secrets, item.copy) for item in chosen if item.copy.is_bound}
    form = sign_presentation(request, picked.given, keys, wallet.now())
    given = list(dict.fromkeys(name for item in chosen for name in names_given(item)))
    activity = _activity(wallet, request, "maybe_shared", given)
    name = f"{wallet.now()}.{wallet.random(8).hex()}"
    with wallet.vault.transaction():  # 3.
        spend_all(wallet, chosen, asker)
        wallet.vault.put("activities", name, activity)
    redirect = wallet.peers.answer(request.response_uri, form)  # 4.
    with wallet.vault.transaction():
        wallet.vault.put("activities", name, replace(activity, kind="shared"))
    return Shared(request, given, redirect)


def names_given(item: Chosen) -> list[str]:
    """What a copy shows, under the name of its kind; that alone when it shows nothing else."""
    kind = visible(item.copy.configuration)
    shown = [*map(path_text, item.paths), *always_shown(item.copy)]
    return [f"{kind}.{name}" for name in shown] or [kind]


def decline(wallet: OpenWallet, link: str) -> tuple[VerifiedRequest, str | None]:
    """Say no to what a link leads to. Raises `Rejected`, `Unavailable` when it cannot be read."""
    request = read_request(wallet, link)
    return request, refuse(wallet, request)


def refuse(wallet: OpenWallet, request: VerifiedRequest) -> str | None:
    """Say no; where the asker wants the resident to go on. What it hears is the same as when the wallet holds no
    such card (VP 15.3). The no is kept even if the asker cannot be told.
    """
    with wallet.vault.transaction():
        name = f"{wallet.now()}.{wallet.random(8).hex()}"
        wallet.vault.put("activities", name, _activity(wallet, request, "declined", []))
    try:
        return wallet.peers.answer(request.response_uri, error_form(request.state))
    except (Rejected, Unavailable):
        return None


def _activity(wallet: OpenWallet, request: VerifiedRequest, kind: ActivityKind, given: list[str]) -> Activity:
    try:
        asked = [item.name for item in asked_attributes(request)]
    except RegieError:  # a vocabulary that we do not know has no names to keep
        asked = []
    return Activity(
        time=wallet.now(),
        kind=kind,
        agency=request.asker.id,
        agency_name=request.asker.name,
        service=request.service.name.en if request.service else None,
        asked=asked,
        given=given,
        request=request.token,
        about=request.service,
        number=max((each.number for each in wallet.activities()), default=0) + 1,
    )
