"""The figures of a month: what is counted, what leaves, what it costs, and that nobody is found in them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import exp
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.figures import FAMILIES, FLOOR, FigureCell, Figures, parse_figures, sign_figures, verify_figures
from protocol.reading import one_month_after
from protocol.trust_list import Words
from tests.protocol import builders
from tests.protocol.builders import AGENCY, AGENCY_ID, DAY, NOW
from tests.verifier.agency import Agency, Wallet
from tests.verifier.counting import ASKER, ASKER_ID
from verifier.figures import (
    BOUNDS,
    DELTA,
    EPSILON_THOUSANDTHS,
    Contribution,
    Period,
    Publisher,
    least_of,
    make_figures,
    month_of,
    period_of,
)
from verifier.figures_count import rights_of
from verifier.figures_release import all_figures, count_month, release_month, take_figures
from verifier.figures_store import FiguresStore
from verifier.figures_summary import csv_rows, summarise
from verifier.gate import Purpose
from verifier.noise import cost, laplace
from verifier.reader import read_grant
from verifier.seen import Asked
from verifier.standing import check_standing

SERVICES = [builders.service(id=name, version=1) for name in ("parkeren", "zorg")]
PUBLISHER = Publisher(AGENCY_ID, "Gemeente Voorbeeld", SERVICES)
MONTH, AFTER = "2026-10", NOW
"""The clock of the tests stands in November."""


def plain(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
    """No noise."""
    return list(counts)


def opendp(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
    return laplace(counts, bound=bound, epsilon=epsilon)


def people(count: int, service: str, name: str, n: int = 1, first: int = 0) -> list[Contribution]:
    return [Contribution(f"{service} {first + i}", service, name, n) for i in range(count)]


def figures(counted: Mapping[str, Sequence[Contribution]], noise: Any = plain, **changes: Any) -> Figures:
    made = {"publisher": PUBLISHER, "month": MONTH, "counted": counted, "noise": noise, "now": AFTER, **changes}
    publisher, month, rows, draw, now = made.values()
    return make_figures(publisher, month, rows, draw, now=now)


def refused(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Rejected) as info:
        call(*arguments, **named)
    return info.value.code


# --- what leaves


def test_every_service_has_every_cell_whatever_happened() -> None:
    """Which cells there are says nothing, nor does a service that nobody used."""
    made = figures({})
    names = [name for names in FAMILIES.values() for name in names]
    assert {(cell.service, cell.name) for cell in made.cells} == {
        (service.id, name) for service in SERVICES for name in names
    }
    assert all(cell.count is None for cell in made.cells)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cell_of_fewer_than_ten_agreements_leaves_whatever_the_noise(family: str) -> None:
    name = FAMILIES[family][0]
    few = people(FLOOR - 1, "zorg", name, n=1000)
    made = figures({family: few}, lambda counts, bound, epsilon: [count + 10**6 for count in counts])
    assert all(cell.count is None for cell in made.cells if cell.name in FAMILIES[family])


def test_cell_leaves_from_what_its_family_states_on() -> None:
    for count, shown in ((least_of("running") - 1, None), (least_of("running"), least_of("running"))):
        made = figures({"running": people(count, "zorg", "running")})
        assert made.count("zorg", "running") == shown
        assert made.count("parkeren", "running") is None


@pytest.mark.parametrize("family", FAMILIES)
def test_small_cell_is_lifted_over_the_threshold_less_often_than_stated(family: str) -> None:
    """By the exact distribution of the noise: P(noise >= m) = q^m / (1 + q)."""
    scale = BOUNDS[family] / (EPSILON_THOUSANDTHS / 1000)
    margin = least_of(family) - (FLOOR - 1) * BOUNDS[family]
    q = exp(-1 / scale)
    both_worlds = 1 + exp(EPSILON_THOUSANDTHS / 1000)
    assert q**margin / (1 + q) * both_worlds <= DELTA
    assert q ** (margin - 1) / (1 + q) * both_worlds > DELTA


def test_agreement_that_is_read_a_thousand_times_counts_three_times() -> None:
    quiet = people(100, "zorg", "read", n=2)
    loud = [Contribution("zorg 1000", "zorg", "read", 1000)]
    assert figures({"read": [*quiet, *loud]}).count("zorg", "read") == 203


def test_agreement_in_two_cells_of_a_family_counts_in_one() -> None:
    twice = [*people(60, "zorg", "given_hour"), *people(60, "zorg", "given_day")]
    made = figures({"decided": [*twice, *people(60, "zorg", "refused", first=100)]})
    assert made.count("zorg", "given_hour") == 60
    assert made.count("zorg", "given_day") is None


def test_second_cell_goes_where_one_missing_would_follow_from_the_total() -> None:
    names = FAMILIES["decided"]
    counted = [one for n, name in enumerate(names[1:]) for one in people(60 + n, "zorg", name, first=1000 * n)]
    made = figures({"decided": [*counted, *people(9, "zorg", names[0], first=9000)]})
    missing = [
        cell.name for cell in made.cells if cell.service == "zorg" and cell.name in names and not cell.count
    ]
    assert missing == [names[0], names[1]]


def test_service_that_is_not_listed_counts_nowhere() -> None:
    assert figures({"running": people(500, "geheim", "running")}).cells == figures({}).cells


def test_versions_of_a_service_are_one_and_its_newest_name_stands() -> None:
    newer = builders.service(id="zorg", version=3, name=Words(nl="Zorg 3", en="Care 3"))
    made = figures({}, publisher=Publisher(AGENCY_ID, "G", [newer, *SERVICES]))
    assert [(each.id, each.nl) for each in made.services] == [
        ("parkeren", "Parkeervergunning"),
        ("zorg", "Zorg 3"),
    ]


def test_month_that_is_not_over_has_no_figures() -> None:
    assert refused(figures, {}, now=period_of("2026-10").end - 1) == "month_not_over"
    assert figures({}, now=period_of("2026-10").end).month == "2026-10"
    for text in ("2026-13", "0000-01", "2026-1", "x", "9999-12"):
        assert refused(period_of, text) == "bad_month"


def test_month_is_one_of_amsterdam() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    start, end = (int(datetime(2026, month, 1, tzinfo=zone).timestamp()) for month in (10, 11))
    assert period_of("2026-10") == Period(start, end)
    assert end - start == 31 * DAY + 3600  # the clock goes back
    assert (month_of(start), month_of(end - 1), month_of(end)) == ("2026-10", "2026-10", "2026-11")


# --- what it costs


def test_epsilon_is_stated_and_spent_as_stated() -> None:
    """One draw for each family, over all its cells, with the bound and epsilon that the file states."""
    draws: list[tuple[int, int, float]] = []

    def watched(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
        draws.append((len(counts), bound, epsilon))
        return list(counts)

    made = figures({}, watched)
    stated = [(len(FAMILIES[s.family]) * 2, s.bound, s.epsilon_thousandths / 1000) for s in made.spent]
    assert draws == stated
    assert made.epsilon_thousandths == 2000
    for spent in made.spent:
        assert (
            cost(bound=spent.bound, epsilon=spent.epsilon_thousandths / 1000) <= spent.epsilon_thousandths / 1000
        )


def test_neighbours_differ_by_no_more_than_the_bound_in_all_cells_together() -> None:
    """Whichever agreement goes, and however much it did: what the noise was made for."""
    counted: dict[str, list[Contribution]] = {}
    for family, names in FAMILIES.items():
        counted[family] = [Contribution(f"a{i}", "zorg", name, i) for i in range(1, 8) for name in names]
    for family in FAMILIES:
        for unit in {one.unit for one in counted[family]}:
            fewer = {**counted, family: [one for one in counted[family] if one.unit != unit]}
            apart = sum(abs(a - b) for a, b in zip(truth(counted, family), truth(fewer, family), strict=True))
            assert 0 < apart <= BOUNDS[family]


def truth(counted: Mapping[str, Sequence[Contribution]], family: str) -> list[int]:
    """The exact counts that the noise of a family is added to."""
    found: list[list[int]] = []

    def spy(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
        found.append(list(counts))
        return list(counts)

    figures(counted, spy)
    return found[list(FAMILIES).index(family)]


def test_attacker_who_knows_all_agreements_but_one_does_not_find_it() -> None:
    """Re-identification: 150 months with and 150 without the one, each told; the best guess by the noised count is
    right hardly more often than epsilon allows, e^0.4 / (1 + e^0.4) = 0.6; without noise it is always right.
    """
    rounds = 150
    known = people(100, "zorg", "stopped")
    target = [Contribution("the one", "zorg", "stopped", 1)]

    def told(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
        return opendp(counts, bound, epsilon) if any(counts) else list(counts)  # the other families are empty

    for noise, low, high in ((told, 0.0, 0.75), (plain, 1.0, 1.0)):
        right = 0
        for secret in (True, False):
            for _ in range(rounds):
                made = figures({"stopped": [*known, *(target if secret else [])]}, noise)
                count = made.count("zorg", "stopped")
                guess = count is not None and count > 100
                right += guess is secret
        assert low <= right / (2 * rounds) <= high


# --- the file


def test_file_is_verified_by_the_key_of_the_agency_that_it_names() -> None:
    made = figures({"running": people(500, "zorg", "running")}, opendp)
    token = sign_figures(made, AGENCY.key, AGENCY.x5c)
    assert verify_figures(token, builders.TRUST, NOW) == made
    assert (
        refused(verify_figures, sign_figures(made, ASKER.key, ASKER.x5c), builders.TRUST, NOW) == "untrusted_chain"
    )
    stranger = replace(made, iss=ASKER_ID)
    token = sign_figures(stranger, AGENCY.key, AGENCY.x5c)
    assert refused(verify_figures, token, builders.TRUST, NOW) == "not_listed"
    late = replace(made, iat=NOW + 61)
    assert (
        refused(verify_figures, sign_figures(late, AGENCY.key, AGENCY.x5c), builders.TRUST, NOW) == "bad_figures"
    )


@pytest.mark.parametrize(
    "name", ["Gemeente Voorbeeld", "Gemeente Vraag ", "gemeente vraag", "Geme\u0435nte Vraag"]
)
def test_attack_agency_gives_its_figures_under_the_name_of_another(busy: Agency, name: str) -> None:
    other = builders.agency(id=ASKER_ID, name="Gemeente Vraag", roots=ASKER.roots, services=SERVICES)
    busy.enlist(builders.trust_list(version=2, agencies=[builders.agency(), other]))
    store = FiguresStore(busy.home)
    disguised = sign_figures(figures({}, publisher=Publisher(ASKER_ID, name, SERVICES)), ASKER.key, ASKER.x5c)
    assert refused(take_figures, busy.desk, store, disguised) == "other_name"
    assert all_figures(store) == []
    under_its_own = figures({}, publisher=Publisher(ASKER_ID, "Gemeente Vraag", SERVICES))
    assert take_figures(busy.desk, store, sign_figures(under_its_own, ASKER.key, ASKER.x5c)) == under_its_own


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": [FigureCell("zorg", "running", least_of("running") - 1)]},
        {"cells": [FigureCell("zorg", "running", 500)] * 2},
        {"cells": [FigureCell("anders", "running", 500)]},
        {"cells": [FigureCell("zorg", "inkomen", 500)]},
        {"services": "twice"},
        {"spent": "twice"},
        {"floor": 1000, "cells": [FigureCell("zorg", "running", 999)]},
    ],
)
def test_agency_cannot_sign_what_must_not_leave(changes: dict[str, Any]) -> None:
    made = figures({})
    for name, value in changes.items():
        if value == "twice":
            changes = {name: [*getattr(made, name), getattr(made, name)[0]]}
    assert refused(sign_figures, replace(made, **changes), AGENCY.key, AGENCY.x5c) == "bad_figures"


def test_share_is_of_services_of_which_all_left() -> None:
    """Else few who were late would be nobody, and a share of a hundred per cent be told."""
    whole = [one for name in FAMILIES["decided"] for one in people(100, "zorg", name)]
    counted = {"rights": people(300, "zorg", "on_time"), "decided": [*whole, *people(300, "parkeren", "refused")]}
    counted["decided"] = [
        Contribution(f"{one.name} {one.unit}", one.service, one.name, one.n) for one in counted["decided"]
    ]
    shown = summarise(figures(counted))
    assert (shown.on_time, shown.late, shown.on_time_share) == (300, None, None)
    assert (shown.refused, shown.refused_share) == (400, 0.2)
    late = {"rights": [*counted["rights"], *people(100, "zorg", "late", first=5000)]}
    assert summarise(figures(late)).on_time_share == 0.75


# --- one agency, its rows, its ledger


@pytest.fixture
def busy(agency: Agency, wallet: Wallet) -> Agency:
    """One agreement given within an hour, read twice, stopped; one request refused; one that nobody answered."""
    rid, link = agency.ask()
    agency.clock.time += 60
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    for case in "12":
        read_grant(agency.desk, rid, [], Purpose(case, "officer"))
    agency.clock.time += 100
    agency.log.stop(made.sealed.slot, made.secret)
    check_standing(agency.desk, agency.desk.store.grants.get(rid))
    agency.ask()
    return agency


def test_what_happened_is_counted_for_each_agreement(busy: Agency) -> None:
    found = count_month(busy.desk, period_of("2026-11"))
    (unit,) = {one.unit for one in found["read"]}
    service = builders.SERVICE_ID
    assert [(one.name, one.unit == unit) for one in sorted(found["decided"], key=lambda one: one.name)] == [
        ("given_hour", True),
        ("unanswered", False),
    ]
    assert found["read"] == [Contribution(unit, service, "read", 2)]
    assert found["stopped"] == [Contribution(unit, service, "stopped", 1)]
    assert found["running"] == []
    assert found["rights"] == []
    before, after = (count_month(busy.desk, period_of(month)) for month in ("2026-10", "2026-12"))
    assert not any([*before.values(), *after.values()])


def test_agreement_runs_until_the_agency_hears_that_it_was_stopped(busy: Agency) -> None:
    heard = busy.clock.time
    assert len(busy.desk.store.figures.running(heard)) == 1
    assert busy.desk.store.figures.running(heard + 1) == []
    assert busy.desk.store.figures.running(heard - 100) == []


def test_request_about_rights_is_late_after_a_month_and_counts_once_for_each_agreement() -> None:
    def asked(request: str, received: int, answered: int | None) -> Asked:
        return Asked("access", f"{request}{received}", request, "l", 1, received, "t", None, answered, None)

    period = period_of("2026-11")
    late = one_month_after(period.start - 40 * DAY) + 1
    found = rights_of(
        [
            asked("a", period.start, period.start + DAY),
            asked("b", period.start - 40 * DAY, max(late, period.start)),
            asked("b", period.start, period.start + 2 * DAY),
            asked("c", period.start, None),
            asked("d", period.start, period.end),
        ],
        period,
    )
    assert found == [("a", "on_time"), ("b", "late")]


def test_second_release_of_a_month_is_the_same_file_and_draws_nothing(busy: Agency) -> None:
    store = FiguresStore(busy.home)
    assert store.released() == []
    assert not store.is_there
    busy.clock.time = period_of("2026-11").end
    busy.enlist(builders.trust_list(version=2, exp=NOW + 60 * DAY))
    draws: Counter[int] = Counter()

    def counted(counts: Sequence[int], bound: int, epsilon: float) -> list[int]:
        draws[bound] += 1
        return opendp(counts, bound, epsilon)

    first = release_month(busy.desk, store, "2026-11", counted)
    again = release_month(busy.desk, FiguresStore(busy.home), "2026-11", counted)
    assert first == again
    assert sum(draws.values()) == len(FAMILIES)
    assert [(each.month, each.epsilon) for each in store.released()] == [("2026-11", 2000)]
    assert store.keep(replace_token(first)) == first
    assert all(cell.count is None for cell in parse_figures(first.token).cells), "one agreement is nobody's figure"


def replace_token(released: Any) -> Any:
    """Another draw of the same month, as a second process might have made."""
    return type(released)(**{**vars(released), "token": "another"})


def test_files_of_other_agencies_stand_beside_ours_and_none_is_replaced(busy: Agency, tmp_path: Path) -> None:
    other = builders.agency(id=ASKER_ID, name="=Gemeente()", roots=ASKER.roots, services=SERVICES)
    busy.enlist(builders.trust_list(version=2, agencies=[builders.agency(), other]))
    store = FiguresStore(busy.home)
    theirs = figures(
        {"running": people(500, "zorg", "running"), "decided": people(300, "zorg", "given_day")},
        publisher=Publisher(ASKER_ID, "=Gemeente()", SERVICES),
    )
    token = sign_figures(theirs, ASKER.key, ASKER.x5c)
    assert take_figures(busy.desk, store, token) == theirs
    take_figures(busy.desk, store, token)
    changed = sign_figures(replace(theirs, iat=NOW - 1), ASKER.key, ASKER.x5c)
    assert refused(take_figures, busy.desk, store, changed) == "other_figures"
    own = sign_figures(figures({}), AGENCY.key, AGENCY.x5c)
    assert refused(take_figures, busy.desk, store, own) == "own_figures"
    assert all_figures(store) == [theirs]
    shown = summarise(theirs)
    assert (shown.running, shown.given, shown.refused, shown.speeds) == (500, 300, 0, (0, 300, 0, 0))
    assert (shown.refused_share, shown.consent_share, shown.on_time_share) == (None, 1, None)
    assert (shown.on_time, shown.late) == (None, None)
    head, rows = csv_rows([theirs])
    assert len(rows) == len(theirs.cells)
    lines = [dict(zip(head, row, strict=True)) for row in rows]
    assert {line["count"] for line in lines} == {"500", "300", ""}
