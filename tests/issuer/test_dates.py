"""Partial dates and ages: RvIG's rules, and that nothing is ever filled in."""

import calendar
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer.dates import PartialDate, age_on, is_of_age, parse_iso_date
from protocol.errors import Rejected

YEARS = st.integers(1, 9999)
DAYS = st.dates(datetime.date(1850, 1, 1), datetime.date(2200, 12, 31))
AGES = st.integers(0, 120)


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (PartialDate(1985, 12, 1), "1985-12-01"),
        (PartialDate(2020, 5), "2020-05"),
        (PartialDate(1963), "1963"),
        (PartialDate(7, 1, 2), "0007-01-02"),
        (PartialDate(), "onbekend"),
    ],
)
def test_date_is_written_as_precisely_as_it_is_known(date: PartialDate, text: str) -> None:
    assert str(date) == text


@pytest.mark.parametrize(
    "text",
    ["", "2020", "2020-05", "2020-5-1", "2020-13-01", "2021-02-29", "2020-00-01", "0000-01-01", "20200501",
     "2020-05-01T00:00", "+200-05-01", "２０２０-05-01", "2020-05-01 ", "-020-05-01"],
)  # fmt: skip
def test_text_that_is_no_full_date_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_iso_date(text)
    assert caught.value.code == "bad_date"


@pytest.mark.parametrize("parts", [(None, 5, None), (2020, None, 1), (2020, 13), (10_000,), (2**53,), (-1,)])
def test_impossible_parts_are_refused(parts: tuple[int | None, ...]) -> None:
    with pytest.raises(Rejected) as caught:
        PartialDate(*parts)
    assert caught.value.code == "bad_date"


@given(st.dates())
def test_full_date_comes_back_as_it_went_in(day: datetime.date) -> None:
    date = parse_iso_date(day.isoformat())
    assert str(date) == day.isoformat()
    assert date.earliest() == date.latest() == day


@given(YEARS, st.integers(1, 12))
def test_open_dates_span_their_month_and_year(year: int, month: int) -> None:
    date = PartialDate(year, month)
    last = calendar.monthrange(year, month)[1]
    assert (date.earliest(), date.latest()) == (
        datetime.date(year, month, 1),
        datetime.date(year, month, last),
    )
    whole = PartialDate(year)
    assert (whole.earliest(), whole.latest()) == (datetime.date(year, 1, 1), datetime.date(year, 12, 31))


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [
        ("1996-02-29", "2016-02-28", 19),
        ("1996-02-29", "2016-02-29", 20),
        ("1996-02-29", "2017-02-28", 20),
        ("1996-02-29", "2017-03-01", 21),
        ("2008-11-22", "2026-11-22", 18),
        ("2008-11-23", "2026-11-22", 17),
    ],
)
def test_age_counts_as_the_register_does(birth: str, day: str, age: int) -> None:
    assert age_on(datetime.date.fromisoformat(birth), datetime.date.fromisoformat(day)) == age


@given(DAYS, DAYS, AGES)
def test_known_birth_date_always_gives_an_answer(birth: datetime.date, day: datetime.date, years: int) -> None:
    answer = is_of_age(PartialDate(birth.year, birth.month, birth.day), years, day)
    assert answer == ("ja" if age_on(birth, day) >= years else "nee")


@given(DAYS, DAYS, AGES, st.booleans())
def test_partial_birth_date_never_says_what_a_possible_day_contradicts(
    birth: datetime.date, day: datetime.date, years: int, month_known: bool
) -> None:
    partial = PartialDate(birth.year, birth.month) if month_known else PartialDate(birth.year)
    answer = is_of_age(partial, years, day)
    first, last = partial.earliest(), partial.latest()
    assert first is not None
    assert last is not None
    possible = {age_on(first + datetime.timedelta(n), day) >= years for n in range((last - first).days + 1)}
    expected = {frozenset({True}): "ja", frozenset({False}): "nee", frozenset({True, False}): "onbekend"}
    assert answer == expected[frozenset(possible)]


@given(DAYS, AGES)
def test_unknown_birth_date_gives_no_age(day: datetime.date, years: int) -> None:
    assert is_of_age(PartialDate(), years, day) == "onbekend"
    assert is_of_age(None, years, day) == "onbekend"


@given(DAYS, DAYS, DAYS, AGES)
def test_who_is_of_age_stays_so(
    birth: datetime.date, one: datetime.date, other: datetime.date, years: int
) -> None:
    date = PartialDate(birth.year, birth.month)
    earlier, later = sorted((one, other))
    if is_of_age(date, years, earlier) == "ja":
        assert is_of_age(date, years, later) == "ja"
    if is_of_age(date, years, later) == "nee":
        assert is_of_age(date, years, earlier) == "nee"
