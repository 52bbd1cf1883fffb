"""Who agrees on a page agrees to what it showed, however often the button is pressed."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.canonical import b64u_encode
from protocol.mandate_api import Representation
from tests.protocol import mandates
from tests.protocol.builders import DAY, ISSUER_ID, NOW
from tests.wallet import delegates
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import Neighbours
from tests.wallet.test_mandates import drafted
from tests.wallet.ui.face import Face
from tests.wallet.ui.test_looking_back import settled
from tests.wallet.ui.test_request import opened, press, text_of
from wallet.errand_grant import grant
from wallet.errand_joint import Waiting
from wallet.errand_mandate import Found
from wallet.errand_profile import keep_profile
from wallet.errand_request import read_request
from wallet.profile import choose
from wallet.records import Choice
from wallet.ui import mandates as page
from wallet.ui.work import SYNC


@pytest.fixture
def asked(holder: Resident, neighbours: Neighbours) -> list[Waiting]:
    """Two proposals under one mandate, the second for another term."""
    with holder.open() as wallet:
        key = delegates.hold(wallet, mandates.token())
        link = neighbours.agency.ask()
        terms = drafted(wallet, link).body.terms
        request = read_request(wallet, link)
    first = Waiting(key, 1, delegates.NAME, NOW + 3600, request, terms, False)
    shorter = replace(terms, not_after=terms.not_after - DAY)
    return [first, Waiting(key, 2, delegates.NAME, NOW + 3600, request, shorter, False)]


@pytest.fixture
def signed(asked: list[Waiting], face: Face, monkeypatch: pytest.MonkeyPatch) -> list[Waiting]:
    """What the wallet was told to sign. Both proposals wait in it."""
    found: list[Waiting] = []
    monkeypatch.setattr(page.errand_joint, "agree", lambda wallet, one: found.append(one))
    face.keeper.memory[page._ASKED] = asked
    return found


def proposals_of(face: Face) -> list[str]:
    return re.findall(r'href="(/mandates/proposals/[^"]+)"', face.get("/mandates").text)


def test_attack_double_click_signs_nothing_else(asked: list[Waiting], signed: list[Waiting], face: Face) -> None:
    shown = proposals_of(face)
    assert len(shown) == 2
    assert f'action="{shown[0]}"' in face.get(shown[0]).text
    answers = [face.post(shown[0], {"answer": "agree"}).status_code for _ in range(2)]
    assert answers == [303, 404]
    assert signed == asked[:1]
    assert proposals_of(face) == shown[1:]


def test_attack_terms_that_changed_under_the_same_number_are_not_signed(
    asked: list[Waiting], signed: list[Waiting], face: Face
) -> None:
    shown = proposals_of(face)[0]
    other = Waiting(asked[0].mandate, 1, delegates.NAME, NOW + 3600, asked[0].request, asked[1].terms, False)
    face.keeper.memory[page._ASKED] = [other]
    assert face.post(shown, {"answer": "agree"}).status_code == 404
    assert face.post("/mandates/proposals/0", {"answer": "agree"}).status_code == 404
    assert signed == []


def test_mandate_that_is_taken_is_the_one_on_the_button(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[str, str]] = []

    def take(wallet: Any, reference: str, *, issuer: str) -> Any:
        taken.append((issuer, reference))
        return SimpleNamespace(record=SimpleNamespace(party=1, name=delegates.NAME, number=1))

    def found(reference: str) -> Found:
        said = Representation(reference, "delegate", "ouder", delegates.NAME, "open", 1)
        return Found(ISSUER_ID, "the register", said, None)

    monkeypatch.setattr(page.errand_mandate, "take_mandate", take)
    monkeypatch.setattr(page.errand_mandate, "represented", lambda wallet: [found("second")])
    face.keeper.memory[page._TOLD] = [found("first"), found("second")]
    assert 'name="reference" value="first"' in face.get("/mandates").text
    form = {"issuer": ISSUER_ID, "reference": "first"}
    answers = [face.post("/mandates/take", form).status_code for _ in range(2)]
    assert answers == [303, 404]
    assert taken == [(ISSUER_ID, "first")]


def test_page_says_beforehand_that_somebody_else_has_to_agree(neighbours: Neighbours, face: Face) -> None:
    with face.keeper.in_use() as wallet:
        delegates.hold(wallet, mandates.token())
        delegates.hold(wallet, mandates.token(signers=[[0], [1, 2]], id=b64u_encode(bytes([1] * 16))))
    path = opened(face, neighbours.agency.ask())
    alone, together = (text_of(face.get(press(face, path, answer=f"for:{number}")).text) for number in (1, 2))
    for told in (alone, together):
        assert f"In the name of {delegates.NAME}" in told
    assert "Somebody else has to agree too" not in alone
    assert "Somebody else has to agree too Nothing is given before that." in together


def test_profile_proposes_no_day_after_the_end_of_the_mandate(neighbours: Neighbours, face: Face) -> None:
    """Else the page would begin with a mistake that the resident did not make."""
    with face.keeper.in_use() as wallet:
        keep_profile(wallet, choose("veiligheid"))  # thirty days
        delegates.hold(wallet, mandates.token(until=NOW + 10 * DAY))
    path = opened(face, neighbours.agency.ask())
    told = face.get(press(face, path, answer="for:1")).text
    assert "Your profile proposes an earlier last day" not in told
    assert 'id="summary"' not in told


def test_who_gave_nothing_can_look_what_the_other_party_gave(face: Face) -> None:
    button = 'action="/sync"'
    assert button not in face.get("/agreements").text
    with face.keeper.in_use() as wallet:
        delegates.hold(wallet, mandates.token())
    assert button in face.get("/agreements").text


def test_page_says_what_was_stopped_under_a_mandate_and_leads_to_who_may_act(
    face: Face, neighbours: Neighbours
) -> None:
    with face.keeper.in_use() as wallet:
        key = delegates.hold(wallet, mandates.token())
        before = wallet.mandate(key)[1]
        name = grant(wallet, neighbours.agency.ask(), Choice(), mandate="1").id
        with wallet.vault.transaction():
            wallet.vault.delete("grants", name)
            wallet.keep_mandate(key, before)
    neighbours.log.grants[0].view_hash = bytes(32)
    face.post("/sync", {"next": "/agreements"})
    settled(face, SYNC)
    page = face.get("/agreements").text
    assert "Your wallet stopped an agreement" in page
    assert 'href="/mandates"' in page
    assert "Something is not right" not in page, "there is no evidence of an agreement to look at"


def test_scanned_invitation_fills_the_form_of_a_wish_and_signs_nothing(face: Face) -> None:
    invitation = "Ab-_" * 16
    answer = face.post("/scan", {"link": f" {invitation}\n"}, page="/scan")
    assert answer.status_code == 200
    assert f'value="{invitation}"' in answer.text
    assert 'action="/mandates/wish"' in answer.text
    assert invitation not in face.get("/mandates/wish").text
    assert face.post("/scan", {"link": "Ab-_" * 10}, page="/scan").status_code == 400
