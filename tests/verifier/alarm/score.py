"""How well the rules do on a simulated year: found patterns and false alarms, by rule."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from examples.simulated_year import Year, simulate
from verifier.alarm.bell import RULES, ring
from verifier.alarm.facts import CaseFact, Facts, OfficerFact, ReadFact
from verifier.alarm.thresholds import Thresholds

SEED_A = 1
"""The year on which the thresholds were fixed."""
SEEDS = (12_553, 37_879, 66_403, 84_191, 90_017)
"""Years that nobody looked at before the thresholds were fixed, and on which nothing was changed afterwards."""
RIGHT_SHARE = 0.25
OFFICE = Thresholds(late_days={"balie": {"4": 21}}, round_the_clock=("crisis",))
"""What this municipality says of itself: an evening counter on Thursday, and a service that works at night."""


@dataclass(frozen=True)
class Score:
    """`found`: patterns found by the rule of their name, `seen`: by any, of `injected`; `false` alarms by rule.

    An alert is right when at least a quarter of what it names is misuse: who gets a long list with one wrong read
    in it by chance was not helped. All others are false alarms, and nothing is found by them.
    """

    reads: int
    injected: Counter[str]
    found: Counter[str]
    seen: Counter[str]
    alerts: Counter[str]
    false: Counter[str]

    @property
    def false_per_thousand(self) -> float:
        """False alarms in a thousand ordinary reads."""
        return round(1000 * sum(self.false.values()) / self.reads, 3)

    def figures(self) -> dict[str, Any]:
        """For docs/results/campaign.json."""
        rules = {
            name: {
                "injected": self.injected[name],
                "found": self.found[name],
                "found_by_any_rule": self.seen[name],
                "alerts": self.alerts[name],
                "false_alarms": self.false[name],
            }
            for name in RULES
        }
        patterns = sum(self.found[name] > 0 for name in RULES)
        return {
            "ordinary_reads": self.reads,
            "patterns_found": patterns,
            "instances_found": sum(self.found.values()),
            "instances": sum(self.injected.values()),
            "false_alarms": sum(self.false.values()),
            "false_alarms_per_1000_reads": self.false_per_thousand,
            "rules": rules,
        }


def facts_of(year: Year) -> Facts:
    """The year as the rules see it: a resident is known by the person, or only by the agreement."""
    reads = [
        ReadFact(
            id=f"{n:06d}",
            at=read.at,
            officer=read.officer,
            resident=f"p{read.resident.n}" if read.shows_person else f"g{read.resident.n}:{read.service}",
            case=read.case,
            service=read.service,
            by_hand=read.channel == "desk",
            zone=read.zone,
            homes=frozenset({f"h{read.resident.postcode}"} if read.shows_address else ()),
            persons=frozenset({f"p{read.resident.n}"} if read.shows_person else ()),
        )
        for n, read in enumerate(year.reads)
    ]
    cases = {case.number: CaseFact(case.opened, case.closed, case.acts) for case in year.cases}
    officers = {
        each.name: OfficerFact(
            frozenset(() if each.postcode is None else {f"h{each.postcode}"}),
            frozenset(f"p{n}" for n in each.relatives),
        )
        for each in year.office.officers
    }
    return Facts(reads[-1].at + 60 * 86_400, reads, cases, officers)


def score(seed: int, thresholds: Thresholds = OFFICE, *, reads: int = 100_000, instances: int = 3) -> Score:
    """One year."""
    year = simulate(seed, reads=reads, instances=instances)
    misuse = {f"{n:06d}": read.misuse for n, read in enumerate(year.reads) if read.misuse}
    alerts, false = Counter[str](), Counter[str]()
    by_own, by_any = set[str](), set[str]()
    for alert in ring(facts_of(year), thresholds):
        wrong = [misuse[read] for read in alert.reads if read in misuse]
        right = set(wrong) if len(wrong) >= RIGHT_SHARE * len(alert.reads) else set()
        alerts[alert.rule] += 1
        false[alert.rule] += not right
        by_any |= right
        by_own |= {label for label in right if label.startswith(f"{alert.rule}/")}
    return Score(
        year.ordinary,
        _by_pattern(set(misuse.values())),
        _by_pattern(by_own),
        _by_pattern(by_any),
        alerts,
        false,
    )


def _by_pattern(labels: set[str]) -> Counter[str]:
    return Counter(label.partition("/")[0] for label in labels)
