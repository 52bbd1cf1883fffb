"""Asking what is a right (protocol section 9): one signed message for log and agency, kept until both have it.

The log admits it by the view bearer, also after the grant has ended; the agency knows the key that signed it from
the grant. The wallet keeps the clock: an agency answers within a month (GDPR article 12.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from protocol.attributes import short_name
from protocol.canonical import b64u_encode
from protocol.errors import RegieError, Rejected
from protocol.reading import ResidentMessage, one_month_after, sign_message
from protocol.revocation_code import view_key
from protocol.rights import RIGHTS, Right
from protocol.terms import places_of
from wallet.client import Peers
from wallet.grant import consent_of
from wallet.opened import OpenWallet
from wallet.records import GrantRecord, OutgoingMessage
from wallet.seed import key_of


@dataclass(frozen=True)
class Asked:
    """What was asked, by the message's name: until when the agency has to answer, and who has it by now."""

    name: str
    due: int
    at_log: bool
    at_agency: bool


def ask(wallet: OpenWallet, grant_id: str, right: Right, attributes: Sequence[str] = ()) -> Asked:
    """Sign, keep, deliver. Raises `Rejected`: those of `keep_request`."""
    name = keep_request(wallet, grant_id, right, attributes)
    deliver_messages(wallet)
    sent = wallet.vault.get("messages", name, OutgoingMessage)
    if sent is None:
        raise TypeError("a kept message is never removed")
    return Asked(name, one_month_after(sent.made_at), sent.at_log, sent.at_agency)


def keep_request(wallet: OpenWallet, grant_id: str, right: Right, attributes: Sequence[str] = ()) -> str:
    """1. sign with a key-binding key of the grant; 2. keep. `deliver_messages` sends it. The message's name.

    `attributes` (`adres.postcode`, or `postcode`): what has to be corrected, and for no other right.
    Raises `Rejected`: `unknown_grant`, `not_given`, `unknown_attribute`, `no_key`.
    """
    record = wallet.grant(grant_id)
    if record.slot is None or record.state not in ("active", "uncertain", "delivering", "renewing"):
        raise Rejected(
            "not_given", "the agency has nothing under this grant, so there is nothing to ask about", status=409
        )
    message = ResidentMessage(
        slot=record.slot,
        lock=record.body.terms.lock,
        kind=RIGHTS[right].asked,
        iat=wallet.now(),
        jti=b64u_encode(wallet.random(16)),
        claims=_digests(record, attributes) if right == "rectification" else None,
    )
    token = _sign(wallet, record, message)  # 1.
    with wallet.vault.transaction():  # 2.
        wallet.vault.put("messages", message.jti, OutgoingMessage(grant_id, token, wallet.now()))
    return message.jti


def _digests(record: GrantRecord, attributes: Sequence[str]) -> list[str]:
    """Of T, in its order. Raises `Rejected`: `unknown_attribute` for none, or one that was not given."""
    terms = record.body.terms
    digests: dict[str, str] = {}
    for claim, place in zip(terms.claims, places_of(terms), strict=True):
        digests[f"{short_name(place.vct)}.{place.name}"] = claim.digest
    wanted = {name for each in attributes for name in digests if each in (name, name.rpartition(".")[2])}
    known = {name.rpartition(".")[2] for name in wanted} | wanted
    if not wanted or not set(attributes) <= known:
        raise Rejected("unknown_attribute", "name attributes that you gave under this agreement")
    return [digest for name, digest in digests.items() if name in wanted]


def _sign(wallet: OpenWallet, record: GrantRecord, message: ResidentMessage) -> str:
    copies = wallet.copies()
    for name in record.copies.values():
        if name in copies:
            return sign_message(message, key_of(wallet.secrets(), copies[name]))
    raise Rejected("no_key", "the card of this grant is no longer here; ask the agency itself", status=409)


@dataclass(frozen=True)
class Delivery:
    """A message on its way: what has to be sent where, so that nobody needs the open wallet meanwhile."""

    name: str
    sent: OutgoingMessage
    log_url: str
    view: bytes
    inbox: str | None


def deliver_messages(wallet: OpenWallet) -> int:
    """Bring what waits to the log and to the agency; how many messages are still not with both."""
    waiting = 0
    for delivery in prepare_messages(wallet):
        now_sent = send(wallet.peers, delivery)
        note_message(wallet, delivery, now_sent)
        waiting += not (now_sent.at_log and now_sent.at_agency)
    return waiting


def prepare_messages(wallet: OpenWallet) -> list[Delivery]:
    """What is not with both yet. Raises `Unavailable` when nothing is known of a log."""
    found = []
    for name, sent in wallet.vault.all("messages", OutgoingMessage).items():
        if sent.at_log and sent.at_agency:
            continue
        record = wallet.grant(sent.grant)
        log = wallet.known_log(record.body.terms.log).log
        inbox = consent_of(record.request).inbox if record.request else None
        found.append(Delivery(name, sent, log.url, view_key(wallet.code(record)), inbox))
    return found


def send(peers: Peers, delivery: Delivery) -> OutgoingMessage:
    """To whom does not have it yet; what fails is tried again the next time."""
    sent = delivery.sent
    if not sent.at_log:
        try:
            peers.message(delivery.log_url, sent.token, delivery.view)
            sent = replace(sent, at_log=True)
        except RegieError:
            pass
    if not sent.at_agency and delivery.inbox is not None:
        try:
            peers.inbox(delivery.inbox, sent.token)
            sent = replace(sent, at_agency=True)
        except RegieError:
            pass
    return sent


def note_message(wallet: OpenWallet, delivery: Delivery, now_sent: OutgoingMessage) -> None:
    """Keep who has it by now. Somebody else may have sent it meanwhile: what was reached stays reached."""
    with wallet.vault.transaction():
        kept = wallet.vault.get("messages", delivery.name, OutgoingMessage) or now_sent
        new = replace(kept, at_log=kept.at_log or now_sent.at_log, at_agency=kept.at_agency or now_sent.at_agency)
        if new != kept:
            wallet.vault.put("messages", delivery.name, new)
