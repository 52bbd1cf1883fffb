"""The issuer modules of the OpenID conformance suite (OpenID4VCI 1.0 final with HAIP, SD-JWT VC).

Each test bears its module's name. The suite plays a wallet that is attested, pushes its request, proves its keys
by DPoP and lets a resident log in; so does the wallet of `tests.issuer.login`, which shares no code with ours.
Variants of the suite: asked by scope or by authorization details, begun by the wallet or by an offer, plain or
encrypted, by login or with a code from the desk. A refusal changes nothing that is kept, but for nonces, which are
spent by it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from protocol import x509
from protocol.attributes import CREDENTIAL_TYPES
from protocol.credential import verify_credential
from protocol.status_list import verify_status_token
from tests.issuer.desk import NOOR, PRE_AUTHORIZED, HolderKey, jwt_parts
from tests.issuer.login import LoginDesk as Desk
from tests.issuer.login import Wallet, login_desk, sign, spoil

JWT = "application/jwt"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with login_desk(tmp_path / "issuer") as made:
        yield made


def kept(desk: Desk) -> dict[str, int]:
    """How many rows each table has, but for spent nonces."""
    return {name: count for name, count in desk.rows().items() if name != "spent_nonces"}


def details(*names: str) -> str:
    """The same as a scope, by authorization details."""
    return json.dumps([{"type": "openid_credential", "credential_configuration_id": name} for name in names])


def check_credential(desk: Desk, text: str, name: str = "persoon", level: str = "substantial") -> None:
    """What the suite looks at in an SD-JWT VC, and its status."""
    found = verify_credential(text, desk.trust, desk.clock.now())
    assert set(found.claims) == set(CREDENTIAL_TYPES[f"urn:regie:nl:{name}:1"].names)
    header, payload = jwt_parts(text.partition("~")[0])
    assert (header["typ"], header["alg"], payload["loa"]) == ("dc+sd-jwt", "ES256", level)
    assert len(header["x5c"]) == 1
    status = payload["status"]["status_list"]
    token = desk.client.get(status["uri"].removeprefix(desk.url)).text
    roots = [x509.parse_der_base64(root) for root in desk.entry.roots]
    listed = verify_status_token(token, uri=status["uri"], roots=roots, now=desk.clock.now())
    assert listed.status(status["idx"]) == 0


def notify(wallet: Wallet, token: str, answer: TestResponse, event: str = "credential_accepted") -> int:
    """What the wallet says of a batch."""
    body = {"notification_id": answer.json["notification_id"], "event": event}
    headers = wallet.resource("/notification", token)
    return wallet.desk.client.post("/notification", json=body, headers=headers).status_code


def body_of(wallet: Wallet, count: int = 1, **changes: Any) -> dict[str, Any]:
    """A credential request."""
    return {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(count)}, **changes}


def refused(desk: Desk, answer: TestResponse, error: str, before: dict[str, int]) -> None:
    """A refusal of the credential endpoint, after which everything is as before."""
    assert (answer.status_code, answer.mimetype, answer.json["error"]) == (400, "application/json", error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert kept(desk) == before


def refused_client(desk: Desk, wallet: Wallet, **headers: str) -> None:
    """The wallet's request is not taken, and neither is its code: who it is was not shown."""
    before = kept(desk)
    pushed = wallet.push(wallet.headers("/par", **headers))
    assert (pushed.status_code, pushed.json["error"]) == (401, "invalid_client_attestation")
    assert kept(desk) == before
    code = wallet.code()
    before = kept(desk)
    redeemed = wallet.redeem(code, wallet.headers("/token", **headers))
    assert (redeemed.status_code, redeemed.json["error"]) == (401, "invalid_client_attestation")
    assert kept(desk) == before
    assert wallet.redeem(code).status_code == 200  # the code is still the wallet's


# ---- metadata


def test_oid4vci_1_0_issuer_metadata_test(desk: Desk) -> None:
    about = desk.client.get("/.well-known/openid-credential-issuer")
    server = desk.client.get("/.well-known/oauth-authorization-server")
    for answer in (about, server):
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert about.json["credential_issuer"] == server.json["issuer"] == desk.url
    endpoints = [value for name, value in {**about.json, **server.json}.items() if name.endswith("_endpoint")]
    assert len(endpoints) == 8
    for url in endpoints:
        assert url.startswith("https://")
        assert desk.client.open(url.removeprefix(desk.url), method="OPTIONS").status_code == 200
    offered = about.json["credential_configurations_supported"]
    assert set(server.json["scopes_supported"]) == {one["scope"] for one in offered.values()} == set(offered)
    for one in offered.values():
        assert (one["format"], one["cryptographic_binding_methods_supported"]) == ("dc+sd-jwt", ["jwk"])
        assert set(one["proof_types_supported"]) == {"jwt", "attestation"}
        assert {shown["locale"] for shown in one["credential_metadata"]["display"]} == {"nl-NL", "en-GB"}
        for shown in one["credential_metadata"]["display"]:
            assert {"name", "description", "background_color", "text_color"} <= set(shown)
    assert server.json["require_pushed_authorization_requests"] is True
    assert server.json["authorization_response_iss_parameter_supported"] is True
    assert server.json["code_challenge_methods_supported"] == ["S256"]
    assert server.json["dpop_signing_alg_values_supported"] == ["ES256"]
    assert "attest_jwt_client_auth" in server.json["token_endpoint_auth_methods_supported"]
    assert server.json["grant_types_supported"] == ["authorization_code", PRE_AUTHORIZED, "refresh_token"]


def test_oid4vci_1_0_issuer_metadata_test_signed(desk: Desk) -> None:
    plain = desk.client.get("/.well-known/openid-credential-issuer")
    answer = desk.client.get("/.well-known/openid-credential-issuer", headers={"Accept": JWT})
    assert (answer.status_code, answer.mimetype) == (200, JWT)
    assert answer.headers["Vary"] == "Accept"
    header, payload = jwt_parts(answer.text)
    assert (header["typ"], header["alg"]) == ("openidvci-issuer-metadata+jwt", "ES256")
    root = x509.parse_der_base64(desk.entry.roots[0])
    leaf = x509.verify_chain(x509.parse_x5c(header["x5c"]), [root], desk.clock.now())
    assert leaf.der != root
    about = {name: payload.pop(name) for name in ("iss", "sub", "iat", "exp")}
    assert (about["iss"], about["sub"], about["iat"]) == (desk.url, desk.url, desk.clock.now())
    assert payload == plain.json
    for accept in ("*/*", "application/json", "application/json, application/jwt;q=0.5"):
        got = desk.client.get("/.well-known/openid-credential-issuer", headers={"Accept": accept})
        assert got.mimetype == "application/json"


# ---- happy flows


@pytest.mark.parametrize("by_details", [False, True], ids=["scope", "details"])
@pytest.mark.parametrize("by_offer", [False, True], ids=["wallet", "offer"])
def test_oid4vci_1_0_issuer_happy_flow(desk: Desk, by_details: bool, by_offer: bool) -> None:
    wallet, changes = desk.wallet(), {}
    if by_offer:
        made, _ = desk.office.offer(NOOR, ("persoon", "adres"))
        offer = desk.client.get(f"/offers/{made.id}").json
        changes["issuer_state"] = offer["grants"]["authorization_code"]["issuer_state"]
    if by_details:
        changes |= {"scope": None, "authorization_details": details("persoon")}
    tokens = wallet.tokens(**changes)
    assert (tokens["token_type"], tokens["expires_in"] <= 300) == ("DPoP", True)
    if by_details:
        (detail,) = tokens["authorization_details"]
        (identifier,) = detail["credential_identifiers"]
        asked = {"credential_identifier": identifier, "proofs": {"jwt": wallet.proofs(1)}}
    else:
        assert tokens["scope"] == "persoon"
        asked = body_of(wallet)
    answer = wallet.post_credential(tokens["access_token"], asked)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert set(answer.json) == {"credentials", "notification_id"}
    check_credential(desk, answer.json["credentials"][0]["credential"])
    assert notify(wallet, tokens["access_token"], answer) == 204


def test_oid4vci_1_0_issuer_happy_flow_with_a_code_from_the_desk(desk: Desk) -> None:
    """The same module in the suite's variant `pre_authorization_code`, with sender-constrained tokens."""
    wallet = desk.wallet()
    code, tx_code = desk.offer("persoon")
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code, "tx_code": tx_code}
    tokens = wallet.post_token({"DPoP": wallet.dpop("/token")}, **form).json
    assert tokens["token_type"] == "DPoP"
    asked = {"credential_configuration_id": "persoon", "proofs": {"jwt": desk.proofs(1)}}
    answer = wallet.post_credential(tokens["access_token"], asked)
    check_credential(desk, answer.json["credentials"][0]["credential"])
    assert notify(wallet, tokens["access_token"], answer) == 204


def test_oid4vci_1_0_issuer_happy_flow_encrypted(desk: Desk) -> None:
    """The same module in the suite's variant `vci_credential_encryption = encrypted`."""
    wallet = desk.wallet()
    token = wallet.tokens()["access_token"]
    about = desk.client.get("/.well-known/openid-credential-issuer").json
    (issuer_key,) = about["credential_request_encryption"]["jwks"]["keys"]
    for enc in about["credential_response_encryption"]["enc_values_supported"]:
        mine = ECKey.generate_key("P-256")
        public = {**mine.as_dict(private=False), "alg": "ECDH-ES", "use": "enc", "kid": "mine"}
        asked = body_of(wallet, credential_response_encryption={"jwk": public, "enc": enc})
        answer = post_encrypted(wallet, token, asked, issuer_key, enc)
        assert (answer.status_code, answer.mimetype) == (200, JWT)
        opened = jwe.decrypt_compact(answer.text, mine, registry=big())
        assert (opened.headers()["kid"], opened.headers()["enc"]) == ("mine", enc)
        check_credential(desk, json.loads(opened.plaintext or b"")["credentials"][0]["credential"])


def big() -> jwe.JWERegistry:
    """joserfc with limits that a credential fits in."""
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A128GCM", "A256GCM"])
    registry.max_ciphertext_length = 2**22
    registry.max_protected_header_length = 4096
    return registry


def post_encrypted(
    wallet: Wallet, token: str, asked: dict[str, Any], issuer_key: dict[str, str], enc: str, **header: str
) -> TestResponse:
    """An encrypted credential request."""
    head = {"alg": "ECDH-ES", "enc": enc, "kid": issuer_key["kid"], **header}
    body = jwe.encrypt_compact(head, json.dumps(asked).encode(), ECKey.import_key(issuer_key), registry=big())
    headers = wallet.resource("/credential", token)
    return wallet.desk.client.post("/credential", data=body, content_type=JWT, headers=headers)


def test_oid4vci_1_0_issuer_happy_flow_additional_requests(desk: Desk) -> None:
    wallet = desk.wallet()
    token = wallet.tokens()["access_token"]
    more = (
        {},
        {"x-fapi-interaction-id": "c770aef3-6784-41f7-8e0e-ff5f97bddb3a"},
        {"x-fapi-auth-date": "Tue, 11 Sep 2012 19:43:31 GMT", "x-fapi-customer-ip-address": "2001:db8::1893:25c8"},
        {"Accept": "application/json; charset=utf-8"},
        {"Accept": "*/*"},
    )
    for headers in more:
        answer = wallet.post_credential(
            token, body_of(wallet), {**wallet.resource("/credential", token), **headers}
        )
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        check_credential(desk, answer.json["credentials"][0]["credential"])


def test_oid4vci_1_0_issuer_happy_flow_multiple_clients(desk: Desk) -> None:
    first, second = desk.wallet(), desk.wallet(client_id="another-wallet")
    tokens = [wallet.tokens()["access_token"] for wallet in (first, second)]
    sets = set()
    for wallet, token in zip((first, second), tokens, strict=True):
        (text,) = wallet.fetch(token)
        check_credential(desk, text)
        sets.add(jwt_parts(text.partition("~")[0])[1]["set"])
    assert len(sets) == 2
    before = kept(desk)
    stolen = second.post_credential(tokens[0], body_of(second))
    assert (stolen.status_code, stolen.json["error"]) == (401, "invalid_token")
    assert second.redeem(first.code()).json["error"] == "invalid_grant"
    assert kept(desk) == {**before, "authorizations": before["authorizations"] + 1}


def test_oid4vci_1_0_issuer_happy_flow_skip_notification(desk: Desk) -> None:
    wallet = desk.wallet()
    token = wallet.tokens()["access_token"]
    for _ in range(2):  # who says nothing is served again all the same
        assert wallet.post_credential(token, body_of(wallet)).status_code == 200


def test_oid4vci_1_0_issuer_batch_issuance(desk: Desk) -> None:
    wallet = desk.wallet()
    token = wallet.tokens()["access_token"]
    size = desk.client.get("/.well-known/openid-credential-issuer").json["batch_credential_issuance"]["batch_size"]
    texts = wallet.fetch(token, count=size)
    assert len(texts) == size
    payloads = [jwt_parts(text.partition("~")[0])[1] for text in texts]
    for text in texts[:2]:
        check_credential(desk, text)
    for name in ("cnf", "_sd", "set", "status"):
        assert len({json.dumps(payload[name]) for payload in payloads}) == size
    assert len({(payload["iat"], payload["exp"]) for payload in payloads}) == 1
    indexes = [payload["status"]["status_list"]["idx"] for payload in payloads]
    assert indexes != sorted(indexes)
    assert len({payload["status"]["status_list"]["uri"] for payload in payloads}) == 1


# ---- refusals of the credential endpoint


def test_oid4vci_1_0_issuer_fail_invalid_nonce(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    spent = desk.nonce()
    for nonce in ("made-up", spent, spent, wallet.dpop_nonce(), wallet.challenge()):
        answer = wallet.post_credential(token, body_of(wallet, proofs={"jwt": wallet.proofs(1, nonce)}))
        if nonce == spent and answer.status_code == 200:
            before = kept(desk)
            continue
        refused(desk, answer, "invalid_nonce", before)


def test_oid4vci_1_0_issuer_fail_missing_proof(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    for asked in ({}, {"proofs": {}}, {"proofs": {"jwt": []}}, {"proof": {"proof_type": "jwt", "jwt": "x"}}):
        body = {"credential_configuration_id": "persoon", **asked}
        refused(desk, wallet.post_credential(token, body), "invalid_proof", before)


def test_oid4vci_1_0_issuer_fail_invalid_jwt_proof_signature(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    good, other = wallet.proofs(1), wallet.proofs(1)
    swapped = f"{good[0].rpartition('.')[0]}.{other[0].rpartition('.')[2]}"
    for proofs in ([spoil(good[0])], [swapped], [*wallet.proofs(2), spoil(wallet.proofs(1)[0])]):
        answer = wallet.post_credential(token, body_of(wallet, proofs={"jwt": proofs}))
        assert answer.json["error"] in ("invalid_proof", "invalid_nonce")
        refused(desk, answer, answer.json["error"], before)
    first = wallet.post_credential(token, body_of(wallet, proofs={"jwt": [spoil(wallet.proofs(1)[0])]}))
    refused(desk, first, "invalid_proof", before)


def attest(wallet: Wallet, keys: list[HolderKey], nonce: str | None, **changes: Any) -> str:
    """A key attestation by the wallet's maker."""
    now = wallet.desk.clock.now()
    claims = {"iss": "https://wallet.voorbeeld.example", "iat": now, "exp": now + 600, "nonce": nonce, **changes}
    claims["attested_keys"] = [key.jwk for key in keys]
    return wallet.desk.maker.sign(
        "key-attestation+jwt", {name: value for name, value in claims.items() if value is not None}
    )


def proof_with(wallet: Wallet, key: HolderKey, nonce: str, attestation: str) -> str:
    """A `jwt` proof with a key attestation in its header."""
    header = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": key.jwk, "key_attestation": attestation}
    claims = {"aud": wallet.desk.url, "iat": wallet.desk.clock.now(), "nonce": nonce, "iss": wallet.client_id}
    return sign(key.key, header, claims)


@pytest.mark.parametrize("kind", ["jwt", "attestation"])
def test_oid4vci_1_0_issuer_fail_invalid_key_attestation_signature(desk: Desk, kind: str) -> None:
    wallet, keys = desk.wallet(), [HolderKey() for _ in range(3)]
    token = wallet.tokens()["access_token"]

    def ask(change: Any) -> TestResponse:
        nonce = desk.nonce()
        proof = change(attest(wallet, keys, nonce))
        if kind == "jwt":
            proof = proof_with(wallet, keys[0], nonce, proof)
        return wallet.post_credential(token, body_of(wallet, proofs={kind: [proof]}))

    before = kept(desk)
    refused(desk, ask(spoil), "invalid_proof", before)
    good = ask(lambda token: token)
    assert len(good.json["credentials"]) == 3  # one for each attested key
    bound = [jwt_parts(one["credential"].partition("~")[0])[1]["cnf"]["jwk"] for one in good.json["credentials"]]
    assert bound == [key.jwk for key in keys]


def test_oid4vci_1_0_issuer_fail_unknown_credential_configuration(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    answer = wallet.post_credential(token, body_of(wallet, credential_configuration_id="unknown"))
    refused(desk, answer, "unknown_credential_configuration", before)


def test_oid4vci_1_0_issuer_fail_unknown_credential_identifier(desk: Desk) -> None:
    wallet = desk.wallet()
    tokens = wallet.tokens(scope=None, authorization_details=details("persoon"))
    token, before = tokens["access_token"], kept(desk)
    own = tokens["authorization_details"][0]["credential_identifiers"][0]
    by_scope = desk.wallet()
    plain = by_scope.tokens()["access_token"]
    before = kept(desk)
    for identifier in ("unknown", "persoon", "persoon:", f"persoon:{'0' * 32}", own.replace("persoon", "adres")):
        asked = {"credential_identifier": identifier, "proofs": {"jwt": wallet.proofs(1)}}
        refused(desk, wallet.post_credential(token, asked), "unknown_credential_identifier", before)
    asked = {"credential_identifier": own, "proofs": {"jwt": by_scope.proofs(1)}}
    refused(desk, by_scope.post_credential(plain, asked), "unknown_credential_identifier", before)


def test_oid4vci_1_0_issuer_fail_unsupported_encryption_algorithm(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    about = desk.client.get("/.well-known/openid-credential-issuer").json
    (issuer_key,) = about["credential_request_encryption"]["jwks"]["keys"]
    public = {**ECKey.generate_key("P-256").as_dict(private=False), "alg": "ECDH-ES", "use": "enc"}
    for jwk, enc in (
        ({**public, "alg": "ECDH-ES+A256KW"}, "A256GCM"),
        ({**public, "alg": "unknown"}, "A256GCM"),
        (public, "unknown"),
        (public, "A128CBC-HS256"),
    ):
        asked = body_of(wallet, credential_response_encryption={"jwk": jwk, "enc": enc})
        answer = post_encrypted(wallet, token, asked, issuer_key, "A256GCM")
        refused(desk, answer, "invalid_encryption_parameters", before)
    asked = body_of(wallet, credential_response_encryption={"jwk": public, "enc": "A256GCM"})
    refused(desk, wallet.post_credential(token, asked), "invalid_encryption_parameters", before)  # plain: 8.2


def test_oid4vci_1_0_issuer_fail_on_access_token_in_query(desk: Desk) -> None:
    wallet = desk.wallet()
    token, before = wallet.tokens()["access_token"], kept(desk)
    for headers in ({}, wallet.resource("/credential", token)):
        answer = desk.client.post(f"/credential?access_token={token}", json=body_of(wallet), headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"]
        assert kept(desk) == before


# ---- client attestation


def test_oid4vci_1_0_issuer_fail_client_attestation_exp_in_past(desk: Desk) -> None:
    wallet = desk.wallet()
    expired = wallet.attestation(iat=desk.clock.now() - 7200, exp=desk.clock.now() - 3600)
    refused_client(desk, wallet, **{"OAuth-Client-Attestation": expired})


def test_oid4vci_1_0_issuer_fail_client_attestation_no_sub(desk: Desk) -> None:
    wallet = desk.wallet()
    refused_client(desk, wallet, **{"OAuth-Client-Attestation": wallet.attestation(sub=None)})


def test_oid4vci_1_0_issuer_fail_client_attestation_pop_wrong_aud(desk: Desk) -> None:
    wallet = desk.wallet()
    refused_client(desk, wallet, **{"OAuth-Client-Attestation-PoP": wallet.pop(aud="https://other.example")})


def test_oid4vci_1_0_issuer_fail_invalid_client_attestation_signature(desk: Desk) -> None:
    wallet = desk.wallet()
    refused_client(desk, wallet, **{"OAuth-Client-Attestation": spoil(wallet.attestation())})


def test_oid4vci_1_0_issuer_fail_invalid_client_attestation_pop_signature(desk: Desk) -> None:
    wallet = desk.wallet()
    refused_client(desk, wallet, **{"OAuth-Client-Attestation-PoP": spoil(wallet.pop())})


def test_oid4vci_1_0_issuer_fail_mismatched_client_attestation_pop_key(desk: Desk) -> None:
    wallet = desk.wallet()
    refused_client(desk, wallet, **{"OAuth-Client-Attestation-PoP": wallet.pop(key=HolderKey())})


def test_every_answer_to_a_browser_names_the_issuer(desk: Desk) -> None:
    """A condition of all these modules (RFC 9207), also when the resident turns back."""
    wallet = desk.wallet()
    pushed = wallet.push().json["request_uri"]
    browser = desk.client.application.test_client()
    back = wallet.log_in(wallet.depart(pushed, browser), bsn="")
    found = parse_qs(urlsplit(browser.get(back).headers["Location"]).query)
    assert found == {"error": ["access_denied"], "state": [wallet.state], "iss": [desk.url]}
