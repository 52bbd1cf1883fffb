"""A resident gets cards in the browser: by a code, by logging in at the issuer, later; and looks after them."""

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from werkzeug.test import TestResponse

from service.fetch import Fetcher
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import TX_CODE, MovableClock, Neighbours
from tests.wallet.our_town import OurTown, our_town
from tests.wallet.ui.face import Face
from tests.wallet.ui.test_request import opened, press, text_of
from wallet.records import Copy
from wallet.ui import receive
from wallet.ui.receiving import Came


@pytest.fixture
def empty(resident: Resident) -> Iterator[Face]:
    """A wallet without cards."""
    made = Face(resident.home.path, fetcher=resident.neighbours, clock=resident.neighbours.clock)
    made.unlock()
    yield made
    made.keeper.lock()


def copies(face: Face) -> dict[str, Copy]:
    with face.keeper.in_use() as wallet:
        return wallet.copies()


def test_resident_takes_up_an_offer_with_the_code(empty: Face, neighbours: Neighbours) -> None:
    path = opened(empty, neighbours.issuer.link("adres"))
    page = text_of(empty.get(path).text)
    assert "Basisregistratie Voorbeeld has a card for you" in page
    assert "6 digits" in page
    done = empty.post(path, {"code": f" {TX_CODE[:3]} {TX_CODE[3:]} "}, page=path)
    assert done.status_code == 303
    assert "Done! You have a new card" in text_of(empty.get(done.location).text)
    assert len(copies(empty)) == 4
    assert "Address" in text_of(empty.get("/cards").text)


def test_locked_wallet_does_not_tell_who_offers_what(empty: Face, neighbours: Neighbours) -> None:
    path = opened(empty, neighbours.issuer.link("adres"))
    empty.post("/lock")
    shut = empty.get(path)
    assert (shut.status_code, shut.location) == (303, f"/unlock?next={path}")
    empty.unlock()
    assert "Basisregistratie Voorbeeld has a card for you" in text_of(empty.get(path).text)


def test_button_pressed_twice_takes_an_offer_up_once(
    empty: Face, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second press must not say that the code is wrong while the cards are there."""
    path = opened(empty, neighbours.issuer.link("adres"))
    token, taken = empty.token(path), 0
    answers: list[TestResponse] = []

    def press_it() -> None:
        form = {"csrf_token": token, "code": TX_CODE}
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": empty.launch.origin}
        answers.append(empty.client.post(path, base_url=empty.launch.origin, data=form, headers=headers))

    second = Thread(target=press_it)
    honest = receive.take_up

    def slow(*given: Any) -> Came:
        nonlocal taken
        taken += 1
        if taken == 1:
            second.start()
            second.join(1)  # it is on its way by now, and waits for the wallet
        return honest(*given)

    monkeypatch.setattr(receive, "take_up", slow)
    press_it()
    second.join()
    assert taken == 1
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location
    assert len(copies(empty)) == 4


def test_wrong_code_is_said_and_nothing_is_received(empty: Face, neighbours: Neighbours) -> None:
    path = opened(empty, neighbours.issuer.link("adres"))
    for code, words in (("000000", "This code does not fit"), ("", "Fill in the code that you got")):
        answer = empty.post(path, {"code": code}, page=path)
        assert answer.status_code == 400
        assert words in text_of(answer.text)
    assert copies(empty) == {}
    assert empty.post(path, {"code": TX_CODE}, page=path).status_code == 303


def test_offer_of_a_stranger_is_refused_before_anything_is_fetched(empty: Face, neighbours: Neighbours) -> None:
    link = neighbours.issuer.link("adres").replace("issuer.voorbeeld", "issuer.vals")
    answer = empty.post("/scan", {"link": link}, page="/scan")
    assert answer.status_code == 403
    assert "your wallet does not know this issuer" in text_of(answer.text)
    assert neighbours.calls == []


def test_resident_does_not_want_an_offer(empty: Face, neighbours: Neighbours) -> None:
    path = opened(empty, neighbours.issuer.link("adres"))
    assert empty.post(f"{path}/drop", page=path).status_code == 303
    assert empty.get(path).status_code == 404
    assert copies(empty) == {}


# --- cards ------------------------------------------------------------------------------------------------------


def card_paths(face: Face) -> dict[str, str]:
    found = re.findall(r'href="(/cards/[0-9a-f]{16})">([^<]+)<', face.get("/cards").text)
    return {title: path for path, title in found}


def test_values_are_behind_a_button_and_open_on_request(face: Face) -> None:
    path = card_paths(face)["Address"]
    assert "1234AB" not in text_of(re.sub(r"<details.*?</details>", "", face.get(path).text, flags=re.S))
    assert "1234AB" in text_of(re.sub(r"<details.*?</details>", "", face.get(f"{path}/values").text, flags=re.S))
    assert "1234AB" not in face.get("/cards").text


def test_card_says_who_has_what_now(face: Face, neighbours: Neighbours) -> None:
    path = card_paths(face)["Address"]
    assert "Nobody. You have not shared anything of this card" in text_of(face.get(path).text)
    press(face, opened(face, neighbours.agency.ask()), answer="give")
    page = text_of(face.get(path).text)
    assert "Postal code Gemeente Voorbeeld may look until" in page
    assert "3 of 4" in page


def test_card_that_ended_is_said_to_be_over(face: Face, neighbours: Neighbours) -> None:
    with face.keeper.in_use() as wallet, wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            wallet.vault.put("copies", name, replace(copy, exp=neighbours.clock.time))
    assert "No longer valid" in text_of(face.get("/cards").text)


def test_unknown_card_is_a_page_that_says_so(face: Face) -> None:
    assert face.get("/cards/0123456789abcdef").status_code == 404


def test_issuer_that_cannot_be_reached_is_said(face: Face, neighbours: Neighbours) -> None:
    neighbours.down.add("issuer.voorbeeld.example")
    assert face.post("/cards/refill", {"everything": "1"}, page="/cards").status_code == 303
    neighbours.down.clear()
    assert face.post("/cards/refill", page="/cards").status_code == 303
    assert "Nothing to do" in text_of(face.get("/cards").text)


# --- a login ----------------------------------------------------------------------------------------------------


@pytest.fixture
def town(tmp_path: Path) -> Iterator[OurTown]:
    with our_town(tmp_path) as running:
        yield running


def test_resident_logs_in_at_the_issuer_while_the_wallet_goes_on(town: OurTown) -> None:
    with town.open():
        pass
    face = Face(town.home.path, fetcher=Fetcher(loopback=True), clock=MovableClock(town.clock.now()))
    face.unlock()
    try:
        assert "Gemeente Lindehaven" in text_of(face.get("/get").text)
        begun = face.post("/get", {"issuer": town.issuer_url, "card": ["adres"]}, page="/get")
        assert begun.status_code == 303
        path = begun.location
        page = face.get(path).text
        assert "Waiting for your login" in page
        early = face.post(path, page="/cards")
        assert early.status_code == 503, "the browser is not back yet"
        assert face.get("/cards").status_code == 200, "nobody waits for a login"
        url = re.search(r'href="([^"]+)" target="_blank"', page)
        assert url is not None
        town._log_in(url[1].replace("&amp;", "&"))
        assert "You are back" in face.get(f"{path}/state").text
        done = face.post(path, page=path)
        assert done.status_code == 303, done.text
        assert "You have a new card" in text_of(face.get(done.location).text)
        assert {copy.configuration for copy in copies(face).values()} == {"adres"}
        assert urlsplit(done.location).query == ""
    finally:
        face.keeper.lock()


def test_no_card_ticked_asks_to_tick_one(face: Face) -> None:
    answer = face.post("/get", {"issuer": "https://issuer.voorbeeld.example"}, page="/get")
    assert answer.status_code == 303
    assert "Tick at least one card" in text_of(face.get(answer.location).text)
