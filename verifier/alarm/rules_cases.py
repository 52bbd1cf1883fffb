"""Rules about why: no case, a case that was over, a case in which nothing happens."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from verifier.alarm.facts import DAY, Alert, CaseFact, Facts, ReadFact, alert_of, at_least, episodes, usual_count
from verifier.alarm.thresholds import Thresholds


def no_open_case(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Under numbers that the register of cases does not have, or has only from a later day on."""
    if facts.cases is None:
        return
    for _, reads in facts.by_officer():
        odd = [read for read in reads if not _has_case(read, facts, when)]

        def is_enough(window: Sequence[ReadFact]) -> bool:
            return len({read.case for read in window}) >= when.caseless_reads

        for found in episodes(odd, when.caseless_days * DAY, is_enough):
            yield alert_of("no_open_case", found)


def _has_case(read: ReadFact, facts: Facts, when: Thresholds) -> bool:
    """A case may be registered some hours after the first look; until then nothing is said of it."""
    case = (facts.cases or {}).get(read.case)
    if case is None:
        return facts.now < read.at + when.caseless_grace_hours * 3600
    return case.opened <= read.at + when.caseless_grace_hours * 3600


def after_closed(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Long after the case was closed."""
    cases = facts.cases or {}
    for _, reads in facts.by_officer():
        odd = []
        for read in reads:
            case = cases.get(read.case)
            if case and case.closed is not None and read.at > case.closed + when.closed_grace_days * DAY:
                odd.append(read)
        for found in episodes(odd, when.closed_days * DAY, at_least(when.closed_reads)):
            yield alert_of("after_closed", found)


def no_follow_up(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Reading after which nothing is done in the case, far more often than this officer usually does."""
    cases = facts.cases or {}
    for _, reads in facts.by_officer():
        judged = [
            read for read in reads if read.case in cases and read.at + when.idle_wait_days * DAY <= facts.now
        ]
        idle = [read for read in judged if _is_idle(cases[read.case], read.at, when)]
        usual = usual_count(judged, idle, when.idle_days)
        least = max(when.idle_reads, when.idle_factor * usual)
        for found in episodes(idle, when.idle_days * DAY, at_least(least)):
            yield alert_of("no_follow_up", found, usual=round(usual))


def _is_idle(case: CaseFact, time: int, when: Thresholds) -> bool:
    """Nothing was done shortly before, or within the wait after; closing is doing."""
    done = case.acts if case.closed is None else tuple(sorted((*case.acts, case.closed)))
    place = bisect_left(done, time - when.idle_before_days * DAY)
    return place == len(done) or done[place] > time + when.idle_wait_days * DAY
