"""A lost phone: everything stops with one paper on a friend's phone, and a new phone goes on from the backup.

The town, the log, the agency and both phones are processes of their own; what is done on a phone is done in its
browser. The lost phone is gone: its home is moved away, and nobody comes near it again.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from examples.founding import PARKING, PASSPHRASE
from tests.faces.arrive import open_local
from tests.faces.browser import PHONE, Visitor, visiting
from tests.faces.town import BSNS, CASE, FacesTown

LOST, FRIEND, NEW = "lena", "friend-of-lena", "new-phone-of-lena"


def ask(town: FacesTown) -> dict[str, str]:
    return dict(town.regie("agency", "verifier", "ask", PARKING["id"], "--case", CASE).answer)


def read(town: FacesTown, request: str, *, expect: int) -> str:
    """The agency looks; the code of the refusal, if it is one."""
    words = ("verifier", "read", request, "--only", "postcode", "--case", CASE)
    return town.regie("agency", *words, expect=expect).code


@pytest.fixture(scope="module")
def asks(town: FacesTown) -> list[dict[str, str]]:
    """Requests of the agency, in the order in which she answers them."""
    return [ask(town) for _ in range(3)]


@pytest.fixture(scope="module")
def paper(town: FacesTown, asks: list[dict[str, str]]) -> str:
    """Printed on the day she got her wallet. Then one agreement, a backup, another one; and the phone is lost."""
    town.open_wallet(LOST, BSNS[7], ("persoon", "adres"))
    printed = town.regie(LOST, "wallet", "stop-paper").answer["digits"]
    town.regie(LOST, "wallet", "grant", asks[0]["request"], "--yes")
    town.regie(LOST, "wallet", "backup", str(town.home / "lena.backup"), "--profile", "small")
    town.regie(LOST, "wallet", "grant", asks[1]["request"], "--yes")
    for one in asks[:2]:
        read(town, one["id"], expect=0)
    town.at(LOST).rename(town.home / "at-the-bottom-of-a-canal")
    return str(printed)


@pytest.fixture(scope="module")
def friend(browser: Browser, town: FacesTown, paper: str) -> Iterator[Visitor]:
    """Somebody else's phone, with a wallet of his own that knows nothing of her."""
    with visiting(browser, language="nl", size=PHONE) as visitor:
        open_local(visitor.page, town.new_wallet(FRIEND))
        make_wallet(visitor.page)
        yield visitor
        assert visitor.complaints == []
        assert visitor.strangers == set()


def make_wallet(page: Page) -> None:
    page.locator("a[href$='/begin/new']").click()
    page.fill("#passphrase", PASSPHRASE)
    page.fill("#again", PASSPHRASE)
    page.locator("main form button").click()
    page.wait_for_url(lambda url: "/begin" not in url)


def use_paper(visitor: Visitor, digits: str) -> Page:
    page = visitor.go("/lost")
    page.fill("#paper", digits)
    page.locator("main form[action$='/lost/paper'] button").click()
    return page


def test_attack_mistyped_paper_stops_nothing(friend: Visitor, town: FacesTown, paper: str) -> None:
    """On the friend's phone, while both agreements run."""
    wrong = paper[:-1] + str((int(paper[-1]) + 1) % 10)
    page = use_paper(friend, wrong)
    page.locator("#summary").wait_for()
    assert paper.replace(" ", "") not in page.content().replace(" ", "")


def test_one_paper_stops_everything_on_a_friends_phone(
    friend: Visitor, town: FacesTown, asks: list[dict[str, str]], paper: str
) -> None:
    for one in asks[:2]:
        read(town, one["id"], expect=0)  # nothing was stopped so far
    page = use_paper(friend, paper)
    page.get_by_text("2 afspraken zijn gestopt").wait_for()
    for one in asks[:2]:
        assert read(town, one["id"], expect=1) == "revoked"


def test_paper_shows_the_friend_no_data_and_leaves_him_nothing(
    friend: Visitor, town: FacesTown, paper: str
) -> None:
    assert "kaart" not in friend.go("/agreements").locator("main").inner_text().lower()
    assert friend.go("/activities").locator("main .r-timeline__item").count() == 0
    for file in town.at(FRIEND).rglob("*"):
        assert not file.is_file() or paper.replace(" ", "").encode() not in file.read_bytes()


def test_new_phone_goes_on_from_the_backup_and_what_was_stopped_stays_stopped(
    browser: Browser, town: FacesTown, asks: list[dict[str, str]], paper: str
) -> None:
    with visiting(browser, language="nl", size=PHONE) as visitor:
        page = visitor.page
        open_local(page, town.new_wallet(NEW))
        page.locator("a[href$='/begin/restore']").click()
        page.set_input_files("#file", str(town.home / "lena.backup"))
        page.fill("#backup_passphrase", PASSPHRASE)
        page.locator("main form button").first.click()
        page.wait_for_url("**/begin/restored/*")
        page = visitor.go("/agreements?show=over")
        for _ in range(30):  # it catches up in the background: the second one is found again in the log
            if page.locator("main .r-card__link").count() == 2:
                break
            page.wait_for_timeout(500)
            page.reload()
        assert page.locator("main .r-card__link").count() == 2
        shown = visitor.go("/stop-paper").locator(".r-papercode").inner_text()
        assert "".join(shown.split()) == paper.replace(" ", "")
        visitor.page.locator(".r-person button").click()
        visitor.page.wait_for_url("**/unlock*")
        assert visitor.complaints == []
    town.regie(NEW, "wallet", "grant", asks[2]["request"], "--yes")
    read(town, asks[2]["id"], expect=0)


def test_heirs_stop_it_at_any_machine_with_the_same_paper(
    town: FacesTown, asks: list[dict[str, str]], paper: str
) -> None:
    """By the command line, from a home that never saw her."""
    town.make_wallet("machine-at-the-counter")
    done = town.regie("machine-at-the-counter", "wallet", "stop-all", "--paper", "-", stdin=paper + "\n").answer
    assert (done["stopped"], done["state"]) == (3, "confirmed")
    assert read(town, asks[2]["id"], expect=1) == "revoked"
    town.regie("machine-at-the-counter", "wallet", "stop-all", "--paper", "1" * 44, expect=1)


def test_lost_phone_that_is_found_again_knows_that_it_is_stopped(town: FacesTown, paper: str) -> None:
    Path(town.home / "at-the-bottom-of-a-canal").rename(town.at(LOST))
    town.regie(LOST, "wallet", "sync")
    states = {one["state"] for one in town.regie(LOST, "wallet", "grants").answer["grants"]}
    assert states == {"stopped"}
