"""Our wallet answers a verifier that nobody here wrote.

It asks by @openid4vc/openid4vp, and judges by that, dcql and @sd-jwt/sd-jwt-vc, over HTTP.
"""

from collections.abc import Iterator

import pytest

from tests.interop import node
from tests.interop.asked import ADRES, PERSOON, POSTCODE, credential
from tests.interop.node import Peer
from tests.interop.ours import Place, Refused, founded, service
from tests.interop.strangers import Stranger, stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
LISTED = "00000099000000002000"
PARKING = service("parkeren", ("adres", "postcode"), ("adres", "huisnummer"), ("persoon", "leeftijdBoven18"))


@pytest.fixture(scope="module")
def shop() -> Stranger:
    return stranger("shop")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, shop: Stranger) -> Iterator[Place]:
    """The peer is a listed agency with a registered service."""
    entry = {
        "id": LISTED,
        "name": "Wijkbeheer",
        "roots": shop.roots,
        "bsn_allowed": False,
        "erasure_contact": "privacy@wijkbeheer.example",
        "services": [],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        folder = tmp_path_factory.mktemp("ours")
        with founded(folder, listed=(("agency", entry),), registered=((LISTED, PARKING),)) as made:
            yield made


@pytest.fixture(scope="module")
def agency(place: Place, shop: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with node.running("verifier", tmp_path_factory.mktemp("theirs")) as running:
        running.tell("start", **shop.identity, issuers=place.entry("issuer")["roots"])
        yield running


@pytest.fixture(scope="module")
def noor(place: Place) -> str:
    """A resident's wallet with persoon and adres."""
    place.new_wallet("noor")
    place.receive("noor", "persoon", "adres")
    return "noor"


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
@pytest.mark.parametrize("mode", ["direct_post.jwt", "direct_post"])
@pytest.mark.parametrize("post", [True, False])
def test_our_wallet_answers_their_agency(
    place: Place, agency: Peer, noor: str, prefix: str, mode: str, post: bool
) -> None:
    asked = agency.tell("ask", dcql=POSTCODE, prefix=prefix, mode=mode, post=post)
    given = place.wallet(noor, "present", asked["link"])
    assert given["redirect"].partition("?")[0].endswith("/done")
    result = agency.tell("result", id=asked["id"])
    (shown,) = result["shown"]["adres"]
    assert (shown["postcode"], shown["huisnummer"]) == ("9901SA", 12)
    assert "straat" not in shown


def test_our_wallet_shows_two_cards_of_one_set(place: Place, agency: Peer, noor: str) -> None:
    dcql = {"credentials": [*POSTCODE["credentials"], credential("p", PERSOON, ["leeftijdBoven18"])]}
    asked = agency.tell("ask", dcql=dcql)
    place.wallet(noor, "present", asked["link"])
    shown = agency.tell("result", id=asked["id"])["shown"]
    assert shown["p"][0]["leeftijdBoven18"] == "ja"
    assert shown["p"][0]["set"] == shown["adres"][0]["set"]


def test_our_wallet_declines_and_their_agency_hears_access_denied(place: Place, agency: Peer, noor: str) -> None:
    asked = agency.tell("ask", dcql=POSTCODE)
    place.wallet(noor, "decline", asked["link"])
    assert agency.tell("result", id=asked["id"]) == {"state": "declined", "error": "access_denied"}


def test_our_wallet_refuses_their_agency_what_it_has_not_registered(place: Place, agency: Peer, noor: str) -> None:
    dcql = {"credentials": [credential("adres", ADRES, ["postcode"], ["straat"])]}
    asked = agency.tell("ask", dcql=dcql)
    with pytest.raises(Refused, match="over_asking"):
        place.wallet(noor, "present", asked["link"])
    assert agency.tell("result", id=asked["id"]) == {"state": "open"}


def test_our_wallet_refuses_their_agency_unknown_transaction_data(place: Place, agency: Peer, noor: str) -> None:
    entry = "eyJ0eXBlIjoicGF5bWVudCIsImNyZWRlbnRpYWxfaWRzIjpbImFkcmVzIl19"  # {"type":"payment",...}
    asked = agency.tell("ask", dcql=POSTCODE, change={"transaction_data": [entry]})
    with pytest.raises(Refused):
        place.wallet(noor, "present", asked["link"])
    assert agency.tell("result", id=asked["id"]) == {"state": "open"}


def test_their_agency_sees_that_our_card_was_revoked(place: Place, agency: Peer) -> None:
    place.new_wallet("klaas")
    offer = place.receive("klaas", "adres")
    first, second = (agency.tell("ask", dcql=POSTCODE) for _ in range(2))
    place.wallet("klaas", "present", first["link"])
    assert agency.tell("result", id=first["id"])["state"] == "answered"
    place.regie("issuer", "issuer", "revoke", offer["id"], "--reason", "moved")
    with pytest.raises(Refused):
        place.wallet("klaas", "present", second["link"])
    assert agency.tell("result", id=second["id"]) == {"state": "refused", "error": "Status is not valid"}
