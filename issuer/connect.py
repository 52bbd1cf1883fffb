"""Ask the register at its source, and let what it says now reach what was issued (`change`).

Each batch is taken before the next is asked for, so that a run that is cut off is gone on with by running it
again: who was asked already is not older than the day that was given.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from issuer import store, store_deferred
from issuer.brp import Bsn, Person, parse_person
from issuer.brp_api import batches
from issuer.office import Office
from issuer.woz import WozObject
from protocol.canonical import to_builtins
from protocol.errors import Rejected
from service.database import immediate, snapshot

NOT_AT_THE_SOURCE = "niet gevonden bij de bron"
"""Why somebody is held whom the source knows no more. A clerk looks: erased there, or out of our authorisation."""
_OF_ONE_HOME = frozenset({"bad_source_answer", "source_refused", "too_large"})
"""What a register of homes may say of one address and not of the next; the home stays as it was known."""


class Source(Protocol):
    """Where records come from."""

    def persons(self, bsns: Collection[Bsn], fields: Collection[str]) -> Mapping[Bsn, dict[str, Any]]:
        """Records of those whom it knows."""


class Homes(Protocol):
    """Where homes are valued."""

    def home_of(self, person: Person) -> WozObject | None:
        """The home that this resident has an interest in."""


@dataclass
class Report:
    """How many were asked for, taken, not known there, held for a clerk; lines of what was refused (the code only,
    for a record names somebody); copies superseded and revoked."""

    asked: int = 0
    taken: int = 0
    missing: int = 0
    held: int = 0
    superseded: int = 0
    revoked: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Everybody was there, and could be taken."""
        return not self.missing and not self.refused

    def refuse(self, code: str) -> None:
        """One more was refused for this."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Connector:
    """One issuer's office, and the sources that it is fed from. `fields`: what is asked of each resident; without
    `homes` what was known of somebody's home stays as it was."""

    def __init__(self, office: Office, source: Source, fields: Sequence[str], homes: Homes | None = None) -> None:
        self._office = office
        self._source = source
        self._fields = fields
        self._homes = homes

    def known_before(self, moment: int) -> list[Bsn]:
        """Everybody whose record is older than `moment` (POSIX seconds), in the order of their numbers."""
        with snapshot(self._office.engine) as connection:
            return list(store.persons_before(connection, moment))

    def refresh(self, bsns: Sequence[Bsn], told: Callable[[Report], None] = lambda report: None) -> Report:
        """Ask for these residents, in batches; `told` after each.

        Raises `Rejected`: `source_empty` when it knows nobody of a whole batch of people whom we know, which is a
        fault of the connection and no reason to hold a town; those of the source; `Unavailable`.
        """
        report = Report()
        for batch in batches(dict.fromkeys(bsns)):
            found = self._source.persons(batch, self._fields)
            self._check_found(batch, found)
            self._take(batch, found, report)
            told(report)
        return report

    def _check_found(self, batch: Sequence[Bsn], found: Mapping[Bsn, dict[str, Any]]) -> None:
        if found or len(batch) == 1:
            return
        with snapshot(self._office.engine) as connection:
            known = [bsn for bsn in batch if store.person_record(connection, bsn) is not None]
        if len(known) > 1:
            raise Rejected("source_empty", "the source knows nobody of a whole batch: is it the right one?")

    def _take(self, batch: Sequence[Bsn], found: Mapping[Bsn, dict[str, Any]], report: Report) -> None:
        lines = [self._line(bsn, found[bsn], report) for bsn in batch if bsn in found]
        imported = self._office.take_persons(lines)
        report.asked += len(batch)
        report.taken += imported.taken
        report.superseded += imported.changed.superseded
        report.revoked += imported.changed.revoked
        for _, error in imported.refused:
            report.refuse(error.code)
        for bsn in batch:
            if bsn not in found:
                report.missing += 1
                report.held += self._hold(bsn)

    def _line(self, bsn: Bsn, record: dict[str, Any], report: Report) -> bytes:
        """The record as it is taken, with the home beside it where this issuer makes something of that."""
        record = {name: value for name, value in record.items() if name != "woz"}  # which is not the BRP's to tell
        home = self._home(bsn, record, report) if "woz" in self._office.credentials else None
        if home is not None:
            record["woz"] = to_builtins(home)
        return json.dumps(record, ensure_ascii=False).encode()

    def _home(self, bsn: Bsn, record: dict[str, Any], report: Report) -> WozObject | None:
        """One bad record or home is counted and stops nobody behind it: a death there has to be heard of."""
        if self._homes is not None:
            try:
                person = parse_person(json.dumps(record))
            except Rejected:
                return None  # refused and counted where the record is taken
            try:
                return self._homes.home_of(person)
            except Rejected as error:
                if error.code not in _OF_ONE_HOME:
                    raise
                report.refuse(error.code)
        with snapshot(self._office.engine) as connection:
            before = store.person_record(connection, bsn)
        return None if before is None else parse_person(before).woz

    def _hold(self, bsn: Bsn) -> bool:
        """Nothing more is issued until a clerk has looked. False for who was never known, or is held already."""
        with immediate(self._office.engine) as connection:
            is_known = store.person_record(connection, bsn) is not None
            if not is_known or store_deferred.is_held(connection, bsn):
                return False
            store_deferred.put_hold(connection, bsn, NOT_AT_THE_SOURCE, self._office.clock.now())
            return True
