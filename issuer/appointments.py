"""Curator, bewindvoerder, mentor: what a court decided, registered by two officers (protocol section 10).

The first reads the decision and writes it down; the second, another account, reads it too and confirms. Only then
is anything signed. The register is asked both times.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from issuer import store_counter, store_mandate
from issuer.brp import Bsn
from issuer.issue import DAY
from issuer.mandate import CourtKind, Registered, check_claims, check_court
from issuer.mandate_books import SEED_BYTES, day_of, end_all_unlawful, new_id, sign, why_not, wrap_seed
from issuer.mandates import Mandates
from issuer.office import Office
from issuer.store_counter import Act, ActKind
from protocol.errors import Rejected
from protocol.mandate import MandateClaims, MandateService
from service.database import immediate, snapshot

MAX_DECISION = 64
"""Characters of the reference of a decision (zaaknummer, ECLI)."""
MAX_OFFICER = 128


@dataclass(frozen=True)
class Appointment:
    """What an officer read in a decision. `until` in POSIX seconds; `services` None for every service."""

    kind: CourtKind
    represented: Bsn
    delegates: tuple[Bsn, ...]
    until: int
    decision: str
    services: tuple[MandateService, ...] | None = None
    claims: tuple[MandateClaims, ...] | None = None


class Appointments:
    """Around one office; each method takes the officer who acts."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._mandates = Mandates(office)
        self._engine = office.engine

    def add(self, officer: str, read: Appointment) -> str:
        """The first officer writes it down: the id of what waits for the second.

        Raises `Rejected`: `bad_officer`, `bad_decision`, `unknown_person` 404, and those of `check_court`,
        `check_claims` and `Mandates.limited`.
        """
        officer = _checked(officer, MAX_OFFICER, "bad_officer")
        decision = _checked(read.decision, MAX_DECISION, "bad_decision")
        now = self._office.clock.now()
        with immediate(self._engine) as connection:
            represented = self._mandates.person(connection, read.represented)
            delegates = [self._mandates.person(connection, bsn) for bsn in read.delegates]
            check_court(read.kind, represented, delegates, read.services, day_of(now))
            check_claims(read.claims)
            made = self._mandates.limited(connection, _registered(read, new_id(self._office.random)))
            seed = wrap_seed(self._office.codes_key, made.id, self._office.random(SEED_BYTES), self._office.random)
            store_mandate.add_mandate(connection, made, seed, now, evidence=decision, officer=officer)
            store_counter.add_act(connection, Act(now, officer, "appointed", read.represented, reference=made.id))
        return made.id

    def confirm(self, officer: str, id_: str) -> Registered:
        """The second officer: it is signed, and the delegates can take it.

        1. it waits; 2. somebody else wrote it down; 3. law still allows it.
        Raises `Rejected`: `bad_officer`, `unknown_id` 404, `same_officer` 409, `mandate_ended` 409.
        """
        officer, now = _checked(officer, MAX_OFFICER, "bad_officer"), self._office.clock.now()
        with immediate(self._engine) as connection:
            found = store_mandate.find_mandate(connection, id_)
            if found is None or found.token or found.ended is not None:  # 1
                raise Rejected("unknown_id", "nothing waits for a second officer under this id", status=404)
            first = store_mandate.officer_of(connection, id_) or ""
            if first.casefold() == officer.casefold():  # 2
                raise Rejected("same_officer", "somebody else has to confirm what you wrote down", status=409)
            if why_not(connection, found, now, day_of(now)) is not None:  # 3
                raise Rejected("mandate_ended", "the register does not allow this any more", status=409)
            seed = self._mandates.seed_of(connection, id_)
            signed = replace(found, token=sign(found, seed, self._office.signer, now))
            store_mandate.confirm_mandate(connection, id_, signed.token, officer)
            self._write(connection, officer, "confirmed", signed)
        return signed

    def end(self, officer: str, id_: str) -> int:
        """It ends, or what waits is refused: how many cards under it were revoked. Raises `Rejected`:
        `bad_officer`, `unknown_id` 404."""
        officer, now = _checked(officer, MAX_OFFICER, "bad_officer"), self._office.clock.now()
        with immediate(self._engine) as connection:
            found = store_mandate.find_mandate(connection, id_)
            if found is None or found.ended is not None:
                raise Rejected("unknown_id", "no mandate is in force under this id", status=404)
            revoked = store_mandate.end_mandate(connection, id_, "by_officer", now)
            self._write(connection, officer, "ended", found)
        return revoked

    def waiting(self) -> list[tuple[Registered, str]]:
        """What waits for a second officer, with the first one."""
        with snapshot(self._engine) as connection:
            return store_mandate.waiting(connection)

    def of(self, bsn: Bsn) -> list[Registered]:
        """Mandates in which somebody is the represented or a delegate, with what waits."""
        with snapshot(self._engine) as connection:
            return store_mandate.live_of(connection, bsn, confirmed=False)

    def tick(self) -> int:
        """End what law allows no more, as terms and birthdays pass: how many."""
        with immediate(self._engine) as connection:
            return end_all_unlawful(connection, self._office.clock.now())

    def _write(self, connection: Connection, officer: str, act: ActKind, of: Registered) -> None:
        now = self._office.clock.now()
        store_counter.add_act(connection, Act(now, officer, act, of.represented, reference=of.id))


def _registered(read: Appointment, id_: str) -> Registered:
    """Each of the delegates acts alone."""
    delegates = tuple(sorted(read.delegates))
    return Registered(
        id_,
        "court",
        read.kind,
        read.represented,
        delegates,
        (tuple(range(1, len(delegates) + 1)),),
        read.until - read.until % DAY,
        claims=read.claims,
        services=read.services,
    )


def _checked(text: str, most: int, code: str) -> str:
    found = text.strip()
    if not 0 < len(found) <= most or not found.isprintable():
        raise Rejected(code, f"1 to {most} printable characters")
    return found


def parse_services(texts: Sequence[str]) -> tuple[MandateService, ...] | None:
    """`OIN/service`, as people type them; None for none. Raises `Rejected`: `bad_service`."""
    found = []
    for text in texts:
        recipient, _, service = text.strip().partition("/")
        is_oin = len(recipient) == 20 and recipient.isascii() and recipient.isdigit()
        if not is_oin or not 0 < len(service) <= 128 or not service.isascii() or not service.isprintable():
            raise Rejected("bad_service", "a service is OIN/name, the OIN of 20 digits")
        found.append(MandateService(recipient, service))
    if len(set(found)) != len(found):
        raise Rejected("bad_service", "a service is named twice")
    return tuple(found) or None
