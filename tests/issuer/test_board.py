"""The board on which parties of a mandate agree: who may hang something there, and nobody hides the others."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from werkzeug.test import TestResponse

from issuer import board
from protocol import mandate_api as api
from protocol.canonical import b64u_decode, b64u_encode, to_builtins
from protocol.cosign import cosign
from protocol.keys import Es256Private
from protocol.mandate import mandate_hash
from protocol.terms import Terms
from tests.issuer.acting import JELLE, Resident, fetch, make_young, redeem, resident
from tests.issuer.desk import NOOR, NOW, Desk
from tests.protocol import granting

CLIENT = "x509_san_dns:a"


class Pen:
    """A party with one card under the mandate, at its board."""

    def __init__(self, desk: Desk, who: Resident) -> None:
        self.desk = desk
        self.taken = who.taken(name="Wende Brandsma")
        text, self.key = fetch(desk, redeem(desk, self.taken), "adres")
        self.jwt = text.partition("~")[0]
        self.party = int(self.taken["party"])
        self.place = f"/v1/mandates/{self.taken['id']}/proposals"
        self.bearer = {"Authorization": f"Bearer {api.board_bearer(b64u_decode(self.taken['seed']))}"}

    def terms(self, purpose: str = "one", **changes: Any) -> Terms:
        """Of this mandate; each purpose makes others."""
        behalf = b64u_encode(mandate_hash(self.taken["mandate"]))
        return granting.terms(**{"on_behalf_of": behalf, "not_after": NOW + 86400 * len(purpose), **changes})

    def signed(self, terms: Terms, *, key: Es256Private | None = None, **said: Any) -> str:
        """These terms, signed with the card."""
        return cosign(
            self.jwt, key or self.key, terms, **{"client_id": CLIENT, "now": self.desk.clock.now(), **said}
        )

    def proposal(self, terms: Terms, **changes: Any) -> api.Proposal:
        made = api.Proposal(self.party, "https://a.example/r", CLIENT, terms, self.signed(terms))
        return replace(made, **changes)

    def propose(self, terms: Terms, **changes: Any) -> TestResponse:
        body = to_builtins(self.proposal(terms, **changes))
        return self.desk.client.post(self.place, json=body, headers=self.bearer)

    def cosign(self, number: int, party: int, text: str) -> TestResponse:
        place = f"{self.place}/{number}/cosignatures"
        return self.desk.client.post(place, json={"party": party, "cosigned": text}, headers=self.bearer)

    def look(self) -> list[dict[str, Any]]:
        return list(self.desk.client.get(self.place, headers=self.bearer).json["proposals"])


@pytest.fixture
def pens(desk: Desk) -> tuple[Pen, Pen]:
    """Noor and Jelle, parents of Wende."""
    make_young(desk)
    return Pen(desk, resident(desk, NOOR)), Pen(desk, resident(desk, JELLE))


def test_parties_propose_and_sign_on_the_board(desk: Desk, pens: tuple[Pen, Pen]) -> None:
    noor, jelle = pens
    terms = noor.terms()
    for _ in range(2):
        hung = noor.propose(terms)
    assert hung.status_code == 200, hung.text
    (one,) = hung.json["proposals"]
    assert one["proposal"]["client_id"] == CLIENT, "proposed again is no second proposal"
    text = jelle.signed(terms)
    for _ in range(2):
        signed = jelle.cosign(one["number"], 2, text)
    assert signed.json["proposals"][0]["cosigned"] == [{"party": 2, "cosigned": text}], "again is no error"
    desk.clock.time += 60
    newer = jelle.signed(terms)
    jelle.cosign(one["number"], 2, newer)
    assert noor.look()[0]["cosigned"] == [{"party": 2, "cosigned": newer}]
    desk.clock.time += 3600
    assert noor.look() == []


def test_stranger_sees_nothing_and_nobody_signs_what_is_not_there(desk: Desk, pens: tuple[Pen, Pen]) -> None:
    noor, jelle = pens
    terms = noor.terms()
    client = desk.client
    wrong = {"Authorization": f"Bearer {'A' * 43}"}
    for answer in (
        client.get(noor.place),
        client.get(noor.place, headers=wrong),
        client.get("/v1/mandates/x/proposals", headers=noor.bearer),
    ):
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    for answer, status, code in (
        (noor.propose(terms, party=3), 400, "bad_proposal"),
        (noor.propose(noor.terms(on_behalf_of=b64u_encode(bytes(32)))), 400, "bad_proposal"),
        (noor.cosign(99, 1, jelle.signed(terms)), 404, "unknown_proposal"),
    ):
        assert (answer.status_code, answer.json["code"]) == (status, code)
    assert noor.look() == []


def test_junk_co_signatures_under_the_shared_bearer_hide_and_fill_nothing(
    desk: Desk, pens: tuple[Pen, Pen]
) -> None:
    """The thief has the seed of the mandate, and so the bearer, and no card of a party that counts."""
    noor, jelle = pens
    terms = noor.terms()
    number = noor.propose(terms).json["proposals"][0]["number"]
    other = noor.terms("another")
    strange = Es256Private.from_secret(bytes(range(48)))
    own = resident(desk, JELLE)
    for text in (
        "a.b.c~d.e.f",
        jelle.signed(other),
        jelle.signed(terms, client_id="x509_san_dns:b"),
        jelle.signed(terms, now=NOW - 3700),
        jelle.signed(terms, key=strange),
        noor.signed(terms),
        cosign(own.jwt, own.key, terms, client_id=CLIENT, now=NOW),
        f"{jelle.jwt.rpartition('.')[0]}.{b64u_encode(bytes(64))}~{jelle.signed(terms).partition('~')[2]}",
    ):
        answer = jelle.cosign(number, 2, text)
        assert (answer.status_code, answer.json["code"]) == (400, "bad_signature")
    assert "cosigned" not in noor.look()[0]
    assert jelle.cosign(number, 2, jelle.signed(terms)).status_code == 200


def test_junk_proposals_under_the_shared_bearer_leave_room_for_the_others(
    desk: Desk, pens: tuple[Pen, Pen]
) -> None:
    noor, jelle = pens
    forged = noor.propose(noor.terms(), party=2)
    assert (forged.status_code, forged.json["code"]) == (400, "bad_signature")
    answers = [noor.propose(noor.terms("x" * n)).status_code for n in range(1, 10)]
    assert answers == [200] * 8 + [409], "two parties share sixteen places"
    assert jelle.propose(jelle.terms("free")).status_code == 200
    assert len(jelle.look()) == 9


def test_card_that_was_taken_back_hangs_nothing_on_the_board(desk: Desk, pens: tuple[Pen, Pen]) -> None:
    noor, jelle = pens
    number = noor.propose(noor.terms()).json["proposals"][0]["number"]
    for one in desk.office.issued(JELLE):
        desk.office.revoke(one.offer_id, "telefoon gestolen")
    before = desk.rows()
    for answer in (jelle.cosign(number, 2, jelle.signed(noor.terms())), jelle.propose(jelle.terms("mine"))):
        assert (answer.status_code, answer.json["code"]) == (400, "bad_signature")
    assert desk.rows() == before


def test_full_board_is_an_answer_that_wallets_take(
    desk: Desk, pens: tuple[Pen, Pen], monkeypatch: pytest.MonkeyPatch
) -> None:
    noor, jelle = pens
    size = len(msgspec.json.encode(noor.proposal(noor.terms("x"))))
    monkeypatch.setattr(board, "BOARD_BYTES", 2 * (2 * size + size // 2))
    answers = [noor.propose(noor.terms("x" * n)).status_code for n in range(1, 4)]
    assert answers == [200, 200, 409], "her half of the bytes"
    assert jelle.propose(jelle.terms("free")).status_code == 200
    answer = desk.client.get(noor.place, headers=noor.bearer)
    assert len(answer.data) < api.MAX_MANDATE_ANSWER
