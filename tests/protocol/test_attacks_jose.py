"""Attacks on JWS, JWE and their keys by the names of RFC 8725, and psychic ones, on all that is signed.

One table of tokens: each is good as it is, and each attack is made on all. A refusal leaves nothing behind:
what was good is accepted afterwards.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from protocol import dpop, jwe, key_proof, trust_list
from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.issuer_jwt import verify_issuer_jwt
from protocol.key_binding import sign_key_binding, verify_key_binding
from protocol.keys import P256_ORDER, Es256Private
from protocol.registration_certificate import REGISTRATION_TYP
from protocol.status_list import verify_status_token
from tests.protocol import builders as b
from tests.protocol import peer_input_oauth as oauth
from tests.protocol import peer_input_openid as openid
from tests.protocol import peer_input_trust as trust_rows
from tests.protocol.peer_input import forge_header, header_of
from tests.protocol.peer_input_tokens import STATUS_TOKEN

NOW = b.NOW
PRESENTED = b.reveal(b.credential(), ["postcode"])
URI = "https://issuer.voorbeeld.example/token"


@dataclass(frozen=True)
class Kind:
    """A kind of token: a good one, who signed it, and who reads it."""

    name: str
    token: str
    signer: Es256Private
    verify: Callable[[str], object]
    brings_key: bool = False

    def __str__(self) -> str:
        return self.name


def _verify_proof(token: str) -> object:
    return key_proof.verify_key_proofs([key_proof.parse_key_proof(token)], audience=b.ISSUER_ID, now=NOW)


KINDS = [
    Kind(
        "dc+sd-jwt",
        b.credential().split("~")[0],
        b.ISSUER.key,
        lambda token: verify_issuer_jwt(token, b.TRUST, NOW),
    ),
    Kind(
        "kb+jwt",
        sign_key_binding(PRESENTED, b.HOLDER, audience="x509_hash:A", nonce="n", iat=NOW),
        b.HOLDER,
        lambda token: verify_key_binding(
            token, PRESENTED, b.HOLDER.public, audience="x509_hash:A", nonce="n", now=NOW
        ),
    ),
    Kind(
        "statuslist+jwt",
        STATUS_TOKEN,
        b.ISSUER.key,
        lambda token: verify_status_token(token, uri=b.STATUS_URI, roots=[b.ISSUER.root], now=NOW),
    ),
    Kind(
        "openid4vci-proof+jwt",
        key_proof.sign_key_proof(b.HOLDER, audience=b.ISSUER_ID, nonce="n", iat=NOW),
        b.HOLDER,
        _verify_proof,
        brings_key=True,
    ),
    Kind(
        "dpop+jwt",
        dpop.sign_dpop(b.HOLDER, method="POST", uri=URI, iat=NOW, jti="1"),
        b.HOLDER,
        lambda token: dpop.verify_dpop(token, method="POST", uri=URI, now=NOW),
        brings_key=True,
    ),
    Kind(
        trust_list.TRUST_LIST_TYP,
        b.trust_list_token(),
        b.REGISTRAR,
        lambda token: trust_list.verify_trust_list(token, b.REGISTRAR.public, NOW),
    ),
]
KINDS += [
    Kind("oauth-authz-req+jwt", openid.REQUEST_TOKEN, b.AGENCY.key, openid._request_token),
    Kind("oauth-client-attestation+jwt", oauth.ATTESTATION, oauth.PROVIDER.key, oauth._client),
    Kind(
        "oauth-client-attestation-pop+jwt",
        oauth.POP,
        oauth.INSTANCE,
        lambda pop: oauth._client(oauth.ATTESTATION, pop),
    ),
    Kind("key-attestation+jwt", oauth.KEY_ATTESTATION, oauth.PROVIDER.key, oauth._keys),
    Kind("openidvci-issuer-metadata+jwt", oauth.SIGNED, b.ISSUER.key, oauth._metadata),
    Kind(REGISTRATION_TYP, trust_rows.REGISTRATION, b.ISSUER.key, trust_rows._registration),
]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture(autouse=True)
def nothing_changed() -> Iterator[None]:
    """What was good is good after the attack."""
    yield
    for kind in KINDS:
        kind.verify(kind.token)


def is_refused(kind: Kind, token: str, *codes: str) -> None:
    """Twice, with one of these codes; what an OAuth error stands for is its cause."""
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            kind.verify(token)
        cause = caught.value.__cause__
        code = cause.code if isinstance(cause, Rejected) else caught.value.code
        assert not codes or code in codes


def with_header(kind: Kind, **changes: Any) -> str:
    """The token with another header, signed by its own signer."""
    header = {**header_of(kind.token), **changes}
    header = {name: value for name, value in header.items() if value is not None}
    return forge_header(header, kind.token.split(".")[1], kind.signer)


def with_signature(kind: Kind, signature: bytes) -> str:
    return f"{kind.token.rpartition('.')[0]}.{b64u_encode(signature)}"


def public_forms(key: Es256Private) -> list[bytes]:
    """Every text by which a confused reader could take the public key for a secret."""
    public = key.public.key
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    return [
        public.public_bytes(pem, info),
        public.public_bytes(pem, info).strip(),
        public.public_bytes(der, info),
        key.public.x + key.public.y,
        json.dumps(key.public.jwk()).encode(),
    ]


# Algorithm confusion


@each_kind
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_algorithm_none(kind: Kind, algorithm: str) -> None:
    head = b64u_encode(json.dumps({**header_of(kind.token), "alg": algorithm}).encode())
    body = f"{head}.{kind.token.split('.')[1]}"
    for signature in ("", kind.token.rpartition(".")[2]):
        is_refused(kind, f"{body}.{signature}", "bad_algorithm")


@each_kind
def test_algorithm_confusion_with_the_public_key_as_secret(kind: Kind) -> None:
    for algorithm, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        head = b64u_encode(json.dumps({**header_of(kind.token), "alg": algorithm}).encode())
        body = f"{head}.{kind.token.split('.')[1]}"
        for secret in public_forms(kind.signer):
            mac = hmac.digest(secret, body.encode(), digest)
            is_refused(kind, f"{body}.{b64u_encode(mac)}", "bad_algorithm")


@each_kind
@pytest.mark.parametrize(
    "algorithm", ["ES384", "ES512", "ES256K", "EdDSA", "RS256", "PS256", "es256", ["ES256"], None]
)
def test_algorithm_that_is_not_on_the_list(kind: Kind, algorithm: Any) -> None:
    is_refused(kind, with_header(kind, alg=algorithm), "bad_algorithm")


@each_kind
def test_header_without_its_type_or_of_another_kind(kind: Kind) -> None:
    """Every kind of token has a type of its own, so none passes for another (RFC 8725 3.11)."""
    for typ in (None, "JWT", kind.name.upper(), *(other.name for other in KINDS if other is not kind)):
        is_refused(kind, with_header(kind, typ=typ), "bad_type")


@each_kind
def test_token_of_one_kind_passes_for_no_other(kind: Kind) -> None:
    for other in KINDS:
        if other is not kind:
            is_refused(kind, other.token)


# Signatures


@each_kind
def test_psychic_signature(kind: Kind) -> None:
    """r or s zero, or the group order, or beyond: verifies under every key where nobody looks."""
    zero, one, order = bytes(32), (1).to_bytes(32, "big"), P256_ORDER.to_bytes(32, "big")
    for r in (zero, one, order, b"\xff" * 32):
        for s in (zero, order, b"\xff" * 32):
            is_refused(kind, with_signature(kind, r + s), "bad_signature")


@each_kind
def test_der_signature_instead_of_raw(kind: Kind) -> None:
    raw = b64u_decode(kind.token.rpartition(".")[2])
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    is_refused(kind, with_signature(kind, der))


@each_kind
def test_signature_cut_short_or_prolonged(kind: Kind) -> None:
    raw = b64u_decode(kind.token.rpartition(".")[2])
    for signature in (b"", raw[:-1], raw + b"\0", b"\0" + raw, raw * 2):
        is_refused(kind, with_signature(kind, signature))


@each_kind
def test_second_spelling_of_a_token(kind: Kind) -> None:
    """Padding, spare bits and blanks: each would be another key of a cache of used tokens."""
    head, payload, signature = kind.token.split(".")
    spare = chr(ord(signature[-1]) + 1)
    for text in (
        f"{head}=.{payload}.{signature}",
        f"{head}.{payload}.{signature}==",
        f"{head}.{payload}.{signature[:-1]}{spare}",
        f"{head}.{payload}.{signature} ",
        f" {kind.token}",
        f"{kind.token}\n",
        f"{head}.{payload[:4]}\n{payload[4:]}.{signature}",
        f"{kind.token}.",
    ):
        is_refused(kind, text)


@each_kind
def test_tampered_payload_and_header(kind: Kind) -> None:
    head, payload, signature = kind.token.split(".")
    for text in (
        f"{head}.{b64u_encode(b64u_decode(payload, max_bytes=2**22) + b' ')}.{signature}",
        f"{b64u_encode(b64u_decode(head) + b' ')}.{payload}.{signature}",
    ):
        is_refused(kind, text, "bad_signature")


# Headers that steer the reader


@each_kind
@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_key_that_lies_where_the_sender_says(kind: Kind, name: str) -> None:
    is_refused(kind, with_header(kind, **{name: "https://evil.example/keys"}), "bad_header", "bad_key_binding")


@each_kind
@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "b64", None])
def test_critical_extension_that_nobody_knows(kind: Kind, crit: Any) -> None:
    token = with_header(kind, b64=False) if crit is None else with_header(kind, crit=crit, b64=False)
    if crit is not None:
        is_refused(kind, token, "bad_header")


@each_kind
def test_key_of_the_attacker_in_the_header(kind: Kind) -> None:
    """Where the key is somebody's in particular, a header `jwk` is refused; in a proof it is the key itself."""
    thief = b.es256("thief")
    token = forge_header({**header_of(kind.token), "jwk": thief.public.jwk()}, kind.token.split(".")[1], thief)
    if kind.brings_key:
        kind.verify(token)  # a proof by the thief is the thief's: whoever binds to it compares keys
    else:
        is_refused(kind, token, "bad_header")


@each_kind
def test_kid_as_path_or_query_is_never_looked_up(kind: Kind) -> None:
    for kid in ("../../../../etc/passwd", "' OR 1=1 --", "https://evil.example", "\0"):
        token = with_header(kind, kid=kid)
        if kind.brings_key:
            is_refused(kind, token)  # a proof names its key once, by jwk
        else:
            kind.verify(token)


@each_kind
def test_duplicate_member_in_a_header(kind: Kind) -> None:
    head = json.dumps(header_of(kind.token))[:-1] + ',"alg":"ES256"}'
    body = f"{b64u_encode(head.encode())}.{kind.token.split('.')[1]}"
    is_refused(kind, f"{body}.{b64u_encode(kind.signer.sign(body.encode()))}", "duplicate_key", "bad_key_binding")


@each_kind
def test_oversized_and_deep_header(kind: Kind) -> None:
    rest = kind.token.partition(".")[2]
    is_refused(kind, f"{b64u_encode(b'[' * 3000)}.{rest}")
    is_refused(kind, f"{b64u_encode(json.dumps({**header_of(kind.token), 'x': 'A' * 2**23}).encode())}.{rest}")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.brings_key], ids=str)
@pytest.mark.parametrize("member", ["d", "k"])
def test_private_key_in_a_proof_header(kind: Kind, member: str) -> None:
    """A holder that sends its private key has none any more."""
    jwk = {**header_of(kind.token)["jwk"], member: b64u_encode(bytes(31) + b"\1")}
    is_refused(kind, with_header(kind, jwk=jwk))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.brings_key], ids=str)
@pytest.mark.parametrize(
    "change",
    [
        {"crv": "P-384"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"y": "A" * 43},
        {"x": ""},
    ],
    ids=str,
)
def test_key_of_another_kind_or_off_the_curve_in_a_proof_header(kind: Kind, change: dict[str, str]) -> None:
    is_refused(kind, with_header(kind, jwk={**header_of(kind.token)["jwk"], **change}))
    is_refused(kind, with_header(kind, jwk=None))


# Chains


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "x5c" in header_of(kind.token)], ids=str)
def test_chain_of_the_attacker(kind: Kind) -> None:
    """The same names under another root, a self-signed leaf, the anchor along, no chain at all."""
    payload = kind.token.split(".")[1]
    head = {"alg": "ES256", "typ": kind.name}
    root = b.ISSUER.roots
    for key, x5c in (
        (b.STRANGER.key, b.STRANGER.x5c),
        (b.STRANGER.root_key, b.STRANGER.roots),
        (b.STRANGER.key, b.STRANGER.x5c + root),
        (b.STRANGER.key, b.STRANGER.x5c + b.ISSUER.x5c),
        (b.ISSUER.key, b.ISSUER.x5c + root),
        (b.ISSUER.root_key, root),
        (b.ISSUER.key, []),
        (b.ISSUER.key, [*b.ISSUER.x5c, *b.STRANGER.x5c]),
    ):
        is_refused(kind, forge_header({**head, "x5c": x5c}, payload, key))
    is_refused(kind, forge_header(head, payload, b.ISSUER.key))


# JWE


ENCRYPTED = jwe.encrypt(b"an answer", b.HOLDER.public.jwk(), enc="A256GCM", apv=b"nonce")


def jwe_with(**changes: Any) -> str:
    header = {name: value for name, value in {**header_of(ENCRYPTED), **changes}.items() if value is not None}
    return ".".join((b64u_encode(json.dumps(header).encode()), *ENCRYPTED.split(".")[1:]))


def jwe_refused(token: str, *codes: str) -> None:
    with pytest.raises(Rejected) as caught:
        jwe.decrypt(token, b.HOLDER)
    assert caught.value.code in codes
    assert jwe.decrypt(ENCRYPTED, b.HOLDER) == b"an answer"


@pytest.mark.parametrize(
    "algorithm", ["RSA1_5", "RSA-OAEP", "dir", "PBES2-HS256+A128KW", "A128KW", "ECDH-ES+A256KW"]
)
def test_encryption_algorithm_that_is_not_on_the_list(algorithm: str) -> None:
    jwe_refused(jwe_with(alg=algorithm, p2c=2**31, p2s="AAAA"), "bad_algorithm")
    jwe_refused(jwe_with(p2c=2**31), "bad_header")


def test_decompression_bomb_in_an_encrypted_answer() -> None:
    jwe_refused(jwe_with(zip="DEF"), "bad_header")


def test_invalid_curve_attack() -> None:
    """An ephemeral point off the curve would leak the private key bit by bit."""
    epk = header_of(ENCRYPTED)["epk"]
    for change in (
        {"y": b64u_encode(bytes(31) + b"\5")},
        {"x": b64u_encode(bytes(32))},
        {"crv": "P-521"},
        {"d": "AAAA"},
    ):
        jwe_refused(jwe_with(epk={**epk, **change}), "bad_key")
    jwe_refused(jwe_with(epk=None), "bad_header")


def test_empty_or_short_authentication_tag() -> None:
    parts = ENCRYPTED.split(".")
    for tag in ("", parts[4][:16], parts[4] + "AA"):
        jwe_refused(".".join((*parts[:4], tag)), "bad_base64", "too_large")
