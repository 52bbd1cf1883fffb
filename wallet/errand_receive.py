"""The errand of receiving: from an offer's link to cards in the vault, all types of the offer or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from protocol.canonical import b64u_encode
from protocol.credential import VerifiedCredential
from protocol.errors import RegieError, Rejected
from protocol.issuer_metadata import IssuerMetadata
from protocol.key_proof import sign_key_proof
from protocol.openid4vci import CredentialOffer, Notification, parse_offer_link
from protocol.trust_list import TrustedIssuer
from wallet.opened import OpenWallet
from wallet.receive import (
    Batch,
    check_code,
    check_offer,
    check_offer_uri,
    check_sets,
    plan_batches,
    superseded,
    verify_batch,
)
from wallet.records import Copy
from wallet.seed import BATCH_BYTES, holder_key


@dataclass(frozen=True)
class Received:
    """One card that came: the issuer's name, the configuration (`adres`), how many copies, until when."""

    issuer: str
    configuration: str
    copies: int
    exp: int


@dataclass(frozen=True)
class _Delivery:
    """A verified batch on its way into the vault."""

    batch: Batch
    batch_id: str
    copies: tuple[VerifiedCredential, ...]
    credentials: tuple[str, ...]


def receive(wallet: OpenWallet, link: str, tx_code: str | None) -> list[Received]:
    """1. the issuer is listed, before anything is fetched; 2. offer, metadata, token; 3. each type: fresh keys,
    proofs, copies, all verified; 4. everything into the vault in one transaction; 5. only then is it accepted.

    A credential that is refused is reported to the issuer as `credential_failure`, and nothing is kept.
    Raises `Rejected` and `Unavailable` of rules and peers.
    """
    offer, issuer = _find_offer(wallet, link)  # 1.
    grant = check_code(offer, tx_code)
    metadata = wallet.peers.issuer_metadata(issuer.id)  # 2.
    server = wallet.peers.server_metadata(issuer.id)
    batches = plan_batches(metadata, server, offer, issuer)
    token = wallet.peers.token(str(server.token_endpoint), grant, tx_code).access_token
    notifications: list[str] = []
    try:
        deliveries = [_fetch(wallet, issuer, metadata, token, batch, notifications) for batch in batches]  # 3.
        check_sets([delivery.copies for delivery in deliveries])
    except Rejected:
        _notify(wallet, metadata, token, notifications, accepted=False)
        raise
    _keep(wallet, issuer, deliveries)  # 4.
    _notify(wallet, metadata, token, notifications, accepted=True)  # 5.
    return [
        Received(issuer.name, item.batch.configuration, len(item.copies), item.copies[0].issuer_jwt.exp)
        for item in deliveries
    ]


def _find_offer(wallet: OpenWallet, link: str) -> tuple[CredentialOffer, TrustedIssuer]:
    trust = wallet.trust_list()
    parsed = parse_offer_link(link)
    if parsed.offer is not None:
        return parsed.offer, check_offer(parsed.offer, trust)
    uri = str(parsed.uri)
    check_offer_uri(uri, trust)
    offer = wallet.peers.offer(uri)
    issuer = check_offer(offer, trust)
    if urlsplit(uri).netloc.lower() != urlsplit(issuer.id).netloc.lower():
        raise Rejected("bad_offer", "the offer lies at another issuer than the one it names")
    return offer, issuer


def _fetch(
    wallet: OpenWallet,
    issuer: TrustedIssuer,
    metadata: IssuerMetadata,
    token: str,
    batch: Batch,
    notifications: list[str],
) -> _Delivery:
    """One type. The keys hang on a random batch number: should this fail, they are never used again."""
    batch_id = b64u_encode(wallet.random(BATCH_BYTES))
    keys = [holder_key(wallet.secrets(), batch_id, number) for number in range(batch.copies)]
    nonce, now = wallet.peers.nonce(str(metadata.nonce_endpoint)), wallet.now()
    proofs = [sign_key_proof(key, audience=issuer.id, nonce=nonce, iat=now) for key in keys]
    answer = wallet.peers.credentials(metadata.credential_endpoint, token, batch.configuration, proofs)
    if answer.notification_id is not None:
        notifications.append(answer.notification_id)
    credentials = tuple(item.credential for item in answer.credentials or ())
    public = [key.public for key in keys]
    copies = verify_batch(credentials, public, batch, issuer, wallet.trust_list(), wallet.now())
    return _Delivery(batch, batch_id, copies, credentials)


def _keep(wallet: OpenWallet, issuer: TrustedIssuer, deliveries: Sequence[_Delivery]) -> None:
    """A new copy of a set that an agency has seen is spent on that agency like the rest of its set."""
    held = wallet.copies()
    spent = {(copy.issuer, copy.set_id): copy.agency for copy in held.values() if copy.agency}
    with wallet.vault.transaction():
        for delivery in deliveries:
            for name in superseded(held, delivery.copies[0]):
                wallet.vault.delete("copies", name)
            for number, (copy, text) in enumerate(zip(delivery.copies, delivery.credentials, strict=True)):
                told = copy.issuer_jwt
                record = Copy(
                    issuer=issuer.id,
                    configuration=delivery.batch.configuration,
                    vct=told.vct,
                    set_id=str(told.set_id),
                    batch=delivery.batch_id,
                    number=number,
                    credential=text,
                    iat=told.iat,
                    exp=told.exp,
                    received=wallet.now(),
                    agency=spent.get((issuer.id, str(told.set_id))),
                )
                wallet.vault.put("copies", f"{delivery.batch_id}.{number}", record)


def _notify(
    wallet: OpenWallet, metadata: IssuerMetadata, token: str, notifications: Sequence[str], *, accepted: bool
) -> None:
    """Courtesy to the issuer (VCI 11): what we decided stands, whether it hears of it or not."""
    if metadata.notification_endpoint is None:
        return
    for notification_id in notifications:
        event = Notification(notification_id, "credential_accepted" if accepted else "credential_failure")
        try:
            wallet.peers.notify(metadata.notification_endpoint, token, event)
        except RegieError:
            return
