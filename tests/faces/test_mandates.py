"""A mother answers for her daughter in the browser, says in whose name, and the father stops it from his own."""

from playwright.sync_api import Browser, expect

from examples.founding import PARKING
from tests.faces.accessible import violations
from tests.faces.arrive import visit
from tests.faces.town import CASE, FacesTown, Story

MOTHER, FATHER = "999100002", "999101742"
DAUGHTER = "Wende Brandsma"


def test_parent_for_child_and_the_other_parent_stops_it(browser: Browser, town: FacesTown, story: Story) -> None:
    for who, bsn in (("moeder", MOTHER), ("vader", FATHER)):
        town.open_wallet(who, bsn, ("persoon", "adres"))
    asked = town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer
    read = ("verifier", "read", asked["id"], "--only", "postcode", "--case", CASE)
    with visit(browser, "wallet", town, story, who="moeder") as mother:
        page = mother.go("/mandates")
        page.locator("main form[action$='/mandates/ask'] button").click()
        page.get_by_role("button", name=f"Regelen voor {DAUGHTER}").click()
        page.wait_for_url("**/mandates/1")
        assert violations(page) == []
        page = mother.go("/scan")
        page.fill("#link", asked["request"])
        page.locator("main form[action$=scan] button[type=submit]").click()
        page.wait_for_url("**/request/*")
        page.get_by_role("button", name=f"Voor {DAUGHTER}").click()
        banner = page.locator("main .r-notice").filter(has_text=f"Namens {DAUGHTER}")
        expect(banner).to_be_visible()
        assert violations(page) == []
        page.locator("main button[value=give]").click()
        page.wait_for_url("**/result/*")
        expect(page.locator("h1")).to_have_text("Gelukt!")
        page = mother.go("/agreements/1")
        expect(page.locator("main .r-notice").filter(has_text=f"Namens {DAUGHTER}")).to_be_visible()
    assert town.regie("agency", *read).status == 0

    told = town.regie("vader", "wallet", "mandates", "--ask").answer["representations"]
    (one,) = [each for each in told if each["for"] == DAUGHTER and each["state"] == "registered"]
    town.regie("vader", "wallet", "mandate", "take", one["reference"])
    (found,) = town.regie("vader", "wallet", "sync").answer["found"]
    with visit(browser, "wallet", town, story, who="vader") as father:
        page = father.go(f"/agreements/{found}/stop")
        expect(page.locator("main .r-notice").filter(has_text=f"Namens {DAUGHTER}")).to_be_visible()
        page.locator("#stop button").click()
        page.wait_for_url("**/stopped")
        page.wait_for_selector("text=Gestopt", timeout=30_000)
    assert town.regie("agency", *read, expect=1).code == "revoked"
