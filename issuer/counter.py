"""The counter: the office's acts as staff do them, each written down with who did it before it is done.

An act may stand there although it failed; none was done that does not stand there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection

from issuer import store, store_counter, store_mandate
from issuer.brp import Bsn, Person, parse_person
from issuer.finding import MAX_FOUND, Found, birth_forms, found_of, is_deceased, name_of, surname_keys
from issuer.mandate import Registered
from issuer.offer import Offer
from issuer.office import Office
from issuer.store_counter import Act, ActKind, Hold
from protocol.errors import Rejected
from service.database import immediate, snapshot

Document = Literal["passport", "identity_card", "driving_licence", "residence_permit"]
DOCUMENTS: tuple[Document, ...] = get_args(Document)
"""What identifies somebody at a counter (Wet op de identificatieplicht, article 1)."""
OfferState = Literal["open", "fetched", "over"]
MAX_ACTS = 20
"""Of one resident, on one page."""


@dataclass(frozen=True)
class Acting:
    """A mandate that somebody is a party of. `represented`, `delegates`: full names, empty where unknown."""

    mandate: Registered
    party: int
    represented: str
    delegates: tuple[str, ...]


@dataclass(frozen=True)
class Dossier:
    """What a clerk sees of one resident. `acting`: for whom he acts, and who acts for him."""

    bsn: Bsn
    person: Person
    hold: Hold | None
    issued: tuple[store.Issuance, ...]
    acts: tuple[Act, ...]
    acting: tuple[Acting, ...] = ()


class Counter:
    """Around one office; each method takes the id of the member of staff who acts."""

    def __init__(self, office: Office) -> None:
        self.office = office

    def find_by_bsn(self, bsn: Bsn) -> Found:
        """Raises `Rejected`: `unknown_person` (404)."""
        with snapshot(self.office.engine) as connection:
            record = store.person_record(connection, bsn)
        if record is None:
            raise Rejected("unknown_person", "the register does not know this BSN", status=404)
        return found_of(record)

    def find_by_name(self, surname: str, birth: str) -> list[Found]:
        """Who has this surname and this date of birth. Raises `Rejected`: `bad_name`, `bad_date`, `too_many`."""
        surnames, births = surname_keys(surname), birth_forms(birth)
        with snapshot(self.office.engine) as connection:
            records = store_counter.records_by_name(connection, surnames, births, MAX_FOUND + 1)
        if len(records) > MAX_FOUND:
            raise Rejected("too_many", f"more than {MAX_FOUND} people have this name and birthday")
        return [found_of(record) for record in records]

    def open(self, officer: str, bsn: Bsn) -> None:
        """Somebody's page is opened, and that is kept. Raises `Rejected`: `unknown_person`."""
        self.find_by_bsn(bsn)
        self._write(officer, "found", bsn)

    def dossier(self, bsn: Bsn) -> Dossier:
        """What there is of a resident. Raises `Rejected`: `unknown_person`."""
        with snapshot(self.office.engine) as connection:
            record = store.person_record(connection, bsn)
            if record is None:
                raise Rejected("unknown_person", "the register does not know this BSN", status=404)
            return Dossier(
                bsn,
                parse_person(record),
                store_counter.find_hold(connection, bsn),
                tuple(store.list_issuances(connection, bsn)),
                tuple(store_counter.list_acts(connection, bsn, MAX_ACTS)),
                _acting(connection, bsn),
            )

    def offer(
        self, officer: str, bsn: Bsn, configurations: Sequence[str], document: Document
    ) -> tuple[Offer, str]:
        """An offer for who stands at the counter and has shown `document`, and its transaction code.

        Raises `Rejected`: `deceased`, and as `Office.offer` does.
        """
        if is_deceased(self.dossier(bsn).person):
            raise Rejected("deceased", "the register says that this person has died", status=409)
        made, tx_code = self.office.offer(bsn, tuple(configurations))
        # After it, because it names the offer; nobody has its code before this is kept.
        self._write(officer, "offered", bsn, document=document, reference=made.id)
        return made, tx_code

    def offer_state(self, offer_id: str) -> OfferState:
        """Whether the wallet has come for it."""
        with snapshot(self.office.engine) as connection:
            found = store.find_offer(connection, offer_id)
        if found is None:
            return "over"
        if found.redeemed:
            return "fetched"
        return "open" if found.tries_left > 0 and self.office.clock.now() < found.expires else "over"

    def revoke(self, officer: str, bsn: Bsn, offer_id: str, reason: str) -> tuple[int, int]:
        """Revoke what this resident was given under an offer. Raises `Rejected`: `unknown_id`."""
        with snapshot(self.office.engine) as connection:
            if not store.is_issued_to(connection, offer_id, bsn):
                raise Rejected("unknown_id", "nothing was issued to this resident under this id", status=404)
        self._write(officer, "revoked", bsn, reference=offer_id)
        return self.office.revoke(offer_id, reason)

    def hold(self, officer: str, bsn: Bsn, reason: str) -> None:
        """Nothing more is issued until somebody has looked. Raises as `Office.hold`."""
        self._write(officer, "held", bsn)
        self.office.hold(bsn, reason)

    def release(self, officer: str, bsn: Bsn) -> bool:
        """The record is good. False when it was not held."""
        self._write(officer, "released", bsn)
        return self.office.release(bsn)

    def waiting_person(self, offer_id: str) -> Found:
        """Who waits under an issuance. Raises `Rejected`: `unknown_id` (404)."""
        return self.find_by_bsn(self._who_waits(offer_id))

    def approve(self, officer: str, offer_id: str) -> None:
        """What waits is issued. Raises `Rejected`: `unknown_id`."""
        self._write(officer, "approved", self._who_waits(offer_id), reference=offer_id)
        self.office.approve(offer_id)

    def deny(self, officer: str, offer_id: str, reason: str) -> None:
        """What waits is not issued. Raises `Rejected`: `unknown_id`."""
        self._write(officer, "denied", self._who_waits(offer_id), reference=offer_id)
        self.office.deny(offer_id, reason)

    def _who_waits(self, offer_id: str) -> Bsn:
        with snapshot(self.office.engine) as connection:
            bsn = store_counter.waiting_of(connection, offer_id)
        if bsn is None:
            raise Rejected("unknown_id", "nothing waits under this id", status=404)
        return bsn

    def _write(
        self,
        officer: str,
        act: ActKind,
        bsn: Bsn,
        *,
        document: Document | None = None,
        reference: str | None = None,
    ) -> None:
        with immediate(self.office.engine) as connection:
            now = self.office.clock.now()
            store_counter.add_act(connection, Act(now, officer, act, bsn, document, reference))


def _acting(connection: Connection, bsn: Bsn) -> tuple[Acting, ...]:
    """Mandates in force, and those that wait for a second officer."""

    def name(who: Bsn) -> str:
        person = store_mandate.find_person(connection, who)
        return name_of(person) if person else ""

    return tuple(
        Acting(one, one.party_of(bsn) or 0, name(one.represented), tuple(map(name, one.delegates)))
        for one in store_mandate.live_of(connection, bsn, confirmed=False)
    )
