"""The pages of the desk."""

import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from examples.founding import PARKING
from tests.faces.pages.figures import tell
from tests.faces.screens import Screen, Visit, at
from tests.faces.town import BSNS, CASE, FacesTown

SERVICE = f"/desk/new/{PARKING['id']}@1"


class Dora(NamedTuple):
    """A resident of the desk's own pages. Ids as the agency knows them.

    `read`: an agreement to read as often as needed; `asked`: one of which she asked everything; `once`:
    shared once and never fetched; `said_no`: a request that she declined; `receipt`: the code of `read` on paper;
    `erase`, `see`, `correct`: her questions about `asked`.
    """

    read: str
    asked: str
    once: str
    said_no: str
    receipt: str
    erase: str
    see: str
    correct: str


_DORAS: dict[int, Dora] = {}


def dora(town: FacesTown) -> Dora:
    """She comes once to each town."""
    if id(town) not in _DORAS:
        town.open_wallet("dora", BSNS[1])
        asks = [town.regie("agency", "verifier", "ask", PARKING["id"]).answer for _ in range(2)]
        asks += [town.regie("agency", "verifier", "ask", PARKING["id"], "--once").answer for _ in range(2)]
        kept, asked = (town.regie("dora", "wallet", "grant", ask["request"], "--yes").answer for ask in asks[:2])
        rights = (("erasure",), ("access",), ("rectification", "--attribute", "postcode"))
        jtis = [
            town.regie("dora", "wallet", "ask", right, asked["id"], *more).answer["message"]
            for right, *more in rights
        ]
        town.regie("dora", "wallet", "present", asks[2]["request"], "--yes")
        town.regie("dora", "wallet", "decline", asks[3]["request"])
        _DORAS[id(town)] = Dora(*(ask["id"] for ask in asks), kept["qr"], *jtis)
    return _DORAS[id(town)]


def _open_request(visit: Visit) -> str:
    return unquote(visit.story.request).rpartition("/")[2].partition("&")[0]


def request(path: str = "") -> Callable[[Visit], object]:
    """The request that nobody has answered yet."""
    return lambda visit: visit.go(f"/desk/requests/{_open_request(visit)}{path}")


def of_dora(form: str) -> Callable[[Visit], object]:
    """`{read}` and the like are ids of hers."""
    return lambda visit: visit.go(form.format(**dora(visit.town)._asdict()))


def send(form: str) -> Callable[[Visit], object]:
    """An agreement's form with nothing in it."""

    def reach(visit: Visit) -> None:
        page = visit.go(form.format(**dora(visit.town)._asdict()))
        page.evaluate("document.querySelectorAll('[required]').forEach((field) => (field.required = false))")
        page.locator("#look button[type=submit]").click()
        page.wait_for_selector("#summary")

    return reach


def reading(visit: Visit) -> None:
    """Her postal code, for a case and a reason."""
    page = visit.go(f"/desk/agreements/{dora(visit.town).read}")
    page.fill("#case", CASE)
    page.check("#reason")
    page.check("#only")
    page.locator("#look button[type=submit]").click()
    page.wait_for_selector("#opened")


def receipt(visit: Visit) -> None:
    """What her receipt says, as a camera reads it."""
    page = visit.go("/desk/search/")
    page.fill("#text", dora(visit.town).receipt)
    page.locator("#search-form button[type=submit]").click()
    page.wait_for_selector("input[name=text][type=hidden]", state="attached")


def right(which: str, path: str = "") -> Callable[[Visit], object]:
    """What she asked: to `erase`, to `see`, to `correct`."""
    return lambda visit: visit.go(f"/desk/rights/{getattr(dora(visit.town), which)}{path}")


PEOPLE = {"Anna": "een reiger aan de sloot", "Ben": "zeven grijze fietsen"}
"""Who open the account of officers together, with their passphrases."""


def begin_account(town: FacesTown) -> None:
    """The account of officers, once in each town."""
    if not (town.at("agency") / "officers.json").exists():
        persons = []
        for name, words in PEOPLE.items():
            path = town.home / f"{name}.passphrase"
            path.write_text(words)
            persons += ["--person", f"{name}={path}"]
        town.regie("agency", "verifier", "officers", "init", "--profile", "small", *persons)


def officers(visit: Visit) -> None:
    """Two people have opened the account of officers."""
    begin_account(visit.town)
    visit.town.regie("agency", "verifier", "read", dora(visit.town).read, "--case", CASE)
    page = visit.go("/desk/officers/")
    for field, words in zip(("first", "second"), PEOPLE.values(), strict=True):
        page.fill(f"#{field}-passphrase", words)
    page.locator("main form button[type=submit]").click()
    page.wait_for_selector("main table")


def alarm(path: str = "") -> Callable[[Visit], object]:
    """An alert, at an agency where no hour is a usual one."""

    def reach(visit: Visit) -> None:
        thresholds = {"usual_hours": [0, 0], "outside_reads": 1}
        (visit.town.at("agency") / "alarms.json").write_text(json.dumps(thresholds))
        visit.town.regie("agency", "verifier", "read", dora(visit.town).read, "--case", CASE)
        visit.town.regie("agency", "verifier", "alarms", "list")
        visit.go(f"/desk/alarms/{path}")

    return reach


def figures(path: str) -> Callable[[Visit], object]:
    """Of the newest month, with a neighbour's beside them."""

    def reach(visit: Visit) -> None:
        tell(visit.town)
        visit.go(f"/desk/figures/{path}")

    return reach


SCREENS: tuple[Screen, ...] = (
    Screen("work", of_dora("/desk/")),
    Screen("work-privacy", of_dora("/desk/"), role="privacy", in_tour=False),
    Screen("services", at("/desk/new/")),
    Screen("ask", at(SERVICE)),
    Screen("requests", of_dora("/desk/requests/"), in_tour=False),
    Screen("request", request()),
    Screen("form", request("/form"), prints=True, qr=True),
    Screen("help", request("/help")),
    Screen("confirm", request("/confirm"), in_tour=False),
    Screen("request-agreed", of_dora("/desk/requests/{read}")),
    Screen("request-once", of_dora("/desk/requests/{once}"), in_tour=False),
    Screen("request-no", of_dora("/desk/requests/{said_no}"), in_tour=False),
    Screen("agreements", of_dora("/desk/agreements/")),
    Screen("agreement", of_dora("/desk/agreements/{read}")),
    Screen("agreement-error", send("/desk/agreements/{read}"), in_tour=False),
    Screen("reading", reading),
    Screen("reading-over", of_dora("/desk/agreements/{read}/closed"), in_tour=False),
    Screen("stopped", lambda visit: visit.go(f"/desk/agreements/{visit.story.ask_stopped}")),
    Screen("search", at("/desk/search/")),
    Screen("receipt", receipt, in_tour=False),
    Screen("rights", of_dora("/desk/rights/"), role="privacy"),
    Screen("right-erasure", right("erase"), role="privacy"),
    Screen("right-access", right("see"), role="privacy"),
    Screen("access", right("see", "/document"), role="privacy", prints=True),
    Screen("right-rectification", right("correct"), role="privacy", in_tour=False),
    Screen("oversight", of_dora("/desk/oversight/"), role="privacy"),
    Screen("figures", figures(""), role="manager"),
    Screen("figures-report", figures("report"), role="manager", prints=True),
    Screen("officers", officers, role="privacy"),
    Screen("alarms", alarm(), role="privacy"),
    Screen("alarm", alarm("1"), role="privacy"),
    Screen("not-your-role", at("/desk/oversight/"), in_tour=False),
    Screen("not-found", at("/desk/agreements/0"), in_tour=False),
)
