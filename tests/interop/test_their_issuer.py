"""Our wallet takes credentials from an issuer that nobody here wrote, trusted by the wallet's own configuration.

@openid4vc/openid4vci and oauth2 are the issuer and its authorization server, which demands PAR, PKCE, DPoP with a
nonce and our registrar's wallet attestation; @sd-jwt signs credentials and status lists.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop import node
from tests.interop.asked import DIPLOMA
from tests.interop.browser import log_in_with_our_wallet
from tests.interop.node import Peer
from tests.interop.ours import Place, Refused, founded
from tests.interop.served import free_port
from tests.interop.strangers import Stranger, stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")


@dataclass(frozen=True)
class Scene:
    """One issuer of theirs, and residents who trust it."""

    place: Place
    issuer: Peer
    school: Stranger

    def new_wallet(self, name: str) -> None:
        """An empty one."""
        school = {"name": "Hogeschool Voorbeeld", "roots": self.school.roots, "vcts": [DIPLOMA]}
        self.place.new_wallet(name, {"issuers": [school]})

    def cards(self, name: str) -> Any:
        """What is in it, with values."""
        return self.place.wallet(name, "cards", "--values")["cards"]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "encrypted"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """An issuer whose credential endpoint takes JSON, and one that takes nothing unencrypted."""
    school = stranger("school", free_port())
    folder = tmp_path_factory.mktemp("ours")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(folder) as place, node.running("issuer", folder) as peer:
            providers = place.trust_list()["wallet_providers"][0]["roots"]
            peer.tell("start", **school.identity, walletProviders=providers, encrypted=request.param)
            yield Scene(place, peer, school)


@pytest.fixture
def fresh(scene: Scene) -> Scene:
    """Nothing was heard yet."""
    scene.issuer.tell("seen")
    scene.issuer.tell("spoil")
    return scene


def heard(scene: Scene) -> set[str]:
    """What the issuer has seen, but for whether it was encrypted."""
    return set(scene.issuer.tell("seen")) - {"encrypted request"}


@pytest.mark.parametrize("by_reference", [True, False])
def test_our_wallet_takes_a_batch_by_pre_authorized_code(fresh: Scene, by_reference: bool) -> None:
    name = f"noor-{by_reference}"
    fresh.new_wallet(name)
    offer = fresh.issuer.tell("offer", grant="pre-authorized", txCode="4711", byReference=by_reference)
    received = fresh.place.wallet(name, "receive", offer["link"], "--tx-code", "4711")["received"]
    assert [(item["card"], item["copies"]) for item in received] == [("diploma", 4)]
    assert heard(fresh) == {"signed metadata", "pre-authorized", "credential_accepted"}
    (card,) = fresh.cards(name)
    assert card["vct"] == DIPLOMA


def test_our_wallet_logs_in_at_their_issuer(fresh: Scene) -> None:
    fresh.new_wallet("klaas")
    offer = fresh.issuer.tell("offer", grant="code", ids=["diploma", "bare"])
    received = log_in_with_our_wallet(fresh.place, "klaas", "receive", offer["link"])["received"]
    assert {(item["card"], item["copies"]) for item in received} == {("diploma", 4), ("bare", 4)}
    assert heard(fresh) == {"signed metadata", "par", "code", "credential_accepted"}


def test_our_wallet_refills_by_its_refresh_token(fresh: Scene) -> None:
    fresh.new_wallet("maria")
    offer = fresh.issuer.tell("offer", grant="code")
    log_in_with_our_wallet(fresh.place, "maria", "receive", offer["link"])
    fresh.issuer.tell("seen")
    report = fresh.place.wallet("maria", "refill", "--all")
    assert [(item["card"], item["copies"]) for item in report["received"]] == [("diploma", 4)]
    assert "refresh" in heard(fresh)


def test_our_wallet_comes_back_for_what_their_issuer_makes_later(fresh: Scene) -> None:
    fresh.new_wallet("karim")
    offer = fresh.issuer.tell("offer", grant="code", later=True)
    (awaited,) = log_in_with_our_wallet(fresh.place, "karim", "receive", offer["link"])["received"]
    assert (awaited["card"], "ask_again" in awaited) == ("diploma", True)
    assert fresh.cards("karim") == []
    fresh.issuer.tell("ready", id=offer["id"])
    time.sleep(max(0, awaited["ask_again"] - time.time()))
    report = fresh.place.wallet("karim", "refill")
    assert [item["card"] for item in report["received"]] == ["diploma"]


@pytest.mark.parametrize(
    "spoil",
    [{"vct": "https://diploma.example/other"}, {"iss": "http://localhost:9"}, {"exp": 1}, {"cnf": {"jwk": None}}],
    ids=["type", "issuer", "expired", "unbound"],
)
def test_our_wallet_refuses_a_credential_that_is_not_what_it_asked(fresh: Scene, spoil: Any) -> None:
    name = f"refusing-{'-'.join(spoil)}"
    fresh.new_wallet(name)
    fresh.issuer.tell("spoil", **spoil)
    offer = fresh.issuer.tell("offer", grant="pre-authorized")
    with pytest.raises(Refused):
        fresh.place.wallet(name, "receive", offer["link"])
    assert fresh.cards(name) == []
    assert "credential_failure" in heard(fresh)


@pytest.mark.parametrize("configuration", ["diploma", "bare"])
def test_our_wallet_sees_in_their_status_list_that_a_card_is_revoked(fresh: Scene, configuration: str) -> None:
    """`bare` has no `iss`: the certificate says whose list counts."""
    name = f"checking-{configuration}"
    fresh.new_wallet(name)
    offer = fresh.issuer.tell("offer", grant="pre-authorized", ids=[configuration])
    fresh.place.wallet(name, "receive", offer["link"])
    assert [card["copies"] for card in fresh.place.wallet(name, "check")["cards"]] == [{"valid": 4}]
    fresh.issuer.tell("revoke", id=offer["id"])
    assert [card["copies"] for card in fresh.place.wallet(name, "check")["cards"]] == [{"revoked": 4}]
    assert fresh.cards(name) == []


def test_our_wallet_fetches_nothing_from_an_issuer_that_it_does_not_trust(fresh: Scene) -> None:
    fresh.place.new_wallet("wary")
    offer = fresh.issuer.tell("offer", grant="pre-authorized", byReference=True)
    with pytest.raises(Refused, match="unknown_issuer"):
        fresh.place.wallet("wary", "receive", offer["link"])
    assert heard(fresh) == set()
