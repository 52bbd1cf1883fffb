"""Rules about how much: a mass in a day, many residents over weeks, a burst, one resident by many, one by one."""

from collections.abc import Iterator, Sequence
from datetime import date
from statistics import median

from protocol.working_days import local
from verifier.alarm.facts import DAY, Alert, Facts, ReadFact, alert_of, at_least, episodes, grouped, usual_count
from verifier.alarm.thresholds import Thresholds


def mass(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """In one day far more residents than this officer usually reads: the median of the other days, so that no day
    is a measure of itself. Who has fewer than `usual_days` others has no usual, and `mass_residents` alone counts.
    """
    for _, reads in facts.by_officer():
        days = grouped(reads, _day)
        counts = {day: _residents(of_day) for day, of_day in days.items()}
        for day, residents in counts.items():
            if residents < when.mass_residents:
                continue
            others = [count for other, count in counts.items() if other != day]
            usual = median(others) if len(others) >= when.usual_days else 0
            if residents >= when.mass_factor * usual:
                yield alert_of("mass", days[day], residents=residents, usual=round(usual))


def many_residents(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Over weeks far more residents than this officer usually reads. One busy day counts no more than
    `many_day_cap`: a day on which a list is worked through is for `mass` to judge. A day that is enough by itself
    counts whole, but never makes it usual. Who worked in fewer than `usual_stretches` has no usual.
    """
    for _, reads in facts.by_officer():
        days = [_first_of_each(of_day) for of_day in grouped(reads, _day).values()]
        capped = [read for of_day in days for read in of_day[: when.many_day_cap]]
        counted = [read for of_day in days for read in _counted(of_day, when)]
        stretches = {read.at // (when.many_days * DAY) for read in reads}
        usual = usual_count(capped, capped, when.many_days) if len(stretches) >= when.usual_stretches else 0
        least = max(when.many_residents, when.many_factor * usual)
        for found in episodes(counted, when.many_days * DAY, at_least(least)):
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


def _counted(of_day: Sequence[ReadFact], when: Thresholds) -> Sequence[ReadFact]:
    return of_day if len(of_day) >= when.many_residents else of_day[: when.many_day_cap]


def _day(read: ReadFact) -> date:
    return local(read.at).date()


def _residents(reads: Sequence[ReadFact]) -> int:
    return len({read.resident for read in reads})


def _cases(reads: Sequence[ReadFact]) -> int:
    return len({read.case for read in reads})


def _first_of_each(reads: Sequence[ReadFact]) -> list[ReadFact]:
    return list({read.resident: read for read in reversed(reads)}.values())[::-1]
