"""The pages of the wallet."""

from collections.abc import Callable

from tests.faces.screens import Screen, Visit, at

SCREENS: tuple[Screen, ...] = (
    Screen("start", at("/")),
    Screen("notices", at("/notices")),
)


# Looking back.


def _of(which: str, path: str = "") -> Callable[[Visit], object]:
    """A page of the agreement `which` of the story: `kept` or `stopped`."""
    return lambda visit: visit.go(f"/agreements/{getattr(visit.story, which)}{path}")


def _searched(visit: Visit) -> None:
    visit.go(f"/agreements/{visit.story.kept}/search")
    visit.page.locator("main form[action$=search] button").click()
    visit.page.wait_for_selector("#search-state [data-done], main [role=status] .r-notice")


def _found(visit: Visit) -> None:
    page = visit.go("/activities")
    page.locator("main details summary").first.click()
    page.fill("main input[type=search]", "parkeer")
    page.locator("main form[action$=activities] button").click()
    page.wait_for_url("**/activities?view=*")


def _line(kind: str) -> Callable[[Visit], object]:
    """The first activity whose sign is `kind`."""

    def reach(visit: Visit) -> None:
        page = visit.go("/activities")
        page.locator(f"main .r-timeline__item--{kind} .r-timeline__title a").first.click()

    return reach


def _complained(visit: Visit) -> None:
    page = visit.go(f"/agreements/{visit.story.kept}/complain")
    page.locator("main input[name=reason]").first.check()
    page.locator("main form[action$=complain] button").click()
    page.locator("main input[name=file]").wait_for(state="attached")


SCREENS += (
    Screen("agreements", at("/agreements")),
    Screen("agreements-over", at("/agreements?show=over")),
    Screen("agreement", _of("kept")),
    Screen("agreement-stopped", _of("stopped")),
    Screen("extend", _of("kept", "/extend"), in_tour=False),
    Screen("stop", _of("kept", "/stop")),
    Screen("stopped", _of("stopped", "/stopped")),
    Screen("stop-all", _of("kept", "/stop-all"), in_tour=False),
    Screen("activities", at("/activities")),
    Screen("activities-found", _found),
    Screen("activity-read", _line("ok")),
    Screen("activity-stop", _line("stopped"), in_tour=False),
    Screen("reads", at("/activities/reads")),
    Screen("rights", at("/rights")),
    Screen("ask-access", _of("kept", "/ask/access"), in_tour=False),
    Screen("ask-rectification", _of("kept", "/ask/rectification")),
    Screen("erase", _of("kept", "/ask/erasure")),
    Screen("asked-none", _of("kept", "/asked"), in_tour=False),
    Screen("letter", _of("kept", "/letter/access"), prints=True),
    Screen("letter-rectification", _of("kept", "/letter/rectification"), in_tour=False, prints=True),
    Screen("letter-erasure", _of("kept", "/letter/erasure"), in_tour=False, prints=True),
    Screen("complain", _of("kept", "/complain")),
    Screen("complained", _complained),
    Screen("activities-file", at("/activities/log"), in_tour=False),
    Screen("letter-register", at("/rights/register-letter"), prints=True),
    Screen("problems", at("/problems")),
    Screen("search", _of("kept", "/search"), in_tour=False),
    Screen("search-done", _searched),
)


# The door.


def _wrong_code(visit: Visit) -> None:
    page = visit.go("/lost")
    page.fill("#codes", "1" * 40)
    page.locator("main form[action$=lost] button").click()
    page.locator("main .r-notice--wrong").first.wait_for()


def _wrong_paper(visit: Visit) -> None:
    page = visit.go("/lost")
    page.fill("#paper", "1" * 44)
    page.locator("main form[action$=paper] button").click()
    page.locator("#summary").wait_for()


def _wrong_passphrase(visit: Visit) -> None:
    page = visit.go("/backup")
    page.fill("#passphrase", "dit is hem niet")
    page.locator("main form[action$=backup] button").click()
    page.locator("#summary").wait_for()


SCREENS += (
    Screen("settings", at("/settings")),
    Screen("passkeys", at("/settings/passkeys")),
    Screen("passphrase", at("/settings/passphrase")),
    Screen("backup", at("/backup")),
    Screen("backup-wrong", _wrong_passphrase, in_tour=False),
    Screen("remove", at("/settings/remove")),
    Screen("lost", at("/lost")),
    Screen("lost-everything", at("/lost/everything")),
    Screen("lost-wrong-code", _wrong_code, in_tour=False),
    Screen("lost-wrong-paper", _wrong_paper, in_tour=False),
    Screen("stop-paper", at("/stop-paper"), prints=True, qr=True),
    Screen("move", at("/settings/move")),
    Screen("profile", at("/settings/profile")),
    Screen("recovery-sheet", at("/recovery-sheet"), prints=True, qr=True),
    Screen("restored", at("/begin/restored/1795305600"), in_tour=False),
)


# Acting for each other.


def _pressed(form: str, then: str) -> Callable[[Visit], object]:
    """What a button of the page says; nothing is taken and nothing is given by it."""

    def reach(visit: Visit) -> None:
        page = visit.go("/mandates")
        with page.expect_navigation(url=then):
            page.locator(f"main form[action$='/mandates/{form}'] button").click()

    return reach


SCREENS += (
    Screen("mandates", at("/mandates")),
    Screen("mandates-told", _pressed("ask", "**/mandates"), in_tour=False),
    Screen("mandate-invitation", _pressed("invite", "**/invitation"), in_tour=False),
    Screen("mandate-wish", at("/mandates/wish")),
)


# Receiving and giving.


def _scan(link: str) -> Callable[[Visit], object]:
    """The page that a link of the story leads to: `request` or `offer`."""

    def reach(visit: Visit) -> None:
        page = visit.go("/scan")
        page.fill("#link", getattr(visit.story, link))
        page.locator("main form[action$=scan] button[type=submit]").click()
        page.wait_for_url(f"**/{link}/*")

    return reach


def _shown(visit: Visit) -> None:
    """The request, with what its asker would see."""
    _scan("request")(visit)
    visit.page.locator("main input[name=give]").first.check()
    visit.page.locator("main button[value=show]").click()
    visit.page.wait_for_url("**#preview")


def _wrong_number(visit: Visit) -> None:
    """The request, with a number that is none."""
    _scan("request")(visit)
    page = visit.page
    page.locator("main details:has(#reads) > summary").click()
    page.fill("#reads", "veel")
    page.locator("main button[value=give]").click()
    page.wait_for_selector("#summary")


def _card(path: str = "") -> Callable[[Visit], object]:
    """The first card."""

    def reach(visit: Visit) -> None:
        page = visit.go("/cards")
        page.locator("main .r-card__link").first.click()
        page.wait_for_url("**/cards/*")
        if path:
            page.goto(page.url + path)

    return reach


def _no_link(visit: Visit) -> None:
    page = visit.go("/scan")
    page.fill("#link", "hallo")
    page.locator("main form[action$=scan] button[type=submit]").click()
    page.wait_for_selector("#summary")


SCREENS += (
    Screen("scan", at("/scan")),
    Screen("scan-wrong", _no_link, in_tour=False),
    Screen("offer", _scan("offer")),
    Screen("get", at("/get")),
    Screen("cards", at("/cards")),
    Screen("card", _card()),
    Screen("card-open", _card("/values")),
    Screen("request", _scan("request")),
    Screen("request-shown", _shown),
    Screen("request-wrong", _wrong_number, in_tour=False),
    Screen("receipt", lambda visit: visit.go(f"/receipt/{visit.story.kept}"), prints=True, qr=True),
)
