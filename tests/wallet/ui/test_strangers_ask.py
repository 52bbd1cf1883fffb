"""Strangers ask on a page: who they are, what nobody checked, and which of several cards goes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.conformance.foreign_verifier import VERIFIER, ForeignVerifier
from tests.conformance.held_cards import Holder, fill, put, put_diplomas
from tests.protocol import strangers
from tests.protocol.builders import ADRES, NOW
from tests.protocol.strangers import DIPLOMA
from tests.wallet.neighbours import MovableClock
from tests.wallet.ui.face import Face
from tests.wallet.ui.test_request import opened, press, text_of
from wallet.records import Activity

DEGREE: dict[str, Any] = {"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}}
DEGREE["claims"] = [{"path": ["degree"]}]
ONE = {"credentials": [DEGREE]}
BADGE = {**DEGREE, "id": "b", "meta": {"vct_values": [ADRES]}, "claims": [{"path": ["postcode"]}]}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wallet with cards of the register and two diplomas."""
    folder = tmp_path_factory.mktemp("filled")
    made = Holder(folder)
    made.create()
    fill(made)
    with made.open() as wallet, wallet.vault.transaction():
        put_diplomas(wallet, "2", received=NOW, courses=("Muziek",))
    return folder


@pytest.fixture
def face(tmp_path: Path, filled: Path) -> Iterator[Face]:
    holder = Holder(tmp_path).copy_of(filled)
    holder.trust_strangers(VERIFIER)
    made = Face(holder.home.path, fetcher=holder.fetcher, clock=MovableClock(NOW))
    made.unlock()
    yield made
    made.keeper.lock()


@pytest.fixture
def shop() -> Iterator[ForeignVerifier]:
    with ForeignVerifier() as running:
        yield running


def activities(face: Face) -> list[Activity]:
    with face.keeper.in_use() as wallet:
        return list(wallet.vault.all("activities", Activity).values())


def test_registered_stranger_is_said_to_be_no_government(face: Face, shop: ForeignVerifier) -> None:
    page = text_of(face.get(opened(face, shop.ask(ONE, registration=strangers.registration()))).text)
    for words in (
        strangers.SHOP_NAME,
        "Registered, not of the government",
        "This is not an organisation of the government",
        "A student's discount",
        "This card always shows as well: faculty",
        "You never shared anything with them before",
    ):
        assert words in page
    assert "MSc" not in page
    assert shop.received == []


def test_unknown_stranger_gets_nothing_without_the_resident_s_word(face: Face, shop: ForeignVerifier) -> None:
    path = opened(face, shop.ask(ONE, mode="direct_post"))
    page = face.get(path).text
    assert "Take care: nobody knows this organisation" in text_of(page)
    assert "Your answer goes without an extra lock" in text_of(page)
    assert "They ask for more than they registered" not in text_of(page)
    assert not re.search(r'name="unregistered"[^>]*checked', page)
    assert press(face, path, answer="give") == path
    assert "Tick that you know this organisation" in text_of(face.get(path).text)
    assert (shop.received, activities(face)) == ([], [])
    result = text_of(face.get(press(face, path, answer="give", unregistered="1")).text)
    assert f"{strangers.SHOP_NAME} has a copy" in result
    assert shop.shown("d") == ["degree"]


def test_stranger_that_asks_more_than_it_registered_gets_nothing(face: Face, shop: ForeignVerifier) -> None:
    query = {"credentials": [{**DEGREE, "claims": [{"path": ["courses"]}]}]}
    path = opened(face, shop.ask(query, registration=strangers.registration()))
    page = face.get(path).text
    assert "They ask for more than they registered" in text_of(page)
    assert 'value="give"' not in page
    assert face.post(path, {"answer": "give", "unregistered": "1"}, page=path).status_code == 403
    assert shop.received == []


def test_resident_chooses_between_two_diplomas(face: Face, shop: ForeignVerifier) -> None:
    path = opened(face, shop.ask(ONE, registration=strangers.registration()))
    page = face.get(path).text
    options = re.findall(r'name="card:d" value="(d=[^"]+)"( checked)?', page)
    assert len(options) == 2
    assert [bool(checked) for _, checked in options].count(True) == 1, "one goes, the newest"
    other = next(value for value, checked in options if not checked)
    press(face, path, answer="give", **{"card:d": other})
    with face.keeper.in_use() as wallet:
        (spent,) = (copy for copy in wallet.copies().values() if copy.agency)
    assert spent.received < NOW


def test_card_that_cannot_answer_is_not_given_instead(face: Face, shop: ForeignVerifier) -> None:
    path = opened(face, shop.ask(ONE, registration=strangers.registration()))
    assert press(face, path, answer="give", **{"card:d": "d=adres"}) == path
    assert "Choose one of the cards on this page" in text_of(face.get(path).text)
    assert shop.received == []


def test_card_that_the_asker_can_do_without_stays_unless_chosen(face: Face, shop: ForeignVerifier) -> None:
    query = {
        "credentials": [DEGREE, BADGE],
        "credential_sets": [{"options": [["d"]]}, {"options": [["b"]], "required": False}],
    }
    whole = strangers.registration(
        credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": [vct]}} for vct in (DIPLOMA, ADRES)]
    )
    path = opened(face, shop.ask(query, registration=whole))
    page = face.get(path).text
    assert re.search(r'name="card:b" value="" checked', page), "nothing optional is ticked beforehand"
    press(face, path, answer="give", **{"card:b": ""})
    assert set(shop.open_answer()) == {"d"}
    shop.received.clear()
    path = opened(face, shop.ask(query, registration=whole))
    press(face, path, answer="give", **{"card:b": "b=adres"})
    assert set(shop.open_answer()) == {"d", "b"}


def test_used_copy_is_shown_again_only_on_request(face: Face, shop: ForeignVerifier) -> None:
    with face.keeper.in_use() as wallet, wallet.vault.transaction():
        for name, copy in wallet.copies().items():
            if copy.vct == DIPLOMA:
                wallet.vault.put("copies", name, replace(copy, agency="x509_san_dns:other.example"))
    path = opened(face, shop.ask(ONE, registration=strangers.registration()))
    assert "Show a copy that somebody else has" in text_of(face.get(path).text)
    assert press(face, path, answer="give") == path
    assert "Your copies are used up" in text_of(face.get(path).text)
    assert shop.received == []
    press(face, path, answer="give", reuse="1")
    assert shop.shown("d") == ["degree"]


def test_redirect_that_is_no_address_is_no_link(face: Face, shop: ForeignVerifier) -> None:
    """Script in a redirect: it is not a link on our page."""
    shop.answer = b'{"redirect_uri": "javascript:alert(1)"}'
    path = opened(face, shop.ask(ONE, registration=strangers.registration()))
    assert "javascript:" not in face.get(press(face, path, answer="refuse")).text


@pytest.mark.parametrize("address", ["https://[x", "https://[x]/done", "https://a.example:99999/", "https://a:b/"])
def test_broken_redirect_does_not_hide_what_was_given(face: Face, shop: ForeignVerifier, address: str) -> None:
    """An asker who was given a copy answers with an address that cannot be read."""
    shop.answer = b'{"redirect_uri": "%s"}' % address.encode()
    path = opened(face, shop.ask(ONE, registration=strangers.registration()))
    done = face.get(press(face, path, answer="give"))
    assert done.status_code == 200
    assert shop.received
    assert f'href="{address}' not in done.text


MARKUP = "<img src=x onerror=alert(1)>\"'{{7*7}}<Onbekend> & </Onbemind>"


def test_markup_in_cards_and_requests_of_strangers_stays_text(face: Face, shop: ForeignVerifier) -> None:
    """XSS: in a title, a kind, a value, a name of an attribute and a purpose."""
    with face.keeper.in_use() as wallet, wallet.vault.transaction():
        text = strangers.diploma(None, seed="x", person={"family_name": MARKUP, MARKUP: "z"}, faculty=MARKUP)
        put(wallet, text, f"k{MARKUP}", "E" * 22, 0, strangers.UNIVERSITY_ID, is_bound=False, title=MARKUP)
    query = {"credentials": [{**DEGREE, "claims": [{"path": ["person", MARKUP]}]}]}
    query["credentials"][0]["require_cryptographic_holder_binding"] = False
    purpose = [{"lang": "en", "value": MARKUP}, {"lang": "nl", "value": MARKUP}]
    path = opened(face, shop.ask(query, registration=strangers.registration(purpose=purpose)))
    request = face.get(path).text
    cards = face.get("/cards").text
    card = next(
        found for found in re.findall(r'href="(/cards/[0-9a-f]+)">([^<]*)<', cards) if "onerror" in found[1]
    )
    pages = [request, cards, face.get(card[0]).text, face.get(f"{card[0]}/values").text]
    pages.append(face.get(press(face, path, answer="refuse")).text)
    for page in pages:
        assert "<img src=x" not in page
        assert "<Onbekend>" not in page
        assert "49<" not in page
    assert all("&lt;img src=x" in page for page in pages[:4])
