"""Rules about when: outside the usual hours, and from home on a day off."""

from collections.abc import Iterator, Sequence

from protocol.working_days import is_day_off, local
from verifier.alarm.facts import DAY, Alert, Facts, ReadFact, alert_of, at_least, episodes
from verifier.alarm.thresholds import Thresholds


def outside_hours(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """Several reads before the morning or after the evening; at night sooner than at the edges of the day."""
    for _, reads in facts.by_officer():
        odd = [read for read in reads if is_outside(read, when)]

        def is_enough(window: Sequence[ReadFact]) -> bool:
            deep = sum(is_night(read, when) for read in window)
            return len(window) >= when.outside_reads or deep >= when.night_reads

        for found in episodes(odd, when.outside_days * DAY, is_enough):
            deep = sum(is_night(read, when) for read in found)
            yield alert_of("outside_hours", found, night=deep)


def is_outside(read: ReadFact, when: Thresholds) -> bool:
    """Before or after the usual hours of a service that does not work round the clock."""
    if read.service in when.round_the_clock:
        return False
    moment = local(read.at)
    last = when.late_days.get(read.service, {}).get(str(moment.isoweekday()), when.usual_hours[1])
    return not when.usual_hours[0] <= moment.hour < last


def is_night(read: ReadFact, when: Thresholds) -> bool:
    """When hardly anybody works late."""
    hour = local(read.at).hour
    return hour >= when.night_hours[0] or hour < when.night_hours[1]


def weekend_home(facts: Facts, when: Thresholds) -> Iterator[Alert]:
    """From home on a Saturday, a Sunday or a holiday."""
    for _, reads in facts.by_officer():
        odd = [
            read
            for read in reads
            if read.zone == "remote"
            and is_day_off(local(read.at).date())
            and read.service not in when.round_the_clock
        ]
        for found in episodes(odd, when.weekend_days * DAY, at_least(when.weekend_reads)):
            yield alert_of("weekend_home", found)
