"""The resident says from where; the log holds the agency to it; who watches gets from an alert to a name."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.faces.family import MOTHER, Family, faults, open_request
from tests.faces.pages.desk import PEOPLE, begin_account
from tests.faces.town import CASE, DESK

pytestmark = pytest.mark.timeout(600)  # the first test founds the town


def read_at_desk(family: Family, asked: dict[str, str]) -> Page:
    """A clerk looks at one postcode, for a case and a reason."""
    page = family.desk("clerk", f"agreements/{asked['id']}").page
    page.fill("#case", CASE)
    page.check("#reason")
    page.check("#only")
    page.locator("#look button[type=submit]").click()
    page.wait_for_selector("#opened")
    return page


def test_resident_reads_the_law_and_lets_nobody_look_from_home(family: Family) -> None:
    asked = family.ask()
    resident = family.at(MOTHER)
    page = open_request(resident, asked)
    link = page.get_by_role("link", name="Lees de wet")
    assert str(link.get_attribute("href")).startswith("https://")
    page.locator("summary", has_text="Maak het korter").click()
    page.select_option("#where", "office")
    page.locator("main button[value=give]").click()
    page.wait_for_url("**/result/*")
    number = str(page.locator("main a[href^='/agreements/']").first.get_attribute("href")).rpartition("/")[2]
    page = resident.go(f"/agreements/{number}")
    expect(page.locator("main")).to_contain_text("kantoor")
    assert faults(page) == []

    words = ("verifier", "read", asked["id"], "--only", "postcode", "--case", CASE)
    refused = family.town.regie("agency", *words, "--zone", "remote", expect=1)
    assert refused.code == "out_of_context"
    expect(read_at_desk(family, asked).locator("main")).to_contain_text("Postcode")  # she may have moved


def open_alert_about_the_desk(page: Page) -> None:
    """Other alerts are about readings by a command, of which the desk's book knows nothing."""
    page.wait_for_url(f"**{DESK}alarms/")
    links = page.locator("main .r-card__link")
    links.first.wait_for()
    for address in [str(link.get_attribute("href")) for link in links.all()]:
        page.goto(f"{page.url.partition(DESK)[0]}{address}")
        if page.locator("main table").count():
            return
    raise AssertionError("no alert is about a reading at the desk")


def test_privacy_officer_gets_from_an_alert_to_a_name_with_a_colleague(family: Family) -> None:
    begin_account(family.town)
    asked = family.ask()
    family.at(MOTHER)
    open_request(family.at(MOTHER), asked).locator("main button[value=give]").click()
    family.at(MOTHER).page.wait_for_url("**/result/*")
    read_at_desk(family, asked)
    thresholds = {"usual_hours": [0, 0], "outside_reads": 1}  # whatever the time of day is when this runs
    (family.town.at("agency") / "alarms.json").write_text(json.dumps(thresholds))

    page = family.desk("privacy", "alarms/").page
    page.locator("main form[action*='/alarms/'] button").first.click()
    open_alert_about_the_desk(page)
    expect(page.locator("main table")).to_contain_text("o-")  # a pseudonym
    expect(page.locator("main")).not_to_contain_text("b.bakker")

    page.locator("main a[href$='/officers/']").click()
    for field, passphrase in zip(("first", "second"), PEOPLE.values(), strict=True):
        page.fill(f"#{field}-passphrase", passphrase)
    page.select_option("#reason", "alarm")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main table").first).to_contain_text("b.bakker")
    expect(page.locator("main table").first).to_contain_text("Zoals in het logboek")
    expect(page.locator("main table").last).to_contain_text("Anna, Ben")  # for all who watch to see
