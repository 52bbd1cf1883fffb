"""A wallet that nobody here wrote takes our credentials and answers our agency.

It fetches by @openid4vc/openid4vci, verifies and shows by @sd-jwt/sd-jwt-vc, chooses by dcql and answers by
@openid4vc/openid4vp, over HTTP.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop import node
from tests.interop.asked import FLAGS
from tests.interop.node import Peer, PeerRefused
from tests.interop.ours import KARIM, NOOR, Place, Refused, founded, service

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
PARKING = service("parkeren", ("adres", "postcode"), ("adres", "huisnummer"))
AGE = service("leeftijd", ("persoon", "leeftijdBoven18"), ("adres", "gemeente"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(tmp_path_factory.mktemp("ours"), PARKING, AGE) as made:
            yield made


@pytest.fixture(scope="module")
def peer(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with node.running("holder", tmp_path_factory.mktemp("theirs")) as running:
        trust(place, running)
        yield running


@pytest.fixture
def holder(place: Place, peer: Peer) -> Peer:
    """With two copies each of persoon and adres."""
    peer.tell("forget")
    receive(place, peer, "persoon", "adres", copies=2)
    return peer


def trust(place: Place, peer: Peer) -> None:
    """Our issuer and our agency, by their roots."""
    issuers, verifiers = (place.entry(kind)["roots"] for kind in ("issuer", "agency"))
    peer.tell("trust", issuers=issuers, verifiers=verifiers)


def receive(place: Place, peer: Peer, *names: str, bsn: str = NOOR, copies: int = 1, **options: Any) -> Any:
    """What came, by configuration; and the offer."""
    offer = place.offer(*names, bsn=bsn, **options)
    told = peer.tell("receive", offer=offer["offer"], txCode=offer["tx_code"], copies=copies)
    assert told["version"] == "V1"
    return {item["configuration"]: item for item in told["received"]}, offer


@pytest.mark.parametrize("by_value", [True, False])
def test_their_wallet_takes_a_batch_by_pre_authorized_code(place: Place, peer: Peer, by_value: bool) -> None:
    received, offer = receive(place, peer, "persoon", "adres", copies=20, by_value=by_value)
    assert {name: item["count"] for name, item in received.items()} == {"persoon": 20, "adres": 20}
    assert received["persoon"]["claims"]["volledigeNaam"] == "Noor Elisabeth Verhulst"
    assert received["adres"]["claims"].items() >= {"postcode": "9901SA", **FLAGS}.items()
    issued = place.regie("issuer", "issuer", "issued", "--bsn", "-", stdin=NOOR)["issued"]
    assert {(item["credential"], item["copies"]) for item in issued if item["id"] == offer["id"]} == {
        ("adres", 20),
        ("persoon", 20),
    }


def test_our_issuer_refuses_their_wallet_a_wrong_transaction_code(place: Place, peer: Peer) -> None:
    offer = place.offer("adres", bsn=KARIM)
    wrong = f"{(int(offer['tx_code']) + 1) % 10**8:08}"
    with pytest.raises(PeerRefused, match="invalid_grant"):
        peer.tell("receive", offer=offer["offer"], txCode=wrong)
    assert place.regie("issuer", "issuer", "issued", "--bsn", "-", stdin=KARIM)["issued"] == []


def test_our_issuer_gives_their_wallet_one_batch_for_one_offer(place: Place, peer: Peer) -> None:
    _, offer = receive(place, peer, "adres", by_value=True)
    with pytest.raises(PeerRefused, match="invalid_grant"):
        peer.tell("receive", offer=offer["offer"], txCode=offer["tx_code"])


@pytest.mark.parametrize("post", [True, False])
def test_their_wallet_answers_our_signed_request_encrypted(place: Place, holder: Peer, post: bool) -> None:
    asked = place.ask("parkeren")
    seen = holder.tell("ask", request=asked["request"], post=post)
    assert (seen["prefix"], seen["request"]["response_mode"]) == ("x509_hash", "direct_post.jwt")
    answer = holder.tell("answer", request=asked["request"], post=post)
    assert answer["status"] == 200
    assert answer["body"]["redirect_uri"].startswith(f"{place.url('agency')}/answers/{asked['id']}?response_code=")
    values = place.regie("agency", "verifier", "read", asked["id"])["values"]
    assert values == {"postcode": "9901SA", "huisnummer": 12, **FLAGS}


def test_their_wallet_answers_for_two_credentials_at_once(place: Place, holder: Peer) -> None:
    asked = place.ask("leeftijd")
    assert holder.tell("answer", request=asked["request"])["status"] == 200
    values = place.regie("agency", "verifier", "read", asked["id"])["values"]
    assert values["leeftijdBoven18"] == "ja"
    assert values["gemeente"] == "Lindehaven"


@pytest.mark.parametrize("spoil", [{"audience": "x509_hash:other"}, {"nonce": "another-nonce-of-somebody-else"}])
def test_our_agency_refuses_their_presentation_made_for_another(place: Place, holder: Peer, spoil: Any) -> None:
    asked = place.ask("parkeren")
    answer = holder.tell("answer", request=asked["request"], spoil=spoil)
    assert (answer["status"], answer["body"]["error"]) == (400, "invalid_request")
    with pytest.raises(Refused):
        place.regie("agency", "verifier", "read", asked["id"])


def test_our_agency_takes_one_answer_of_their_wallet(place: Place, holder: Peer) -> None:
    asked = place.ask("parkeren")
    assert holder.tell("answer", request=asked["request"])["status"] == 200
    with pytest.raises(PeerRefused, match="410"):
        holder.tell("answer", request=asked["request"])


def test_their_wallet_and_our_agency_see_a_revocation(tmp_path: Path, place: Place) -> None:
    """A town of its own: the agency of the others keeps its copy of the status list for as long as that says."""
    with founded(tmp_path, PARKING) as fresh, node.running("holder", tmp_path) as peer:
        trust(fresh, peer)
        _, offer = receive(fresh, peer, "adres", bsn=KARIM)
        assert peer.tell("recheck") == {"held": 1, "refused": []}
        fresh.regie("issuer", "issuer", "revoke", offer["id"], "--reason", "moved")
        assert peer.tell("recheck") == {"held": 1, "refused": ["Status is not valid"]}
        _refuses_the_revoked(fresh, peer)


def _refuses_the_revoked(place: Place, peer: Peer) -> None:
    asked = place.ask("parkeren")
    answer = peer.tell("answer", request=asked["request"])
    assert (answer["status"], answer["body"]["error"]) == (400, "invalid_request")
    with pytest.raises(Refused):
        place.regie("agency", "verifier", "read", asked["id"])
