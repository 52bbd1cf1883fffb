"""Our agency asks a wallet of theirs in every way that it can.

By certificate name and in plain, as older wallets want it; for a browser on the wallet's device; with a
transaction to sign; and for the card of a stranger, whose status it looks up.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest

from tests.interop import node
from tests.interop.asked import DIPLOMA, FLAGS, credential
from tests.interop.browser import Browser
from tests.interop.node import Peer
from tests.interop.ours import Place, Refused, founded, service
from tests.interop.served import free_port
from tests.interop.strangers import stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
PARKING = service("parkeren", ("adres", "postcode"))
DEGREE = service("diploma")
DEGREE["claims"] = [{"vct": DIPLOMA, "path": ["awarded"], "needed": True}]
PAYMENT = "https://pay.example/payment"
_LINK = re.compile(r'href="(openid4vp:[^"]+)"')


@dataclass(frozen=True)
class Scene:
    """Our agency as its owner set it up, and their wallet with `adres` of ours."""

    place: Place
    holder: Peer

    def ask(self, name: str, *options: str) -> Any:
        return self.place.regie("agency", "verifier", "request", name, *options)

    def answer(self, asked: Any, **options: Any) -> Any:
        return self.holder.tell("answer", request=asked["request"], **options)

    def read(self, asked: Any) -> Any:
        return self.place.regie("agency", "verifier", "read", asked["id"])["values"]

    def refused_at(self, asked: Any) -> list[str]:
        """The steps at which the answer failed."""
        (verdict,) = self.place.regie("agency", "verifier", "verdict", asked["id"])["verdicts"]
        return [step["name"] for step in verdict["steps"] if step["outcome"] == "failed"]


@pytest.fixture(
    scope="module",
    params=[
        ("x509_hash", "direct_post.jwt"),
        ("x509_san_dns", "direct_post.jwt"),
        ("x509_san_dns", "direct_post"),
    ],
    ids=["hash", "name", "plain"],
)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    prefix, mode = request.param
    folder = tmp_path_factory.mktemp("ours")
    settings = {"client_id_prefix": prefix, "response_mode": mode, "transaction_types": [PAYMENT]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(folder, PARKING, DEGREE, **settings) as place, node.running("holder", folder) as peer:
            peer.tell("trust", issuers=place.entry("issuer")["roots"], verifiers=place.entry("agency")["roots"])
            offer = place.offer("adres")
            peer.tell("receive", offer=offer["offer"], txCode=offer["tx_code"])
            seen = peer.tell("ask", request=place.ask("parkeren")["request"])
            assert (seen["prefix"], seen["request"]["response_mode"]) == request.param
            yield Scene(place, peer)


def test_our_agency_reads_the_answer(scene: Scene) -> None:
    asked = scene.ask("parkeren")
    assert scene.answer(asked)["status"] == 200
    assert scene.read(asked) == {"postcode": "9901SA", **FLAGS}


def test_our_agency_refuses_a_nonce_of_another_request(scene: Scene) -> None:
    asked = scene.ask("parkeren")
    assert scene.answer(asked, spoil={"nonce": "of-another-request-0000"})["status"] == 400
    assert scene.refused_at(asked) == ["nonce"]


def test_answer_counts_once_the_browser_that_asked_is_back(scene: Scene) -> None:
    asked = scene.ask("parkeren", "--same-device")
    browser = Browser()
    assert browser.open(asked["start"])[0] == 200
    found = _LINK.search(browser.open(asked["start"], {})[1])
    assert found is not None
    answer = scene.holder.tell("answer", request=unescape(found[1]))
    with pytest.raises(Refused, match="not_returned"):
        scene.read(asked)
    assert browser.open(answer["body"]["redirect_uri"])[0] == 200
    assert scene.read(asked)["postcode"] == "9901SA"


def test_answer_of_another_browser_is_thrown_away(scene: Scene) -> None:
    asked = scene.ask("parkeren", "--same-device")
    found = _LINK.search(Browser().open(asked["start"], {})[1])
    assert found is not None
    answer = scene.holder.tell("answer", request=unescape(found[1]))
    assert Browser().open(answer["body"]["redirect_uri"])[0] == 403
    with pytest.raises(Refused, match="other_session"):
        scene.read(asked)


def test_their_wallet_signs_a_transaction(scene: Scene) -> None:
    file = scene.place.write("payment.json", {"type": PAYMENT, "credential_ids": ["adres"], "euro": "12.50"})
    asked = scene.ask("parkeren", "--transaction", file)
    assert scene.answer(asked)["status"] == 200
    assert scene.read(asked)["postcode"] == "9901SA"


def test_our_agency_refuses_an_answer_that_signs_no_transaction(scene: Scene) -> None:
    file = scene.place.write("payment.json", {"type": PAYMENT, "credential_ids": ["adres"], "euro": "12.50"})
    asked = scene.ask("parkeren", "--transaction", file)
    assert scene.answer(asked, spoil={"signed": {}})["status"] == 400
    assert scene.refused_at(asked) == ["transaction"]


def test_our_agency_sees_that_a_stranger_revoked_a_card(scene: Scene) -> None:
    school = stranger("school", free_port())
    query = {"credentials": [credential("diploma", DIPLOMA, ["awarded"])]}
    file = scene.place.write("query.json", query)
    with node.running("issuer", scene.place.folder) as issuing:
        issuing.tell("start", **school.identity)
        anchors = {"issuers": [{"name": "Hogeschool", "roots": school.roots, "vcts": ["*"]}]}
        (scene.place.at("agency") / "anchors.json").write_text(json.dumps(anchors))
        issuers, verifiers = (scene.place.entry(kind)["roots"] for kind in ("issuer", "agency"))
        scene.holder.tell("trust", issuers=[*issuers, *school.roots], verifiers=verifiers)
        offer = issuing.tell("offer", grant="pre-authorized")
        scene.holder.tell("receive", offer=offer["link"])
        issuing.tell("revoke", id=offer["id"])
        asked = scene.ask("diploma", "--dcql", file)
        assert scene.answer(asked)["status"] == 400
    assert scene.refused_at(asked) == ["status", "status_decision"]
