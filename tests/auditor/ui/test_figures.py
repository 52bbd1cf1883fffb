"""Figures of the console: what is drawn is what was counted, whatever the period."""

from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.tally import DAY, HOUR, UNKNOWN, Asked, Cell, week_of
from auditor.ui import figures
from auditor.ui.attention import BURST_LEAST, MASS_LEAST, bursts, busy_days, days_off, outside_office_hours
from protocol.trust_list import ServiceClaim
from tests.protocol.builders import ADRES, AGENCY_ID, NOW, PERSOON, SERVICE_ID, flags, service

OTHER = "00000099000000002000"
NAMES = ("grants", "reads", "refusals", "stops", "ended", "late_reads")
EVENTS = st.lists(
    st.tuples(st.sampled_from([AGENCY_ID, OTHER, UNKNOWN]), st.sampled_from(NAMES), st.integers(0, 400)),
    max_size=60,
)


def counted(events: list[tuple[str, str, int]]) -> dict[Cell, int]:
    """As a tally counts them: `days` ago."""
    cells: Counter[Cell] = Counter()
    for agency, name, days in events:
        cells[Cell("week", agency, week_of(NOW - days * DAY), name)] += 1
    return dict(cells)


@given(EVENTS, st.sampled_from(figures.WEEKS))
def test_sums_of_weeks_and_agencies_are_the_numbers_of_the_period(
    events: list[tuple[str, str, int]], count: int
) -> None:
    cells, weeks = counted(events), figures.last_weeks(NOW, count)
    numbers = figures.numbers(cells, weeks, {}, {})
    inside = [event for event in events if week_of(NOW - event[2] * DAY) in weeks]
    for name in NAMES:
        expected = sum(event[1] == name for event in inside)
        assert getattr(numbers, name) == expected
        assert sum(figures.per_week(cells, name, weeks)) == expected
    rows = figures.agencies(cells, weeks, {})
    known = [event for event in inside if event[0] != UNKNOWN]
    assert sum(row.reads for row in rows) == sum(event[1] == "reads" for event in known)
    assert all(sum(row.weekly) == row.reads for row in rows)
    assert [row.reads for row in rows] == sorted((row.reads for row in rows), reverse=True)


@given(st.integers(0, 4_000), st.sampled_from(figures.WEEKS))
def test_weeks_of_a_period_follow_each_other_up_to_now(days: int, count: int) -> None:
    now = NOW + days * DAY
    weeks = figures.last_weeks(now, count)
    mondays = [figures.monday_of(week) for week in weeks]
    assert len(set(weeks)) == count
    assert weeks[-1] == week_of(now)
    assert all((after - before).days == 7 for before, after in pairwise(mondays))


def test_first_week_of_a_year_may_begin_in_december() -> None:
    assert figures.monday_of("2026-W01") == date(2025, 12, 29)


def test_grants_that_ended_since_the_last_look_count_as_ended() -> None:
    weeks = figures.last_weeks(NOW, 13)
    numbers = figures.numbers({}, weeks, {AGENCY_ID: 3}, {AGENCY_ID: 2})
    assert (numbers.running, numbers.ended) == (3, 2)


def test_agency_where_something_runs_is_shown_although_it_read_nothing() -> None:
    rows = figures.agencies({}, figures.last_weeks(NOW, 13), {OTHER: 4})
    assert [(row.agency, row.running, row.reads) for row in rows] == [(OTHER, 4, 0)]


# -- services --------------------------------------------------------------------------------

PERIOD = f"{SERVICE_ID} 1"
KEY = (AGENCY_ID, SERVICE_ID, 1)


def service_cells(**given: tuple[int, int]) -> dict[Cell, int]:
    """Four grants and two READs; attributes of ADRES by (given, read)."""
    cells = {
        Cell("service", AGENCY_ID, PERIOD, "grants"): 4,
        Cell("service", AGENCY_ID, PERIOD, "consent"): 4,
        Cell("service", AGENCY_ID, PERIOD, "reads"): 2,
    }
    for name, (times, read) in given.items():
        cells[Cell("given", AGENCY_ID, PERIOD, f"{ADRES} {name}")] = times
        cells[Cell("read", AGENCY_ID, PERIOD, f"{ADRES} {name}")] = read
    return cells


def test_service_is_held_against_what_is_registered() -> None:
    cells = service_cells(postcode=(4, 2), huisnummer=(2, 0))
    (row,) = figures.services(cells, {KEY: service()})
    assert (row.registered, row.given, row.read, row.basis) == (3, 1.5, 1.0, "consent")
    assert row.beyond == ()
    assert [found.name for found in row.never_read] == ["huisnummer"]
    assert [found.name for found in row.never_given] == ["geslachtsnaam"]


def test_register_flags_are_no_data_that_somebody_asked() -> None:
    cells = service_cells(postcode=(4, 2), **dict.fromkeys(flags(ADRES), (4, 2)))
    (row,) = figures.services(cells, {KEY: service()})
    assert (row.given, row.read) == (1.0, 1.0)
    assert {found.name for found in row.attributes} == {"postcode", "huisnummer", "geslachtsnaam"}


def test_attack_attribute_beyond_the_registration_shows() -> None:
    listed = service(claims=[ServiceClaim(vct=PERSOON, path=["geslachtsnaam"], needed=True)])
    (row,) = figures.services(service_cells(postcode=(1, 1)), {KEY: listed})
    assert [found.name for found in row.beyond] == ["postcode"]


def test_service_that_is_not_listed_any_more_has_no_registration() -> None:
    (row,) = figures.services(service_cells(postcode=(1, 1)), {})
    assert row.registered is None
    assert row.beyond == ()


def test_grounds_are_counted_in_services_and_grants() -> None:
    rows = figures.services(service_cells(postcode=(1, 1)), {KEY: service()})
    assert figures.grounds(rows) == [("consent", 1, 4), ("legal_obligation", 0, 0), ("public_task", 0, 0)]


@pytest.mark.parametrize(("days", "overdue"), [(30, 0), (31, 0), (32, 1)])
def test_request_waits_too_long_after_a_month(days: int, overdue: int) -> None:
    found = figures.rights({}, [(1, "access", Asked(AGENCY_ID, NOW - days * DAY))], NOW)
    assert (found.overdue, len(found.waiting)) == (overdue, 1)


# -- what stands out --------------------------------------------------------------------------------


def hour(time: int, n: int, agency: str = AGENCY_ID, zone: str = "office") -> dict[Cell, int]:
    return {Cell("desk_hour", agency, str(time // HOUR), zone): n}


MONDAY = 1_795_993_200  # 2026-11-30 00:00 in Amsterdam


def test_reads_outside_office_hours_are_listed_by_share() -> None:
    cells = hour(MONDAY + 3 * HOUR, 2) | hour(MONDAY + 10 * HOUR, 6) | hour(MONDAY + 4 * HOUR, 1, OTHER)
    assert [(row.agency, row.outside, row.reads) for row in outside_office_hours(cells, 0)] == [
        (OTHER, 1, 1),
        (AGENCY_ID, 2, 8),
    ]
    assert outside_office_hours(cells, MONDAY + DAY) == []


@pytest.mark.parametrize(("n", "found"), [(BURST_LEAST - 1, 0), (BURST_LEAST, 1)])
def test_hour_with_many_reads_stands_out(n: int, found: int) -> None:
    cells: dict[Cell, int] = {}
    for k in range(9):
        cells |= hour(MONDAY + k * HOUR, 2)
    assert len(bursts(cells | hour(MONDAY + 20 * HOUR, n), 0)) == found


def test_agency_that_always_reads_much_has_no_burst() -> None:
    cells: dict[Cell, int] = {}
    for k in range(9):
        cells |= hour(MONDAY + k * HOUR, 50 + k)
    assert bursts(cells, 0) == []


def test_reads_from_home_on_a_day_off_are_listed_by_day() -> None:
    sunday, christmas = MONDAY + 6 * DAY, MONDAY + 25 * DAY
    cells = hour(sunday + 15 * HOUR, 1, zone="remote") | hour(sunday + 21 * HOUR, 2, zone="remote")
    cells |= hour(christmas + 9 * HOUR, 1, zone="remote") | hour(sunday + 16 * HOUR, 5)
    cells |= hour(MONDAY + 9 * HOUR, 5, zone="remote")
    assert days_off(cells, 0) == [(AGENCY_ID, christmas, 1), (AGENCY_ID, sunday, 3)]


@pytest.mark.parametrize(("n", "found"), [(MASS_LEAST - 1, 0), (MASS_LEAST, 1)])
def test_day_with_far_more_reads_than_usual_stands_out(n: int, found: int) -> None:
    cells: dict[Cell, int] = {}
    for day in range(5):
        cells |= hour(MONDAY + day * DAY + 10 * HOUR, 6)
    days = busy_days(cells | hour(MONDAY + 8 * DAY + 9 * HOUR, n - 20) | hour(MONDAY + 8 * DAY + 14 * HOUR, 20), 0)
    assert [(day.start, day.reads, day.usual) for day in days] == [(MONDAY + 8 * DAY, n, 6)][:found]


def test_programs_count_in_no_list() -> None:
    night = {Cell("hour", AGENCY_ID, str((MONDAY + 3 * HOUR) // HOUR), "reads"): 5000}
    assert (outside_office_hours(night, 0), bursts(night, 0), busy_days(night, 0)) == ([], [], [])
