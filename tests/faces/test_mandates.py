"""Acting for each other in the browser: parent, two together, helper, curator, and who must come to the counter.

Each signs at a wallet of his own, and sees and stops on it what another party gave.
"""

import datetime

import pytest
from playwright.sync_api import expect

from examples.founding import OIN, PARKING
from issuer.appointments import Appointment, Appointments
from issuer.config import IssuerConfig
from issuer.web import open_office
from service.home import Home
from tests.faces.family import (
    FATHER,
    MOTHER,
    NAMES,
    SMALL,
    TEEN,
    UNSURE,
    WARD,
    Family,
    act_for,
    ask_register,
    banner,
    card_of,
    faults,
    give,
    look_for_news,
    open_request,
    stop,
    take,
)

pytestmark = pytest.mark.timeout(600)  # the first test founds the town


def in_days(days: int) -> str:
    return (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)).isoformat()


def test_parent_answers_for_a_child_and_the_other_parent_stops_it(family: Family) -> None:
    mother, father, asked = family.at(MOTHER), family.at(FATHER), family.ask()
    take(mother, NAMES[SMALL])
    assert faults(mother.page) == []
    act_for(open_request(mother, asked), NAMES[SMALL])
    assert faults(mother.page) == []
    number = give(mother, asked, NAMES[SMALL])
    expect(banner(mother.go(f"/agreements/{number}"), NAMES[SMALL])).to_be_visible()
    assert family.read(asked).status == 0

    take(father, NAMES[SMALL])
    page = look_for_news(father, "/agreements")
    page.locator("main .r-card").filter(has_text=f"Namens {NAMES[SMALL]}").locator(".r-card__link").first.click()
    page.wait_for_url(lambda url: url.rpartition("/")[2].isdigit())
    expect(banner(page, NAMES[SMALL])).to_contain_text("Iemand anders")
    stop(father, page.url.rpartition("/")[2])
    assert family.read(asked, expect=1).code == "revoked"
    page = look_for_news(mother, f"/agreements/{number}")
    expect(page.locator("main")).to_contain_text("Gestopt")


def test_child_of_thirteen_and_a_parent_decide_together(family: Family) -> None:
    """The parent is told beforehand; nothing is given before the child has said yes."""
    teen, mother, asked = family.at(TEEN), family.at(MOTHER), family.ask()
    take(mother, NAMES[TEEN])
    page = ask_register(teen)
    page.get_by_role("button", name="Zien en stoppen wat zij doen").click()
    page.wait_for_url("**/mandates/1")
    expect(page.locator("main")).to_contain_text("Jullie beslissen dit samen")

    act_for(open_request(mother, asked), NAMES[TEEN])
    expect(mother.page.locator("main .r-notice--wait")).to_contain_text("Een ander moet dit ook goed vinden")
    number = give(mother, asked, NAMES[TEEN])
    expect(mother.page.locator("h1")).to_have_text("Nog niet klaar")
    assert faults(mother.page) == []
    assert family.read(asked, expect=1).code == "unknown_grant"

    page = ask_register(teen)
    page.locator("main a[href*='/proposals/']").click()
    expect(banner(page, NAMES[TEEN])).to_be_visible()
    assert faults(page) == []
    with page.expect_navigation():
        page.locator("#agree button[value=agree]").click()
    assert page.locator("main a[href*='/proposals/']").count() == 0
    look_for_news(mother, f"/agreements/{number}")
    assert family.read(asked).status == 0


def test_helper_acts_for_named_services_until_the_resident_ends_it(family: Family) -> None:
    """ "Elkaar machtigen": one parent helps the other with parking, and with nothing else."""
    helper, resident, asked = family.at(FATHER), family.at(MOTHER), family.ask()
    page = helper.go("/mandates")
    page.locator("main form[action$='/mandates/invite'] button").click()
    page.wait_for_url("**/invitation")
    invitation = page.locator("main .r-code").inner_text()
    page = resident.go("/mandates/wish")
    page.fill("#code", invitation)
    page.locator(f"main input[name=service][value='{OIN}/{PARKING['id']}']").check()
    page.fill("#until", in_days(30))
    page.locator("#wish button").click()
    page.wait_for_url("**/wish/confirm")
    expect(page.locator("main")).to_contain_text(NAMES[FATHER])
    assert faults(page) == []
    page.locator("#wish button").click()
    page.wait_for_url("**/mandates")

    take(helper, NAMES[MOTHER])
    give(helper, asked, NAMES[MOTHER])
    assert family.read(asked).status == 0
    page = look_for_news(resident, "/agreements")
    expect(page.locator("main .r-card").filter(has_text="Gegeven namens jou")).to_have_count(1)
    page = resident.go("/mandates")
    page.locator("main .r-card").filter(has_text="als helper").locator(".r-card__link").click()
    page.locator("main a[href$='/end']").click()
    page.locator("#end button").click()
    page.wait_for_url(lambda url: url.rpartition("/")[2].isdigit())
    assert family.read(asked, expect=1).code == "revoked"
    ask_register(helper)
    page = open_request(helper, family.ask())
    assert page.get_by_role("button", name=f"Voor {NAMES[MOTHER]}").count() == 0


def office_of(family: Family) -> Appointments:
    """Two officers at the counter, without its pages (`tests/issuer/ui/test_acting.py`)."""
    home = Home(family.town.at("issuer"))
    return Appointments(open_office(home, home.config(IssuerConfig)))


def in_seconds(days: int) -> int:
    return int((datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).timestamp())


def test_curator_whom_a_court_appointed_acts_once_two_officers_have_read_it(family: Family) -> None:
    curator, asked = family.at(FATHER), family.ask()
    found = office_of(family)
    id_ = found.add("a.de.vries", Appointment("curator", WARD, (FATHER,), in_seconds(300), "C/26/1234"))
    assert ask_register(curator).get_by_role("button", name=f"Regelen voor {NAMES[WARD]}").count() == 0
    found.confirm("b.jansen", id_)
    take(curator, NAMES[WARD])
    give(curator, asked, NAMES[WARD])
    assert family.read(asked).status == 0


def test_who_has_parental_authority_that_the_register_cannot_tell_is_sent_to_the_counter(family: Family) -> None:
    card = card_of(ask_register(family.at(MOTHER)), NAMES[UNSURE])
    expect(card).to_contain_text("Ga naar de balie")
    expect(card).to_contain_text("Het register weet niet wie het gezag heeft.")
    assert card.locator("button").count() == 0
    assert faults(family.at(MOTHER).page) == []
