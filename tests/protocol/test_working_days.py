"""Days off and usual hours of a Dutch office."""

from datetime import date, datetime

import pytest

from protocol.working_days import AMSTERDAM, easter, holidays, is_day_off, is_usual


@pytest.mark.parametrize(
    ("year", "day"),
    [(1961, (4, 2)), (2000, (4, 23)), (2008, (3, 23)), (2025, (4, 20)), (2026, (4, 5)), (2038, (4, 25))],
)
def test_easter_is_where_the_almanac_has_it(year: int, day: tuple[int, int]) -> None:
    assert easter(year) == date(year, *day)


def test_holidays_of_a_year_are_those_of_the_law() -> None:
    assert sorted(holidays(2026)) == [
        date(2026, *day)
        for day in ((1, 1), (4, 5), (4, 6), (4, 27), (5, 5), (5, 14), (5, 24), (5, 25), (12, 25), (12, 26))
    ]


def test_kings_day_is_not_on_a_sunday() -> None:
    assert date(2025, 4, 26) in holidays(2025)
    assert date(2025, 4, 27) not in holidays(2025)
    assert is_day_off(date(2025, 4, 27))


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        ((11, 23), 7, True),
        ((11, 23), 6, False),
        ((11, 23), 18, True),
        ((11, 23), 19, False),
        ((11, 22), 11, False),
        ((12, 25), 11, False),
        ((7, 1), 7, True),
    ],
)
def test_usual_hours_are_those_of_amsterdam(day: tuple[int, int], hour: int, expected: bool) -> None:
    assert is_usual(int(datetime(2026, *day, hour, tzinfo=AMSTERDAM).timestamp())) is expected
