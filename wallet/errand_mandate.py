"""The errands around a mandate: whom may I act for, take it, help somebody, let somebody help, end it.

Each is a question to an issuer that our own `persoon` is of, signed with that card for this question alone. What
is taken is verified before it is kept: the issuer's signature, that the seed makes its locks, that it names us,
and that the cards that come with it are under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from protocol.canonical import b64u_fixed
from protocol.credential import split_sd_jwt
from protocol.errors import RegieError, Rejected
from protocol.key_binding import sign_key_binding
from protocol.mandate import verify_mandate
from protocol.mandate_api import (
    Ask,
    Claims,
    EndAnswer,
    EndAsk,
    InvitationAnswer,
    InvitationAsk,
    InvitedAnswer,
    InvitedAsk,
    MandateAnswer,
    MandateAsk,
    Representation,
    RepresentationsAnswer,
    RepresentationsAsk,
    Services,
    WishAnswer,
    WishAsk,
    ask_digest,
)
from protocol.terms import Form
from wallet.errand_acts import verified_head
from wallet.errand_receive import Received, accept, find_offer
from wallet.errand_revoke import deliver_stop, stop_here
from wallet.mandated import check_taken, hash_text
from wallet.opened import OpenWallet
from wallet.receive import Under, find_source
from wallet.records import Copy
from wallet.records_mandate import MandateRecord
from wallet.seed import SEED_BYTES, key_of

PERSON = "urn:regie:nl:persoon:1"
T = TypeVar("T", bound=Form)


@dataclass(frozen=True)
class Found:
    """What one issuer says: whom we may act for, who acts for us. `held`: hash of the mandate if it is here."""

    issuer: str
    issuer_name: str
    representation: Representation
    held: str | None


@dataclass(frozen=True)
class Taken:
    """A mandate that is kept now, and the cards that came with it."""

    hash: str
    record: MandateRecord
    received: list[Received]


def represented(wallet: OpenWallet) -> list[Found]:
    """Everything that the issuers of our own cards say; what was ended there is marked here as well.

    Raises `Rejected`: `no_card` without a `persoon` of our own, and the refusals of issuers; `Unavailable`.
    """
    found = []
    for issuer in own_issuers(wallet):
        source = find_source(issuer, wallet.trust_list())
        answer = _ask(wallet, issuer, "representations", RepresentationsAsk(""), RepresentationsAnswer)
        held = {record.id: key for key, record in wallet.mandates().items() if record.issuer == issuer}
        _note_ended(wallet, held, answer.representations)
        found += [
            Found(issuer, source.name, one, held.get(one.id) if one.id is not None else None)
            for one in answer.representations
        ]
    return found


def own_issuers(wallet: OpenWallet) -> list[str]:
    """Those that a valid `persoon` of our own is from. Raises `Rejected`: `no_card`."""
    issuers = list(dict.fromkeys(copy.issuer for copy in _own_persons(wallet)))
    if not issuers:
        raise Rejected("no_card", "to act for somebody you need your own card `persoon` first", status=409)
    return issuers


def take_mandate(wallet: OpenWallet, reference: str, *, issuer: str | None = None) -> Taken:
    """Register or join what `reference` says, and fetch its cards. 1. how long each log is, before the mandate
    exists: acts under a new one come later; 2. the mandate, verified; 3. kept; 4. the cards, only under it. Taking
    it again brings new cards.

    Raises `Rejected`: `bad_mandate`, `mandate_ended`, `no_card` and refusals of the issuer; `Unavailable`.
    """
    issuer = issuer or own_issuers(wallet)[0]
    marks = _marks(wallet)  # 1.
    began = wallet.now()
    answer = _ask(wallet, issuer, "mandates", MandateAsk("", reference), MandateAnswer)
    key, record = _verified(wallet, issuer, answer)  # 2.
    is_new = verify_mandate(record.token, wallet.trust_list(), wallet.now()).mandate.iat >= began
    if key not in wallet.mandates():
        record = replace(record, scanned=marks if is_new else {})
    wallet.keep_mandate(key, record)  # 3.
    received: list[Received] = []
    if answer.offer is not None:  # 4.
        offer, source = find_offer(wallet, answer.offer)
        received = accept(wallet, offer, source, answer.tx_code, under=Under(key, record.party))
    return Taken(key, record, received)


def _verified(wallet: OpenWallet, issuer: str, answer: MandateAnswer) -> tuple[str, MandateRecord]:
    verified = verify_mandate(answer.mandate, wallet.trust_list(), wallet.now())
    check_taken(verified, issuer, answer.seed, answer.party)
    key, held = hash_text(verified), wallet.mandates()
    if key in held:
        return key, replace(held[key], ended_at=None)
    return key, MandateRecord(
        number=max((record.number for record in held.values()), default=0) + 1,
        token=verified.token,
        issuer=issuer,
        id=verified.mandate.id,
        seed=answer.seed,
        party=answer.party,
        kind=answer.kind,
        name=answer.name,
        until=verified.mandate.until,
        taken_at=wallet.now(),
    )


def _marks(wallet: OpenWallet) -> dict[str, int]:
    """The verified size of every log that can be reached; of others the search begins at their first leaf."""
    marks = {}
    for log in wallet.trust_list().logs:
        try:
            marks[log.origin] = verified_head(wallet, log).size
        except RegieError:
            continue
    return marks


def invite(wallet: OpenWallet, *, issuer: str | None = None) -> InvitationAnswer:
    """I am willing to help somebody: an invitation for one wish. Raises as `represented`."""
    issuer = issuer or own_issuers(wallet)[0]
    return _ask(wallet, issuer, "invitations", InvitationAsk(""), InvitationAnswer)


def look_up(wallet: OpenWallet, invitation: str, *, issuer: str | None = None) -> InvitedAnswer:
    """Whose invitation it is, before anything is signed. Raises as `represented`."""
    issuer = issuer or own_issuers(wallet)[0]
    return _ask(wallet, issuer, "invitations/lookups", InvitedAsk("", invitation), InvitedAnswer)


def wish(
    wallet: OpenWallet,
    invitation: str,
    services: Services,
    until: int,
    claims: Claims | None = None,
    *,
    issuer: str | None = None,
) -> WishAnswer:
    """Let who made the invitation act for me: for these services, until then, with all data or only `claims`.

    Signed with our own card: what we hold for somebody else cannot be passed on. Raises as `represented`.
    """
    issuer = issuer or own_issuers(wallet)[0]
    return _ask(wallet, issuer, "wishes", WishAsk("", invitation, services, until, claims), WishAnswer)


def end_mandate(wallet: OpenWallet, name: str) -> MandateRecord:
    """End a mandate at its issuer, and stop every grant under it that is known here. The stops are kept first, so
    they go out whatever the issuer says. Raises `Rejected`: `unknown_mandate`, refusals; `Unavailable`.
    """
    key, record = wallet.mandate(name)
    for grant_id in grants_under(wallet, key):
        stop_here(wallet, grant_id)
        try:
            deliver_stop(wallet, grant_id)
        except RegieError:
            continue  # `sync` delivers it
    ask = EndAsk("", record.id)
    answer = _ask(wallet, record.issuer, f"mandates/{record.id}/ends", ask, EndAnswer)
    return _mark_ended(wallet, key, answer.ended)


def grants_under(wallet: OpenWallet, key: str) -> list[str]:
    """Ids of grants under a mandate that can still be stopped."""
    now = wallet.now()
    return [
        grant_id
        for grant_id, record in wallet.grants().items()
        if record.mandate == key
        and record.stop is None
        and record.state != "failed"
        and record.body.terms.not_after > now
    ]


def _note_ended(wallet: OpenWallet, held: dict[str, str], now_there: Sequence[Representation]) -> None:
    """What an issuer no longer lists has ended: by another party, or in the register."""
    registered = {one.id for one in now_there if one.state == "registered"}
    for mandate_id, key in held.items():
        if mandate_id not in registered and wallet.mandate(key)[1].ended_at is None:
            _mark_ended(wallet, key, wallet.now())


def _mark_ended(wallet: OpenWallet, key: str, ended: int) -> MandateRecord:
    """Nothing more is given under it, and its unused copies are gone."""
    with wallet.vault.transaction():
        record = replace(wallet.mandate(key)[1], ended_at=ended)
        wallet.keep_mandate(key, record)
        for name, copy in wallet.copies().items():
            if copy.mandate == key and copy.agency is None:
                wallet.vault.delete("copies", name)
    return record


def _own_persons(wallet: OpenWallet) -> list[Copy]:
    """Our own card, newest first: never one that is held under a mandate."""
    now = wallet.now()
    found = [
        copy
        for copy in wallet.copies().values()
        if copy.vct == PERSON and copy.mandate is None and copy.set_id and copy.exp > now
    ]
    return sorted(found, key=lambda copy: (-copy.received, copy.number))


def _ask(wallet: OpenWallet, issuer: str, path: str, ask: Ask, answer: type[T]) -> T:
    """Sign and send. The issuer knows the card by its status: no number and no name is in the call."""
    copy = next((copy for copy in _own_persons(wallet) if copy.issuer == issuer), None)
    if copy is None:
        raise Rejected("no_card", "to ask this issuer you need your own card `persoon` from it", status=409)
    source = find_source(issuer, wallet.trust_list())
    metadata = wallet.peers.issuers.issuer_metadata(issuer, source.roots, wallet.now())
    if metadata.nonce_endpoint is None:
        raise Rejected("bad_metadata", "the issuer has no nonce endpoint")
    nonce = wallet.peers.issuers.nonce(metadata.nonce_endpoint)
    presented = split_sd_jwt(copy.credential).jwt + "~"
    bound = sign_key_binding(
        presented,
        key_of(wallet.secrets(), copy),
        audience=issuer,
        nonce=nonce,
        iat=wallet.now(),
        consent=ask_digest(ask),
    )
    return wallet.peers.mandates.ask(issuer, path, replace(ask, presentation=presented + bound), answer)


def seed_of(record: MandateRecord) -> bytes:
    """32 bytes."""
    return b64u_fixed(record.seed, SEED_BYTES)
