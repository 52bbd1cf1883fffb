"""Key attestation (OpenID4VCI 1.0 appendix D): a wallet provider says where keys are kept.

`key-attestation+jwt` with `x5c`; payload `iat`, `exp`, `attested_keys`, and what protects them. It comes in the
header of a `jwt` proof (F.1), which one of the keys signs, or alone as the proof type `attestation` (F.3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.canonical import parse_json
from protocol.errors import Rejected
from protocol.jws import UnverifiedJws, parse_jws, sign_jws, verify_jws
from protocol.keys import Es256Private, Es256Public, parse_jwk
from protocol.trust_list import TrustList, WalletProvider
from protocol.x509 import VerifiedLeaf, parse_x5c, verify_chain, x5c

KEY_ATTESTATION_TYP = "key-attestation+jwt"
DRAFT_TYP = "keyattestation+jwt"
"""Of the drafts; wallets by @openid4vc/openid4vci 0.4.6 still write it. It says the same."""
MAX_KEY_ATTESTATION_BYTES = 16 * 1024
MAX_ATTESTED_KEYS = 30
"""As many as a batch has copies."""
MAX_CLOCK_SKEW = 60
"""Seconds that `iat` may lie ahead of our clock."""
MAX_NONCE = 1024
MAX_LEVELS = 16


@dataclass(frozen=True)
class VerifiedKeyAttestation:
    """`keys` in their order. The caller MUST spend `nonce`, and compare the levels with what it requires (D.2)."""

    keys: tuple[Es256Public, ...]
    provider: WalletProvider
    nonce: str | None
    key_storage: tuple[str, ...]
    user_authentication: tuple[str, ...]


def sign_key_attestation(
    provider_key: Es256Private,
    chain: Sequence[bytes],
    *,
    issuer: str,
    keys: Sequence[Es256Public],
    iat: int,
    exp: int,
    nonce: str | None = None,
    key_storage: Sequence[str] = (),
    user_authentication: Sequence[str] = (),
) -> str:
    """The attestation of `keys`; `chain` (DER, leaf first, without the anchor) belongs to `provider_key`."""
    claims: dict[str, Any] = {
        "iss": issuer,
        "iat": iat,
        "exp": exp,
        "attested_keys": [key.jwk() for key in keys],
        "nonce": nonce,
        "key_storage": list(key_storage),
        "user_authentication": list(user_authentication),
    }
    present = {name: value for name, value in claims.items() if value}
    return sign_jws(present, provider_key, typ=KEY_ATTESTATION_TYP, header={"x5c": x5c(chain)})


def verify_key_attestation(token: str, *, trust: TrustList, now: int) -> VerifiedKeyAttestation:
    """What a listed wallet provider attests. 1. form, `typ`, `alg`; 2. `x5c` leads to the roots of a listed one,
    3. which is `iss`, if there is one (D.1 knows none); 4. signature; 5. `iat` not ahead, `exp` not passed;
    6. one or more different public P-256 keys; 7. nonce and levels have their form.

    `exp` is required of both proof types, though D.1 requires it of one only: nothing is attested for ever.
    Raises `Rejected`: `invalid_proof`.
    """
    try:
        jws = parse_key_attestation(token)  # 1
        provider, leaf = _provider_of(jws, trust, now)  # 2, 3
        claims = _claims(verify_jws(jws, leaf.key))  # 4
        _check_times(claims, now)  # 5
        keys = _keys(claims)  # 6
        levels = [_levels(claims, name) for name in ("key_storage", "user_authentication")]  # 7
        return VerifiedKeyAttestation(keys, provider, _nonce(claims), *levels)
    except Rejected as error:
        raise Rejected("invalid_proof", f"key attestation: {error.detail}") from error


def parse_key_attestation(token: str) -> UnverifiedJws:
    """Form, `typ`, `alg`; **not** the signature. Raises `Rejected` as `parse_jws` does."""
    try:
        return parse_jws(token, typ=KEY_ATTESTATION_TYP, max_bytes=MAX_KEY_ATTESTATION_BYTES)
    except Rejected as error:
        if error.code != "bad_type":
            raise
    return parse_jws(token, typ=DRAFT_TYP, max_bytes=MAX_KEY_ATTESTATION_BYTES)


def _provider_of(jws: UnverifiedJws, trust: TrustList, now: int) -> tuple[WalletProvider, VerifiedLeaf]:
    chain, iss = parse_x5c(jws.header.get("x5c")), _claims(jws.payload).get("iss")
    if iss is not None:
        provider = trust.wallet_provider(str(iss))
        return provider, verify_chain(chain, provider.root_certificates, now)
    refusal = Rejected("not_listed", "no wallet provider is listed", status=403)
    for provider in trust.wallet_providers:
        try:
            return provider, verify_chain(chain, provider.root_certificates, now)
        except Rejected as error:
            refusal = error
    raise refusal


def _claims(payload: bytes) -> Mapping[str, Any]:
    claims = parse_json(payload, max_bytes=MAX_KEY_ATTESTATION_BYTES, floats=True)
    if not isinstance(claims, dict):
        raise Rejected("bad_form", "it has no claims")
    return claims


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    iat, exp = _time(claims, "iat"), _time(claims, "exp")
    if iat > now + MAX_CLOCK_SKEW or exp <= now:
        raise Rejected("bad_time", "it is not in force")


def _time(claims: Mapping[str, Any], name: str) -> int | float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Rejected("bad_time", f"{name} is missing or not a number")
    return value


def _keys(claims: Mapping[str, Any]) -> tuple[Es256Public, ...]:
    listed = claims.get("attested_keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ATTESTED_KEYS or not _are_objects(listed):
        raise Rejected("bad_form", f"it attests 1 to {MAX_ATTESTED_KEYS} keys")
    keys = tuple(map(parse_jwk, listed))
    if len(set(keys)) != len(keys):
        raise Rejected("bad_form", "it attests a key twice")
    return keys


def _are_objects(values: Sequence[object]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _levels(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    levels = claims.get(name, [])
    if not isinstance(levels, list) or len(levels) > MAX_LEVELS or not all(isinstance(x, str) for x in levels):
        raise Rejected("bad_form", f"{name} is not a list of names")
    return tuple(levels)


def _nonce(claims: Mapping[str, Any]) -> str | None:
    nonce = claims.get("nonce")
    if nonce is not None and (not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE):
        raise Rejected("bad_form", "nonce is not a short text")
    return nonce
