"""What wallets ask with an access token: credentials, now or later, and to say what became of them (VCI 8, 9, 11).

Whoever shows a token that is bound to a key shows the key too, and asks the rest of what it may (`Access`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from issuer import store, store_deferred, store_oauth
from issuer.brp import parse_person
from issuer.defer import (
    DEFERRED_SECONDS,
    INTERVAL,
    MAX_WAITING,
    Deferred,
    decide_poll,
    find_transaction,
    transaction_id_of,
)
from issuer.handle import ID_BYTES
from issuer.holders import ShownProofs, read_proofs, verify_holders
from issuer.issue import Copy, Narrowed, Validity, decide_positions, sign_copies, validity
from issuer.mandate_books import end_unlawful, narrowed_to, standing
from issuer.mandate_caller import CALLER_CONFIGURATION
from issuer.nonce import make_nonce, verify_nonce
from issuer.offer import Offer, check_made, configuration, token_hash
from issuer.office import Office
from issuer.possession import Possession
from issuer.register import Attributes, sized_attributes
from issuer.renew import split_identifier
from issuer.store_oauth import Access
from protocol.canonical import b64u_encode
from protocol.credential_request import AskedCredential, CredentialResponse, IssuedCredential
from protocol.errors import Rejected
from protocol.keys import Es256Public
from protocol.openid4vci import parse_notification
from service.database import immediate, snapshot

_NOTIFICATION_ID_BYTES = 16


@dataclass(frozen=True)
class _Wanted:
    """One type of one issuance: new, or `again` in the sets of an earlier one."""

    offer: Offer
    configuration: str
    again: str | None


@dataclass(frozen=True)
class _Batch:
    """What was reserved for one credential request; signing it needs no database."""

    wanted: _Wanted
    attributes: Attributes
    copies: list[Copy]
    valid: Validity
    notification_id: str | None
    narrowed: Narrowed | None = None


class Issuing:
    """Around one office."""

    def __init__(self, office: Office, possession: Possession) -> None:
        self._office = office
        self._possession = possession
        self._key = office.codes_key
        self._engine = office.engine

    def nonce(self) -> str:
        """A fresh c_nonce."""
        return make_nonce(self._key, self._office.clock.now(), self._office.random)

    # ---- who asks

    def authenticate(self, scheme: str, token: bytes, dpop: str | None, path: str) -> Access:
        """What a live access token gives to who shows it as it must be shown (RFC 9449 7): one that is bound to a
        key by the scheme DPoP, with a proof of that key for a POST to `path`; another one by Bearer.

        Raises `Rejected`: `invalid_token` (401), `invalid_dpop_proof` (401), `use_dpop_nonce` (401).
        """
        access = self._access(token)
        if scheme != ("bearer" if access.dpop_jkt is None else "dpop"):
            raise Rejected("invalid_token", "the access token is not of this scheme", status=401)
        if access.dpop_jkt is not None:
            try:
                shown = self._possession.dpop(dpop, method="POST", path=path, access_token=b64u_encode(token))
            except Rejected as error:
                raise Rejected(error.code, error.detail, status=401) from error
            if shown.jkt != access.dpop_jkt:
                raise Rejected("invalid_token", "the access token is bound to another key", status=401)
        return access

    def _access(self, token: bytes) -> Access:
        with snapshot(self._engine) as connection:
            return self._live(connection, token)

    def _live(self, connection: Connection, token: bytes) -> Access:
        access = store_oauth.find_access(connection, token_hash(token), self._office.clock.now())
        if access is None:
            raise Rejected("invalid_token", "the access token is unknown or has expired", status=401)
        return access

    # ---- credentials

    def credential(self, token: bytes, access: Access, asked: AskedCredential) -> CredentialResponse:
        """A batch of copies for a batch of key proofs, all of it or nothing (VCI 8); or a transaction, when a
        clerk looks first (9).

        1. every nonce that was shown is spent, in a transaction of its own, so that also a refused request has
        used it up; 2. what is asked is known here; 3. proofs; 4. copies are reserved; 5. signed.
        Raises `Rejected`: `invalid_token` (401) and the codes of `credential_request.CREDENTIAL_ERRORS`.
        """
        shown = read_proofs(asked)
        self._spend(shown.nonces)  # 1
        name, issuance = self._named(access, asked)  # 2
        if shown.refusal is not None:
            raise shown.refusal
        holders = self._holders(shown, access)  # 3
        with immediate(self._engine) as connection:  # 4
            self._live(connection, token)  # it may have been revoked since
            wanted = self._wanted(connection, access, name, issuance)
            if store_deferred.is_held(connection, access.offer.bsn):
                return self._defer(connection, wanted, holders)
            batch = self._reserve(connection, wanted, len(holders), with_notification=True)
        return self._sign(batch, holders)  # 5

    def _spend(self, nonces: Iterable[str]) -> None:
        """Spend the nonces of all proofs. Raises `Rejected`: `invalid_nonce` if one is not ours, over or spent."""
        now = self._office.clock.now()
        good: dict[bytes, int] = {}
        refusal = None
        for nonce in set(nonces):
            try:
                remembered, expires = verify_nonce(self._key, nonce, now)
                good[remembered] = expires
            except Rejected as error:
                refusal = error
        with immediate(self._engine) as connection:
            fresh = store_oauth.spend_nonces(connection, good, now)
        if refusal is not None or not fresh:
            raise refusal or Rejected("invalid_nonce", "c_nonce was used before")

    def _named(self, access: Access, asked: AskedCredential) -> tuple[str, str | None]:
        """The configuration, and the issuance that an identifier names. Identifiers are known only to who was
        given some; he may name configurations as well, as wallets do that read no identifiers.

        Raises `Rejected`: `unknown_credential_configuration`, `unknown_credential_identifier`.
        """
        if asked.identifier is None:
            name = asked.configuration or ""
            check_made((name,), self._office.credentials)
            return name, None
        unknown = Rejected("unknown_credential_identifier", "this credential was not authorized")
        found = split_identifier(asked.identifier)
        if found is None or not access.with_details or found[0] not in access.offer.configurations:
            raise unknown
        return found

    def _wanted(self, connection: Connection, access: Access, name: str, issuance: str | None) -> _Wanted:
        """New copies, or those of an earlier issuance of the same renewal again: of the same resident, that is, or
        he could answer for another (protocol section 9). Raises `Rejected`: `unknown_credential_identifier`."""
        if issuance in (None, access.offer.id):
            return _Wanted(access.offer, name, access.offer.replaces)
        earlier = store.find_offer(connection, issuance)
        if earlier is None or access.renewal_id is None or earlier.renewal_id != access.renewal_id:
            raise Rejected("unknown_credential_identifier", "this credential was not authorized")
        return _Wanted(access.offer, name, earlier.id)

    def _holders(self, shown: ShownProofs, access: Access) -> tuple[Es256Public, ...]:
        """The keys to bind copies to. Raises `Rejected`: `invalid_proof`."""
        return verify_holders(
            shown,
            audience=self._office.signer.issuer,
            client_id=access.client_id,
            now=self._office.clock.now(),
            trust=self._possession.trust if self._office.has_login else None,
        )

    def _reserve(
        self, connection: Connection, wanted: _Wanted, count: int, *, with_notification: bool = False
    ) -> _Batch:
        """Give out positions, sets and status indexes. Raises `Rejected`: `credential_request_denied`."""
        offer, name = wanted.offer, wanted.configuration
        not_after, narrowed = self._office.signer.not_after, None
        if offer.under is not None:
            mandate = standing(connection, offer.under, self._office.clock.now())
            not_after = min(not_after, mandate.until)
            narrowed = narrowed_to(mandate, offer.under.party, configuration(name).vct)
        valid = validity(self._office.clock.now(), not_after)
        if wanted.again is None:
            room = store.room_of(connection, offer)
        else:
            room = store.room_again(connection, wanted.again, name)
        issued = store.copies_issued(connection, offer.id, name, room)
        positions = decide_positions(offer, name, count, issued, room)
        attributes = self._attributes(store.person_record(connection, offer.bsn), name, valid)
        copies = store.reserve_copies(
            connection,
            offer,
            name,
            positions,
            issuer=self._office.signer.issuer,
            valid=valid,
            random=self._office.random,
        )
        notification_id = None
        if with_notification:
            notification_id = b64u_encode(self._office.random(_NOTIFICATION_ID_BYTES))
            store.add_notification(connection, notification_id, offer.id, name)
        if offer.under is None and name == CALLER_CONFIGURATION:
            # A minor who has a wallet now decides together with his parents.
            end_unlawful(connection, offer.bsn, valid.iat, valid.day)
        return _Batch(wanted, attributes, copies, valid, notification_id, narrowed)

    def _attributes(self, record: str | None, name: str, valid: Validity) -> Attributes:
        if record is None:
            raise Rejected("credential_request_denied", "the register no longer knows this person")
        try:
            return sized_attributes(configuration(name).vct, parse_person(record), valid.day)
        except Rejected as error:
            raise Rejected("credential_request_denied", "the register's record cannot be issued") from error

    def _sign(self, batch: _Batch, holders: Sequence[Es256Public]) -> CredentialResponse:
        signer = self._office.signer
        texts = sign_copies(
            configuration(batch.wanted.configuration).vct,
            batch.attributes,
            batch.copies,
            holders,
            signer=replace(signer, loa=batch.wanted.offer.loa or signer.loa),
            valid=batch.valid,
            random=self._office.random,
            narrowed=batch.narrowed,
        )
        return CredentialResponse([IssuedCredential(text) for text in texts], batch.notification_id)

    # ---- later

    def _defer(
        self, connection: Connection, wanted: _Wanted, holders: tuple[Es256Public, ...]
    ) -> CredentialResponse:
        """Keep the request for a clerk. Raises `Rejected`: `credential_request_denied`."""
        offer, now = wanted.offer, self._office.clock.now()
        if wanted.configuration not in offer.configurations:
            raise Rejected("credential_request_denied", "this credential was not offered")
        if store_deferred.waiting_under(connection, offer.id) >= MAX_WAITING:
            raise Rejected("credential_request_denied", "enough requests of this resident wait already")
        made = Deferred(
            id=self._office.random(ID_BYTES).hex(),
            offer_id=offer.id,
            bsn=offer.bsn,
            configuration=wanted.configuration,
            again=wanted.again,
            holders=holders,
            state="waiting",
            asked=now,
            expires=now + DEFERRED_SECONDS,
        )
        store_deferred.add_deferred(connection, made, now)
        return CredentialResponse(transaction_id=transaction_id_of(self._key, made.id), interval=INTERVAL)

    def deferred(self, token: bytes, access: Access, transaction_id: str) -> CredentialResponse:
        """What became of a transaction (VCI 9): copies, once; or the transaction again, as long as it waits.

        Copies come without the notification_id that 9.2 allows: wallets by @openid4vc/openid4vci 0.4.6 refuse
        such an answer, and what they refuse is lost to them.

        Raises `Rejected`: `invalid_token` (401), `invalid_transaction_id`, `credential_request_denied`.
        """
        with immediate(self._engine) as connection:
            self._live(connection, token)
            found = store_deferred.find_deferred(connection, find_transaction(self._key, transaction_id))
            offer = None if found is None else store.find_offer(connection, found.offer_id)
            if found is None or offer is None or not _is_of(offer, access):
                raise Rejected("invalid_transaction_id", "this transaction is unknown")
            ready = decide_poll(found, self._office.clock.now())
            if ready is None:
                return CredentialResponse(transaction_id=transaction_id, interval=INTERVAL)
            if not store_deferred.mark_issued(connection, found.id):
                raise Rejected("invalid_transaction_id", "this transaction was answered before")
            batch = self._reserve(connection, _Wanted(offer, found.configuration, found.again), len(found.holders))
        return self._sign(batch, found.holders)

    # ---- afterwards

    def notify(self, access: Access, body: bytes) -> None:
        """Keep what became of a batch. Raises `Rejected`: `invalid_notification_id`,
        `invalid_notification_request`."""
        notification = parse_notification(body)
        with immediate(self._engine) as connection:
            known = store.note_event(
                connection, notification.notification_id, access.offer.id, access.renewal_id, notification.event
            )
        if not known:
            raise Rejected("invalid_notification_id", "this id was not given out with this token")


def _is_of(offer: Offer, access: Access) -> bool:
    """Whether a token of a later refresh, or of the same issuance, may ask for what was begun under `offer`."""
    return offer.id == access.offer.id or (access.renewal_id is not None and offer.renewal_id == access.renewal_id)
