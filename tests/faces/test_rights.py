"""Erasure with and without a law to keep, and a complaint: asked at the wallet, answered at the desk."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from protocol.canonical import parse_object
from protocol.jws import parse_jws
from protocol.reading import MESSAGE_TYPE
from tests.faces.family import MOTHER, Family, faults, give, look_for_news, record
from tests.town.searching import Wanted

pytestmark = pytest.mark.timeout(600)  # the first test founds the town
LAW = "Archiefwet 1995 artikel 3"


def ask_to_erase(family: Family, asked: dict[str, Any]) -> str:
    """She gives, it is read, and she asks to erase it; the number of the agreement."""
    resident = family.at(MOTHER)
    number = give(resident, asked)
    family.read(asked)
    page = resident.go(f"/agreements/{number}/ask/erasure")
    page.locator("main form[action$='/ask/erasure'] button").click()
    page.wait_for_url("**/asked")
    expect(page.locator("main")).to_contain_text("Nog geen antwoord")
    expect(page.locator("main .r-notice--wait")).to_have_count(0)  # no longer on its way
    return number


def open_at_desk(family: Family, asked: dict[str, Any]) -> Page:
    """The privacy officer opens the question about this agreement."""
    page = family.desk("privacy", "rights/").page
    short = f"{asked['id'][:4]} {asked['id'][4:8]}"
    page.locator("main a[href*='/rights/']").filter(has_text=short).first.click()
    page.locator("main form[action*='/rights/']").wait_for()
    return page


def answer_of(family: Family, number: str) -> Page:
    """What the resident hears of it, by the log."""
    look_for_news(family.at(MOTHER), f"/agreements/{number}")
    return family.at(MOTHER).go(f"/agreements/{number}/asked")


def test_data_without_a_law_to_keep_them_are_erased(family: Family) -> None:
    asked = family.ask()
    number = ask_to_erase(family, asked)
    page = open_at_desk(family, asked)
    page.check("main input[name=answer][value=erased]")
    page.locator("main form[action*='/rights/'] button").first.click()
    page.locator("#summary").wait_for()  # nobody says so without having looked
    page.check("main input[name=sure]")
    page.locator("main form[action*='/rights/'] button").first.click()
    page.wait_for_url("**/rights/")
    page = answer_of(family, number)
    expect(page.locator("main")).to_contain_text("Gewist")
    assert faults(page) == []


def test_data_that_a_law_keeps_are_kept_until_a_day_and_may_be_complained_about(
    family: Family, tmp_path: Path
) -> None:
    asked = family.ask()
    number = ask_to_erase(family, asked)
    page = open_at_desk(family, asked)
    page.check("main input[name=answer][value=kept]")
    page.select_option("main select[name=law]", LAW)
    page.select_option("main select[name=until]", index=2)
    page.locator("main form[action*='/rights/'] button").first.click()
    page.wait_for_url("**/rights/")
    page = answer_of(family, number)
    expect(page.locator("main")).to_contain_text("Niet gewist")
    expect(page.locator("main")).to_contain_text(LAW)

    file = tmp_path / "complaint.json"
    page.locator(f"main a[href='/agreements/{number}/complain']").click()
    page.check("main input[name=reason][value=not_erased]")
    page.locator("main form[action$='/complain'] button").click()
    button = page.locator("main form:has(input[name=file]) button")
    button.wait_for()
    assert faults(page) == []
    with page.expect_download() as saved:
        button.click()
    saved.value.save_as(file)
    look_into(file)


def look_into(file: Path) -> None:
    """What the supervisor gets: what was asked and answered, as it was signed; no data of hers."""
    made = json.loads(file.read_bytes())
    (erasure,) = made["rightsExercised"]
    assert erasure["right"] == "erasure"
    assert parse_object(parse_jws(erasure["message"], typ=MESSAGE_TYPE).payload)["kind"] == "erasure_asked"
    assert Wanted([record(MOTHER)]).found_in(file.read_bytes()) == set()
