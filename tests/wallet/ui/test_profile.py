"""The profile in the browser: chosen, changed, proposed on the page of a request. It presses no button."""

import re

import pytest

from tests.wallet.neighbours import Neighbours
from tests.wallet.ui.face import Face
from tests.wallet.ui.test_request import grants, opened, press, text_of
from wallet.errand_profile import keep_profile, profile_of
from wallet.profile import PROFILES, choose
from wallet.ui.notices import IMPORTANT, ORDER

CHECKED = re.compile(r'<input[^>]*type="(?:checkbox|radio)"[^>]*\schecked', re.S)


def take(face: Face, name: str) -> None:
    with face.keeper.in_use() as wallet:
        keep_profile(wallet, choose(name))


def test_resident_chooses_and_changes_a_profile(face: Face) -> None:
    answer = face.post("/settings/profile", {"profile": "ontzorgd"}, page="/settings/profile")
    assert answer.location == "/settings/profile"
    assert "You chose: Less to think about." in text_of(face.get("/settings/profile").text)
    fields = {"longest_days": "7", "prefers": "once", "news": "all", "may_help": "counter"}
    face.post("/settings/profile/defaults", fields, page="/settings/profile")
    with face.keeper.in_use() as wallet:
        mine = profile_of(wallet)
    assert (mine.longest_days, mine.prefers, mine.news, mine.may_help) == (7, "once", "all", "counter")
    assert not mine.follow
    assert "You changed something in it." in text_of(face.get("/settings/profile").text)


def test_no_choice_is_said_to_be_none(face: Face) -> None:
    answer = face.post("/settings/profile", {}, page="/settings/profile")
    assert answer.status_code == 422
    assert "Choose one of the four." in answer.text


@pytest.mark.parametrize("name", [None, *PROFILES])
def test_no_profile_ever_presets_a_yes(face: Face, neighbours: Neighbours, name: str | None) -> None:
    """No box is ticked, nothing is given by opening the page, and leaving the page gives nothing."""
    if name:
        take(face, name)
    page = face.get(opened(face, neighbours.agency.ask())).text
    main = page[page.index("<main") : page.index("</main>")]
    assert CHECKED.search(main) is None
    assert re.search(r'value="refuse"', main)
    copy = face.get(opened(face, neighbours.agency.ask(once=True, query=neighbours.agency.copy_query("postcode"))))
    assert CHECKED.search(copy.text[copy.text.index("<main") : copy.text.index("</main>")]) is None
    assert grants(face) == []


def test_profile_proposes_an_earlier_last_day_that_can_be_changed(face: Face, neighbours: Neighbours) -> None:
    take(face, "veiligheid")
    path = opened(face, neighbours.agency.ask())
    page = face.get(path).text
    assert "Your profile proposes an earlier last day" in page
    (day,) = re.findall(r'<option value="([\d-]{10})" selected>', page)
    assert "You would rather give a copy, once" in page
    press(face, path, answer="give", until=day)
    proposed = grants(face)[-1].body.terms.not_after
    path = opened(face, neighbours.second.ask())
    press(face, path, answer="give", until="")
    assert grants(face)[-1].body.terms.not_after > proposed


def test_profile_without_a_term_leaves_what_is_asked(face: Face, neighbours: Neighbours) -> None:
    take(face, "zelfredzaam")
    page = face.get(opened(face, neighbours.agency.ask())).text
    assert not re.findall(r'<option value="[\d-]{10}" selected>', page)
    assert "Your profile proposes" not in page


def test_first_page_reports_what_is_important_and_the_notices_stay(face: Face) -> None:
    assert "backup" in face.get("/").text.lower()
    take(face, "ontzorgd")
    first = text_of(face.get("/").text)
    assert "backup" not in first.lower()
    assert {"problem", "stopped", "refused"} <= IMPORTANT < set(ORDER)
    assert "backup" in face.get("/notices").text.lower()
