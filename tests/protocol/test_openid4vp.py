"""OpenID4VP requests and answers, as wallet and verifier read and write them; modules of the OpenID suite."""

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import jwe
from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.dcql import Query, parse_query
from protocol.direct_post import (
    MAX_FORM_BYTES,
    MAX_URL_CHARS,
    ResponseObject,
    WalletError,
    check_url,
    decrypt_response,
    encrypt_response,
    error_form,
    parse_redirect,
    parse_response_form,
)
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.keys import Es256Private
from protocol.openid4vp import (
    MAX_LINK_CHARS,
    VerifiedRequest,
    build_authorization_url,
    check_registration,
    parse_authorization_url,
    verify_request_object,
)
from protocol.request_form import MAX_LIFETIME
from protocol.request_object import client_id_of, parse_wallet_nonce, request_payload, sign_request_object
from protocol.seal import KemPrivate
from protocol.trust_list import Agency, Service, ServiceClaim, TrustedLog, TrustList, Words
from protocol.x509 import make_leaf, make_root, x5c

NOW = 1_800_000_000
OIN = "00000099000000001000"
ADRES = "urn:regie:nl:adres:1"
ORIGIN = "log.voorbeeld.example/2026"
NONCE = "nonce-nonce-nonce-nonce"
STATE = "state-state-state-state"


def key(name: str) -> Es256Private:
    return Es256Private.from_secret(name.encode().ljust(48, b"."))


ROOT, LEAF, OTHER_ROOT, ANSWER = key("root"), key("leaf"), key("other root"), key("answer")
ROOT_DER = make_root(ROOT, "Agency root", serial=1, not_before=NOW - 1000, not_after=NOW + 10**6)


def leaf(signer: Es256Private = ROOT, root: bytes = ROOT_DER, **dates: int) -> bytes:
    dates = {"not_before": NOW - 100, "not_after": NOW + 10**5, **dates}
    return make_leaf(LEAF.public, "Gemeente Voorbeeld", signer, root, san_dns="agency.example", serial=2, **dates)


LEAF_DER = leaf()
CLIENT_ID = client_id_of(LEAF_DER)
KEM = KemPrivate(b"k" * 96)


def claims(*names: str) -> list[ServiceClaim]:
    return [ServiceClaim(vct=ADRES, path=[name], needed=name == "postcode") for name in names]


def service(service_id: str = "parkeren", *names: str, **members: Any) -> Service:
    words = Words(nl="Parkeren", en="Parking")
    values: dict[str, Any] = {
        "id": service_id, "version": 1, "name": words, "purpose": words, "basis": "consent",
        "claims": claims(*(names or ("postcode", "huisnummer"))), "longest_term": 365 * 86400, "retention": "P1Y",
        "mode": "view", "privacy_policy": "https://agency.example/privacy",
    }  # fmt: skip
    return Service(**{**values, **members})


def agency(**members: Any) -> Agency:
    values: dict[str, Any] = {
        "id": OIN, "name": "Gemeente Voorbeeld", "roots": [base64.b64encode(ROOT_DER).decode()],
        "bsn_allowed": False,
        "erasure_contact": "fg@agency.example", "services": [service()],
    }  # fmt: skip
    return Agency(**{**values, **members})


LOG = TrustedLog(origin=ORIGIN, url="https://log.example", vkey="v", receipt_vkey="r", deposit_key="d")


def trust(*agencies: Agency) -> TrustList:
    return TrustList(version=1, iat=NOW, exp=NOW + 10**6, agencies=list(agencies) or [agency()], logs=[LOG])


def adres_query(*names: str, **members: Any) -> Query:
    item: dict[str, Any] = {"id": "adres", "format": "dc+sd-jwt", "meta": {"vct_values": [ADRES]}, **members}
    if names:
        item["claims"] = [{"path": [name]} for name in names]
    return parse_query({"credentials": [item]})


def element(**members: Any) -> dict[str, Any]:
    return {
        "type": "urn:regie:consent:1", "credential_ids": ["adres"],
        "claims": [{"credential": "adres", "path": ["postcode"], "needed": True}],
        "recipient": OIN, "service": "parkeren", "service_version": 1, "max_not_after": NOW + 86400,
        "retention": "P1Y", "mode": "view", "log": {"origin": ORIGIN, "url": "https://log.example"},
        "kem_key": b64u_encode(KEM.public_bytes()), "inbox": "https://agency.example/v1/inbox/1",
        "ticket": "a.b.c", **members,
    }  # fmt: skip


def encoded(value: Any) -> str:
    return b64u_encode(canonical_bytes(value))


def payload(query: Query | None = None, consent: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A good request; `None` among `changes` removes a member."""
    made = request_payload(
        client_id=CLIENT_ID, response_uri="https://agency.example/responses/1", nonce=NONCE, state=STATE,
        query=query or adres_query(*([] if consent else ["postcode"])), encryption_key=ANSWER.public, iat=NOW,
        exp=NOW + 300, transaction_data=[encoded(consent)] if consent else [],
    )  # fmt: skip
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def sign(members: dict[str, Any], **options: Any) -> str:
    return sign_request_object(members, LEAF, [LEAF_DER], **options)


def verify(token: str, **options: Any) -> VerifiedRequest:
    values: dict[str, Any] = {"client_id": CLIENT_ID, "trust": trust(), "now": NOW, **options}
    return verify_request_object(token, values.pop("client_id"), values.pop("trust"), values.pop("now"), **values)


def refused(code: str | set[str], token: str, **options: Any) -> None:
    with pytest.raises(Rejected) as info:
        verify(token, **options)
    assert info.value.code in ({code} if isinstance(code, str) else code)


# --- the link --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["openid4vp", "haip-vp", "https"])
@pytest.mark.parametrize("post", [True, False])
def test_link_comes_back_as_it_was_made(scheme: str, post: bool) -> None:
    made = build_authorization_url(CLIENT_ID, "https://agency.example/requests/1", post=post, scheme=scheme)
    link = parse_authorization_url(made)
    assert (link.client_id, link.request_uri, link.post) == (CLIENT_ID, "https://agency.example/requests/1", post)


URI = urlencode({"request_uri": "https://agency.example/r"})
CLIENT = urlencode({"client_id": CLIENT_ID})


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid_request"),
        ("openid4vp:", "invalid_request"),
        ("javascript://?" + CLIENT + "&" + URI, "invalid_request"),
        ("openid4vp://?" + CLIENT, "invalid_request"),
        ("openid4vp://?" + URI, "invalid_client"),
        ("openid4vp://?" + CLIENT + "&request=a.b.c", "invalid_request"),
        ("openid4vp://?" + CLIENT + "&" + URI + "&request=a.b.c", "invalid_request"),
        ("openid4vp://?" + CLIENT + "&" + CLIENT + "&" + URI, "invalid_request"),
        ("openid4vp://?" + CLIENT + "&" + URI + "&request_uri_method=put", "invalid_request_uri_method"),
        ("openid4vp://?" + CLIENT + "&request_uri=ftp%3A%2F%2Fagency.example%2F", "invalid_request"),
        ("openid4vp://?" + CLIENT + "&request_uri=https%3A%2F%2Fuser%40agency.example%2F", "invalid_request"),
        ("openid4vp://?" + CLIENT + "&request_uri=https%3A%2F%2Fagency.example%2F%23x", "invalid_request"),
        ("openid4vp://?client_id=redirect_uri%3Ahttps%3A%2F%2Fa.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_san_dns%3AAgency.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_san_dns%3A-agency.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_san_dns%3Aagency.example%3A443&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_san_dns%3A&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_san_uri%3Ahttps%3A%2F%2Fa.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=verifier_attestation%3Aa.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=openid_federation%3Ahttps%3A%2F%2Fa.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=origin%3Ahttps%3A%2F%2Fa.example&" + URI, "invalid_client"),
        ("openid4vp://?client_id=decentralized_identifier%3Adid%3Aweb%3Aa&" + URI, "invalid_client"),
        ("openid4vp://?client_id=unknown%3Ax&" + URI, "invalid_client"),
        ("openid4vp://?client_id=agency&" + URI, "invalid_client"),
        ("openid4vp://?client_id=x509_hash%3Ashort&" + URI, "invalid_client"),
        ("openid4vp://?%ff=1&" + CLIENT + "&" + URI, "invalid_request"),
    ],
)
def test_wallet_refuses_link(url: str, code: str) -> None:
    with pytest.raises(Rejected) as info:
        parse_authorization_url(url)
    assert info.value.code == code


def test_link_at_the_limit_is_read_and_one_character_more_is_not() -> None:
    made = build_authorization_url(CLIENT_ID, "https://agency.example/r") + "&x="
    parse_authorization_url(made.ljust(MAX_LINK_CHARS, "x"))
    with pytest.raises(Rejected, match="too_large"):
        parse_authorization_url(made.ljust(MAX_LINK_CHARS + 1, "x"))


# --- the request -----------------------------------------------------------------------------------------


def test_request_has_every_member_that_a_haip_wallet_needs() -> None:
    token = sign(payload(), wallet_nonce="from-the-wallet")
    header, body = (json.loads(b64u_decode(part)) for part in token.split(".")[:2])
    assert header == {"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": x5c([LEAF_DER])}
    assert body["client_id"] == "x509_hash:" + b64u_encode(sha256(LEAF_DER))
    assert body["aud"] == "https://self-issued.me/v2"
    assert (body["response_type"], body["response_mode"]) == ("vp_token", "direct_post.jwt")
    assert body["wallet_nonce"] == "from-the-wallet"
    assert "redirect_uri" not in body
    metadata = body["client_metadata"]
    assert metadata["vp_formats_supported"] == {
        "dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}
    }
    assert sorted(metadata["encrypted_response_enc_values_supported"]) == ["A128GCM", "A256GCM"]
    (jwk,) = metadata["jwks"]["keys"]
    assert (jwk["alg"], jwk["use"], jwk["kty"], jwk["crv"]) == ("ECDH-ES", "enc", "EC", "P-256")
    assert jwk["kid"] == ANSWER.public.thumbprint()
    assert "d" not in jwk
    assert "wallet_nonce" not in json.loads(b64u_decode(sign(payload()).split(".")[1]))


def test_wallet_reads_a_request_for_a_copy() -> None:
    token = sign(payload())
    request = verify(token)
    assert request.agency.id == OIN
    assert request.asker.name == "Gemeente Voorbeeld"
    assert request.consent is None
    assert request.transaction_data_hashes == ()
    assert request.request_hash == sha256(token.encode())
    assert request.encryption.enc == "A256GCM"
    assert check_registration(request).id == "parkeren"
    assert request.vcts == {"adres": ADRES}


def test_wallet_reads_a_request_for_standing_access() -> None:
    consent = element()
    request = verify(sign(payload(consent=consent)))
    assert request.consent is not None
    assert request.consent.service == "parkeren"
    assert request.transaction_data_hashes == (sha256(encoded(consent).encode()),)
    assert check_registration(request).version == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "x509_hash:" + "A" * 43}, "invalid_client"),
        ({"client_id": None}, "bad_form"),
        ({"client_id": LEAF_DER.hex()}, "invalid_client"),
        ({"aud": "https://wallet.example"}, "invalid_client"),
        ({"aud": None}, "bad_form"),
        ({"aud": ["https://self-issued.me/v2"]}, "bad_form"),
        ({"exp": NOW}, "expired"),
        ({"exp": NOW - 1}, "expired"),
        ({"exp": "soon"}, "bad_form"),
        ({"iat": NOW + 61, "exp": NOW + 200}, "not_yet_valid"),
        ({"nbf": NOW + 61}, "not_yet_valid"),
        ({"iat": NOW - 301, "exp": None}, "expired"),
        ({"exp": NOW + MAX_LIFETIME + 1}, "invalid_request"),
        ({"response_type": "code"}, "invalid_request"),
        ({"response_mode": "direct_post.jws"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "dc_api.jwt"}, "invalid_request"),
        ({"response_mode": None}, "bad_form"),
        ({"response_uri": None}, "bad_form"),
        ({"response_uri": "https://a:b@agency.example/"}, "invalid_request"),
        ({"response_uri": "file:///etc/passwd"}, "invalid_request"),
        ({"redirect_uri": "https://agency.example/cb"}, "invalid_request"),
        ({"expected_origins": ["https://agency.example"]}, "invalid_request"),
        ({"presentation_definition": {}}, "invalid_request"),
        ({"request": "a.b.c"}, "invalid_request"),
        ({"nonce": None}, "bad_form"),
        ({"nonce": ""}, "invalid_request"),
        ({"nonce": "short"}, "invalid_request"),
        ({"nonce": "has spaces has spaces"}, "invalid_request"),
        ({"nonce": 1234567890123456}, {"bad_form", "bad_json"}),
        ({"dcql_query": None}, "bad_form"),
        ({"dcql_query": {"credentials": []}}, "bad_form"),
        ({"client_metadata": None}, "invalid_request"),
        ({"scope": "com.example.card"}, "invalid_request"),
        ({"verifier_info": []}, "bad_form"),
        ({"verifier_info": [{"format": "registration_cert"}]}, "bad_form"),
        ({"verifier_info": [{"format": "registration_cert", "data": {"a": 1}}]}, "invalid_request"),
        (
            {"verifier_info": [{"format": "registration_cert", "data": "a.b.c"}]},
            {"bad_base64", "bad_json", "bad_jws"},
        ),
        ({"state": "s" * 513}, "bad_form"),
        ({"transaction_data": []}, "invalid_transaction_data"),
        ({"transaction_data": "x"}, "invalid_transaction_data"),
        ({"transaction_data": [5]}, "invalid_transaction_data"),
        ({"transaction_data": ["***"]}, "invalid_transaction_data"),
        ({"transaction_data": [encoded(element()), encoded(element())]}, "invalid_transaction_data"),
    ],
)
def test_wallet_refuses_request_with(changes: dict[str, Any], code: str | set[str]) -> None:
    refused(code, sign(payload(**changes)))


@pytest.mark.parametrize("lifetime", [1, MAX_LIFETIME])
def test_request_within_its_lifetime_is_read(lifetime: int) -> None:
    assert verify(sign(payload(exp=NOW + lifetime))).exp == NOW + lifetime
    assert verify(sign(payload(exp=None))).exp == NOW + 300


def test_copy_may_be_asked_without_dates_and_standing_access_may_not() -> None:
    request = verify(sign(payload(iat=None, exp=None)))
    assert (request.iat, request.exp) == (NOW, NOW + 300)
    assert verify(sign(payload(iat=None, exp=NOW + 100))).exp == NOW + 100
    refused("expired", sign(payload(iat=None, exp=NOW)))
    refused("invalid_request", sign(payload(iat=None, exp=NOW + MAX_LIFETIME + 1)))
    refused("invalid_request", sign(payload(consent=element(), iat=None, exp=None)))


def test_copy_may_be_answered_plainly_and_standing_access_may_not() -> None:
    for metadata in (payload()["client_metadata"], {"vp_formats_supported": {"dc+sd-jwt": {}}}, None):
        request = verify(sign(payload(response_mode="direct_post", client_metadata=metadata)))
        assert request.encryption is None
    refused("invalid_request", sign(payload(consent=element(), response_mode="direct_post")))
    other = {"vp_formats_supported": {"dc+sd-jwt": {"kb-jwt_alg_values": ["ES384"]}}}
    refused("invalid_request", sign(payload(response_mode="direct_post", client_metadata=other)))


def test_answer_by_x509_san_dns_goes_to_the_host_of_the_certificate() -> None:
    client_id = "x509_san_dns:agency.example"
    assert verify(sign(payload(client_id=client_id)), client_id=client_id).response_uri.startswith(
        "https://agency."
    )
    for uri in (
        "https://evil.example/responses/1",
        "https://agency.example.evil.example/",
        "https://www.agency.example/",
    ):
        refused("invalid_request", sign(payload(client_id=client_id, response_uri=uri)), client_id=client_id)
    assert verify(sign(payload(response_uri="https://other.example/x"))).response_uri == "https://other.example/x"


def test_request_without_state_is_read() -> None:
    assert verify(sign(payload(state=None))).state is None


def test_wallet_refuses_request_of_another_type_or_algorithm() -> None:
    header = {"x5c": x5c([LEAF_DER])}
    refused("bad_type", sign_jws(payload(), LEAF, typ="jwt", header=header))
    good = sign(payload())
    for alg in ("none", "HS256", "RS256"):
        forged = b64u_encode(canonical_bytes({"alg": alg, "typ": "oauth-authz-req+jwt", **header}))
        refused("bad_algorithm", forged + good[good.index(".") :])
    refused("bad_jws", good.rpartition(".")[0])


@pytest.mark.parametrize("name", ["crit", "jku", "x5u", "jwk"])
def test_wallet_refuses_request_whose_header_brings(name: str) -> None:
    header = {"x5c": x5c([LEAF_DER]), name: ["exp"]}
    refused("bad_header", sign_jws(payload(), LEAF, typ="oauth-authz-req+jwt", header=header))


def test_wallet_refuses_request_without_certificate() -> None:
    refused("bad_x5c", sign_jws(payload(), LEAF, typ="oauth-authz-req+jwt"))


def test_wallet_refuses_request_of_unlisted_agency() -> None:
    stranger = make_root(OTHER_ROOT, "Another root", serial=1, not_before=NOW - 1000, not_after=NOW + 10**6)
    der = leaf(OTHER_ROOT, stranger)
    members = payload(client_id=client_id_of(der))
    refused("not_listed", sign_request_object(members, LEAF, [der]), client_id=client_id_of(der))


def test_wallet_refuses_request_signed_with_a_self_signed_certificate() -> None:
    own = make_root(LEAF, "Agency root", serial=1, not_before=NOW - 1000, not_after=NOW + 10**6)
    token = sign_request_object(payload(client_id=client_id_of(own)), LEAF, [own])
    refused({"bad_chain", "not_listed"}, token, client_id=client_id_of(own))


def test_wallet_refuses_request_that_sends_its_trust_anchor() -> None:
    refused("bad_chain", sign_request_object(payload(), LEAF, [LEAF_DER, ROOT_DER]))


def test_wallet_refuses_request_with_an_expired_certificate() -> None:
    der = leaf(not_after=NOW - 1)
    token = sign_request_object(payload(client_id=client_id_of(der)), LEAF, [der])
    refused("certificate_expired", token, client_id=client_id_of(der))


def test_oid4vp_1final_wallet_negative_test_invalid_request_object_signature() -> None:
    refused("bad_signature", sign_request_object(payload(), key("thief"), [LEAF_DER]))


def test_oid4vp_1final_wallet_negative_test_mismatched_client_id() -> None:
    refused("invalid_client", sign(payload()), client_id="x509_hash:" + "A" * 43)
    refused("invalid_client", sign(payload(client_id="x509_hash:" + "A" * 43)))


def test_oid4vp_1final_wallet_negative_test_invalid_client_id_prefix() -> None:
    for client_id in (
        "https://agency.example",
        "x509_san_dns:other.example",
        "x509_san_uri:https://agency.example",
        "redirect_uri:https://a.example",
        "",
    ):
        refused("invalid_client", sign(payload(client_id=client_id)), client_id=client_id)


def test_oid4vp_1final_wallet_negative_test_missing_nonce() -> None:
    refused("bad_form", sign(payload(nonce=None)))


def test_oid4vp_1final_wallet_negative_test_redirect_uri_with_direct_post() -> None:
    refused("invalid_request", sign(payload(redirect_uri="https://agency.example/cb")))


def test_oid4vp_1final_wallet_negative_test_unknown_transaction_data_type() -> None:
    refused("invalid_transaction_data", sign(payload(consent=element(type="urn:other:1"))))
    refused("invalid_transaction_data", sign(payload(consent=element(surprise=1))))
    refused("invalid_transaction_data", sign(payload(consent=element(transaction_data_hashes_alg=["sha-256"]))))


def test_oid4vp_1final_wallet_request_uri_method_post() -> None:
    token = sign(payload(), wallet_nonce="abc")
    assert verify(token, wallet_nonce="abc").nonce == NONCE
    refused("invalid_request", token, wallet_nonce="abd")
    refused("invalid_request", sign(payload()), wallet_nonce="abc")


def test_oid4vp_1final_wallet_ignores_unusable_encryption_key() -> None:
    metadata = payload()["client_metadata"]
    unusable = [
        {"kty": "OKP", "crv": "X25519", "x": "AAAA", "alg": "ECDH-ES", "use": "enc"}, {"kty": "RSA"}, 5,
        {**ANSWER.public.jwk(), "alg": "ES256", "use": "sig"},
        {**ANSWER.public.jwk(), "alg": "ECDH-ES", "y": "AA"},
    ]  # fmt: skip
    good = metadata["jwks"]["keys"][0]
    request = verify(sign(payload(client_metadata={**metadata, "jwks": {"keys": [*unusable, good]}})))
    assert request.encryption.jwk == good
    refused("invalid_request", sign(payload(client_metadata={**metadata, "jwks": {"keys": unusable}})))
    refused("invalid_request", sign(payload(client_metadata={**metadata, "jwks": {"keys": "x"}})))


@pytest.mark.parametrize(
    ("offered", "used"), [(None, "A128GCM"), (["A128GCM"], "A128GCM"), (["A128CBC-HS256", "A256GCM"], "A256GCM")]
)
def test_wallet_uses_the_best_encryption_that_is_offered(offered: list[str] | None, used: str) -> None:
    metadata = dict(payload()["client_metadata"])
    del metadata["encrypted_response_enc_values_supported"]
    if offered is not None:
        metadata["encrypted_response_enc_values_supported"] = offered
    assert verify(sign(payload(client_metadata=metadata))).encryption.enc == used


@pytest.mark.parametrize(
    "change",
    [{"encrypted_response_enc_values_supported": ["A128CBC-HS256"]}, {"vp_formats_supported": {"mso_mdoc": {}}}],
)
def test_wallet_refuses_request_whose_answer_it_could_not_encrypt_or_format(change: dict[str, Any]) -> None:
    metadata = {**payload()["client_metadata"], **change}
    refused("invalid_request", sign(payload(client_metadata=metadata)))


# --- transaction data and registration -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("consent", "query", "code"),
    [
        (element(recipient="00000099000000009999"), None, "invalid_transaction_data"),
        (element(log={"origin": ORIGIN, "url": "https://evil.example"}), None, "invalid_transaction_data"),
        (element(log={"origin": "other.example", "url": "https://log.example"}), None, "not_listed"),
        (element(service="onbekend"), None, "not_listed"),
        (element(service_version=2), None, "not_listed"),
        (element(credential_ids=["persoon"]), None, "invalid_transaction_data"),
        (element(credential_ids=["adres", "adres"]), None, "invalid_transaction_data"),
        (element(), adres_query("postcode"), "invalid_transaction_data"),
        (element(), adres_query(multiple=True), "invalid_transaction_data"),
        (element(), adres_query(meta={"vct_values": [ADRES, "urn:other"]}), "invalid_transaction_data"),
        (element(), adres_query(format="mso_mdoc"), "invalid_transaction_data"),
        (element(), adres_query(id="other"), "invalid_transaction_data"),
    ],
)
def test_wallet_refuses_consent_that_does_not_fit(consent: dict[str, Any], query: Query | None, code: str) -> None:
    refused(code, sign(payload(query, consent)))


@pytest.mark.parametrize(
    ("consent", "listed"),
    [
        (element(claims=[{"credential": "adres", "path": ["woonplaats"], "needed": True}]), agency()),
        (element(mode="store"), agency()),
        (element(retention="P2Y"), agency()),
        (element(claims=[{"credential": "adres", "path": ["burgerservicenummer"], "needed": True}]), agency()),
    ],
)
def test_over_asking_standing_access_is_found(consent: dict[str, Any], listed: Agency) -> None:
    request = verify(sign(payload(consent=consent)), trust=trust(listed))
    with pytest.raises(Rejected, match="over_asking"):
        check_registration(request)


def test_over_asking_a_copy_is_found() -> None:
    for query in (adres_query("woonplaats"), adres_query("postcode", meta={"vct_values": [ADRES, "urn:other"]})):
        request = verify(sign(payload(query)))
        assert request.service is None
        with pytest.raises(Rejected, match="over_asking"):
            check_registration(request)
    flags = verify(sign(payload(adres_query("postcode", "geheimhouding"))))
    assert check_registration(flags).id == "parkeren"


def test_copy_is_matched_with_the_narrowest_service_that_covers_it() -> None:
    listed = agency(services=[service("breed", "postcode", "huisnummer", "straat"), service("smal", "postcode")])
    request = verify(sign(payload(adres_query("postcode"))), trust=trust(listed))
    assert check_registration(request).id == "smal"


def test_agency_without_the_right_to_the_bsn_may_not_ask_a_copy_of_it() -> None:
    persoon = "urn:regie:nl:persoon:1"
    bsn = [ServiceClaim(vct=persoon, path=["burgerservicenummer"], needed=True)]
    query = adres_query("burgerservicenummer", meta={"vct_values": [persoon]})
    for allowed, law in ((True, "Wabb 10"), (False, "Wabb 10"), (True, None), (False, None)):
        listed = agency(services=[service(claims=bsn, bsn_law=law)], bsn_allowed=allowed)
        request = verify(sign(payload(query)), trust=trust(listed))
        if allowed and law:
            assert check_registration(request).id == "parkeren"
        else:
            with pytest.raises(Rejected, match="over_asking"):
                check_registration(request)


# --- the answer ------------------------------------------------------------------------------------------


def answer(presented: Any = None, /, **changes: Any) -> str:
    request = verify(sign(payload()))
    form = encrypt_response(request.encryption, nonce=NONCE, state=STATE, vp_token=presented or {"adres": ["a~b"]})
    token = parse_response_form(form)
    assert isinstance(token, str)
    if not changes:
        return token
    members = json.loads(jwe.decrypt(token, ANSWER))
    members = {name: value for name, value in {**members, **changes}.items() if value is not None}
    return jwe.encrypt(json.dumps(members).encode(), request.encryption.jwk, enc="A128GCM", apv=b"")


def test_answer_comes_back_as_it_was_sent() -> None:
    response = decrypt_response(answer({"adres": ["a~b", "c~d"]}), ANSWER, state=STATE)
    assert response == ResponseObject({"adres": ["a~b", "c~d"]}, STATE)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "other"}, {"state": None}, {"state": 5}, {"vp_token": None}, {"vp_token": {}},
        {"vp_token": "a~b"},
        {"vp_token": {"adres": "a~b"}}, {"vp_token": {"adres": []}}, {"vp_token": {"adres": [5]}},
        {"vp_token": {"adres": ["x"] * 17}}, {"vp_token": {str(i): ["x"] for i in range(17)}},
        {"regie_sealed": {}}, {"regie_sealed": 5},
    ],
)  # fmt: skip
def test_verifier_refuses_answer_with(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        decrypt_response(answer(**changes), ANSWER, state=STATE)


def test_verifier_ignores_members_that_it_does_not_know() -> None:
    assert decrypt_response(answer(id_token="x"), ANSWER, state=STATE).vp_token == {"adres": ["a~b"]}


def test_verifier_refuses_answer_to_the_key_of_another_request() -> None:
    with pytest.raises(Rejected, match="another request"):
        decrypt_response(answer(), key("x"), state=STATE)
    unnamed = jwe.encrypt(b"{}", key("x").public.jwk(), enc="A128GCM", apv=b"")
    with pytest.raises(Rejected, match="undecryptable"):
        decrypt_response(unnamed, ANSWER, state=STATE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_request"),
        (b"vp_token=%7B%7D&state=x", "invalid_request"),
        (b"response=a&vp_token=%7B%7D", "invalid_request"),
        (b"response=a&response=b", "invalid_request"),
        (b"error=strange", "invalid_request"),
        (b"error=", "invalid_request"),
        (b"response=%ff", "invalid_request"),
        (b"&".join(b"a%d=1" % i for i in range(40)), "invalid_request"),
        (b"x" * (MAX_FORM_BYTES + 1), "too_large"),
        (b"\xff\xfe", "invalid_request"),
    ],
)
def test_verifier_refuses_form(body: bytes, code: str) -> None:
    with pytest.raises(Rejected) as info:
        parse_response_form(body)
    assert info.value.code == code


def test_form_at_the_limit_is_read() -> None:
    body = b"response=".ljust(MAX_FORM_BYTES, b"x")
    assert len(str(parse_response_form(body))) == MAX_FORM_BYTES - 9


def test_refusal_of_the_wallet_is_read() -> None:
    assert parse_response_form(error_form(STATE)) == WalletError("access_denied", STATE)
    assert parse_response_form(error_form(None, "invalid_request")) == WalletError("invalid_request", None)


def test_wallet_follows_only_a_redirect_that_is_a_web_address() -> None:
    assert parse_redirect(b"{}") is None
    for uri in ("https://agency.example/cb?x=1", "https://agency.example/cb#response_code=0Aa-_"):
        assert parse_redirect(b'{"redirect_uri":"%s"}' % uri.encode()) == uri
    for body in (b'{"redirect_uri":"javascript:alert(1)"}', b'{"redirect_uri":5}', b"[]", b"",
                 b'{"redirect_uri":"https://agency.example/#a#b"}',
                 b'{"redirect_uri":"https://agency.example/#a b"}',
                 '{"redirect_uri":"https://agency.example/#é"}'.encode(), b'{"redirect_uri":"#x"}'):  # fmt: skip
        with pytest.raises(Rejected):
            parse_redirect(body)


def test_redirect_at_the_limit_is_followed_and_one_character_more_is_not() -> None:
    for size, ok in ((MAX_URL_CHARS, True), (MAX_URL_CHARS + 1, False)):
        uri = "https://agency.example/cb#".ljust(size, "x")
        if ok:
            assert parse_redirect(b'{"redirect_uri":"%s"}' % uri.encode()) == uri
        else:
            with pytest.raises(Rejected):
                parse_redirect(b'{"redirect_uri":"%s"}' % uri.encode())


@pytest.mark.parametrize("character", [" ", "\0", "\x7f", "\x85", "é", "\u202e", "\ud800", "\\", "#"])
@pytest.mark.parametrize("place", ["https://agency.example{}/cb", "https://agency.example/cb{}x"])
def test_wallet_refuses_an_address_that_is_shown_or_read_in_two_ways(place: str, character: str) -> None:
    assert check_url(place.format("a"), "redirect_uri") == place.format("a")
    with pytest.raises(Rejected, match="invalid_request"):
        check_url(place.format(character), "redirect_uri")


def test_wallet_nonce_is_read_from_a_form_that_may_hold_anything_else() -> None:
    assert parse_wallet_nonce(b"") is None
    assert parse_wallet_nonce(b"vp_formats_supported=%7B%7D&client_id_prefixes_supported=x") is None
    assert parse_wallet_nonce(b"wallet_metadata=%7B%7D&wallet_nonce=abc") == "abc"
    assert parse_wallet_nonce(urlencode({"wallet_nonce": "x" * 512}).encode()) == "x" * 512
    for form in (b"wallet_nonce=", b"wallet_nonce=a&wallet_nonce=b", b"wallet_nonce=%0a", b"x" * 70000,
                 urlencode({"wallet_nonce": "x" * 513}).encode(), "wallet_nonce=é".encode()):  # fmt: skip
        with pytest.raises(Rejected):
            parse_wallet_nonce(form)


# --- anything at all -------------------------------------------------------------------------------------

PARSERS: list[Callable[[str], object]] = [
    parse_authorization_url,
    lambda text: parse_response_form(text.encode("utf-8", "surrogatepass")),
    lambda text: parse_wallet_nonce(text.encode("utf-8", "surrogatepass")),
    lambda text: decrypt_response(text, ANSWER, state=STATE),
    lambda text: parse_redirect(text.encode("utf-8", "surrogatepass")),
    lambda text: verify(text),
]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.sampled_from(PARSERS))
def test_no_text_raises_anything_but_a_refusal(text: str, parser: Callable[[str], object]) -> None:
    with contextlib.suppress(Rejected):
        parser(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(payload(consent=element()))), JSON, max_size=3))
def test_no_member_of_a_signed_request_raises_anything_but_a_refusal(changes: dict[str, Any]) -> None:
    with contextlib.suppress(Rejected):
        check_registration(verify(sign(payload(consent=element(), **changes))))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(element())), JSON, max_size=3))
def test_no_member_of_a_consent_raises_anything_but_a_refusal(changes: dict[str, Any]) -> None:
    with contextlib.suppress(Rejected):
        check_registration(verify(sign(payload(consent=element(**changes)))))


def test_link_of_the_request_is_url_encoded() -> None:
    made = build_authorization_url(CLIENT_ID, "https://agency.example/requests/1?a=b&c=d")
    assert parse_qs(made.partition("?")[2])["request_uri"] == ["https://agency.example/requests/1?a=b&c=d"]
