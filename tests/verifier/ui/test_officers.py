"""Two people at one screen open the account of officers; who watches over the desk sees that they did."""

import pytest
from werkzeug.test import TestResponse

from protocol.passphrase import PROFILES
from tests.service.ui.staff import Page, get
from tests.verifier.agency import Wallet
from tests.verifier.ui.conftest import DeskAgency, granted, token_of, words_of

WORDS = {"Anna": b"a heron on the pond", "Ben": b"seven grey bicycles"}
OFFICER = "bente.bakker"
FORM = {
    "first": "Anna",
    "first-passphrase": WORDS["Anna"].decode(),
    "second": "Ben",
    "second-passphrase": WORDS["Ben"].decode(),
    "reason": "complaint",
    "since": "2020-01-01",
    "until": "2040-01-01",
}


@pytest.fixture
def account(agency: DeskAgency, wallet: Wallet) -> DeskAgency:
    """One look of Bente's is in it."""
    agency.desk.officers.begin(WORDS, PROFILES["small"], agency.clock.time)
    rid, _ = granted(agency, wallet)
    page = get(agency.open("clerk"), f"/agreements/{rid}")
    fields = {"token": token_of(page), "case": "Z-2026-1", "reason": "application", "only": ["adres.postcode"]}
    assert page.post(f"/agreements/{rid}/read", **fields).answer.status_code == 200
    return agency


def send(agency: DeskAgency, *roles: str, **fields: str) -> Page:
    return get(agency.open(*roles), "/officers/").post("/officers/", **{**FORM, **fields})


def test_two_people_see_who_read_and_that_the_log_says_so(account: DeskAgency) -> None:
    page = send(account, "privacy")
    assert page.answer.status_code == 200
    words = words_of(page)
    assert OFFICER in words
    assert "As in the log" in words or "Zoals in het logboek" in words
    assert page.answer.headers["Cache-Control"] == "no-store"
    again = words_of(get(account.open("manager"), "/officers/"))
    assert OFFICER not in again
    assert "Anna, Ben" in again


def test_oversight_shows_a_pseudonym_and_no_name(account: DeskAgency) -> None:
    words = words_of(get(account.open("privacy"), "/oversight/"))
    assert OFFICER not in words
    assert account.desk.officers.known_as(OFFICER) in words


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"second": "Anna"}, 400),
        ({"second": "Carl"}, 404),
        ({"since": "yesterday"}, 400),
        ({"until": ""}, 400),
        ({"until": "9999-12-31"}, 400),
        ({"reason": "curious"}, 400),
        ({"until": "2019-12-31"}, 400),
    ],
)
def test_wrong_form_shows_nobody_and_is_no_opening(
    account: DeskAgency, fields: dict[str, str], status: int
) -> None:
    before = account.desk.officers.account.last()
    page = send(account, "privacy", **fields)
    assert page.answer.status_code == status
    assert OFFICER not in page.text
    assert account.desk.officers.account.last() == before


def test_wrong_passphrase_is_seen_by_who_watches_over_the_desk(account: DeskAgency) -> None:
    page = send(account, "privacy", **{"second-passphrase": "something else"})
    assert page.answer.status_code == 403
    assert OFFICER not in page.text
    words = words_of(get(account.open("manager"), "/officers/"))
    assert "Anna, Ben" in words
    assert "A passphrase was wrong" in words or "Een wachtzin was fout" in words
    assert "something else" not in words


def test_attack_passphrases_are_guessed_at_the_screen(account: DeskAgency) -> None:
    for _ in range(5):
        assert send(account, "privacy", **{"second-passphrase": "a guess"}).answer.status_code == 403
    page = send(account, "privacy")
    assert page.answer.status_code == 429
    assert OFFICER not in page.text
    account.clock.time += 15 * 60
    assert OFFICER in words_of(send(account, "privacy"))


def refused(agency: DeskAgency, role: str, method: str) -> TestResponse:
    return agency.open(role).open("/officers/", method=method, base_url="http://localhost")


def test_clerk_sees_no_account_and_manager_opens_none(account: DeskAgency) -> None:
    assert get(account.open("clerk"), "/officers/").answer.status_code == 403
    assert get(account.open("manager"), "/officers/").post("/officers/", **FORM).answer.status_code == 403
    assert not account.desk.officers.openings()


def test_desk_without_an_account_says_so(agency: DeskAgency) -> None:
    words = words_of(get(agency.open("privacy"), "/officers/"))
    assert "No account was begun here" in words or "Hier is nog geen" in words
