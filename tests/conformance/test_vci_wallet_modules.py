"""The modules of the OpenID conformance suite for wallets as OpenID4VCI 1.0 clients under HAIP, SD-JWT VC.

Function names are module names with - as _. The issuer, its OAuth server and the wallet provider are strangers
over real HTTP, and the login comes back to a real listener on loopback. Whatever the issuer found against a
message of ours stands in `issuer.wrong`.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from protocol.key_proof import parse_key_proof
from tests.conformance.foreign_issuer import CLIENT_ID, TX_CODE, ForeignIssuer, browse
from tests.conformance.held_cards import Holder
from wallet.errand_receive import Received, get, receive
from wallet.loopback import LoopbackBrowser
from wallet.opened import OpenWallet

OFFERS = pytest.mark.parametrize("grant", ["authorization_code", "pre_authorized"])
FORMS = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])


@pytest.fixture
def issuer() -> Iterator[ForeignIssuer]:
    with ForeignIssuer() as running:
        yield running


@pytest.fixture
def holder(tmp_path: Path, issuer: ForeignIssuer) -> Holder:
    made = Holder(tmp_path)
    made.create()
    made.home.file("anchors.json").write_bytes(msgspec.json.encode(issuer.anchors()))
    return made


@pytest.fixture
def wallet(holder: Holder) -> Iterator[OpenWallet]:
    with holder.open() as opened:
        yield opened


def fetch(wallet: OpenWallet, issuer: ForeignIssuer, grant: str = "authorization_code") -> list[Received]:
    """Take up an offer of a diploma, logging in where that is asked."""
    browser = LoopbackBrowser(browse, wallet.random, seconds=10)
    link = issuer.offer() if grant == "authorization_code" else issuer.code_offer()
    try:
        return receive(wallet, link, TX_CODE, browser)
    finally:
        browser.close()


@OFFERS
@FORMS
def test_oid4vci_1_0_wallet_test_credential_issuance(
    wallet: OpenWallet, issuer: ForeignIssuer, grant: str, encrypted: bool
) -> None:
    issuer.encrypted = issuer.encryption_required = encrypted
    issuer.attested = grant == "authorization_code"
    issuer.batch_size, issuer.dpop_nonces = None, True
    (received,) = fetch(wallet, issuer, grant)
    assert (received.configuration, received.copies, received.title) == ("diploma", 1, "Diploma")
    (copy,) = wallet.copies().values()
    assert (copy.configuration, copy.is_bound, copy.set_id, copy.title) == ("diploma", True, "", "Diploma")
    assert copy.issuer == issuer.url
    assert set(issuer.wrong) <= {f"{path} use_dpop_nonce: " for path in ("/par", "/token", "/credential")}
    (body,) = issuer.bodies("/credential")[-1:]
    assert ("credential_response_encryption" in body) is encrypted
    assert body["credential_configuration_id"] == "diploma"


def test_login_is_pushed_and_the_address_holds_nothing_of_it(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """CheckForUnexpectedParameters, EnsurePARRequest: HAIP 4.2, RFC 9126 4."""
    fetch(wallet, issuer)
    (pushed,) = issuer.bodies("/par")
    assert pushed["code_challenge_method"] == "S256"
    assert pushed["issuer_state"] == "state-of-the-issuer"
    assert pushed["scope"] == "diploma-scope"
    assert urlsplit(pushed["redirect_uri"]).hostname == "127.0.0.1"
    assert len(pushed["state"]) >= 22
    (opened,) = issuer.bodies("/authorize")
    assert set(opened) == {"tenant", "client_id", "request_uri"}
    assert opened["client_id"] == CLIENT_ID
    (token,) = issuer.bodies("/token")
    assert token["redirect_uri"] == pushed["redirect_uri"]
    assert len(token["code_verifier"]) == 43
    assert issuer.wrong == []


@OFFERS
@FORMS
def test_oid4vci_1_0_wallet_test_credential_issuance_notification(
    wallet: OpenWallet, issuer: ForeignIssuer, grant: str, encrypted: bool
) -> None:
    issuer.encrypted, issuer.attested = encrypted, grant == "authorization_code"
    fetch(wallet, issuer, grant)
    ((notification_id, event),) = issuer.bodies("/notification")
    assert notification_id.startswith("n-")
    assert event == "credential_accepted"
    assert issuer.paths()[-1] == "/notification"
    assert issuer.wrong == []


@OFFERS
@FORMS
def test_oid4vci_1_0_wallet_test_batch_credential_issuance(
    wallet: OpenWallet, issuer: ForeignIssuer, grant: str, encrypted: bool
) -> None:
    """VCIEnsureBatchBindingKeysAreDistinct, and all proofs over one c_nonce."""
    issuer.encrypted, issuer.attested = encrypted, grant == "authorization_code"
    (received,) = fetch(wallet, issuer, grant)
    assert received.copies == 4
    (body,) = issuer.bodies("/credential")
    proofs = [parse_key_proof(proof) for proof in body["proofs"]["jwt"]]
    assert len({proof.key for proof in proofs}) == 4
    assert len({proof.nonce for proof in proofs}) == 1
    assert {copy.number for copy in wallet.copies().values()} == {0, 1, 2, 3}
    assert len({copy.credential for copy in wallet.copies().values()}) == 4
    assert issuer.wrong == []


@pytest.mark.parametrize("how", ["endpoint", "header"])
def test_oid4vci_1_0_wallet_test_client_attestation_challenge(
    wallet: OpenWallet, issuer: ForeignIssuer, how: str
) -> None:
    """The challenge of the server comes back in each proof, whether it has an endpoint for it or refuses first."""
    issuer.challenge_endpoint = how == "endpoint"
    fetch(wallet, issuer)
    refused = [] if how == "endpoint" else ["/par use_attestation_challenge: "]
    assert issuer.wrong == refused
    assert len(wallet.copies()) == 4


def test_oid4vci_1_0_wallet_happy_path_with_scopes_without_authorization_details_in_token_response(
    wallet: OpenWallet, issuer: ForeignIssuer
) -> None:
    """Then the credential request names the configuration and no identifier (VCI 8.2)."""
    assert issuer.scopes
    assert issuer.identifiers is None
    fetch(wallet, issuer)
    (pushed,) = issuer.bodies("/par")
    assert "authorization_details" not in pushed
    (body,) = issuer.bodies("/credential")
    assert body["credential_configuration_id"] == "diploma"
    assert "credential_identifier" not in body
    assert issuer.wrong == []


def test_wallet_takes_a_dpop_nonce_from_every_endpoint(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """HAIP 4, RFC 9449 8 and 9: from a refusal of the OAuth server, and from the challenge of a resource."""
    issuer.dpop_nonces = issuer.late_nonces = True
    fetch(wallet, issuer)
    assert issuer.wrong == [f"{path} use_dpop_nonce: " for path in ("/token", "/credential", "/notification")]
    assert issuer.bodies("/notification")[0][1] == "credential_accepted"
    assert len(wallet.copies()) == 4


def test_wallet_uses_the_identifiers_that_a_token_names(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.scopes, issuer.identifiers = False, ["first diploma", "second diploma"]
    assert [item.copies for item in fetch(wallet, issuer)] == [4, 4]
    (pushed,) = issuer.bodies("/par")
    assert "scope" not in pushed
    assert '"credential_configuration_id":"diploma"' in pushed["authorization_details"]
    named = [(body.get("credential_identifier"), body.get("credential_configuration_id"))
             for body in issuer.bodies("/credential")]  # fmt: skip
    assert named == [("first diploma", None), ("second diploma", None)]
    assert issuer.wrong == []


def test_wallet_reads_signed_metadata_and_says_that_it_can(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    issuer.signed = True
    fetch(wallet, issuer)
    assert issuer.bodies("/.well-known/openid-credential-issuer") == ["application/jwt, application/json;q=0.9"]
    assert issuer.wrong == []


def test_wallet_asks_without_an_offer(wallet: OpenWallet, issuer: ForeignIssuer) -> None:
    """VCI 3.3: issuance that the wallet begins, several cards in one login."""
    browser = LoopbackBrowser(browse, wallet.random, seconds=10)
    received = get(wallet, issuer.url, ["diploma", "minor", "diploma"], browser)
    browser.close()
    assert [item.configuration for item in received] == ["diploma", "minor"]
    (pushed,) = issuer.bodies("/par")
    assert pushed["scope"] == "diploma-scope minor-scope"
    assert "issuer_state" not in pushed
    assert issuer.wrong == []


def test_each_issuer_sees_another_client_key(tmp_path: Path, wallet: OpenWallet, holder: Holder) -> None:
    """HAIP 4.4.1: two issuers cannot recognise a wallet by its attestation, nor by its DPoP key."""
    keys: list[set[str]] = []
    for _ in range(2):
        with ForeignIssuer() as issuer:
            holder.home.file("anchors.json").write_bytes(msgspec.json.encode(issuer.anchors()))
            fetch(wallet, issuer)
            keys.append({str(jkt) for jkt in issuer.bound()})
            assert issuer.wrong == []
    assert len(keys[0]) == len(keys[1]) == 2
    assert not keys[0] & keys[1]


def test_browser_page_says_nothing_of_the_code(wallet: OpenWallet) -> None:
    """RFC 8252: the listener answers one GET at its own path, and knows no other."""
    browser = LoopbackBrowser(lambda url: browse(f"{url}?code=secret&state=s"), wallet.random, seconds=10)
    query = browser.visit(browser.redirect_uri)
    browser.close()
    assert parse_qs(query) == {"code": ["secret"], "state": ["s"]}
