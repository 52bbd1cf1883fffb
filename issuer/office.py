"""The issuer at work: every act that changes something is one transaction around a rule.

web and cli both come here, so that what is done at the desk and what a wallet does meet in one place.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Engine

from issuer import store
from issuer.brp import Bsn, parse_person
from issuer.issue import Copy, Signer, Validity, decide_positions, sign_copies, status_uri, validity
from issuer.nonce import make_nonce, verify_nonce
from issuer.offer import (
    TOKEN_SECONDS,
    Offer,
    configuration,
    decide_redemption,
    find_offer_id,
    is_offer_id,
    is_open,
    make_offer,
    make_token,
    offer_message,
    token_hash,
)
from issuer.register import Attributes, check_person, sized_attributes
from issuer.revoke import sign_list
from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.issuer_metadata import BATCH_SIZE
from protocol.key_proof import UnverifiedKeyProof, parse_key_proofs, verify_key_proofs
from protocol.openid4vci import (
    CredentialOffer,
    CredentialResponse,
    IssuedCredential,
    TokenRequest,
    TokenResponse,
    parse_credential_request,
    parse_notification,
)
from service.clock import Clock
from service.database import immediate, snapshot

_NOTIFICATION_ID_BYTES = 16
_IMPORT_CHUNK = 500
_LIST_SECONDS = 60
"""A signed status list is served again for so long, unless something was revoked meanwhile."""


def _record(line: bytes, day: datetime.date) -> tuple[Bsn, str]:
    """A person that every credential can be made of, as it will be kept. Raises `Rejected`."""
    person = parse_person(line)
    check_person(person, day)
    return Bsn(person.burgerservicenummer), line.decode("utf-8").strip()


@dataclass(frozen=True)
class _Batch:
    """What was reserved for one credential request; signing it needs no database."""

    vct: str
    attributes: Attributes
    copies: list[Copy]
    valid: Validity
    notification_id: str


class Office:
    """One issuer: its register and offers in `engine`, its keys, its clock and its randomness."""

    def __init__(
        self, engine: Engine, signer: Signer, codes_key: bytes, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self.engine = engine
        self.signer = signer
        self.codes_key = codes_key
        self.clock = clock
        self.random = random
        self._lists: dict[int, tuple[int, frozenset[int], str]] = {}

    # ---- the desk

    def import_persons(self, lines: Iterable[bytes]) -> tuple[int, list[tuple[int, Rejected]]]:
        """Take persons into the register, one JSON a line, each replacing what was known.

        How many were taken, and for each refused one its line (from 1) and why. Empty lines are skipped. Repeating
        is harmless; wallets are served between two chunks.
        """
        now = self.clock.now()
        day = validity(now, self.signer.not_after).day
        imported, refused = 0, []
        numbered = iter(enumerate(lines, 1))
        while chunk := list(islice(numbered, _IMPORT_CHUNK)):
            records = []
            for number, line in chunk:
                try:
                    if line.strip():
                        records.append(_record(line, day))
                except Rejected as error:
                    refused.append((number, error))
            with immediate(self.engine) as connection:
                for bsn, record in records:
                    store.put_person(connection, bsn, record, now)
            imported += len(records)
        return imported, refused

    def offer(
        self, bsn: Bsn, configurations: tuple[str, ...], *, replaces: str | None = None
    ) -> tuple[Offer, str]:
        """A new offer and its transaction code; `replaces` names an issuance to the same resident, to be issued
        again with the data of now in the sets of then (protocol section 9).

        Raises `Rejected`: `unknown_person`, `unknown_id`, `unknown_credential_configuration`.
        """
        now = self.clock.now()
        offer, tx_code = make_offer(
            bsn, configurations, key=self.codes_key, now=now, random=self.random, replaces=replaces
        )
        with immediate(self.engine) as connection:
            # Whose it is decides: a set that moved to another resident would let him answer for the first one.
            if replaces is not None and not store.is_issued_to(connection, replaces, bsn):
                raise Rejected("unknown_id", "nothing was issued to this resident under this id", status=404)
            if store.person_record(connection, bsn) is None:
                raise Rejected("unknown_person", "the register does not know this BSN", status=404)
            store.add_offer(connection, offer, now)
        return offer, tx_code

    def issued(self, bsn: Bsn) -> list[store.Issuance]:
        """What a resident was given."""
        with snapshot(self.engine) as connection:
            return list(store.list_issuances(connection, bsn))

    def revoke(self, offer_id: str, reason: str) -> tuple[int, int]:
        """Revoke every copy issued under an offer, and the offer: (copies, of which newly revoked).

        Raises `Rejected`: `unknown_id`.
        """
        with immediate(self.engine) as connection:
            known = store.find_offer(connection, offer_id) is not None
            total, changed = store.revoke_offer(connection, offer_id, reason, self.clock.now())
        if not total and not known:
            raise Rejected("unknown_id", "nothing was offered or issued under this id", status=404)
        return total, changed

    # ---- the wallet's side

    def message(self, offer: Offer) -> CredentialOffer:
        """The offer as the wallet reads it."""
        return offer_message(offer, self.signer.issuer, self.codes_key)

    def open_offer(self, offer_id: str) -> CredentialOffer:
        """The offer at its address, as long as it can be redeemed. Raises `Rejected`: `not_found` (404)."""
        with snapshot(self.engine) as connection:
            offer = store.find_offer(connection, offer_id) if is_offer_id(offer_id) else None
        if offer is None or not is_open(offer, self.clock.now()):
            raise Rejected("not_found", "there is no such offer, or it is over", status=404)
        return self.message(offer)

    def redeem(self, request: TokenRequest) -> TokenResponse:
        """A token for a code and its transaction code. Raises `Rejected`: `invalid_grant`, `invalid_request`."""
        now = self.clock.now()
        token = make_token(self.random)
        with immediate(self.engine) as connection:
            found = store.find_offer(connection, find_offer_id(self.codes_key, request.pre_authorized_code))
            offer, refusal = decide_redemption(found, request.tx_code, key=self.codes_key, now=now)
            # Stored before the refusal is raised, which would roll a spent try back.
            if offer is not None and offer != found:
                store.update_offer(connection, offer)
            if offer is not None and refusal is None:
                hashed = token_hash(b64u_decode(token))
                store.add_token(connection, hashed, offer.id, now + TOKEN_SECONDS)
        if refusal is not None:
            raise refusal
        return TokenResponse(token, "Bearer", TOKEN_SECONDS)

    def nonce(self) -> str:
        """A fresh c_nonce."""
        return make_nonce(self.codes_key, self.clock.now(), self.random)

    def authenticate(self, token: bytes) -> Offer:
        """The offer of a live access token. Raises `Rejected`: `invalid_token` (401)."""
        with snapshot(self.engine) as connection:
            offer = store.offer_of_token(connection, token_hash(token), self.clock.now())
        if offer is None:
            raise Rejected("invalid_token", "the access token is unknown or has expired", status=401)
        return offer

    def credential(self, token: bytes, body: bytes) -> CredentialResponse:
        """A batch of copies for a batch of key proofs: all of it or nothing (OpenID4VCI 1.0 section 8).

        1. token; 2. form of the request; 3. every nonce that was shown is spent, in a transaction of its own, so
        that also a refused request has used it up; 4. proofs; 5. copies are reserved; 6. signed.
        Raises `Rejected`: `invalid_token` (401) and the codes of `openid4vci.CREDENTIAL_ERRORS`.
        """
        self.authenticate(token)  # 1
        name, tokens = parse_credential_request(body)  # 2
        proofs, refusal = parse_key_proofs(tokens)
        self._spend(proofs)  # 3
        if refusal is not None:
            raise refusal
        holders = verify_key_proofs(proofs, audience=self.signer.issuer, now=self.clock.now())  # 4
        batch = self._reserve(token, name, len(holders))  # 5
        texts = sign_copies(  # 6
            batch.vct,
            batch.attributes,
            batch.copies,
            holders,
            signer=self.signer,
            valid=batch.valid,
            random=self.random,
        )
        return CredentialResponse([IssuedCredential(text) for text in texts], batch.notification_id)

    def _spend(self, proofs: Iterable[UnverifiedKeyProof]) -> None:
        """Spend the nonces of all proofs. Raises `Rejected`: `invalid_nonce` if one is not ours, over or spent."""
        now = self.clock.now()
        good: dict[bytes, int] = {}
        refusal = None
        for nonce in {proof.nonce for proof in proofs}:
            try:
                remembered, expires = verify_nonce(self.codes_key, nonce, now)
                good[remembered] = expires
            except Rejected as error:
                refusal = error
        with immediate(self.engine) as connection:
            fresh = store.spend_nonces(connection, good, now)
        if refusal is not None or not fresh:
            raise refusal or Rejected("invalid_nonce", "c_nonce was used before")

    def _reserve(self, token: bytes, name: str, wanted: int) -> _Batch:
        """Give out positions, sets and status indexes. Raises `Rejected`: `credential_request_denied`,
        `invalid_token`."""
        now = self.clock.now()
        valid = validity(now, self.signer.not_after)
        notification_id = b64u_encode(self.random(_NOTIFICATION_ID_BYTES))
        with immediate(self.engine) as connection:
            offer = store.offer_of_token(connection, token_hash(token), now)
            if offer is None:  # revoked since step 1
                raise Rejected("invalid_token", "the access token is unknown or has expired", status=401)
            issued = store.copies_issued(connection, offer.id, name)
            room = BATCH_SIZE if offer.replaces is None else store.copies_issued(connection, offer.replaces, name)
            start = store.start_of(connection, offer)
            positions = decide_positions(offer, name, wanted, issued, start, room)
            attributes = self._attributes(store.person_record(connection, offer.bsn), name, valid)
            copies = store.reserve_copies(
                connection,
                offer,
                name,
                positions,
                issuer=self.signer.issuer,
                valid=valid,
                random=self.random,
            )
            store.add_notification(connection, notification_id, offer.id, name)
        return _Batch(configuration(name).vct, attributes, copies, valid, notification_id)

    def _attributes(self, record: str | None, name: str, valid: Validity) -> Attributes:
        if record is None:
            raise Rejected("credential_request_denied", "the register no longer knows this person")
        try:
            return sized_attributes(configuration(name).vct, parse_person(record), valid.day)
        except Rejected as error:
            raise Rejected("credential_request_denied", "the register's record cannot be issued") from error

    def notify(self, token: bytes, body: bytes) -> None:
        """Keep what became of a batch. Raises `Rejected`: `invalid_token` (401), `invalid_notification_id`,
        `invalid_notification_request`."""
        offer = self.authenticate(token)
        notification = parse_notification(body)
        with immediate(self.engine) as connection:
            known = store.note_event(connection, notification.notification_id, offer.id, notification.event)
        if not known:
            raise Rejected("invalid_notification_id", "this id was not given out with this token")

    def status_token(self, number: int) -> str:
        """The signed status list of this number. Raises `Rejected`: `not_found` (404)."""
        now = self.clock.now()
        with snapshot(self.engine) as connection:
            if not store.has_list(connection, number):
                raise Rejected("not_found", "there is no such status list", status=404)
            revoked = frozenset(store.revoked_indexes(connection, number))
        known = self._lists.get(number)
        if known is not None and known[0] > now - _LIST_SECONDS and known[1] == revoked:
            return known[2]
        uri = status_uri(self.signer.issuer, number)
        token = sign_list(uri, revoked, key=self.signer.key, x5c=self.signer.x5c, now=now)
        self._lists[number] = (now, revoked, token)
        return token
