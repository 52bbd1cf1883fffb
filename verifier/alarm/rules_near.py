"""Rules about whom: neighbours and relatives, by marks that only this agency can make."""

from collections.abc import Iterator, Sequence

from verifier.alarm.facts import DAY, Alert, Facts, OfficerFact, ReadFact, alert_of, at_least, episodes
from verifier.alarm.thresholds import Thresholds

_NOBODY = OfficerFact()


def own_street(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Several residents of the officer's own street: one is chance in a small town."""
    for officer, reads in facts.by_officer():
        homes = facts.officers.get(officer, _NOBODY).homes
        near = [read for read in reads if read.homes & homes]

        def is_enough(window: Sequence[ReadFact]) -> bool:
            return len({read.resident for read in window}) >= when.neighbours

        for found in episodes(near, when.neighbour_days * DAY, is_enough):
            yield alert_of("own_street", found, residents=len({read.resident for read in found}))


def relatives(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """A relative of the officer."""
    for officer, reads in facts.by_officer():
        kin = facts.officers.get(officer, _NOBODY).relatives
        near = [read for read in reads if read.persons & kin]
        for found in episodes(near, when.relative_days * DAY, at_least(when.relative_reads)):
            yield alert_of("relatives", found)
