"""Going back to an issuer without the resident: copies before they run out or end, and cards that it put off.

A refresh token brings a new token (RFC 6749 6), and that new copies of every card that was fetched with it
together, so that they belong to the same sets. Data that changed since replace what is not spent.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from protocol.credential_request import CredentialResponse, deferred_request_body
from protocol.errors import RegieError, Rejected
from wallet.errand_client import Client, meet, refresh
from wallet.errand_receive import Received, deliver, keep, named, notify, take
from wallet.opened import OpenWallet
from wallet.receive import Batch, Under, find_source, plan_batches
from wallet.records import Access, Awaited, Copy

RENEW_SECONDS = 30 * 86_400
"""Copies that end sooner are renewed."""
LOW = 5
"""Fresh copies of a card below which it is refilled; of a small batch the half."""
GONE = frozenset({"invalid_transaction_id", "credential_request_denied"})
"""Refusals after which a card that was put off will not come (VCI 9.3)."""


@dataclass
class RefillReport:
    """`received`: what came; `waiting`: cards that are still not ready; `ended`: promises that the issuer took
    back; `problems`: issuer or card, and the code of what went wrong.
    """

    received: list[Received] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def runs_low(access: Access, copies: Sequence[Copy], now: int) -> bool:
    """Whether any card that came from there has too few copies left that nobody has seen and that last a while.

    A card that never came does not run low: the issuer put it off, or changed its mind.
    """
    for configuration in access.configurations:
        held = [
            copy
            for copy in copies
            if (copy.configuration, copy.mandate) == (configuration, access.mandate)
            and copy.issuer in access.signed_by
        ]
        newest = max((copy.received for copy in held), default=0)
        batch = sum(copy.received == newest for copy in held)
        fresh = sum(copy.agency is None and copy.exp > now + RENEW_SECONDS for copy in held)
        if held and fresh < min(LOW, batch // 2 + 1):
            return True
    return False


def refill(wallet: OpenWallet, *, everything: bool = False) -> RefillReport:
    """1. cards that were put off; 2. new copies of cards that run low or end soon, or of all.

    Never raises for an issuer: one that is down or refuses is noted, and the rest goes on.
    """
    report = RefillReport()
    for name, awaited in wallet.vault.all("awaited", Awaited).items():  # 1.
        if awaited.next > wallet.now():
            report.waiting.append(awaited.configuration)
            continue
        try:
            _collect(wallet, name, awaited, report)
        except RegieError as error:
            report.problems.append((awaited.configuration, error.code))
    waiting = {awaited.access for awaited in wallet.vault.all("awaited", Awaited).values()}
    for name, access in wallet.vault.all("accesses", Access).items():  # 2.
        low = everything or (
            name not in waiting and runs_low(access, list(wallet.copies().values()), wallet.now())
        )
        if not low or access.refresh_token is None or _is_ended(wallet, access):
            continue
        try:
            report.received += _refill(wallet, name, access)
        except RegieError as error:
            report.problems.append((access.issuer, error.code))
    return report


def _is_ended(wallet: OpenWallet, access: Access) -> bool:
    """Whether the cards are under a mandate that is over: nothing comes any more."""
    return access.mandate is not None and wallet.mandate(access.mandate)[1].is_over(wallet.now())


def _under(wallet: OpenWallet, access: Access) -> Under | None:
    if access.mandate is None:
        return None
    return Under(access.mandate, wallet.mandate(access.mandate)[1].party)


def _meet(wallet: OpenWallet, access: Access) -> Client:
    source = find_source(access.issuer, wallet.trust_list())
    client = meet(wallet, source, login=access.client_id is not None, server=None, known=access)
    if client.server.issuer != access.server:
        raise Rejected("bad_metadata", "the issuer names another server than before; ask it for a new offer")
    return client


def _refill(wallet: OpenWallet, name: str, access: Access) -> list[Received]:
    client = _meet(wallet, access)
    batches = plan_batches(client.metadata, access.configurations, client.source, _under(wallet, access))
    renewed, token = refresh(wallet, client, name, access)
    wanted = [(batch, identifier) for batch in batches for identifier in named(token, batch)]
    return deliver(wallet, client, renewed, wanted)


def _collect(wallet: OpenWallet, name: str, awaited: Awaited, report: RefillReport) -> None:
    """Ask for what was put off (9.1). 1. a token that is still good, or a new one; 2. copies, which are verified
    as any; 3. or later again; 4. or never, as the issuer says or because nothing lets us in again: forgotten.
    """
    access = wallet.vault.get("accesses", awaited.access, Access)
    if access is None:
        return _forget(wallet, name, awaited, report)
    client = _meet(wallet, access)
    if access.expires <= wallet.now() and access.refresh_token is not None:  # 1.
        access, _ = refresh(wallet, client, awaited.access, access)
    (planned,) = plan_batches(client.metadata, [awaited.configuration], client.source, _under(wallet, access))
    batch = dataclasses.replace(planned, vct=awaited.vct, copies=awaited.copies, format=awaited.format)
    endpoint = client.metadata.deferred_credential_endpoint
    if endpoint is None:
        raise Rejected("bad_metadata", "the issuer has no place any more to ask for what it put off")
    try:
        body, transaction = deferred_request_body(awaited.transaction_id), awaited.transaction_id
        answer = client.conversation.credentials(
            endpoint, access.access_token, body, copies=awaited.copies, transaction=transaction
        )
    except Rejected as error:
        is_locked_out = error.status == 401 and access.refresh_token is None
        if error.code not in GONE and not is_locked_out:
            raise
        return _forget(wallet, name, awaited, report)  # 4.
    if answer.transaction_id is not None:  # 3.
        with wallet.vault.transaction():
            wallet.vault.put("awaited", name, replace(awaited, next=wallet.now() + int(answer.interval or 0)))
        report.waiting.append(awaited.configuration)
        return None
    return _take(wallet, client, access, name, batch, answer, report, awaited.identifier)  # 2.


def _take(
    wallet: OpenWallet,
    client: Client,
    access: Access,
    name: str,
    batch: Batch,
    answer: CredentialResponse,
    report: RefillReport,
    identifier: str,
) -> None:
    """The keys are those that were proven when the card was asked for: `name` is their batch."""
    notifications: list[str] = []
    try:
        delivery = take(wallet, client.source, batch, name, answer, notifications, identifier)
    except Rejected:
        notify(client, access, notifications, accepted=False)
        raise
    with wallet.vault.transaction():
        keep(wallet, access, [delivery], [])
        wallet.vault.delete("awaited", name)
    notify(client, access, notifications, accepted=True)
    exp = delivery.copies[0].exp
    report.received.append(
        Received(client.source.name, batch.configuration, len(delivery.copies), exp, batch.title)
    )


def _forget(wallet: OpenWallet, name: str, awaited: Awaited, report: RefillReport) -> None:
    with wallet.vault.transaction():
        wallet.vault.delete("awaited", name)
    report.ended.append(awaited.configuration)
