"""Rules about how much: a mass in a day, many residents over weeks, a burst, one resident by many, one by one."""

from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median

from protocol.working_days import local
from verifier.alarm.facts import DAY, Alert, Facts, ReadFact, alert_of, at_least, episodes, grouped, usual_count
from verifier.alarm.thresholds import Thresholds


def mass(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """In one day far more residents than this officer usually reads."""
    for _, reads in facts.by_officer():
        days = grouped(reads, _day)
        usual = median(_residents(each) for each in days.values())
        for of_day in days.values():
            residents = _residents(of_day)
            if residents >= max(when.mass_residents, when.mass_factor * usual):
                yield alert_of("mass", of_day, residents=residents, usual=round(usual))


def many_residents(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Over weeks far more residents than this officer usually reads. One busy day counts no more than
    `many_day_cap`: a day on which a list is worked through is for `mass` to judge.
    """
    for _, reads in facts.by_officer():
        capped = [read for of_day in grouped(reads, _day).values() for read in _first_of_each(of_day)]
        capped = [r for of_day in grouped(capped, _day).values() for r in of_day[: when.many_day_cap]]
        usual = usual_count(capped, capped, when.many_days)
        least = max(when.many_residents, when.many_factor * usual)
        for found in episodes(capped, when.many_days * DAY, at_least(least)):
            yield alert_of("many_residents", found, residents=len(found), usual=round(usual))


def burst(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Many residents within minutes."""
    for _, reads in facts.by_officer():

        def is_enough(window: Sequence[ReadFact]) -> bool:
            return len(window) >= when.burst_residents and _residents(window) >= when.burst_residents

        for found in episodes(reads, when.burst_minutes * 60, is_enough):
            minutes = max(1, round((found[-1].at - found[0].at) / 60))
            yield alert_of("burst", found, residents=_residents(found), minutes=minutes)


def many_officers(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Curiosity: the same resident by many officers within days."""
    for reads in grouped(facts.by_hand(), lambda read: read.resident).values():

        def is_enough(window: Sequence[ReadFact]) -> bool:
            return len({read.officer for read in window}) >= when.curious_officers

        for found in episodes(reads, when.curious_days * DAY, is_enough):
            officers = len({read.officer for read in found})
            yield alert_of("many_officers", found, about_many=True, officers=officers)


def same_resident(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """One officer and one resident, again and again under other cases: a former partner, a quarrel."""
    for reads in grouped(facts.by_hand(), lambda read: (read.officer, read.resident)).values():

        def is_enough(window: Sequence[ReadFact]) -> bool:
            return len(window) >= when.same_reads and _cases(window) >= when.same_cases

        for found in episodes(reads, when.same_days * DAY, is_enough):
            yield alert_of("same_resident", found, cases=_cases(found))


def _day(read: ReadFact) -> date:
    return local(read.at).date()


def _residents(reads: Sequence[ReadFact]) -> int:
    return len({read.resident for read in reads})


def _cases(reads: Sequence[ReadFact]) -> int:
    return len({read.case for read in reads})


def _first_of_each(reads: Sequence[ReadFact]) -> list[ReadFact]:
    return list({read.resident: read for read in reversed(reads)}.values())[::-1]
