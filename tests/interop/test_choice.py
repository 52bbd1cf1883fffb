"""DCQL with choice: their wallet chooses for our agency, by npm's dcql and ours."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop import node
from tests.interop.asked import ADRES, AGES, DIPLOMA, EITHER, FLAGS, SCHOOL, credential
from tests.interop.node import Peer
from tests.interop.ours import Place, founded, service
from tests.interop.served import free_port
from tests.interop.strangers import Stranger, stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
OF_THE_REGISTER = [("adres", "postcode"), ("adres", "gemeente"), ("persoon", "leeftijdBoven18")]
SERVICE = service("balie", *OF_THE_REGISTER, ("persoon", "leeftijdBoven65"))
SERVICE["claims"] += [
    {"vct": DIPLOMA, "path": path, "needed": False}
    for path in (["awarded"], ["name", "family"], ["languages"], ["courses"])
]


@pytest.fixture(scope="module")
def school() -> Stranger:
    return stranger("school", free_port())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, school: Stranger) -> Iterator[Place]:
    """Our agency trusts the school by its own configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(tmp_path_factory.mktemp("ours"), SERVICE) as made:
            anchors = {"issuers": [{"name": "Hogeschool", "roots": school.roots, "vcts": ["*"]}]}
            (made.at("agency") / "anchors.json").write_text(json.dumps(anchors))
            yield made


@pytest.fixture(scope="module")
def holder(place: Place, school: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Their wallet, with our persoon and adres and a diploma of their issuer."""
    folder = tmp_path_factory.mktemp("theirs")
    with node.running("holder", folder) as peer, node.running("issuer", folder) as issuing:
        issuing.tell("start", **school.identity)
        ours, verifiers = (place.entry(kind)["roots"] for kind in ("issuer", "agency"))
        peer.tell("trust", issuers=[*ours, *school.roots], verifiers=verifiers)
        offer = place.offer("persoon", "adres")
        peer.tell("receive", offer=offer["offer"], txCode=offer["tx_code"], copies=2)
        for _ in range(2):
            peer.tell("receive", offer=issuing.tell("offer", grant="pre-authorized")["link"])
        yield peer


def ask(place: Place, query: Any) -> Any:
    """A request of our agency."""
    return place.regie("agency", "verifier", "request", "balie", "--dcql", place.write("query.json", query))


def refusal(place: Place, asked: Any) -> list[tuple[str, str, str]]:
    """Where our agency stopped, and why."""
    (verdict,) = place.regie("agency", "verifier", "verdict", asked["id"])["verdicts"]
    assert not verdict["accepted"]
    failed = [step for step in verdict["steps"] if step["outcome"] == "failed"]
    return [(step["name"], step.get("credential", ""), step["code"]) for step in failed]


def answered(place: Place, holder: Peer, query: Any, **options: Any) -> Any:
    """What our agency reads of their wallet's answer."""
    asked = ask(place, query)
    answer = holder.tell("answer", request=asked["request"], **options)
    assert answer["status"] == 200, refusal(place, asked)
    shown: dict[str, list[Any]] = {}
    for card in place.regie("agency", "verifier", "read", asked["id"])["credentials"]:
        shown.setdefault(card["id"], []).append(card["claims"])
    return shown


def test_their_wallet_takes_the_claim_set_that_it_can(place: Place, holder: Peer) -> None:
    shown = answered(place, holder, AGES)
    assert shown == {"leeftijd": [{"leeftijdBoven18": "ja", **FLAGS}]}


@pytest.mark.parametrize("choose", [["diploma"], ["adres"], ["adres", "persoon"]])
def test_their_resident_chooses_among_credential_sets(place: Place, holder: Peer, choose: list[str]) -> None:
    assert set(answered(place, holder, EITHER, choose=choose)) == set(choose)


def test_our_agency_refuses_a_choice_that_is_none(place: Place, holder: Peer) -> None:
    asked = ask(place, EITHER)
    answer = holder.tell("answer", request=asked["request"], choose=["persoon"])
    assert answer["status"] == 400
    verdict = place.regie("agency", "verifier", "verdict", asked["id"])
    assert [one["accepted"] for one in verdict["verdicts"]] == [False]


def test_their_wallet_shows_several_cards_where_they_are_asked(place: Place, holder: Peer) -> None:
    query = {"credentials": [credential("diploma", DIPLOMA, ["awarded"], multiple=True)]}
    assert answered(place, holder, query) == {"diploma": 2 * [{"awarded": "2024-07-01"}]}


def test_our_agency_refuses_copies_of_two_sets(place: Place, holder: Peer) -> None:
    """Two copies of one card are not two cards."""
    asked = ask(place, {"credentials": [credential("adres", ADRES, ["postcode"], multiple=True)]})
    assert holder.tell("answer", request=asked["request"])["status"] == 400
    assert refusal(place, asked) == [("one_person", "", "claim_mismatch")]


def test_our_agency_reads_deep_into_the_credential_of_a_stranger(place: Place, holder: Peer) -> None:
    """Of the array of courses, one element is asked: what stands beside it is not kept."""
    (shown,) = answered(place, holder, SCHOOL)["diploma"]
    assert shown == {"name": {"family": "Verhulst"}, "languages": ["nl", "fy"], "courses": [{"mark": 7}]}
