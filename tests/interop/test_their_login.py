"""A wallet that nobody here wrote gets our credentials by logging in.

PAR, PKCE, DPoP and `iss` by @openid4vc/oauth2; the wallet attestation by a provider of theirs, which is listed.
Then with signed metadata, an encrypted exchange, and later. The browser goes by way of the OpenID provider.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop import node
from tests.interop.browser import visit
from tests.interop.node import Peer, PeerRefused
from tests.interop.ours import KARIM, NOOR, Place, founded
from tests.interop.strangers import Stranger, stranger

pytestmark = pytest.mark.skipif(node.is_missing(), reason="needs the packages of tests/interop/package.json")
PROVIDER = "https://wallet-provider.example"
CALLBACK = "http://127.0.0.1:1/callback"
"""Of a wallet on the resident's device; the browser of the tests does not open it."""


@pytest.fixture(scope="module")
def provider() -> Stranger:
    return stranger("wallet provider")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, provider: Stranger) -> Iterator[Place]:
    entry = {"id": PROVIDER, "name": "Portemonnee BV", "roots": provider.roots}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGIE_LOOPBACK", "1")
        with founded(tmp_path_factory.mktemp("ours"), listed=(("wallet-provider", entry),)) as made:
            yield made


@pytest.fixture(scope="module")
def running(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with node.running("holder", tmp_path_factory.mktemp("theirs")) as peer:
        peer.tell("trust", issuers=place.entry("issuer")["roots"])
        yield peer


@pytest.fixture
def holder(running: Peer, provider: Stranger) -> Peer:
    """An empty wallet with the word of its provider."""
    running.tell("forget")
    running.tell("attest", **provider.identity, issuer=PROVIDER)
    running.tell("strict", isOn=False)
    running.tell("prove", kind="jwt")
    return running


def begin(place: Place, holder: Peer, *names: str) -> str:
    """The address that the wallet opens in the resident's browser."""
    wanted = [part for name in names for part in ("--credential", name)]
    link = place.regie("issuer", "issuer", "invite", *wanted)["offer"]
    url: str = holder.tell("begin", offer=link, redirectUri=CALLBACK, scope=" ".join(names))["url"]
    return url


def log_in(place: Place, holder: Peer, *names: str, copies: int = 1, **login: Any) -> Any:
    """What the wallet gets for a login."""
    back = visit(begin(place, holder, *names), until=CALLBACK, **login)
    return holder.tell("finish", url=back, copies=copies)


def test_their_wallet_takes_a_batch_by_logging_in(place: Place, holder: Peer) -> None:
    told = log_in(place, holder, "persoon", "adres", copies=3)
    found = {item["configuration"]: item for item in told["received"]}
    assert {name: item["count"] for name, item in found.items()} == {"persoon": 3, "adres": 3}
    assert found["persoon"]["claims"]["burgerservicenummer"] == NOOR
    assert holder.tell("recheck") == {"held": 6, "refused": []}


@pytest.mark.parametrize("level", ["low", "substantial", "high"])
def test_level_of_assurance_of_the_login_stands_in_the_credential(place: Place, holder: Peer, level: str) -> None:
    (received,) = log_in(place, holder, "adres", bsn=KARIM, level=level)["received"]
    assert received["claims"]["loa"] == level


def test_their_wallet_reads_signed_metadata_and_seals_the_exchange(place: Place, holder: Peer) -> None:
    holder.tell("strict", isOn=True)
    told = log_in(place, holder, "adres", copies=2)
    assert told["isSigned"]
    assert [item["count"] for item in told["received"]] == [2]


def test_our_issuer_gives_nothing_when_the_resident_says_no(place: Place, holder: Peer) -> None:
    with pytest.raises(PeerRefused, match="access_denied"):
        log_in(place, holder, "adres", bsn="")
    assert holder.tell("recheck") == {"held": 0, "refused": []}


def test_our_issuer_takes_a_code_once(place: Place, holder: Peer) -> None:
    back = visit(begin(place, holder, "adres"), until=CALLBACK)
    holder.tell("finish", url=back)
    with pytest.raises(PeerRefused, match="invalid_grant"):
        holder.tell("finish", url=back)


def test_their_wallet_refills_by_its_refresh_token(place: Place, holder: Peer) -> None:
    """The one before the newest repeats a refresh whose answer was lost; an older one was stolen."""
    log_in(place, holder, "adres")
    for _ in range(2):
        assert [item["count"] for item in holder.tell("again", copies=2)["received"]] == [2]
    assert holder.tell("recheck") == {"held": 5, "refused": []}
    with pytest.raises(PeerRefused, match="invalid_grant"):
        holder.tell("again", stale=True)
    with pytest.raises(PeerRefused, match="invalid_grant"):
        holder.tell("again")


def test_our_issuer_refuses_a_wallet_that_nobody_listed_attests(place: Place, holder: Peer) -> None:
    holder.tell("attest", **stranger("somebody").identity, issuer=PROVIDER)
    with pytest.raises(PeerRefused, match="invalid_client"):
        begin(place, holder, "adres")


@pytest.mark.parametrize("strict", [True, False])
def test_their_wallet_comes_back_when_a_clerk_has_looked(place: Place, holder: Peer, strict: bool) -> None:
    holder.tell("strict", isOn=strict)
    place.regie("issuer", "issuer", "hold", "--bsn", "-", "--reason", "moved abroad", stdin=KARIM)
    (promised,) = log_in(place, holder, "adres", bsn=KARIM, copies=2)["received"]
    waiting = {"configuration": "adres", "transactionId": promised["transactionId"]}
    assert holder.tell("collect", transactionId=promised["transactionId"]) == waiting
    (asked,) = place.regie("issuer", "issuer", "waiting")["waiting"]
    place.regie("issuer", "issuer", "approve", asked["id"])
    place.regie("issuer", "issuer", "release", "--bsn", "-", stdin=KARIM)
    assert holder.tell("collect", transactionId=promised["transactionId"])["count"] == 2
    assert holder.tell("recheck") == {"held": 2, "refused": []}


def test_their_wallet_binds_the_token_of_a_code_from_the_desk(place: Place, holder: Peer) -> None:
    offer = place.offer("adres")
    told = holder.tell("receive", offer=offer["offer"], txCode=offer["tx_code"], withDpop=True)
    assert [item["count"] for item in told["received"]] == [1]


@pytest.mark.parametrize("kind", ["attested", "attestation"])
def test_our_issuer_takes_keys_that_their_provider_attests(place: Place, holder: Peer, kind: str) -> None:
    """One proof with an attestation stands for all keys in it; so does the attestation alone."""
    holder.tell("prove", kind=kind)
    (received,) = log_in(place, holder, "adres", copies=3)["received"]
    assert received["count"] == 3


def test_our_issuer_refuses_keys_that_a_stranger_attests(place: Place, holder: Peer) -> None:
    holder.tell("relyOn", **stranger("somebody").identity)
    holder.tell("prove", kind="attestation")
    with pytest.raises(PeerRefused, match="invalid_proof"):
        log_in(place, holder, "adres")
    assert holder.tell("recheck") == {"held": 0, "refused": []}
