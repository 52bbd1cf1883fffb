"""The errand of receiving: from an offer or an issuer's address to cards in the vault, all types or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.credential_request import CredentialResponse, credential_request_body
from protocol.errors import RegieError, Rejected
from protocol.formats import VerifiedContent
from protocol.key_proof import sign_key_proof
from protocol.oauth import TokenResponse
from protocol.openid4vci import (
    AuthorizationCodeGrant,
    CredentialOffer,
    Notification,
    PreAuthorizedGrant,
    parse_offer_link,
)
from wallet.accept import check_sets, superseded, verify_batch
from wallet.errand_client import Browser, Client, access_of, keep_access, log_in, meet, redeem
from wallet.opened import OpenWallet
from wallet.receive import Batch, Source, Under, check_offer_uri, choose_grant, find_source, plan_batches
from wallet.records import Access, Awaited, Copy
from wallet.seed import BATCH_BYTES, holder_key

MAX_IDENTIFIERS = 8
"""Credentials of one configuration that a token may name."""


@dataclass(frozen=True)
class Received:
    """One card that came: the issuer's name, the configuration (`adres`), how many copies, until when.

    `awaited`: the issuer makes it later, and `exp` is the time at which to ask.
    """

    issuer: str
    configuration: str
    copies: int
    exp: int
    title: str = ""
    awaited: bool = False


@dataclass(frozen=True)
class Delivery:
    """A verified batch on its way into the vault."""

    batch: Batch
    batch_id: str
    copies: tuple[VerifiedContent, ...]
    credentials: tuple[str, ...]
    identifier: str = ""


@dataclass(frozen=True)
class Promise:
    """A batch that the issuer makes later."""

    batch: Batch
    batch_id: str
    transaction_id: str
    next: int
    identifier: str = ""


def receive(wallet: OpenWallet, link: str, tx_code: str | None, browser: Browser | None = None) -> list[Received]:
    """What an offer holds. 1. the issuer is known here, before anything is fetched; 2. the way to a token, and the
    resident's code for it; 3. metadata, token; 4. copies, all verified; 5. everything into the vault in one
    transaction; 6. only then is it accepted.

    A credential that is refused is reported to the issuer as `credential_failure`, and nothing is kept.
    Raises `Rejected` and `Unavailable` of rules and peers; `need_browser` when the resident has to log in.
    """
    offer, source = find_offer(wallet, link)  # 1.
    return accept(wallet, offer, source, tx_code, browser)


def accept(
    wallet: OpenWallet,
    offer: CredentialOffer,
    source: Source,
    tx_code: str | None,
    browser: Browser | None = None,
    under: Under | None = None,
) -> list[Received]:
    """Steps 2 to 6 of `receive`, for an offer that was found before. `under`: for cards of who is represented."""
    grant = choose_grant(offer, tx_code)  # 2.
    return _get(wallet, source, offer.credential_configuration_ids, grant, tx_code, browser, under)


def get(wallet: OpenWallet, issuer: str, names: Sequence[str], browser: Browser) -> list[Received]:
    """Cards that the resident asks an issuer for, without an offer: by logging in. Raises as `receive` does."""
    source = find_source(issuer, wallet.trust_list())
    return _get(wallet, source, list(dict.fromkeys(names)), AuthorizationCodeGrant(), None, browser)


def _get(
    wallet: OpenWallet,
    source: Source,
    names: Sequence[str],
    grant: PreAuthorizedGrant | AuthorizationCodeGrant,
    tx_code: str | None,
    browser: Browser | None,
    under: Under | None = None,
) -> list[Received]:
    login = isinstance(grant, AuthorizationCodeGrant)
    if login and browser is None:
        raise Rejected("need_browser", "the issuer wants you to log in; run this on a machine with a browser")
    client = meet(wallet, source, login=login, server=grant.authorization_server, known=None)  # 3.
    batches = plan_batches(client.metadata, names, source, under)
    if isinstance(grant, PreAuthorizedGrant):
        token = redeem(client, grant, tx_code, batches)
    elif browser is not None:
        token = log_in(wallet, client, batches, grant, browser)
    access = access_of(wallet, client, batches, token)
    return deliver(wallet, client, access, [(batch, name) for batch in batches for name in named(token, batch)])


def named(token: TokenResponse, batch: Batch) -> list[str | None]:
    """The credential identifiers that a token names for a configuration, which MUST then be used (8.2); None for
    the configuration itself. Raises `Rejected`: `credential_request_denied`, `bad_token_response`.
    """
    if token.authorization_details is None:
        return [None]
    found = [one for one in token.authorization_details if one.credential_configuration_id == batch.configuration]
    if not found:
        raise Rejected("credential_request_denied", "the issuer did not authorize every card", status=403)
    names = list(dict.fromkeys(name for one in found for name in one.credential_identifiers or ()))
    if len(names) > MAX_IDENTIFIERS:
        raise Rejected("bad_token_response", f"more than {MAX_IDENTIFIERS} credentials of one kind")
    return [*names] or [None]


def find_offer(wallet: OpenWallet, link: str) -> tuple[CredentialOffer, Source]:
    """What a link offers, and whose it is: known here before anything is fetched. Nothing is asked for yet.

    Raises `Rejected`: `bad_offer`, `unknown_issuer`; `Unavailable`.
    """
    trust = wallet.trust_list()
    parsed = parse_offer_link(link)
    if parsed.offer is not None:
        return parsed.offer, find_source(parsed.offer.credential_issuer, trust)
    uri = str(parsed.uri)
    check_offer_uri(uri, trust)
    offer = wallet.peers.issuers.offer(uri)
    source = find_source(offer.credential_issuer, trust)
    if urlsplit(uri).netloc.lower() != urlsplit(source.id).netloc.lower():
        raise Rejected("bad_offer", "the offer lies at another issuer than the one it names")
    return offer, source


def deliver(
    wallet: OpenWallet, client: Client, access: Access, wanted: Sequence[tuple[Batch, str | None]]
) -> list[Received]:
    """Ask for every batch (with its identifier, where it has one), keep all of them or none, tell the issuer."""
    notifications: list[str] = []
    try:
        done = [_ask(wallet, client, access, batch, name, notifications) for batch, name in wanted]  # 4.
        deliveries = [item for item in done if isinstance(item, Delivery)]
        if client.source.is_listed:
            check_sets([delivery.copies for delivery in deliveries])
    except Rejected:
        notify(client, access, notifications, accepted=False)
        raise
    promises = [item for item in done if isinstance(item, Promise)]
    keep(wallet, access, deliveries, promises)  # 5.
    notify(client, access, notifications, accepted=True)  # 6.
    return [_received(client.source, item) for item in done]


def _received(source: Source, item: Delivery | Promise) -> Received:
    batch = item.batch
    if isinstance(item, Promise):
        return Received(source.name, batch.configuration, batch.copies, item.next, batch.title, awaited=True)
    return Received(source.name, batch.configuration, len(item.copies), item.copies[0].exp, batch.title)


def _ask(
    wallet: OpenWallet,
    client: Client,
    access: Access,
    batch: Batch,
    identifier: str | None,
    notifications: list[str],
) -> Delivery | Promise:
    """One type. The keys hang on a random batch number: should this fail, they are never used again."""
    batch_id = b64u_encode(wallet.random(BATCH_BYTES))
    talk = client.conversation
    proofs = []
    if batch.is_bound:
        keys = [holder_key(wallet.secrets(), batch_id, number) for number in range(batch.copies)]
        nonce, now, audience = talk.nonce(), wallet.now(), client.metadata.credential_issuer
        client_id = talk.identity.client_id
        proofs = [
            sign_key_proof(key, audience=audience, nonce=nonce, iat=now, client_id=client_id) for key in keys
        ]
    body = credential_request_body(proofs, configuration=batch.configuration, identifier=identifier)
    endpoint = client.metadata.credential_endpoint
    answer = talk.credentials(endpoint, access.access_token, body, copies=batch.copies)
    if answer.transaction_id is not None:
        if client.metadata.deferred_credential_endpoint is None:
            raise Rejected(
                "bad_credential_response", "the issuer puts the card off, and has no place to ask for it"
            )
        later = wallet.now() + int(answer.interval or 0)
        return Promise(batch, batch_id, answer.transaction_id, later, identifier or "")
    return take(wallet, client.source, batch, batch_id, answer, notifications, identifier or "")


def take(
    wallet: OpenWallet,
    source: Source,
    batch: Batch,
    batch_id: str,
    answer: CredentialResponse,
    notifications: list[str],
    identifier: str = "",
) -> Delivery:
    """The copies of an answer, verified. Raises `Rejected`: those of `verify_batch`."""
    if answer.notification_id is not None:
        notifications.append(answer.notification_id)
    credentials = tuple(item.credential for item in answer.credentials or ())
    keys = [holder_key(wallet.secrets(), batch_id, number).public for number in range(batch.copies)]
    copies = verify_batch(credentials, keys, batch, source, wallet.trust_list(), wallet.now())
    return Delivery(batch, batch_id, copies, credentials, identifier)


def keep(wallet: OpenWallet, access: Access, deliveries: Sequence[Delivery], promises: Sequence[Promise]) -> None:
    """Everything at once. A new copy of a set that an agency has seen is spent on that agency like the others."""
    held = wallet.copies()
    spent = {(copy.issuer, copy.set_id): copy.agency for copy in held.values() if copy.agency and copy.set_id}
    name = access_name(access)
    signed_by = {copy.iss for delivery in deliveries for copy in delivery.copies}
    access = replace(access, signed_by=sorted({*access.signed_by, *signed_by}))
    with wallet.vault.transaction():
        if access.refresh_token is not None or promises:
            keep_access(wallet, name, access)
        for promise in promises:
            wallet.vault.put("awaited", promise.batch_id, _awaited(name, promise))
        for delivery in deliveries:
            for old in superseded(held, delivery.copies[0]):
                wallet.vault.delete("copies", old)
            for number, (copy, text) in enumerate(zip(delivery.copies, delivery.credentials, strict=True)):
                record = _record(wallet, delivery, copy, text, number)
                record_name = f"{delivery.batch_id}.{record.number}"
                owner = spent.get((record.issuer, record.set_id))
                wallet.vault.put("copies", record_name, replace(record, agency=owner))


def _record(wallet: OpenWallet, delivery: Delivery, copy: VerifiedContent, text: str, number: int) -> Copy:
    """`number` leads to the key: a stranger may have left out some of them."""
    batch = delivery.batch
    if copy.holder is not None:
        keys = (holder_key(wallet.secrets(), delivery.batch_id, n).public for n in range(batch.copies))
        number = next(n for n, key in enumerate(keys) if key == copy.holder)
    return Copy(
        issuer=copy.iss,
        configuration=batch.configuration,
        vct=copy.vct,
        set_id=copy.set_id or "",
        batch=delivery.batch_id,
        number=number,
        credential=text,
        iat=copy.iat,
        exp=copy.exp,
        received=wallet.now(),
        format=batch.format,
        is_bound=batch.is_bound,
        title=batch.title,
        mandate=batch.under.mandate if batch.under else None,
        identifier=delivery.identifier,
    )


def _awaited(access: str, promise: Promise) -> Awaited:
    batch = promise.batch
    return Awaited(
        access=access,
        configuration=batch.configuration,
        vct=batch.vct,
        batch=promise.batch_id,
        copies=batch.copies,
        transaction_id=promise.transaction_id,
        next=promise.next,
        format=batch.format,
        title=batch.title,
        identifier=promise.identifier,
    )


def access_name(access: Access) -> str:
    """Of the record: a later visit for the same cards takes its place."""
    return " ".join([access.issuer, *sorted(access.configurations), *filter(None, [access.mandate])])


def notify(client: Client, access: Access, notifications: Sequence[str], *, accepted: bool) -> None:
    """Courtesy to the issuer (VCI 11): what we decided stands, whether it hears of it or not."""
    if client.metadata.notification_endpoint is None:
        return
    for notification_id in notifications:
        event = Notification(notification_id, "credential_accepted" if accepted else "credential_failure")
        try:
            client.conversation.notify(access.access_token, event)
        except RegieError:
            return
