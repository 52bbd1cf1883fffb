"""The alarm bell of one home: marks each reading before anybody sees its values, and rings when it is asked to."""

from collections.abc import Callable
from functools import cached_property

from service.home import Home
from verifier.alarm.bell import ring
from verifier.alarm.facts import DAY, ReadFact
from verifier.alarm.files import parse_cases, parse_officers
from verifier.alarm.marks import KEPT_DAYS, KEY_BYTES, Marks, Values
from verifier.alarm.thresholds import FILE as THRESHOLDS
from verifier.alarm.thresholds import Thresholds, parse_thresholds
from verifier.alarm_store import FILE, AlarmStore
from verifier.gate import PendingRead, Purpose

KEY = "alarm.key"
RUNG_DAYS = 200


class Bell:
    """Opens its file at the first use. Raises `Unavailable`: `database`, wherever it writes."""

    def __init__(self, home: Home, random: Callable[[int], bytes]) -> None:
        self._home = home
        self._random = random

    @cached_property
    def store(self) -> AlarmStore:
        """What is kept."""
        return AlarmStore(self._home.file(FILE))

    @cached_property
    def marks(self) -> Marks:
        """Under the home's key, which is made at the first use."""
        if not self._home.has(KEY):
            self._home.create_secret(KEY, self._random(KEY_BYTES))
        return Marks(self._home.read_secret(KEY))

    @property
    def thresholds(self) -> Thresholds:
        """Of the home's file, or the defaults. Raises `Rejected`: `bad_thresholds`."""
        return parse_thresholds(self._home.read(THRESHOLDS)) if self._home.has(THRESHOLDS) else Thresholds()

    def note(
        self, grant: str, service: str, pending: PendingRead, purpose: Purpose, entry: int, values: Values
    ) -> None:
        """A reading that the log admitted, before its values are handed out: what is not marked is not shown."""
        fact = ReadFact(
            id=pending.read_id,
            at=pending.read.iat,
            officer=self.marks.officer(purpose.officer),
            resident=self.marks.resident(values, grant),
            case=self.marks.case(purpose.case),
            service=service,
            by_hand=purpose.channel == "desk",
            zone=purpose.zone,
            homes=self.marks.homes(values),
            persons=self.marks.persons(values),
        )
        self.store.add(fact, entry)

    def load_cases(self, data: bytes, now: int) -> int:
        """The register of cases; how many. Raises `Rejected`: `bad_line`."""
        cases = parse_cases(data, self.marks)
        self.store.load_cases(cases, now)
        return len(cases)

    def load_officers(self, data: bytes, now: int) -> int:
        """What officers told of themselves; how many. Raises `Rejected`: `bad_line`."""
        officers = parse_officers(data, self.marks)
        self.store.load_officers(officers, now)
        return len(officers)

    def ring(self, now: int) -> int:
        """All rules over all that is kept; how many alerts are new. Reads of `KEPT_DAYS` ago are forgotten.

        What ended `RUNG_DAYS` ago rings no more: once its first reads are forgotten it would be another alert.
        """
        thresholds = self.thresholds
        self.store.forget(now - KEPT_DAYS * DAY)
        found = ring(self.store.facts(now), thresholds)
        return self.store.keep([alert for alert in found if alert.until > now - RUNG_DAYS * DAY], now)
