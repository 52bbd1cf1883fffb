"""What somebody sees when it goes wrong: what is wrong, what to do, a number; and nothing of what was sent."""

import json
import re

import pytest

from service.ui.errors import new_reference
from tests.service.ui.browser import Browser
from tests.service.ui.gallery.app import create

NUMBER = "999990019"


@pytest.mark.parametrize(
    ("how", "status", "title", "advice"),
    [
        ("known", 409, "Sorry, deze afspraak is gestopt", "Vraag de inwoner om een nieuwe afspraak."),
        ("unable", 503, "Sorry, de andere kant geeft geen antwoord", "probeer het later opnieuw"),
        ("new", 400, "Sorry, dit kan niet", "Ga terug"),
        ("unforeseen", 500, "Sorry, er ging hier iets mis", "Probeer het opnieuw."),
    ],
)
def test_error_is_a_page_that_says_what_to_do(
    how: str, status: int, title: str, advice: str, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = Browser(create())
    answer = browser.get(f"/broken/{how}")
    assert (answer.status_code, browser.title) == (status, title)
    assert f"<title>{title} – Regie</title>" in browser.page
    assert advice in browser.page
    reference = re.search(r">([A-Z]{4}-\d{4})<", browser.page)
    assert reference is not None
    log = capfd.readouterr().err
    assert reference[1] in log
    for text in (browser.page, log):
        assert NUMBER not in text
        assert "secrets" not in text
    if status == 503:
        assert answer.headers["Retry-After"] == "7"


def test_unknown_error_names_its_code_and_a_known_one_does_not() -> None:
    browser = Browser(create())
    browser.get("/broken/new")
    assert "<code>never_heard</code>" in browser.page
    browser.get("/broken/known")
    assert "<code>" not in browser.page


def test_missing_page_and_wrong_method_are_pages_too() -> None:
    browser = Browser(create())
    assert browser.get("/nowhere/999990019").status_code == 404
    assert browser.title == "Sorry, deze pagina bestaat niet"
    browser.get("/")
    answer = browser.post("/text")
    assert (answer.status_code, browser.title) == (405, "Sorry, deze pagina kan zo niet open")
    assert "GET" in answer.headers["Allow"]


def test_program_that_asks_for_json_gets_a_problem() -> None:
    client = create().test_client()
    for accept in ("application/json", "application/problem+json", "application/json, text/html;q=0.5"):
        answer = client.get("/broken/known", headers={"Accept": accept})
        assert answer.mimetype == "application/problem+json"
        assert json.loads(answer.text)["code"] == "known"
    assert (
        client.get("/broken/known", headers={"Accept": "text/html, application/json;q=0.9"}).mimetype
        == "text/html"
    )
    assert client.get("/broken/known").mimetype == "text/html"


def test_form_with_mistakes_lists_them_first_with_the_focus() -> None:
    browser = Browser(create())
    browser.get("/fields")
    browser.post("/fields", {"name": ""})
    assert "2 dingen kloppen nog niet" in browser.page
    assert 'id="summary"' in browser.page
    assert " autofocus " in browser.page
    assert '<a class="utrecht-link utrecht-link--html-a" href="#name">Vul een naam in</a>' in browser.page
    field = re.search(r'<input[^>]*id="name"[^>]*>', browser.page)
    assert field is not None
    assert 'aria-describedby="name-hint name-error"' in field[0]
    assert 'aria-invalid="true"' in field[0]


def test_numbers_of_messages_are_no_words_and_differ() -> None:
    found = {new_reference() for _ in range(200)}
    assert len(found) > 190
    assert all(re.fullmatch(r"[B-DF-HJ-NP-TV-XZ]{4}-\d{4}", reference) for reference in found)
