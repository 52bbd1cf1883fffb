"""The desk of the issuer: every act that changes something is one transaction around a rule.

What wallets ask is in `authorization_server` (tokens) and `issuing` (credentials), both around this office.
"""

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, Engine

from issuer import store, store_change, store_deferred, store_revocation
from issuer.authorize import issuer_state_of
from issuer.brp import Bsn, Person, parse_person
from issuer.change import decide_change, end_of
from issuer.finding import found_by
from issuer.issue import Signer, status_uri, validity
from issuer.mandate_books import end_unlawful
from issuer.offer import BRP_CREDENTIALS, Offer, check_made, is_offer_id, is_open, make_offer, offer_message
from issuer.register import check_person
from issuer.revoke import sign_list
from issuer.store_change import Changed
from protocol.errors import Rejected
from protocol.openid4vci import CredentialOffer
from service.clock import Clock
from service.database import immediate, snapshot

_IMPORT_CHUNK = 500
_LIST_SECONDS = 60
"""A signed status list is served again for so long, unless something was revoked meanwhile."""


@dataclass(frozen=True)
class Imported:
    """How many persons were taken, for each refused line (from 1) why, and what that did to what was issued."""

    taken: int
    refused: list[tuple[int, Rejected]]
    changed: Changed


def _checked(line: bytes, made: tuple[str, ...], day: datetime.date) -> tuple[Person, str]:
    """A person whom every credential can be made of, and the record as it will be kept. Raises `Rejected`."""
    person = parse_person(line)
    check_person(person, day, made)
    return person, line.decode("utf-8").strip()


def _known(record: str) -> Person | None:
    """What was kept; None when an earlier version kept what can be read no more."""
    try:
        return parse_person(record)
    except Rejected:
        return None


class Office:
    """One issuer: its register and offers in `engine`, its keys, its clock and its randomness.

    `has_login`: residents can log in, so an offer can be taken up in that way too. `credentials`: the kinds that
    this issuer makes.
    """

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        codes_key: bytes,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        has_login: bool = False,
        credentials: tuple[str, ...] = BRP_CREDENTIALS,
    ) -> None:
        self.engine = engine
        self.signer = signer
        self.codes_key = codes_key
        self.clock = clock
        self.random = random
        self.has_login = has_login
        self.credentials = credentials
        self._lists: dict[int, tuple[int, tuple[frozenset[int], frozenset[int]], str]] = {}

    # ---- the desk

    def import_persons(self, lines: Iterable[bytes]) -> tuple[int, list[tuple[int, Rejected]]]:
        """`take_persons`, without what changed: how many were taken, and the refused ones."""
        found = self.take_persons(lines)
        return found.taken, found.refused

    def take_persons(self, lines: Iterable[bytes]) -> Imported:
        """Take persons into the register, one JSON a line, each replacing what was known; what was issued to whom
        has changed is superseded or revoked in the same transaction (`change`).

        Empty lines are skipped. Repeating is harmless; wallets are served between two chunks.
        """
        now = self.clock.now()
        day = validity(now, self.signer.not_after).day
        imported, superseded, revoked, refused = 0, 0, 0, []
        numbered = iter(enumerate(lines, 1))
        while chunk := list(islice(numbered, _IMPORT_CHUNK)):
            records = []
            for number, line in chunk:
                try:
                    if line.strip():
                        records.append(_checked(line, self.credentials, day))
                except Rejected as error:
                    refused.append((number, error))
            with immediate(self.engine) as connection:
                for person, record in records:
                    changed = self._put(connection, person, record, day, now)
                    superseded, revoked = superseded + changed.superseded, revoked + changed.revoked
            imported += len(records)
        return Imported(imported, refused, Changed(superseded, revoked))

    def _put(self, connection: Connection, person: Person, record: str, day: datetime.date, now: int) -> Changed:
        """One person; a record that says the same as before costs no comparison."""
        bsn = Bsn(person.burgerservicenummer)
        before = store.person_record(connection, bsn)
        store.put_person(connection, bsn, record, found_by(person), now)
        if before is None or before == record:
            return Changed()
        change = decide_change(_known(before), person, day, self.credentials)
        changed = store_change.apply_change(connection, bsn, change, now)
        end_unlawful(connection, bsn, now, day)
        return changed

    def offer(
        self,
        bsn: Bsn,
        configurations: tuple[str, ...],
        *,
        replaces: str | None = None,
        although_deceased: bool = False,
    ) -> tuple[Offer, str]:
        """A new offer and its transaction code; `replaces` names an issuance to the same resident, to be issued
        again with the data of now in the sets of then (protocol section 9). `although_deceased`: for registers of
        test persons.

        Raises `Rejected`: `unknown_person`, `deceased` 409, `unknown_id`, `unknown_credential_configuration`.
        """
        now = self.clock.now()
        check_made(configurations, self.credentials)
        offer, tx_code = make_offer(
            bsn, configurations, key=self.codes_key, now=now, random=self.random, replaces=replaces
        )
        with immediate(self.engine) as connection:
            # Whose it is decides: a set that moved to another resident would let him answer for the first one.
            if replaces is not None and not store.is_issued_to(connection, replaces, bsn, himself=True):
                raise Rejected("unknown_id", "nothing was issued to this resident under this id", status=404)
            record = store.person_record(connection, bsn)
            if record is None:
                raise Rejected("unknown_person", "the register does not know this BSN", status=404)
            known = _known(record)
            if known is not None and end_of(known) is not None and not although_deceased:
                raise Rejected(
                    "deceased", "the register says that nobody acts as this person any more", status=409
                )
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
            total, changed = store_revocation.revoke_offer(connection, offer_id, reason, self.clock.now())
        if not total and not known:
            raise Rejected("unknown_id", "nothing was offered or issued under this id", status=404)
        return total, changed

    def hold(self, bsn: Bsn, reason: str) -> None:
        """A clerk looks at this resident's record before anything more is issued. Raises `Rejected`:
        `unknown_person`."""
        with immediate(self.engine) as connection:
            if store.person_record(connection, bsn) is None:
                raise Rejected("unknown_person", "the register does not know this BSN", status=404)
            store_deferred.put_hold(connection, bsn, reason, self.clock.now())

    def release(self, bsn: Bsn) -> bool:
        """The record is good; what waits is still to be approved. False when it was not held."""
        with immediate(self.engine) as connection:
            return store_deferred.release(connection, bsn)

    def waiting(self) -> list[store_deferred.Waiting]:
        """What waits for a clerk."""
        with snapshot(self.engine) as connection:
            return store_deferred.list_waiting(connection)

    def approve(self, offer_id: str) -> None:
        """The clerk has looked: what waits under this id is issued, and its resident is held no longer.

        Raises `Rejected`: `unknown_id`.
        """
        with immediate(self.engine) as connection:
            bsn = store_deferred.decide_waiting(connection, offer_id, "approved", None)
            if bsn is None:
                raise Rejected("unknown_id", "nothing waits under this id", status=404)
            store_deferred.release(connection, bsn)

    def deny(self, offer_id: str, reason: str) -> None:
        """What waits under this id is not issued; its resident stays held. Raises `Rejected`: `unknown_id`."""
        with immediate(self.engine) as connection:
            if store_deferred.decide_waiting(connection, offer_id, "denied", reason) is None:
                raise Rejected("unknown_id", "nothing waits under this id", status=404)

    # ---- public

    def message(self, offer: Offer) -> CredentialOffer:
        """The offer as the wallet reads it."""
        # No login for who acts for another: it would have to be the represented who logs in.
        by_login = self.has_login and offer.under is None
        state = issuer_state_of(self.codes_key, offer.id) if by_login else None
        return offer_message(offer, self.signer.issuer, self.codes_key, state)

    def open_offer(self, offer_id: str) -> CredentialOffer:
        """The offer at its address, as long as it can be redeemed. Raises `Rejected`: `not_found` (404)."""
        with snapshot(self.engine) as connection:
            offer = store.find_offer(connection, offer_id) if is_offer_id(offer_id) else None
        if offer is None or not is_open(offer, self.clock.now()):
            raise Rejected("not_found", "there is no such offer, or it is over", status=404)
        return self.message(offer)

    def status_token(self, number: int) -> str:
        """The signed status list of this number. Raises `Rejected`: `not_found` (404)."""
        now = self.clock.now()
        with snapshot(self.engine) as connection:
            if not store_revocation.has_list(connection, number):
                raise Rejected("not_found", "there is no such status list", status=404)
            revoked = frozenset(store_revocation.revoked_indexes(connection, number))
            superseded = frozenset(store_change.superseded_indexes(connection, number))
        known = self._lists.get(number)
        if known is not None and known[0] > now - _LIST_SECONDS and known[1] == (revoked, superseded):
            return known[2]
        uri = status_uri(self.signer.issuer, number)
        token = sign_list(uri, revoked, superseded, key=self.signer.key, x5c=self.signer.x5c, now=now)
        self._lists[number] = (now, (revoked, superseded), token)
        return token
