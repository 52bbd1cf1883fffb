"""Icons, codes and charts: what they hold, and the figures that they are drawn from."""

import io
import re

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from service.ui.app import NavItem
from service.ui.charts import columns, filling, line, place_in_time, segments, share
from service.ui.icons import ICONS
from service.ui.qr import MAX_CHARACTERS, qr_path
from tests.service.ui.browser import Browser
from tests.service.ui.gallery.app import NAME, create


def picture(text: str) -> Image.Image:
    side, path = qr_path(text)
    drawn = Image.new("L", (side * 8, side * 8), 255)
    brush = ImageDraw.Draw(drawn)
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        left, top = int(x) * 8, int(y) * 8
        brush.rectangle((left, top, left + int(length) * 8 - 1, top + 7), fill=0)
    stored = io.BytesIO()
    drawn.save(stored, "PNG")
    return Image.open(stored)


@pytest.mark.parametrize(
    "text", ["a", "openid4vp://?request_uri=https%3A%2F%2Fx" * 10, "é€漢字", "A" * MAX_CHARACTERS]
)
def test_code_holds_its_text_and_a_quiet_zone(text: str) -> None:
    assert [found.text for found in zxingcpp.read_barcodes(picture(text))] == [text]
    side, path = qr_path(text)
    assert min(int(x) for x, _ in re.findall(r"M(\d+) (\d+)", path)) == 4
    assert max(int(y) for _, y in re.findall(r"M(\d+) (\d+)", path)) == side - 5


def test_code_of_too_much_text_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        qr_path("A" * (MAX_CHARACTERS + 1))


def test_share_shows_all_that_is_there_and_nothing_else() -> None:
    assert [share(v, 200) for v in (0, -3, 0.1, 1, 50, 200, 999)] == [0, 0, 1, 1, 25, 100, 100]
    assert share(3, 0) == 0


def test_parts_of_a_whole_fill_it() -> None:
    found = segments([40, 12, 5, 2])
    assert [start for start, _ in found] == [0, 67.8, 88.14, 96.61]
    assert abs(sum(width for _, width in found) - 100) < 0.1
    assert segments([0, 0]) == [(0.0, 0.0), (0.0, 0.0)]
    with pytest.raises(ValueError, match="at most four"):
        segments([1] * 5)


def test_columns_and_lines_stay_on_their_field() -> None:
    assert columns([]) == []
    assert columns([0, 5, 10]) == [(3.33, 26.67, 0.0), (36.67, 26.67, 50.0), (70.0, 26.67, 100.0)]
    assert line([1, 2]) == "0.0,15.0 100.0,2.0"
    assert line([0]) == "0.0,28.0"


def test_place_in_a_term() -> None:
    assert [place_in_time(now, 100, 200) for now in (0, 100, 150, 200, 900)] == [0, 0, 50, 100, 100]
    assert place_in_time(5, 5, 5) == 100


def test_no_two_series_are_filled_alike() -> None:
    assert len({filling("a", index) for index in range(4)}) == 4


@pytest.mark.parametrize("name", ICONS)
def test_icon_stays_on_its_grid(name: str) -> None:
    starts = re.findall(r"M(-?[\d.]+)[ ,](-?[\d.]+)", ICONS[name])
    assert starts
    assert all(0 <= float(number) <= 24 for start in starts for number in start)


def test_every_picture_has_its_table_and_its_words() -> None:
    browser = Browser(create())
    browser.get("/pictures")
    for found in re.findall(r'<div[^>]*role="img"[^>]*>', browser.page):
        for attribute in ("aria-labelledby", "aria-describedby"):
            key = re.search(rf'{attribute}="([^"]+)"', found)
            assert key is not None
            assert browser.page.count(f'id="{key[1]}"') == 1
    assert browser.page.count("<figure") == browser.page.count("<table")
    ids = re.findall(r'\bid="([^"]+)"', browser.page)
    assert len(ids) == len(set(ids))


def test_menu_shows_a_place_only_to_who_may_go_there() -> None:
    item = NavItem("x", "X", "home", roles=frozenset({"manager"}))
    assert [item.is_for(who) for who in (None, {"role_ids": frozenset()}, {"role_ids": frozenset({"clerk"})})] == [
        False
    ] * 3
    assert item.is_for({"role_ids": frozenset({"clerk", "manager"})})
    assert NavItem("x", "X", "home").is_for(None)
    browser = Browser(create())
    browser.get("/text")
    assert "Beheer" not in browser.page
    assert re.search(r'href="/text" aria-current="page"', browser.page)


def test_name_with_markup_in_it_is_text() -> None:
    browser = Browser(create())
    for path in ("/", "/text"):
        browser.get(path)
        assert "&lt;Onbekend&gt; &amp; &lt;/Onbemind&gt;" in browser.page
        assert NAME not in browser.page
