"""The register changes while agreements run: a move, secrecy, a death. On the faces of all whom it concerns."""

import datetime
import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.faces.accessible import violations
from tests.faces.arrive import sign_in
from tests.faces.browser import DESK as WIDE
from tests.faces.browser import visiting
from tests.faces.family import FATHER, MOTHER, NEIGHBOUR, Family, date_of, faults, give, look_for_news, record
from tests.faces.hands import Mouse
from tests.faces.people import Clerk
from tests.faces.town import CASE, COUNTER

pytestmark = pytest.mark.timeout(600)  # the first test founds the town
POSTCODE = "9876ZX"


def moved(bsn: str) -> dict[str, Any]:
    """The same residence, but its street and postcode."""
    residence: dict[str, Any] = json.loads(json.dumps(record(bsn)["verblijfplaats"]))
    residence["verblijfadres"] |= {"officieleStraatnaam": "Pruimenlaan", "postcode": POSTCODE}
    return residence


def test_new_address_follows_after_moving_house(family: Family) -> None:
    """By the resident's standing choice; before that, the desk sees that what it may read is old."""
    resident, asked = family.at(MOTHER), family.ask()
    number = give(resident, asked)
    page = resident.go(f"/agreements/{number}")
    with page.expect_navigation():
        page.locator("form#follow button").click()
    expect(page.locator("form#follow input[name=follow]")).to_have_value("no")
    family.register_says(MOTHER, verblijfplaats=moved(MOTHER))
    family.hears_of_the_register()
    desk = family.desk("clerk", f"agreements/{asked['id']}").page
    expect(desk.locator("main")).to_contain_text("Deze gegevens zijn verouderd")
    assert violations(desk) == []

    look_for_news(resident, f"/agreements/{number}")
    expect(family.desk("clerk", f"agreements/{asked['id']}").page.locator("main")).not_to_contain_text("verouderd")
    assert family.read(asked).answer["values"]["postcode"] == POSTCODE
    page = look_for_news(resident, f"/agreements/{number}")
    assert page.locator("main .r-timeline__item--ok").count() == 1


def test_new_data_that_are_secret_go_to_nobody_without_a_second_yes(family: Family) -> None:
    """The agency of this town is no public body to the wallet: the standing choice alone does not do."""
    resident, asked = family.at(FATHER), family.ask()
    number = give(resident, asked)
    page = resident.go(f"/agreements/{number}")
    with page.expect_navigation():
        page.locator("form#follow button").click()
    family.register_says(FATHER, geheimhoudingPersoonsgegevens=True)
    look_for_news(resident, f"/agreements/{number}")
    assert family.read(asked).answer["flags"]["geheimhouding"] is False

    page = resident.go(f"/agreements/{number}/renew")
    assert faults(page) == []
    page.locator("form#renew button").click()
    page.locator("#summary").wait_for()
    assert family.read(asked).answer["flags"]["geheimhouding"] is False
    page.check("form#renew input[name=sure]")
    page.locator("form#renew button").click()
    page.wait_for_url(f"**/agreements/{number}")
    assert family.read(asked).answer["flags"]["geheimhouding"] is True


def test_death_ends_reading_and_the_heirs_stop_the_rest_at_the_counter(family: Family) -> None:
    """The desk hears that a card was taken back, and not why. The paper that she left stops it."""
    who, asked = family.open(NEIGHBOUR), family.ask()
    family.town.regie(who, "wallet", "grant", asked["request"], "--yes")
    paper = family.town.regie(who, "wallet", "stop-paper").answer["digits"]
    assert family.read(asked).status == 0
    on = date_of(datetime.datetime.now(datetime.UTC).date())
    died = {"reden": {"code": "O", "omschrijving": "overlijden"}, "datum": on}
    family.register_says(NEIGHBOUR, opschortingBijhouding=died, overlijden={"datum": on})
    family.hears_of_the_register()

    page = family.desk("clerk", f"agreements/{asked['id']}").page
    clerk = Clerk(page, Mouse(page))
    assert clerk.read("adres.postcode", CASE) == 403
    assert clerk.values() == ""
    assert "overl" not in page.locator("main").inner_text().lower()
    with visiting(family.browser, language="nl", size=WIDE) as heir:
        counter = family.town.urls["issuer"] + COUNTER
        sign_in(heir.page, counter, "clerk")
        heir.page.goto(f"{counter}stop/")
        heir.page.fill("#text", paper)
        heir.page.locator("#stop-form button[type=submit]").click()
        expect(heir.page.locator("main .r-notice--ok")).to_contain_text("1 afspraak is gestopt")
        assert (heir.complaints, heir.strangers) == ([], set())
    assert family.read(asked, expect=1).code in ("revoked", "credential_revoked")
