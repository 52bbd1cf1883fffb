"""Dates, terms and numbers in both languages, and the Dutch of several rooms together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from service.ui import format as shown
from service.ui.words import _, language, ngettext, read_catalogue
from tests.service.ui.gallery.app import create

MAY = 1_810_987_500
"""22 May 2027, 14:05 in Amsterdam."""
DAY = 86_400


@pytest.fixture(params=["nl", "en"])
def lang(request: pytest.FixtureRequest) -> Iterator[str]:
    app: Flask = create()
    with app.test_request_context(headers={"Accept-Language": request.param}):
        assert language() == request.param
        yield request.param


def test_moment_is_long_and_of_amsterdam(lang: str) -> None:
    assert shown.day(MAY) == {"nl": "22 mei 2027", "en": "22 May 2027"}[lang]
    assert shown.moment(MAY) == {"nl": "22 mei 2027, 14:05", "en": "22 May 2027, 14:05"}[lang]
    assert shown.month(MAY) == {"nl": "mei 2027", "en": "May 2027"}[lang]
    assert shown.clock_time(MAY) == "14:05"
    assert shown.machine_time(MAY) == "2027-05-22T14:05:00+02:00"


def test_day_turns_at_midnight_in_amsterdam_in_summer_and_winter(lang: str) -> None:
    for last_second, first, second in ((1_782_856_799, "30", "1"), (1_767_221_999, "31", "1")):
        assert shown.day(last_second).split()[0] == first
        assert shown.day(last_second + 1).split()[0] == second


@pytest.mark.parametrize(
    ("seconds", "dutch", "english"),
    [
        (90 * DAY, "3 maanden", "3 months"),
        (30 * DAY, "1 maand", "1 month"),
        (365 * DAY, "1 jaar", "1 year"),
        (730 * DAY, "2 jaar", "2 years"),
        (100 * DAY, "100 dagen", "100 days"),
        (14 * DAY, "2 weken", "2 weeks"),
        (7 * DAY, "1 week", "1 week"),
        (DAY, "1 dag", "1 day"),
        (36 * 3600, "36 uur", "36 hours"),
        (3600, "1 uur", "1 hour"),
        (2700, "45 minuten", "45 minutes"),
        (61, "1 minuut", "1 minute"),
        (1, "1 seconde", "1 second"),
        (0, "0 seconden", "0 seconds"),
        (-5, "0 seconden", "0 seconds"),
    ],
)
def test_length_of_time_in_words(lang: str, seconds: int, dutch: str, english: str) -> None:
    assert shown.period(seconds) == {"nl": dutch, "en": english}[lang]


@pytest.mark.parametrize(
    ("text", "dutch"),
    [
        ("P1Y", "1 jaar"),
        ("P6M", "6 maanden"),
        ("P1Y6M", "1 jaar en 6 maanden"),
        ("P2Y1M3D", "2 jaar, 1 maand en 3 dagen"),
        ("P2W", "2 weken"),
        ("P0D", "helemaal niet"),
        ("PT6H", "6 uur"),
        ("P1DT90M", "1 dag en 90 minuten"),
    ],
)
def test_term_of_a_register_in_words(text: str, dutch: str) -> None:
    with create().test_request_context(headers={"Accept-Language": "nl"}):
        assert shown.duration(text) == dutch


@pytest.mark.parametrize(
    "text", ["", "P", "1Y", "P1", "PT", "P1DT", "P5MT", "P1.5Y", "P-1Y", "P1Y ", "<b>", "P999999D", "P1M1Y"]
)
def test_text_that_is_no_term_is_refused(text: str) -> None:
    with create().test_request_context(), pytest.raises(ValueError, match="not a term"):
        shown.duration(text)


def test_time_since(lang: str) -> None:
    assert shown.ago(MAY - 30, MAY) == {"nl": "zojuist", "en": "just now"}[lang]
    assert shown.ago(MAY - 7200, MAY) == {"nl": "2 uur geleden", "en": "2 hours ago"}[lang]
    assert shown.ago(MAY + 3 * DAY, MAY) == {"nl": "over 3 dagen", "en": "in 3 days"}[lang]


def test_number_has_its_points_where_the_language_has_them(lang: str) -> None:
    assert shown.number(12345) == {"nl": "12.345", "en": "12,345"}[lang]


def test_words_of_a_face_go_before_those_of_the_ground(tmp_path: Path) -> None:
    for room, dutch in (("one", "Een"), ("two", "Twee")):
        folder = tmp_path / room / "translations"
        folder.mkdir(parents=True)
        head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        own = f'msgid "only {room}"\nmsgstr "alleen {dutch}"\n'
        (folder / "nl.po").write_text(f'{head}msgid "both"\nmsgstr "{dutch}"\n\n{own}')
    whole = read_catalogue(tmp_path / "one", tmp_path / "two", tmp_path / "none")
    assert [whole.gettext(text) for text in ("both", "only one", "only two")] == [
        "Twee",
        "alleen Een",
        "alleen Twee",
    ]
    assert whole.gettext("neither") == "neither"


def test_plural_is_that_of_the_language(lang: str) -> None:
    words = [ngettext("%(num)d week", "%(num)d weeks", count) for count in (0, 1, 2)]
    assert words == {"nl": ["0 weken", "1 week", "2 weken"], "en": ["0 weeks", "1 week", "2 weeks"]}[lang]
    assert _("Show") == {"nl": "Toon", "en": "Show"}[lang]
