"""Reading an agency's request, sharing a copy once, and saying no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.direct_post import error_form
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.openid4vp import VerifiedRequest, parse_authorization_url, verify_request_object
from wallet.choose import Chosen, choose_copies
from wallet.consent import asked_attributes
from wallet.opened import OpenWallet
from wallet.present import decide_share, sign_presentation
from wallet.records import Activity, ActivityKind
from wallet.seed import key_of

Approve: TypeAlias = Callable[[VerifiedRequest], None]
"""Shows a verified request to the resident and raises when the answer is no."""


def approved(request: VerifiedRequest) -> None:
    """For scripts: the command itself was the yes."""


@dataclass(frozen=True)
class Shared:
    """What a copy was given of; `redirect`: where the agency wants the resident to go on."""

    request: VerifiedRequest
    attributes: list[str]
    redirect: str | None


def read_request(wallet: OpenWallet, link: str) -> VerifiedRequest:
    """Fetch and verify what a link leads to; nothing of the wallet is in the call but a random nonce.

    Raises `Rejected` of `verify_request_object` and `Unavailable`.
    """
    parsed = parse_authorization_url(link)
    nonce = b64u_encode(wallet.random(32))
    token = wallet.peers.request_object(parsed, nonce)
    return verify_request_object(
        token,
        parsed.client_id,
        wallet.trust_list(),
        wallet.now(),
        wallet_nonce=nonce if parsed.post else None,
    )


def spend(wallet: OpenWallet, chosen: dict[str, Chosen], agency: str) -> None:
    """Mark the whole set of the chosen copies as this agency's. Inside a transaction, before anything is sent."""
    sets = {(item.copy.issuer, item.copy.set_id) for item in chosen.values()}
    for name, copy in wallet.copies().items():
        if (copy.issuer, copy.set_id) in sets and copy.agency is None:
            wallet.vault.put("copies", name, replace(copy, agency=agency))


def share_once(wallet: OpenWallet, link: str, approve: Approve = approved) -> Shared:
    """1. verify and judge the request; 2. choose copies; 3. keep that they are spent and what was given; 4. send.

    A crash or an error after 3 leaves `maybe_shared` in the activities: the agency may have the copy or not.
    Raises `Rejected` `sync_first`, and `Rejected` and `Unavailable` of rules and peers.
    """
    wallet.check_searched()
    request = read_request(wallet, link)  # 1.
    decide_share(request)
    chosen = choose_copies(wallet.copies(), request.query, request.agency.id, wallet.now())  # 2.
    secrets = wallet.secrets()
    approve(request)
    keys = {query_id: key_of(secrets, item.copy) for query_id, item in chosen.items()}
    form = sign_presentation(request, chosen, keys, wallet.now())
    given = [f"{item.copy.configuration}.{name}" for item in chosen.values() for name in item.attributes]
    activity = _activity(wallet, request, "maybe_shared", given)
    name = f"{wallet.now()}.{wallet.random(8).hex()}"
    with wallet.vault.transaction():  # 3.
        spend(wallet, chosen, request.agency.id)
        wallet.vault.put("activities", name, activity)
    redirect = wallet.peers.answer(request.response_uri, form)  # 4.
    with wallet.vault.transaction():
        wallet.vault.put("activities", name, replace(activity, kind="shared"))
    return Shared(request, given, redirect)


def decline(wallet: OpenWallet, link: str) -> tuple[VerifiedRequest, str | None]:
    """Say no. What the agency hears is the same as when the wallet holds no such card (VP 15.3).

    The no is kept even if the agency cannot be told. Raises `Rejected`, `Unavailable` when it cannot be read.
    """
    request = read_request(wallet, link)
    with wallet.vault.transaction():
        name = f"{wallet.now()}.{wallet.random(8).hex()}"
        wallet.vault.put("activities", name, _activity(wallet, request, "declined", []))
    try:
        return request, wallet.peers.answer(request.response_uri, error_form(request.state))
    except (Rejected, Unavailable):
        return request, None


def _activity(wallet: OpenWallet, request: VerifiedRequest, kind: ActivityKind, given: list[str]) -> Activity:
    try:
        asked = [item.name for item in asked_attributes(request)]
    except RegieError:  # a vocabulary that we do not know has no names to keep
        asked = []
    return Activity(
        time=wallet.now(),
        kind=kind,
        agency=request.agency.id,
        agency_name=request.agency.name,
        service=request.service.name.en if request.service else None,
        asked=asked,
        given=given,
    )
