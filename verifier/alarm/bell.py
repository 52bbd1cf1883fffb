"""All rules at once."""

from collections.abc import Callable, Iterator, Mapping

from verifier.alarm import rules_cases, rules_hours, rules_many, rules_near
from verifier.alarm.facts import Alert, Facts
from verifier.alarm.thresholds import Thresholds

RULES: Mapping[str, Callable[[Facts, Thresholds], Iterator[Alert]]] = {
    "outside_hours": rules_hours.outside_hours,
    "weekend_home": rules_hours.weekend_home,
    "mass": rules_many.mass,
    "own_street": rules_near.own_street,
    "relatives": rules_near.relatives,
    "many_residents": rules_many.many_residents,
    "no_open_case": rules_cases.no_open_case,
    "burst": rules_many.burst,
    "many_officers": rules_many.many_officers,
    "no_follow_up": rules_cases.no_follow_up,
    "after_closed": rules_cases.after_closed,
    "same_resident": rules_many.same_resident,
}


def ring(facts: Facts, thresholds: Thresholds) -> list[Alert]:
    """Every alert, the newest first."""
    found = [
        alert for name, rule in RULES.items() if name not in thresholds.off for alert in rule(facts, thresholds)
    ]
    return sorted(found, key=lambda alert: (-alert.until, alert.key))
