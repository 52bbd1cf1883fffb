"""What looks at the pages sees what it is for: each fault, alone on a page, is found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import qrcode
from playwright.sync_api import Browser, Page

from tests.faces.accessible import contrast_violations, shape_faults, violations
from tests.faces.browser import visiting
from tests.faces.keyboard import keyboard_faults
from tests.faces.paper import codes, has_clean_edges, printed
from tests.faces.sweep import LOOKS, layout_faults, put

FRAME = """<!doctype html>
<html lang="nl" class="r-size-100"><head><title>Mijn kaarten – Regie</title>
<style>
  html.r-size-200 { font-size: 200%%; }
  body { margin: 1rem; color: CanvasText; background: Canvas; color-scheme: light dark; }
  a, button { display: inline-block; min-height: 44px; min-width: 44px; }
  :focus { outline: 3px solid; }
  %s
</style></head><body>
<a href="#title">Naar de inhoud</a>
<main><h1 id="title" tabindex="-1">Mijn kaarten</h1>%s</main>
</body></html>"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with visiting(browser) as visitor:
        yield visitor.page


def shown(page: Page, body: str, style: str = "") -> Page:
    put(page, LOOKS[1])
    page.set_content(FRAME % (style, body))
    return page


def test_a_sound_page_has_no_faults(page: Page) -> None:
    shown(page, "<p>Je hebt drie kaarten.</p><button>Haal je gegevens op</button>")
    for look in LOOKS:
        put(page, look)
        assert (look.name, layout_faults(page)) == (look.name, [])
    put(page, LOOKS[1])
    assert shape_faults(page, "nl") + violations(page) + keyboard_faults(page) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('<p style="width: 1500px">Wijd</p>', "wide"),
        ('<p style="width: 40px; overflow: hidden; white-space: nowrap">Afgesneden tekst</p>', "cut off"),
        ('<p style="position: relative; left: -60px">Naast het venster</p>', "outside the window"),
        ('<p style="font-size: 9px">Klein</p>', "text of 9px"),
        ('<button style="min-height: 20px; height: 20px">Klein</button>', "a control of"),
        ('<button>Delen</button><p style="position: fixed; inset: 0; background: red">Erover</p>', "covered"),
    ],
)
def test_a_fault_of_layout_is_found(page: Page, body: str, word: str) -> None:
    assert [fault for fault in layout_faults(shown(page, body)) if word in fault]


def test_text_that_only_fits_at_its_usual_size_is_found(page: Page) -> None:
    shown(
        page,
        '<p style="height: 1.6em; width: 10rem; overflow: hidden; line-height: 16px">Past net, en groter niet</p>',
    )
    page.add_style_tag(content="p { height: 32px !important }")
    assert layout_faults(page) == []
    put(page, LOOKS[2])
    assert layout_faults(page) != []


def test_a_table_may_scroll_within_the_page(page: Page) -> None:
    wide = '<table><tr><td style="min-width: 2000px">Lang</td></tr></table>'
    assert layout_faults(shown(page, f'<div style="overflow-x: auto" tabindex="0">{wide}</div>')) == []
    assert layout_faults(shown(page, wide)) != []


def test_words_too_faint_in_the_dark_are_found(page: Page) -> None:
    shown(
        page, "<p>Grijs</p>", "p { color: #555 } @media (prefers-color-scheme: dark) { body { background: #333 } }"
    )
    assert contrast_violations(page) == []
    put(page, LOOKS[5])
    assert contrast_violations(page) != []


def test_a_focus_that_nobody_sees_is_found(page: Page) -> None:
    shown(page, "<button>Delen</button>", "button:focus { outline: none }")
    assert keyboard_faults(page) == ["no focus to be seen: button Delen"]


def test_a_control_that_tab_passes_by_is_found(page: Page) -> None:
    shown(page, '<button>Een</button><div tabindex="0" inert>Twee</div>')
    assert keyboard_faults(page) != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('lang="nl"', 'lang="en"'),
        ("<title>Mijn kaarten", "<title>Kaarten"),
        ("<h1 id=", "<h1>Nog een</h1><h1 id="),
        ("</main>", "</main><main></main>"),
        ("</h1>", "</h1><h4>Diep</h4>"),
        ("</h1>", '</h1><p id="title">Dubbel</p>'),
    ],
)
def test_a_page_out_of_its_frame_is_found(page: Page, old: str, new: str) -> None:
    page.set_content((FRAME % ("", "")).replace(old, new, 1))
    assert len(shape_faults(page, "nl")) >= 1


def test_a_printed_code_is_read_and_what_runs_off_the_sheet_is_seen(page: Page, tmp_path: Path) -> None:
    picture = qrcode.QRCode()
    picture.add_data("regie:voorbeeld")
    rows = "".join(
        f'<rect x="{x}" y="{y}" width="1" height="1"/>'
        for y, row in enumerate(picture.get_matrix())
        for x, dark in enumerate(row)
        if dark
    )
    size = len(picture.get_matrix())
    code = f'<svg width="45mm" height="45mm" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">{rows}</svg>'
    shown(page, code, "@page { margin: 20mm }")
    (sheet,) = printed(page, tmp_path / "code.pdf")
    assert codes(sheet) == ["regie:voorbeeld"]
    assert has_clean_edges(sheet)
    shown(page, "<p>Van rand tot rand</p>", "@page { margin: 0 } body { margin: 0 }")
    assert not has_clean_edges(printed(page, tmp_path / "edge.pdf")[0])
