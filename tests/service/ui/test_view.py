"""Language, text size and theme: chosen on every page, kept in a cookie, and never a way elsewhere."""

import pytest

from service.ui.view import LANGUAGES, MAX_PATH, SIZES, THEMES, View, own_path, parse_view
from tests.service.ui.browser import Browser
from tests.service.ui.gallery.app import create


def test_reader_chooses_language_size_and_theme_and_stays_on_the_page() -> None:
    browser = Browser(create())
    browser.get("/text?page=3")
    assert 'name="back" value="/text?page=3"' in browser.page
    browser.post("/view", {"language": "en", "size": "200", "theme": "dark", "back": "/text?page=3"})
    assert browser.path == "/text"
    assert '<html lang="en" class="voorbeeld-theme r-size-200" data-theme="dark">' in browser.page
    assert "Keyboard shortcuts" in browser.page
    browser.post("/view", {"language": "nl", "size": "100", "theme": "auto"})
    assert '<html lang="nl" class="voorbeeld-theme r-size-100" data-theme="auto">' in browser.page
    assert "Sneltoetsen" in browser.page


def test_first_page_speaks_what_the_browser_asks_for() -> None:
    app = create()
    for header, lang in (
        ("en-GB,en;q=0.9", "en"),
        ("nl-BE", "nl"),
        ("fr", "nl"),
        ("de,en;q=0.5,nl;q=0.2", "en"),
        ("", "nl"),
    ):
        assert f'<html lang="{lang}"' in app.test_client().get("/", headers={"Accept-Language": header}).text


@pytest.mark.parametrize("text", ["", ".", "...", "xx.999.pink", '".<script>.', "nl" * 500, "\x00.\x00.\x00"])
def test_made_up_cookie_changes_nothing(text: str) -> None:
    assert parse_view(text, View()) == View()


def test_cookie_holds_every_choice() -> None:
    for language in LANGUAGES:
        for size in SIZES:
            for theme in THEMES:
                view = View(language, size, theme)
                assert parse_view(view.text(), View()) == view


@pytest.mark.parametrize(
    "path", ["/", "/a", "/desk/cases?page=2", "/a#b", "/a%2F%2Fb", "/" + "a" * (MAX_PATH - 1)]
)
def test_path_of_ours_is_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\\/evil.example",
        "https://evil.example/",
        "https:/evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\nSet-Cookie: a=b",
        " /a",
        "",
        "/é",
        "/" + "a" * MAX_PATH,
    ],
)
def test_open_redirect_leads_to_the_first_page_instead(path: str) -> None:
    assert own_path(path) == "/"
    browser = Browser(create())
    browser.get("/")
    answer = browser.post("/view", {"language": "en", "back": path}, follow=False)
    assert answer.headers["Location"] == "/"
