"""Each rule at its threshold: one less stays silent. Names are those of the thresholds in docs/alarms.md."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from msgspec.structs import replace as changed

from protocol.working_days import AMSTERDAM
from verifier.alarm.bell import RULES, ring
from verifier.alarm.facts import DAY, CaseFact, Facts, OfficerFact, ReadFact
from verifier.alarm.thresholds import Thresholds
from verifier.alarm.words import REASONS, sentence

TUESDAY = int(datetime(2026, 10, 6, 10, tzinfo=AMSTERDAM).timestamp())
NOW = TUESDAY + 200 * DAY
SMALL = Thresholds(
    mass_residents=5, mass_factor=1, many_residents=6, many_factor=1, many_day_cap=4, burst_residents=5,
    curious_officers=3, same_reads=4, same_cases=2, neighbours=2, idle_reads=3, idle_factor=1,
)  # fmt: skip


def read(n: int, **members: object) -> ReadFact:
    """An ordinary one, an hour after the one before."""
    fact = ReadFact(f"{n:03d}", TUESDAY + n * 600, "officer", f"resident {n}", "Z-1", "parkeren", True, "office")
    return replace(fact, **members)  # type: ignore[arg-type]


def spread(count: int, **members: object) -> list[ReadFact]:
    """On different days, the same hour."""
    return [read(n, at=TUESDAY + n * 7 * DAY, **members) for n in range(count)]


OPEN = {"Z-1": CaseFact(TUESDAY - DAY, None, tuple(TUESDAY + n * DAY for n in range(200)))}
MADE: Mapping[str, Callable[[int], Facts]] = {
    "outside_hours": lambda n: Facts(NOW, [read(k, at=TUESDAY + k * DAY + 10 * 3600) for k in range(n)], OPEN),
    "weekend_home": lambda n: Facts(NOW, [read(k, at=TUESDAY + 5 * DAY, zone="remote") for k in range(n)], OPEN),
    "mass": lambda n: Facts(NOW, [read(k, at=TUESDAY + k * 1200) for k in range(n)], OPEN),
    "own_street": lambda n: Facts(
        NOW, spread(n, homes=frozenset({"h"})), OPEN, {"officer": OfficerFact(homes=frozenset({"h"}))}
    ),
    "relatives": lambda n: Facts(
        NOW, spread(n, persons=frozenset({"p"})), OPEN, {"officer": OfficerFact(relatives=frozenset({"p"}))}
    ),
    "many_residents": lambda n: Facts(NOW, [read(k, at=TUESDAY + k * DAY // 2) for k in range(n)], OPEN),
    "no_open_case": lambda n: Facts(NOW, [read(k, case=f"X-{k}") for k in range(n)], OPEN),
    "burst": lambda n: Facts(NOW, [read(k, at=TUESDAY + k * 60) for k in range(n)], OPEN),
    "many_officers": lambda n: Facts(NOW, [read(k, officer=f"o{k}", resident="r") for k in range(n)], OPEN),
    "no_follow_up": lambda n: Facts(NOW, spread(n), {"Z-1": CaseFact(TUESDAY - 40 * DAY, None)}),
    "after_closed": lambda n: Facts(NOW, [read(k) for k in range(n)], {"Z-1": CaseFact(0, TUESDAY - 29 * DAY)}),
    "same_resident": lambda n: Facts(
        NOW,
        [replace(each, case=f"Z-{k % 2}") for k, each in enumerate(spread(n, resident="r"))],
        {"Z-0": OPEN["Z-1"], "Z-1": OPEN["Z-1"]},
    ),
}  # fmt: skip
LEAST = {
    "outside_hours": 3, "weekend_home": 1, "mass": 5, "own_street": 2, "relatives": 1, "many_residents": 6,
    "no_open_case": 2, "burst": 5, "many_officers": 3, "no_follow_up": 3, "after_closed": 2, "same_resident": 4,
}  # fmt: skip


def rung(facts: Facts, thresholds: Thresholds = SMALL) -> set[str]:
    """Rules that rang."""
    return {alert.rule for alert in ring(facts, thresholds)}


@pytest.mark.parametrize("rule", RULES)
def test_rule_rings_at_its_threshold_and_not_before(rule: str) -> None:
    assert rule not in rung(MADE[rule](LEAST[rule] - 1))
    assert rule in rung(MADE[rule](LEAST[rule]))
    assert rule not in rung(MADE[rule](LEAST[rule]), changed(SMALL, off=(rule,)))


@pytest.mark.parametrize("rule", RULES)
def test_programs_ring_no_rule(rule: str) -> None:
    facts = MADE[rule](LEAST[rule])
    assert rung(replace(facts, reads=[replace(each, by_hand=False) for each in facts.reads])) == set()


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_says_why_in_both_languages(rule: str) -> None:
    (alert, *_) = [each for each in ring(MADE[rule](LEAST[rule]), SMALL) if each.rule == rule]
    for language in ("nl", "en"):
        assert any(letter.isdigit() for letter in sentence(alert, language))
    assert set(REASONS) == set(RULES)


@pytest.mark.parametrize("rule", ["no_open_case", "no_follow_up", "after_closed"])
def test_without_a_register_of_cases_its_rules_are_silent(rule: str) -> None:
    assert rule not in rung(replace(MADE[rule](LEAST[rule] + 5), cases=None))


def test_alert_keeps_its_key_while_it_grows() -> None:
    small, large = ring(MADE["burst"](5), SMALL), ring(MADE["burst"](9), SMALL)
    keys = [{each.key for each in alerts if each.rule == "burst"} for alerts in (small, large)]
    assert keys[0] == keys[1]


def days(*counts: int, first: int = 0) -> list[ReadFact]:
    """So many residents on each day after another, one each 90 seconds."""
    return [
        read(1000 * (first + day) + n, at=TUESDAY + (first + day) * DAY + 90 * n)
        for day, count in enumerate(counts)
        for n in range(count)
    ]


def by_volume(reads: list[ReadFact]) -> list[tuple[str, int, int]]:
    """What rang for how much: rule, residents, usual; as an agency has it that set nothing."""
    alerts = ring(Facts(NOW, reads, OPEN), Thresholds())
    return sorted((each.rule, each.numbers["residents"], each.numbers["usual"]) for each in alerts)


def test_new_officer_who_reads_everybody_on_a_first_day_rings() -> None:
    assert by_volume(days(320)) == [("many_residents", 320, 0), ("mass", 320, 0)]
    assert by_volume(days(59)) == []


def test_new_officer_who_goes_on_like_that_rings_for_each_day() -> None:
    rung = by_volume(days(320, 320, 320))
    assert rung == [("many_residents", 960, 0), *[("mass", 320, 0)] * 3]


def test_new_officer_who_stays_below_a_list_day_rings_over_weeks() -> None:
    assert by_volume(days(*[39] * 10)) == [("many_residents", 390, 0)]


def test_giant_day_is_no_measure_of_itself() -> None:
    usual = [read for week in range(0, 140, 7) for read in days(20, first=week)]
    assert by_volume(usual) == []
    giant = by_volume(usual + days(320, first=3))
    assert [(rule, at_usual) for rule, _, at_usual in giant] == [("many_residents", 80), ("mass", 20)]


def test_officer_who_reads_many_each_day_is_held_against_the_own_days() -> None:
    worked = [read for week in range(0, 140, 7) for read in days(30, 30, 30, first=week)]
    assert by_volume(worked + days(99, first=3)) == []


def test_case_that_is_registered_a_day_late_is_no_alert() -> None:
    facts = Facts(
        NOW,
        [read(0, case="A"), read(1, case="B")],
        {"A": CaseFact(TUESDAY + DAY, None), "B": CaseFact(TUESDAY, None)},
    )
    assert rung(facts) == set()
    late = {"A": CaseFact(TUESDAY + DAY + 1, None), "B": CaseFact(TUESDAY + 2 * DAY, None)}
    assert rung(replace(facts, cases=late)) == {"no_open_case"}


def test_service_that_works_round_the_clock_has_no_odd_hours() -> None:
    crisis = changed(SMALL, round_the_clock=("parkeren",))
    assert rung(MADE["outside_hours"](9), crisis) & {"outside_hours"} == set()
    assert rung(MADE["weekend_home"](9), crisis) & {"weekend_home"} == set()


def test_evening_counter_is_open_until_its_hour() -> None:
    evening = changed(SMALL, late_days={"parkeren": {"2": 21}})
    reads = [read(k, at=TUESDAY + 10 * 3600 + k * 7 * DAY) for k in range(4)]
    assert "outside_hours" in rung(Facts(NOW, reads, OPEN))
    assert "outside_hours" not in rung(Facts(NOW, reads, OPEN), evening)
