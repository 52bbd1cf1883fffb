"""The modules of the OpenID conformance suite for wallets as OpenID4VP 1.0 holders, redirect flows, SD-JWT VC.

Function names are module names with - as _. The verifier is a stranger over real HTTP; each refusal compares the
wallet's whole vault before and after and shows that nothing was posted.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected
from tests.conformance.foreign_verifier import ANSWER_KEY, REDIRECT, VERIFIER, ForeignVerifier, b64u, sign
from tests.conformance.held_cards import Holder, fill
from tests.protocol import builders as b
from tests.protocol import strangers
from tests.protocol.strangers import BADGE, DIPLOMA
from wallet.errand_request import Shared, decline, share_once
from wallet.opened import OpenWallet
from wallet.records import Activity, ShareChoice

REGISTERED = strangers.registration(credentials=[
    {"format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}},
    {"format": "dc+sd-jwt", "meta": {"vct_values": [BADGE]}},
    {"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:vreemd:nowhere:1"]}},
])  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wallet that holds cards."""
    folder = tmp_path_factory.mktemp("template")
    holder = Holder(folder)
    holder.create()
    fill(holder)
    return folder


@pytest.fixture
def holder(tmp_path: Path, template: Path) -> Holder:
    made = Holder(tmp_path).copy_of(template)
    made.trust_strangers(VERIFIER)
    return made


@pytest.fixture
def wallet(holder: Holder) -> Iterator[OpenWallet]:
    with holder.open() as opened:
        yield opened


@pytest.fixture
def verifier() -> Iterator[ForeignVerifier]:
    with ForeignVerifier() as running:
        yield running


VARIANTS = pytest.mark.parametrize(
    ("prefix", "mode"),
    [
        ("x509_hash", "direct_post.jwt"),
        ("x509_san_dns", "direct_post.jwt"),
        ("x509_hash", "direct_post"),
        ("x509_san_dns", "direct_post"),
    ],
)


def diploma_query(*paths: list[Any], **changes: Any) -> dict[str, Any]:
    """One diploma with these claims; without any the card alone."""
    item: dict[str, Any] = {"id": "diploma", "format": "dc+sd-jwt", "meta": {"vct_values": [DIPLOMA]}}
    if paths:
        item["claims"] = [{"path": path} for path in paths]
    return {"credentials": [{**item, **changes}]}


DEGREE = diploma_query(["degree"])


def everything(wallet: OpenWallet) -> list[Any]:
    """What the vault holds, and how often it was written."""
    return [wallet.vault.export(), wallet.vault.counter]


def refused(wallet: OpenWallet, verifier: ForeignVerifier, link: str, *codes: str, **choice: Any) -> None:
    """The wallet says why, nothing in the vault changed, and the verifier heard nothing."""
    before = everything(wallet)
    with pytest.raises(Rejected) as refusal:
        share_once(wallet, link, choice=ShareChoice(**choice))
    assert refusal.value.code in codes
    assert everything(wallet) == before
    assert verifier.received == []


def share(wallet: OpenWallet, link: str, **choice: Any) -> Shared:
    return share_once(wallet, link, choice=ShareChoice(**choice))


# --- the positive modules ----------------------------------------------------------------------------------


@VARIANTS
def test_oid4vp_1final_wallet_happy_flow(
    wallet: OpenWallet, verifier: ForeignVerifier, prefix: str, mode: str
) -> None:
    shared = share(wallet, verifier.ask(DEGREE, prefix=prefix, mode=mode, registration=REGISTERED))
    (presentation,) = verifier.open_answer()["diploma"]
    issued, disclosures = verifier.open_presentation(presentation)
    assert (issued["vct"], [item[1:] for item in disclosures]) == (DIPLOMA, [["degree", "MSc"]])
    assert shared.redirect is None
    ((method, headers, form),) = verifier.fetched
    assert (method, form, headers["Accept"]) == ("GET", {}, "application/oauth-authz-req+jwt")
    (activity,) = wallet.vault.all("activities", Activity).values()
    assert (activity.kind, activity.given) == ("shared", ["diploma.degree", "diploma.faculty"])


def test_oid4vp_1final_wallet_happy_flow_of_a_listed_issuer_to_a_stranger(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    """The resident's own register's card, asked by somebody from outside who is registered for it."""
    query = diploma_query(["postcode"], id="a", meta={"vct_values": [b.ADRES]})
    registration = strangers.registration(
        credentials=[
            {"format": "dc+sd-jwt", "meta": {"vct_values": [b.ADRES]}, "claim": [{"path": ["postcode"]}]}
        ],
    )
    share(wallet, verifier.ask(query, registration=registration))
    assert verifier.shown("a") == ["postcode"]


@VARIANTS
def test_oid4vp_1final_wallet_alternate_happy_flow(
    wallet: OpenWallet, verifier: ForeignVerifier, prefix: str, mode: str
) -> None:
    """Longer nonce and state, an unknown parameter, other order, no `use` on the key, a redirect_uri to open."""
    encrypted = mode == "direct_post.jwt"
    link = verifier.ask(
        DEGREE,
        prefix=prefix,
        mode=mode,
        registration=REGISTERED,
        nonce="n" * 32,
        state="s" * 64,
        client_metadata=verifier.metadata(encrypted=encrypted, use=None),
        q7pz_unknown="to be ignored",
    )
    scheme, _, query = link.partition("?")
    reordered = f"{scheme}?" + "&".join(reversed(query.split("&"))) + "&surprise=1"
    verifier.answer = b'{"redirect_uri": "%s"}' % REDIRECT.encode()
    shared = share(wallet, reordered)
    assert verifier.shown("diploma") == ["degree"]
    assert shared.redirect == REDIRECT


def test_oid4vp_1final_wallet_happy_flow_no_state(wallet: OpenWallet, verifier: ForeignVerifier) -> None:
    share(wallet, verifier.ask(DEGREE, registration=REGISTERED, state=None))
    assert verifier.shown("diploma") == ["degree"]


@VARIANTS
def test_oid4vp_1final_wallet_request_uri_method_post(
    wallet: OpenWallet, verifier: ForeignVerifier, prefix: str, mode: str
) -> None:
    share(wallet, verifier.ask(DEGREE, prefix=prefix, mode=mode, post=True, registration=REGISTERED))
    ((method, headers, form),) = verifier.fetched
    assert (method, headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert headers["Accept"] == "application/oauth-authz-req+jwt"
    assert set(form) == {"wallet_nonce"}
    assert verifier.shown("diploma") == ["degree"]


def test_oid4vp_1final_wallet_no_claims_in_dcql_query(wallet: OpenWallet, verifier: ForeignVerifier) -> None:
    """Nothing that could be hidden is shown."""
    share(wallet, verifier.ask(diploma_query(), registration=REGISTERED))
    assert verifier.shown("diploma") == []


def test_oid4vp_1final_wallet_fewer_claims_than_available(wallet: OpenWallet, verifier: ForeignVerifier) -> None:
    """CheckOnlyRequestedClaimsDisclosed: a parent goes along with what is nested in it, and nothing beside it."""
    share(wallet, verifier.ask(diploma_query(["person", "family_name"]), registration=REGISTERED))
    assert verifier.shown("diploma") == ["family_name", "person"]


def test_oid4vp_1final_wallet_pid_claims_path_array_all_elements(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    share(wallet, verifier.ask(diploma_query(["courses", None]), registration=REGISTERED))
    assert verifier.shown("diploma") == ["Logica", "Statistiek", "courses"]


def test_oid4vp_1final_wallet_pid_claims_path_array_element(wallet: OpenWallet, verifier: ForeignVerifier) -> None:
    share(wallet, verifier.ask(diploma_query(["courses", 1]), registration=REGISTERED))
    assert verifier.shown("diploma") == ["Statistiek", "courses"]


def test_oid4vp_1final_wallet_optional_credential_set(wallet: OpenWallet, verifier: ForeignVerifier) -> None:
    """What is optional and not here does not hinder what is required."""
    nowhere = {"id": "nowhere", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:vreemd:nowhere:1"]}}
    query = {
        "credentials": [*DEGREE["credentials"], nowhere],
        "credential_sets": [{"options": [["diploma"]]}, {"options": [["nowhere"]], "required": False}],
    }
    share(wallet, verifier.ask(query, registration=REGISTERED), optional=True)
    assert set(verifier.open_answer()) == {"diploma"}


def test_oid4vp_1final_wallet_ignores_unusable_encryption_key(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    unusable = (
        {"kty": "AKP", "alg": "ML-KEM-1024-X", "kid": "pq", "use": "enc", "pub": "AAAA"},
        {"kty": "MADE-UP", "kid": "made-up", "use": "enc", "alg": "ECDH-ES"},
        {"kty": "EC", "crv": "P-521", "kid": "other-curve", "use": "enc", "alg": "ECDH-ES", "x": "AA", "y": "AA"},
        {**ANSWER_KEY.public.jwk(), "kid": "to sign", "use": "sig", "alg": "ECDH-ES"},
    )
    share(wallet, verifier.ask(DEGREE, registration=REGISTERED, client_metadata=verifier.metadata(*unusable)))
    assert verifier.shown("diploma") == ["degree"]


# --- the negative modules ----------------------------------------------------------------------------------


def test_oid4vp_1final_wallet_multisigned_one_invalid_signature(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    """Several signatures exist over the browser's API only (VP A.3.2.2): by request_uri none of them counts."""
    link = verifier.ask(DEGREE, registration=REGISTERED)
    header, payload, signature = sign(verifier.header, verifier.payload, VERIFIER.key).split(".")
    bad = {"protected": header, "signature": b64u(bytes(64))}
    good = {"protected": header, "signature": signature}
    verifier.token = str({"payload": payload, "signatures": [bad, good]}).replace("'", '"')
    refused(wallet, verifier, link, "bad_jws")


@pytest.mark.parametrize(
    "client_id",
    [
        "unknown_prefix:localhost",
        "localhost",
        "origin:http://localhost",
        "redirect_uri:http://localhost/responseuri",
        "decentralized_identifier:did:web:localhost",
        "verifier_attestation:localhost",
        "openid_federation:http://localhost",
        "x509_san_uri:http://localhost",
    ],
)
def test_oid4vp_1final_wallet_negative_test_invalid_client_id_prefix(
    wallet: OpenWallet, verifier: ForeignVerifier, client_id: str
) -> None:
    link = verifier.ask(DEGREE, registration=REGISTERED, client_id=client_id, link={"client_id": client_id})
    refused(wallet, verifier, link, "invalid_client")
    assert verifier.fetched == []


def test_oid4vp_1final_wallet_negative_test_invalid_request_object_signature(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    link = verifier.ask(DEGREE, registration=REGISTERED)
    signed, _, signature = sign(verifier.header, verifier.payload, VERIFIER.key).rpartition(".")
    for spoiled in (b64u(bytes(64)), ("A" if signature[0] != "A" else "B") + signature[1:], ""):
        verifier.token = f"{signed}.{spoiled}"
        refused(wallet, verifier, link, "bad_signature", "bad_base64", "bad_jws")
    verifier.token = sign(verifier.header, verifier.payload, b.es256("somebody else"))
    refused(wallet, verifier, link, "bad_signature")


@pytest.mark.parametrize("typ", ["jwt", "JWT", "oauth-authz-req", "openid4vci-proof+jwt", None])
def test_oid4vp_1final_wallet_negative_test_invalid_request_object_typ(
    wallet: OpenWallet, verifier: ForeignVerifier, typ: str | None
) -> None:
    link = verifier.ask(DEGREE, registration=REGISTERED)
    verifier.header = {name: value for name, value in {**verifier.header, "typ": typ}.items() if value is not None}
    refused(wallet, verifier, link, "bad_type")


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "RS256"])
def test_wallet_refuses_request_object_unsigned_or_by_another_algorithm(
    wallet: OpenWallet, verifier: ForeignVerifier, alg: str
) -> None:
    """Algorithm confusion: the signature is good under the certificate's key, the header says otherwise."""
    refused(wallet, verifier, verifier.ask(DEGREE, registration=REGISTERED, header={"alg": alg}), "bad_algorithm")
    verifier.token = f"{sign(verifier.header, verifier.payload, VERIFIER.key).rpartition('.')[0]}."
    refused(wallet, verifier, verifier.ask(DEGREE), "bad_algorithm")


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
def test_oid4vp_1final_wallet_negative_test_mismatched_client_id(
    wallet: OpenWallet, verifier: ForeignVerifier, prefix: str
) -> None:
    other = "x509_san_dns:other.example" if prefix == "x509_san_dns" else f"x509_hash:{b64u(bytes(32))}"
    refused(wallet, verifier, verifier.ask(DEGREE, prefix=prefix, client_id=other), "invalid_client")
    refused(wallet, verifier, verifier.ask(DEGREE, prefix=prefix, link={"client_id": other}), "invalid_client")
    both = verifier.ask(DEGREE, prefix=prefix, client_id=other, link={"client_id": other})
    refused(wallet, verifier, both, "invalid_client")
    swapped = "x509_hash" if prefix == "x509_san_dns" else "x509_san_dns"
    verifier.ask(DEGREE, prefix=swapped)
    link = verifier.ask(DEGREE, prefix=prefix)
    verifier.payload["client_id"] = (
        "x509_san_dns:localhost"
        if prefix == "x509_hash"
        else f"x509_hash:{b64u(hashlib.sha256(VERIFIER.leaf).digest())}"
    )
    refused(wallet, verifier, link, "invalid_client")


@pytest.mark.parametrize("nonce", [None, "", "short", "with spaces in it, and long", 1234567890123456])
def test_oid4vp_1final_wallet_negative_test_missing_nonce(
    wallet: OpenWallet, verifier: ForeignVerifier, nonce: Any
) -> None:
    link = verifier.ask(DEGREE, registration=REGISTERED, nonce=nonce)
    refused(wallet, verifier, link, "bad_form", "invalid_request", "bad_json")


@pytest.mark.parametrize("mode", ["direct_post.jwt", "direct_post"])
def test_oid4vp_1final_wallet_negative_test_redirect_uri_with_direct_post(
    wallet: OpenWallet, verifier: ForeignVerifier, mode: str
) -> None:
    link = verifier.ask(DEGREE, mode=mode, registration=REGISTERED, redirect_uri=f"{verifier.url}/cb")
    refused(wallet, verifier, link, "invalid_request")
    link = verifier.ask(DEGREE, mode=mode, redirect_uri=f"{verifier.url}/cb", response_uri=None)
    refused(wallet, verifier, link, "invalid_request")


def test_oid4vp_1final_wallet_negative_test_required_non_matching_credential(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    """No card at all, or one card of two: nothing is returned; the resident's no is `access_denied` either way."""
    nowhere = {"id": "nowhere", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:vreemd:nowhere:1"]}}
    for query in (
        {"credentials": [*DEGREE["credentials"], nowhere]},
        {"credentials": [nowhere]},
        {"credentials": [*DEGREE["credentials"], nowhere], "credential_sets": [{"options": [["nowhere"]]}]},
        {
            "credentials": [*DEGREE["credentials"], nowhere],
            "credential_sets": [{"options": [["diploma"]]}, {"options": [["nowhere", "diploma"]]}],
        },
    ):
        refused(wallet, verifier, verifier.ask(query, registration=REGISTERED), "no_card", "not_satisfiable")
    decline(wallet, verifier.ask({"credentials": [nowhere]}, registration=REGISTERED))
    decline(wallet, verifier.ask(DEGREE, registration=REGISTERED))
    assert verifier.received == [{"error": "access_denied", "state": verifier.payload["state"]}] * 2


def test_oid4vp_1final_wallet_negative_test_claim_not_in_credential(
    wallet: OpenWallet, verifier: ForeignVerifier
) -> None:
    for query in (
        diploma_query(["degree"], ["shoe_size"]),
        diploma_query(["person", "middle_name"]),
        diploma_query(["courses", 2]),
        diploma_query(["degree", None]),
        diploma_query(claims=[{"path": ["degree"], "values": ["PhD"]}]),
    ):
        refused(wallet, verifier, verifier.ask(query, registration=REGISTERED), "not_satisfiable")


@pytest.mark.parametrize("prefix", ["x509_hash", "x509_san_dns"])
def test_oid4vp_1final_wallet_negative_test_response_uri_not_client_id(
    wallet: OpenWallet, verifier: ForeignVerifier, prefix: str
) -> None:
    """By redirect_uri that prefix is refused before anything is fetched; by x509_san_dns the host has to be that
    of the certificate; by x509_hash the signature names the address, which still has to be one.
    """
    port = verifier.url.rpartition(":")[2]
    elsewhere = (
        f"http://127.0.0.1:{port}/responseuri" if prefix == "x509_san_dns" else "http://localhost.example/x"
    )
    for uri in (elsewhere, f"http://user@localhost:{port}/responseuri", "file:///etc/passwd", "responseuri"):
        link = verifier.ask(DEGREE, prefix=prefix, registration=REGISTERED, response_uri=uri)
        refused(wallet, verifier, link, "invalid_request", "bad_url")
    client_id = f"redirect_uri:{verifier.url}/responseuri"
    link = verifier.ask(DEGREE, link={"client_id": client_id}, client_id=client_id, response_uri=elsewhere)
    refused(wallet, verifier, link, "invalid_client")


@pytest.mark.parametrize(
    "element",
    [
        {"type": "urn:vreemd:payment:1", "credential_ids": ["diploma"]},
        {"type": "qes_authorization", "credential_ids": ["diploma"], "transaction_data_hashes_alg": ["sha-256"]},
        {"type": "urn:regie:consent:1", "credential_ids": ["diploma"]},
        {},
    ],
)
def test_oid4vp_1final_wallet_negative_test_unknown_transaction_data_type(
    wallet: OpenWallet, verifier: ForeignVerifier, element: dict[str, Any]
) -> None:
    encoded = b64u(str(element).replace("'", '"').encode())
    link = verifier.ask(DEGREE, registration=REGISTERED, transaction_data=[encoded])
    refused(wallet, verifier, link, "invalid_transaction_data")


@pytest.mark.parametrize("mode", ["dc_api", "dc_api.jwt"])
def test_oid4vp_1final_wallet_negative_test_wrong_expected_origins(
    wallet: OpenWallet, verifier: ForeignVerifier, mode: str
) -> None:
    """The browser's API is not spoken here: a request made for it is refused whatever origins it expects."""
    link = verifier.ask(DEGREE, mode=mode, expected_origins=["https://wrong.example"], response_uri=None)
    refused(wallet, verifier, link, "invalid_request", "bad_form")
    link = verifier.ask(DEGREE, registration=REGISTERED, expected_origins=["https://wrong.example"])
    refused(wallet, verifier, link, "invalid_request")
