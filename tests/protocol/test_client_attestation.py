"""Wallet attestations and key attestations: what a listed provider says, and every way to say it falsely."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol import x509
from protocol.client_attestation import (
    ATTESTATION_TYP,
    POP_TYP,
    VerifiedClient,
    parse_own_attestation,
    sign_attestation_pop,
    sign_client_attestation,
    verify_client_attestation,
)
from protocol.errors import Rejected
from protocol.key_attestation import (
    KEY_ATTESTATION_TYP,
    VerifiedKeyAttestation,
    sign_key_attestation,
    verify_key_attestation,
)
from protocol.trust_list import TrustList, WalletProvider
from tests.protocol import builders as b
from tests.protocol.peer_input import forge, payload_of

NOW = b.NOW
PROVIDER_ID = "https://provider.voorbeeld.example"
CLIENT_ID = "https://wallet.voorbeeld.example"
SERVER = b.ISSUER_ID
PROVIDER = b.party("provider", san_dns="provider.voorbeeld.example")
STRANGER = b.party("stranger", san_dns="provider.voorbeeld.example")
TRUST = TrustList(
    version=1,
    iat=NOW,
    exp=NOW + 10**6,
    wallet_providers=[WalletProvider(id=PROVIDER_ID, name="Provider", roots=PROVIDER.roots)],
)
KEY = b.es256("instance")
ATTESTATION = sign_client_attestation(
    PROVIDER.key,
    [PROVIDER.leaf],
    issuer=PROVIDER_ID,
    client_id=CLIENT_ID,
    holder=KEY.public,
    iat=NOW,
    exp=NOW + 3600,
)
POP = sign_attestation_pop(KEY, client_id=CLIENT_ID, audience=SERVER, iat=NOW, jti="j-1", challenge="c-1")
HEADER = {"x5c": PROVIDER.x5c}
KEYS = [b.es256(f"copy {n}").public for n in range(3)]
KEY_ATTESTATION = sign_key_attestation(
    PROVIDER.key,
    [PROVIDER.leaf],
    issuer=PROVIDER_ID,
    keys=KEYS,
    iat=NOW,
    exp=NOW + 3600,
    nonce="n-1",
    key_storage=["iso_18045_basic"],
)


def attested(**claims: Any) -> str:
    return forge({**payload_of(ATTESTATION), **claims}, PROVIDER.key, ATTESTATION_TYP, HEADER)


def proven(**claims: Any) -> str:
    return forge({**payload_of(POP), **claims}, KEY, POP_TYP)


def verify(attestation: str = ATTESTATION, pop: str = POP) -> VerifiedClient:
    return verify_client_attestation(attestation, pop, trust=TRUST, audience=SERVER, now=NOW)


def refused(call: Callable[[], object], code: str = "invalid_client_attestation") -> None:
    with pytest.raises(Rejected) as refusal:
        call()
    assert refusal.value.code == code


def test_server_knows_the_client() -> None:
    found = verify()
    assert (found.client_id, found.provider.id, found.key) == (CLIENT_ID, PROVIDER_ID, KEY.public)
    assert (found.jti, found.challenge) == ("j-1", "c-1")


def test_what_later_drafts_changed_is_taken() -> None:
    """Draft 08 and later leave `iss` out of the proof; some write `aud` as a list."""
    claims = payload_of(POP)
    del claims["iss"], claims["challenge"]
    assert verify(pop=forge(claims, KEY, POP_TYP)).challenge is None
    assert verify(pop=proven(aud=[SERVER])).jti == "j-1"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\0"},
        {"exp": NOW},
        {"exp": None},
        {"exp": "soon"},
        {"iat": NOW + 61},
        {"nbf": NOW + 61},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": {"jwk": []}},
        {"cnf": {"jwk": {**KEY.public.jwk(), "d": "A" * 43}}},
        {"cnf": {"jwk": b.es256("another").public.jwk()}},
    ],
)
def test_attestation_that_breaks_a_rule_is_refused(claims: dict[str, Any]) -> None:
    refused(lambda: verify(attested(**claims)))


def test_attestation_without_exp_is_refused() -> None:
    claims = payload_of(ATTESTATION)
    del claims["exp"]
    refused(lambda: verify(forge(claims, PROVIDER.key, ATTESTATION_TYP, HEADER)))


def test_attack_attestation_by_a_stranger_in_the_name_of_a_provider() -> None:
    claims = payload_of(ATTESTATION)
    refused(lambda: verify(forge(claims, STRANGER.key, ATTESTATION_TYP, {"x5c": STRANGER.x5c})))
    refused(lambda: verify(forge(claims, STRANGER.key, ATTESTATION_TYP, HEADER)))
    refused(lambda: verify(forge(claims, PROVIDER.key, ATTESTATION_TYP)))
    refused(lambda: verify(forge(claims, PROVIDER.key, POP_TYP, HEADER)))
    with_root = {"x5c": x509.x5c([PROVIDER.leaf, PROVIDER.root])}
    refused(lambda: verify(forge(claims, PROVIDER.key, ATTESTATION_TYP, with_root)))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": [SERVER, "https://other.example"]},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iat": NOW - 301},
        {"iat": NOW + 61},
        {"iat": None},
        {"exp": NOW},
        {"nbf": NOW + 61},
        {"jti": None},
        {"jti": ""},
        {"challenge": 1},
        {"challenge": ""},
    ],
)
def test_proof_that_breaks_a_rule_is_refused(claims: dict[str, Any]) -> None:
    refused(lambda: verify(pop=proven(**claims)))


def test_attack_attestation_stolen_without_its_key() -> None:
    refused(lambda: verify(pop=forge(payload_of(POP), b.es256("thief"), POP_TYP)))
    refused(lambda: verify(pop=ATTESTATION))
    claims = payload_of(POP)
    del claims["iat"]
    refused(lambda: verify(pop=forge(claims, KEY, POP_TYP)))


@pytest.mark.parametrize("text", ["", "a.b.c", "é", "a" * 9000])
def test_what_is_no_token_is_refused(text: str) -> None:
    refused(lambda: verify(attestation=text))
    refused(lambda: verify(pop=text))
    refused(lambda: verify(forge([], PROVIDER.key, ATTESTATION_TYP, HEADER)))
    refused(lambda: verify(pop=forge([], KEY, POP_TYP)))


def test_wallet_looks_at_its_attestation_before_it_shows_it() -> None:
    def parse(token: str) -> str:
        return parse_own_attestation(token, client_id=CLIENT_ID, holder=KEY.public)

    assert parse(ATTESTATION) == ATTESTATION
    for token in (
        attested(sub="https://other.example"),
        attested(cnf={"jwk": b.es256("another").public.jwk()}),
        attested(cnf=None),
        POP,
        ATTESTATION + "\r\nX-Header: evil",
        "a" * 9000,
    ):
        refused(lambda token=token: parse(token), "bad_attestation")  # type: ignore[misc]


def read(token: str = KEY_ATTESTATION) -> VerifiedKeyAttestation:
    return verify_key_attestation(token, trust=TRUST, now=NOW)


def keyed(**claims: Any) -> str:
    return forge({**payload_of(KEY_ATTESTATION), **claims}, PROVIDER.key, KEY_ATTESTATION_TYP, HEADER)


def test_issuer_reads_a_key_attestation() -> None:
    found = read()
    assert (found.keys, found.nonce, found.provider.id) == (tuple(KEYS), "n-1", PROVIDER_ID)
    assert (found.key_storage, found.user_authentication) == (("iso_18045_basic",), ())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iat": NOW + 61},
        {"iat": None},
        {"exp": NOW},
        {"exp": None},
        {"exp": True},
        {"attested_keys": []},
        {"attested_keys": None},
        {"attested_keys": [1]},
        {"attested_keys": [KEYS[0].jwk()] * 2},
        {"attested_keys": [b.es256(str(n)).public.jwk() for n in range(31)]},
        {"attested_keys": [{**KEYS[0].jwk(), "d": "A" * 43}]},
        {"nonce": 1},
        {"nonce": ""},
        {"key_storage": "high"},
        {"key_storage": ["a"] * 17},
        {"user_authentication": [1]},
    ],
)
def test_key_attestation_that_breaks_a_rule_is_refused(claims: dict[str, Any]) -> None:
    refused(lambda: read(keyed(**claims)), "invalid_proof")


def test_issuer_finds_who_attests_keys_by_the_certificate_alone() -> None:
    """OpenID4VCI 1.0 D.1 knows no `iss`; @openid4vc/openid4vci 0.4.6 writes the `typ` of a draft."""
    claims = payload_of(KEY_ATTESTATION)
    del claims["iss"]
    for typ in (KEY_ATTESTATION_TYP, "keyattestation+jwt"):
        assert read(forge(claims, PROVIDER.key, typ, HEADER)) == read()
    refused(lambda: read(forge(claims, PROVIDER.key, "JWT", HEADER)), "invalid_proof")
    refused(lambda: read(forge(claims, STRANGER.key, KEY_ATTESTATION_TYP, {"x5c": STRANGER.x5c})), "invalid_proof")


def test_attack_key_attestation_by_a_stranger() -> None:
    claims = payload_of(KEY_ATTESTATION)
    refused(lambda: read(forge(claims, STRANGER.key, KEY_ATTESTATION_TYP, {"x5c": STRANGER.x5c})), "invalid_proof")
    refused(lambda: read(forge(claims, STRANGER.key, KEY_ATTESTATION_TYP, HEADER)), "invalid_proof")
    refused(lambda: read(forge([], PROVIDER.key, KEY_ATTESTATION_TYP, HEADER)), "invalid_proof")
    refused(lambda: read("a" * 20000), "invalid_proof")
