"""The verifier modules of the OpenID conformance suite (OpenID4VP 1.0 final, SD-JWT VC), without mdoc.

Each test bears its module's name; the conditions behind it are in the assertions. A refusal stores nothing, and
the honest answer goes through after it. Modules run as HAIP asks; where it can matter also with what a verifier's
configuration has besides: client identifiers by x509_san_dns, and plain answers.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, sha256
from protocol.credential import split_sd_jwt
from protocol.jws import sign_jws
from protocol.key_binding import sd_hash
from protocol.openid4vp import VerifiedRequest
from tests.protocol import builders
from tests.protocol.builders import ADRES, NOW
from tests.verifier.agency import Agency, Wallet, copy_form, error_of, service_of
from verifier.reader import take_copy

VARIANTS = {
    "haip": {},
    "x509_san_dns": {"client_id_prefix": "x509_san_dns"},
    "direct_post": {"response_mode": "direct_post"},
}


each_variant = pytest.mark.parametrize("agency", VARIANTS, indirect=True)


@pytest.fixture
def agency(request: pytest.FixtureRequest, tmp_path: Path) -> Agency:
    """The verifier, in one variant of the suite."""
    return Agency(tmp_path, **VARIANTS[getattr(request, "param", "haip")])


@pytest.fixture
def wallet(agency: Agency) -> Wallet:
    """A resident with a full set of cards."""
    return Wallet(agency.clock, agency.log)


@pytest.fixture
def opened(agency: Agency, wallet: Wallet) -> VerifiedRequest:
    """A request for a copy, fetched and verified."""
    return wallet.open(agency, agency.ask(once=True)[1])


def request_id(request: VerifiedRequest) -> str:
    return urlsplit(request.response_uri).path.rpartition("/")[2]


def send(agency: Agency, request: VerifiedRequest, vp_token: dict[str, list[str]]) -> str | None:
    """Our code of the refusal, or None; a refusal must leave the store as it was and the request open."""
    before = agency.stored()
    answer = agency.post(request_id(request), copy_form(request, vp_token))
    if answer.status_code == 200:
        return None
    assert answer.status_code == 400
    assert agency.stored() == before
    return error_of(answer)


def key_binding(text: str, wallet: Wallet, request: VerifiedRequest, *, key: Any = None, **changes: Any) -> str:
    """The presentation with another KB-JWT; None removes a member."""
    presented = split_sd_jwt(text).presented
    payload: dict[str, Any] = {
        "aud": request.client_id,
        "nonce": request.nonce,
        "iat": wallet.clock.time,
        "sd_hash": sd_hash(presented),
        **changes,
    }
    payload = {name: value for name, value in payload.items() if value is not None}
    return presented + sign_jws(payload, key or wallet.keys[ADRES], typ="kb+jwt")


def with_adres(wallet: Wallet, request: VerifiedRequest, **changes: Any) -> dict[str, list[str]]:
    """The answer with another KB-JWT on the address."""
    shown = wallet.show(request)
    return {**shown, "adres": [key_binding(shown["adres"][0], wallet, request, **changes)]}


@each_variant
def test_oid4vp_1final_verifier_happy_flow(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    assert link.startswith("openid4vp://?")
    outside = parse_qs(link.partition("?")[2])
    assert outside["request_uri"] == [f"https://agency.voorbeeld.example/requests/{rid}"]
    token = agency.web.get(f"/requests/{rid}").text
    header, payload = (json.loads(b64u_decode(part)) for part in token.split(".")[:2])
    assert header["typ"] == "oauth-authz-req+jwt"
    assert len(header["x5c"]) == 1
    assert builders.AGENCY.roots[0] not in header["x5c"]
    prefix, _, name = payload["client_id"].partition(":")
    assert payload["client_id"] == outside["client_id"][0]
    assert prefix == agency.desk.config.client_id_prefix
    assert name in (b64u_encode(sha256(builders.AGENCY.leaf)), urlsplit(payload["response_uri"]).hostname)
    assert payload["response_mode"] == agency.desk.config.response_mode
    assert "redirect_uri" not in payload
    assert payload["response_type"] == "vp_token"
    assert payload["aud"] == "https://self-issued.me/v2"
    assert len(b64u_decode(payload["nonce"])) >= 16
    assert payload["exp"] > payload["iat"] == NOW
    assert "wallet_nonce" not in payload
    answer = agency.post(rid, copy_form(request := wallet.open(agency, link), wallet.show(request)))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "application/json"
    redirect = urlsplit(json.loads(answer.text)["redirect_uri"])
    (code,) = parse_qs(redirect.query)["response_code"]
    assert len(b64u_decode(code)) >= 16
    assert agency.web.get(f"{redirect.path}?{redirect.query}").status_code == 200
    assert agency.web.get(f"{redirect.path}?response_code={b64u_encode(bytes(16))}").status_code == 404
    assert agency.web.get(redirect.path).status_code == 404
    assert take_copy(agency.desk, rid)["postcode"] == "1234AB"


@each_variant
def test_every_request_has_a_key_nonce_and_state_of_its_own(agency: Agency, wallet: Wallet) -> None:
    """VP1FinalCheckEncryptionKeyNotReused (HAIP 5.5)."""
    found = [wallet.open(agency, agency.ask(once=once)[1]) for once in (True, True, False)]
    keys = [request.encryption.jwk["x"] for request in found if request.encryption is not None]
    assert len(set(keys)) == len(keys) == (1 if agency.desk.config.response_mode == "direct_post" else 3)
    assert len({request.nonce for request in found}) == 3
    assert len({request.state for request in found}) == 3


@each_variant
def test_oid4vp_1final_verifier_minimal_cnf_jwk(agency: Agency, wallet: Wallet, opened: VerifiedRequest) -> None:
    """The holder key in `cnf` has kty, crv, x, y and no more: ours always do."""
    payload = json.loads(b64u_decode(split_sd_jwt(wallet.cards[ADRES]).jwt.split(".")[1]))
    assert set(payload["cnf"]["jwk"]) == {"kty", "crv", "x", "y"}
    assert send(agency, opened, wallet.show(opened)) is None


@each_variant
def test_oid4vp_1final_verifier_request_uri_method_post(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    assert parse_qs(link.partition("?")[2])["request_uri_method"] == ["post"]
    request = wallet.open(agency, link, nonce="wallet-nonce-1")
    assert send(agency, request, wallet.show(request)) is None
    assert agency.desk.store.requests.get(rid).state == "answered"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", None),
        (b"", "application/x-www-form-urlencoded"),
        (b"wallet_metadata=%7B%7D", "application/x-www-form-urlencoded"),
        (b"vp_formats_supported=x&client_id_prefixes_supported=y&zzz=1", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
    ],
)
def test_request_uri_takes_any_form_or_none(agency: Agency, body: bytes, content_type: str | None) -> None:
    rid, _ = agency.ask(once=True)
    answer = agency.web.post(f"/requests/{rid}", data=body, content_type=content_type)
    assert answer.status_code == 200
    assert "wallet_nonce" not in json.loads(b64u_decode(answer.text.split(".")[1]))


@each_variant
def test_oid4vp_1final_verifier_request_uri_fetched_twice(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask(once=True)
    first, second = (agency.web.get(f"/requests/{rid}").text for _ in range(2))
    assert first == second
    request = wallet.open(agency, link)
    assert send(agency, request, wallet.show(request)) is None


def test_oid4vp_1final_verifier_invalid_credential_signature(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest
) -> None:
    shown = wallet.show(opened)
    jwt, _, rest = shown["adres"][0].partition("~")
    head, payload, signature = jwt.split(".")
    broken = bytearray(b64u_decode(signature))
    broken[5] ^= 1
    forged = f"{head}.{payload}.{b64u_encode(bytes(broken))}~{rest}"
    again = key_binding(forged, wallet, opened)
    assert send(agency, opened, {**shown, "adres": [again]}) == "bad_signature"
    assert send(agency, opened, shown) is None


def test_oid4vp_1final_verifier_invalid_kb_jwt_signature(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest
) -> None:
    assert send(agency, opened, with_adres(wallet, opened, key=builders.es256("thief"))) == "bad_signature"
    assert send(agency, opened, wallet.show(opened)) is None


@each_variant
def test_oid4vp_1final_verifier_invalid_kb_jwt_aud(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest
) -> None:
    for audience in ("https://other.example", opened.client_id.partition(":")[2], ""):
        assert send(agency, opened, with_adres(wallet, opened, aud=audience)) == "wrong_audience"
    for missing in ([opened.client_id], None):
        assert send(agency, opened, with_adres(wallet, opened, aud=missing)) == "bad_form"
    assert send(agency, opened, wallet.show(opened)) is None


def test_oid4vp_1final_verifier_invalid_kb_jwt_nonce(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest
) -> None:
    assert send(agency, opened, with_adres(wallet, opened, nonce="another nonce")) == "wrong_nonce"
    assert send(agency, opened, with_adres(wallet, opened, nonce=None)) == "bad_form"
    assert send(agency, opened, wallet.show(opened)) is None


def test_oid4vp_1final_verifier_invalid_sd_hash(agency: Agency, wallet: Wallet, opened: VerifiedRequest) -> None:
    changed = with_adres(wallet, opened, sd_hash=b64u_encode(sha256(b"another presentation")))
    assert send(agency, opened, changed) == "bad_key_binding"
    shown = wallet.show(opened)
    jwt, *disclosures, kb_jwt = shown["adres"][0].split("~")
    fewer = "~".join([jwt, *disclosures[1:], kb_jwt])
    assert send(agency, opened, {**shown, "adres": [fewer]}) == "bad_key_binding"
    assert send(agency, opened, wallet.show(opened)) is None


@pytest.mark.parametrize("iat", [NOW + 61, NOW + 3600])
def test_oid4vp_1final_verifier_kb_jwt_iat_in_future(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest, iat: int
) -> None:
    assert send(agency, opened, with_adres(wallet, opened, iat=iat)) == "stale_key_binding"
    assert send(agency, opened, wallet.show(opened)) is None


@pytest.mark.parametrize("iat", [NOW - 301, NOW - 86_400, 0])
def test_oid4vp_1final_verifier_kb_jwt_iat_in_past(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest, iat: int
) -> None:
    assert send(agency, opened, with_adres(wallet, opened, iat=iat)) == "stale_key_binding"
    assert send(agency, opened, wallet.show(opened)) is None


@pytest.mark.parametrize("iat", [NOW - 300, NOW + 60])
def test_kb_jwt_at_the_edge_of_its_window_is_accepted(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest, iat: int
) -> None:
    assert send(agency, opened, with_adres(wallet, opened, iat=iat)) is None


def test_presentation_without_key_binding_is_refused(
    agency: Agency, wallet: Wallet, opened: VerifiedRequest
) -> None:
    shown = wallet.show(opened)
    stripped = split_sd_jwt(shown["adres"][0]).presented
    assert send(agency, opened, {**shown, "adres": [stripped]}) == "no_key_binding"


def test_key_binding_of_another_type_is_refused(agency: Agency, wallet: Wallet, opened: VerifiedRequest) -> None:
    shown = wallet.show(opened)
    presented = split_sd_jwt(shown["adres"][0]).presented
    payload = {"aud": opened.client_id, "nonce": opened.nonce, "iat": NOW, "sd_hash": sd_hash(presented)}
    typed = sign_jws(payload, wallet.keys[ADRES], typ="JWT")
    assert send(agency, opened, {**shown, "adres": [presented + typed]}) == "bad_type"
    unsigned = b64u_encode(b'{"alg":"none","typ":"kb+jwt"}') + "." + b64u_encode(canonical_bytes(payload)) + "."
    assert send(agency, opened, {**shown, "adres": [presented + unsigned]}) == "bad_algorithm"


def test_answer_to_a_request_for_one_credential_with_two_is_refused(agency: Agency, wallet: Wallet) -> None:
    services = [
        service_of("adres.postcode", id="smal"),
        service_of("adres.postcode", "persoon.voornamen", id="breed"),
    ]
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=services)]))
    wallet.trust = agency.trust
    request = wallet.open(agency, agency.ask(service="smal", once=True)[1])
    both = wallet.open(agency, agency.ask(service="breed", once=True)[1])
    shown = {**wallet.show(request), "persoon": wallet.show(both, audience=request.client_id)["persoon"]}
    shown["persoon"] = [key_binding(shown["persoon"][0], wallet, request, key=wallet.keys[builders.PERSOON])]
    assert send(agency, request, shown) == "dcql_not_satisfied"
