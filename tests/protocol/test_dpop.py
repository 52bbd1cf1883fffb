"""DPoP proofs: good ones are read, each rule of RFC 9449 4.3 has a proof that breaks it."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol.dpop import DPOP_TYP, VerifiedDpop, sign_dpop, verify_dpop
from protocol.errors import Rejected
from tests.protocol import builders as b
from tests.protocol.peer_input import forge, header_of, payload_of

URI = "https://issuer.voorbeeld.example/token"
KEY = b.es256("dpop")
PROOF = sign_dpop(KEY, method="POST", uri=URI, iat=b.NOW, jti="j-1", nonce="n-1", access_token="token")
CLAIMS = payload_of(PROOF)
HEADER = header_of(PROOF)


def verify(
    proof: str, *, method: str = "POST", uri: str = URI, access_token: str | None = "token"
) -> VerifiedDpop:
    return verify_dpop(proof, method=method, uri=uri, now=b.NOW, access_token=access_token)


def made(header: Any = None, **claims: Any) -> str:
    return forge({**CLAIMS, **claims}, KEY, DPOP_TYP, {"jwk": KEY.public.jwk(), **(header or {})})


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(Rejected) as refusal:
        call()
    assert refusal.value.code == "invalid_dpop_proof"


def test_server_reads_a_proof() -> None:
    found = verify(PROOF)
    assert (found.key, found.jkt, found.jti, found.iat, found.nonce) == (
        KEY.public, KEY.public.thumbprint(), "j-1", b.NOW, "n-1")  # fmt: skip


def test_query_of_the_address_does_not_count() -> None:
    proof = sign_dpop(KEY, method="GET", uri=URI + "?a=b", iat=b.NOW, jti="j")
    assert payload_of(proof)["htu"] == URI
    assert verify(proof, method="GET", access_token=None).nonce is None


@pytest.mark.parametrize("same", ["HTTPS://ISSUER.voorbeeld.example/token", URI.replace("/token", ":443/token")])
def test_spellings_of_one_address_are_alike(same: str) -> None:
    assert verify(made(htu=same)).jti == "j-1"


@pytest.mark.parametrize(
    "claims",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htu": URI + "/"},
        {"htu": URI.replace("https", "http")},
        {"htu": URI.replace("/token", ":8443/token")},
        {"htu": URI.replace("issuer", "evil")},
        {"htu": URI + "?a=b"},
        {"htu": "https://user@issuer.voorbeeld.example/token"},
        {"htu": "https://[x/"},
        {"htu": None},
        {"jti": ""},
        {"jti": 1},
        {"jti": "j" * 257},
        {"nonce": 1},
        {"nonce": ""},
        {"ath": "other"},
        {"ath": None},
        {"iat": None},
        {"iat": True},
        {"iat": str(b.NOW)},
        {"exp": b.NOW},
        {"nbf": b.NOW + 61},
        {"exp": "soon"},
    ],
)
def test_proof_of_another_request_is_refused(claims: dict[str, Any]) -> None:
    refused(lambda: verify(made(**claims)))


def test_attack_proof_of_the_future_or_the_past() -> None:
    for iat in (b.NOW - 300, b.NOW + 60):
        assert verify(made(iat=iat)).iat == iat
    for iat in (b.NOW - 301, b.NOW + 61):
        refused(lambda iat=iat: verify(made(iat=iat)))  # type: ignore[misc]


def test_attack_stolen_token_with_a_proof_made_for_another() -> None:
    refused(lambda: verify(PROOF, access_token="stolen"))
    refused(lambda: verify(PROOF, access_token=None))
    refused(lambda: verify(sign_dpop(KEY, method="POST", uri=URI, iat=b.NOW, jti="j")))


def test_attack_private_key_in_the_header() -> None:
    refused(lambda: verify(made({"jwk": {**KEY.public.jwk(), "d": "A" * 43}})))


@pytest.mark.parametrize("header", [{"jwk": None}, {"kid": "1"}, {"x5c": []}, {"jwk": {"kty": "oct", "k": "AA"}}])
def test_header_names_its_key_by_jwk_alone(header: dict[str, Any]) -> None:
    refused(lambda: verify(made(header)))


def test_attack_algorithm_confusion() -> None:
    refused(lambda: verify(made({"alg": "none"})))
    refused(lambda: verify(made({"alg": "HS256"})))
    refused(lambda: verify(made({"typ": "openid4vci-proof+jwt"})))
    refused(lambda: verify(forge(CLAIMS, b.es256("other"), DPOP_TYP, {"jwk": KEY.public.jwk()})))


@pytest.mark.parametrize("proof", ["", "a.b", "a.b.c", "é.é.é", "a" * 5000])
def test_what_is_no_proof_is_refused(proof: str) -> None:
    refused(lambda: verify(proof))
    refused(lambda: verify(forge([], KEY, DPOP_TYP, {"jwk": KEY.public.jwk()})))
