"""What a wallet shows its provider to have a key attested."""

import json
from typing import Any

import pytest

from protocol.canonical import b64u_decode
from protocol.errors import Rejected
from protocol.jws import sign_jws
from protocol.trust_list import MAX_CLOCK_SKEW
from protocol.wallet_attestation import MAX_WALLET_KEY_AGE, WALLET_KEY_TYP, sign_wallet_key, verify_wallet_key
from tests.protocol import builders as b
from tests.protocol.builders import NOW

PROVIDER = "https://registrar.voorbeeld.example"
JWK = b.HOLDER.public.jwk()


def refusal(proof: str, *, provider: str = PROVIDER) -> str:
    with pytest.raises(Rejected) as caught:
        verify_wallet_key(proof, provider=provider, now=NOW)
    return caught.value.code


def made(header: dict[str, Any] | None = None, typ: str = WALLET_KEY_TYP, **payload: Any) -> str:
    return sign_jws(
        {"aud": PROVIDER, "iat": NOW, **payload},
        b.HOLDER,
        typ=typ,
        header={"jwk": JWK} if header is None else header,
    )


def test_provider_learns_the_key_and_nothing_else() -> None:
    proof = sign_wallet_key(b.HOLDER, provider=PROVIDER, iat=NOW)
    assert verify_wallet_key(proof, provider=PROVIDER, now=NOW) == b.HOLDER.public
    claims = json.loads(b64u_decode(proof.split(".")[1]))
    assert set(claims) == {"aud", "iat"}


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (made(header={"jwk": b.es256("other").public.jwk()}), "bad_signature"),
        (made(header={"jwk": {**JWK, "d": "AAAA"}}), "bad_key"),
        (made(header={"jwk": JWK, "kid": "1"}), "bad_header"),
        (made(header={"jwk": JWK, "x5c": b.AGENCY.x5c}), "bad_header"),
        (made(header={}), "bad_header"),
        (made(header={"jwk": "key"}), "bad_header"),
        (made(typ="openid4vci-proof+jwt"), "bad_type"),
        (made(typ="oauth-client-attestation-pop+jwt"), "bad_type"),
        (made(aud="https://other.example"), "wrong_audience"),
        (made(aud=[PROVIDER]), "bad_form"),
        (made(iat=NOW - MAX_WALLET_KEY_AGE - 1), "expired_proof"),
        (made(iat=NOW + MAX_CLOCK_SKEW + 1), "expired_proof"),
        (made(iat="now"), "bad_form"),
        (made(iat=-1), "bad_form"),
        ("a.b", "bad_jws"),
        ("", "bad_jws"),
    ],
)
def test_proof_of_another_key_kind_place_or_time_is_refused(proof: str, code: str) -> None:
    assert refusal(proof) == code


def test_proof_for_an_issuer_is_none_for_the_provider() -> None:
    """A key proof and this one never stand in for each other, though both are signed by a key in the header."""
    proof = sign_wallet_key(b.HOLDER, provider="https://issuer.example", iat=NOW)
    assert refusal(proof) == "wrong_audience"
