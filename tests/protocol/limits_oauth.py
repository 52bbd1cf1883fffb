"""Probes of the limits in the modules of the authorization code flow, for `test_every_limit`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from protocol import (
    client_attestation,
    credential_encryption,
    credential_request,
    dpop,
    jwe,
    key_attestation,
    oauth,
    openid_connect,
    signed_metadata,
)
from protocol.canonical import b64u_encode
from protocol.keys import Es256Private
from tests.protocol import builders as b
from tests.protocol import peer_input_oauth as o
from tests.protocol.limit_probes import spaced, token_of
from tests.protocol.peer_input import forge, payload_of
from tests.protocol.spoiling import dump

NOW = b.NOW
FORM = oauth.authorization_form(o.AUTHORIZATION)
DETAIL = {"type": "openid_credential", "credential_configuration_id": "a"}


def _asked(**changes: str) -> object:
    return oauth.parse_authorization_request(list({**FORM, **changes}.items()))


def _details_of(size: int) -> object:
    return oauth.parse_authorization_details(spaced([DETAIL], size).decode())


def _dpop(claims: Mapping[str, Any]) -> object:
    proof = forge({**payload_of(o.DPOP), **claims}, o.INSTANCE, dpop.DPOP_TYP, o.JWK)
    return dpop.verify_dpop(proof, method="POST", uri=o.URI, now=NOW, access_token="t")


def _dpop_of(size: int) -> object:
    proof = token_of(size, payload_of(o.DPOP), o.INSTANCE, dpop.DPOP_TYP, **o.JWK)
    return dpop.verify_dpop(proof, method="POST", uri=o.URI, now=NOW, access_token="t")


def _client(attestation: str = o.ATTESTATION, pop: str = o.POP) -> object:
    return client_attestation.verify_client_attestation(
        attestation, pop, trust=o.TRUST, audience=b.ISSUER_ID, now=NOW
    )


def _attested(**claims: Any) -> object:
    typ = client_attestation.ATTESTATION_TYP
    return _client(forge({**payload_of(o.ATTESTATION), **claims}, o.PROVIDER.key, typ, o.X5C))


def _proven(**claims: Any) -> object:
    return _client(pop=forge({**payload_of(o.POP), **claims}, o.INSTANCE, client_attestation.POP_TYP))


def _attestation_of(size: int) -> object:
    typ = client_attestation.ATTESTATION_TYP
    return _client(token_of(size, payload_of(o.ATTESTATION), o.PROVIDER.key, typ, **o.X5C))


def _pop_of(size: int) -> object:
    return _client(pop=token_of(size, payload_of(o.POP), o.INSTANCE, client_attestation.POP_TYP))


def _named(size: int) -> object:
    return _proven(jti="j" * size)


def _keys(token: str) -> object:
    return key_attestation.verify_key_attestation(token, trust=o.TRUST, now=NOW)


def _keyed(**claims: Any) -> object:
    payload = {**payload_of(o.KEY_ATTESTATION), **claims}
    return _keys(forge(payload, o.PROVIDER.key, key_attestation.KEY_ATTESTATION_TYP, o.X5C))


def _key_attestation_of(size: int) -> object:
    payload = payload_of(o.KEY_ATTESTATION)
    return _keys(token_of(size, payload, o.PROVIDER.key, key_attestation.KEY_ATTESTATION_TYP, **o.X5C))


def _attested_keys(count: int) -> object:
    return _keyed(attested_keys=[b.es256(f"copy {n}").public.jwk() for n in range(count)])


def _jwe_of(size: int) -> str:
    """A JWE of exactly so many characters; `apv` makes up for the lengths that base64 does not have."""
    for length in range(4):
        bare = len(jwe.encrypt(b"", o.INSTANCE.public.jwk(), enc="A256GCM", apv=bytes(length)))
        if (size - bare) % 4 != 1:
            room = (size - bare) // 4 * 3 + (0, 0, 1, 2)[(size - bare) % 4]
            token = jwe.encrypt(bytes(room), o.INSTANCE.public.jwk(), enc="A256GCM", apv=bytes(length))
            assert len(token) == size
            return token
    raise AssertionError("no such size")


def _opened(read: Callable[[str, Es256Private], object], size: int) -> object:
    return read(_jwe_of(size), o.INSTANCE)


def _metadata_at(iat: int) -> object:
    claims = {**payload_of(o.SIGNED), "iat": iat}
    return _metadata(forge(claims, b.ISSUER.key, signed_metadata.SIGNED_METADATA_TYP, {"x5c": b.ISSUER.x5c}))


def _metadata_of(size: int) -> object:
    typ = signed_metadata.SIGNED_METADATA_TYP
    return _metadata(token_of(size, payload_of(o.SIGNED), b.ISSUER.key, typ, x5c=b.ISSUER.x5c))


def _metadata(token: str) -> object:
    return signed_metadata.verify_issuer_metadata(token, issuer=b.ISSUER_ID, roots=[b.ISSUER.root], now=NOW)


def _requested(size: int) -> object:
    body = {"credential_configuration_id": "a", "proofs": {"jwt": ["x"]}}
    return credential_request.parse_credential_request(spaced(body, size), encrypted=False)


def _answered(size: int) -> object:
    return credential_request.parse_credential_response(
        spaced({"credentials": [{"credential": "x"}]}, size), copies=1
    )


def _waiting(seconds: int) -> object:
    body = json.dumps({"transaction_id": "t", "interval": seconds})
    return credential_request.parse_credential_response(body, copies=1)


def _transaction(size: int) -> object:
    return credential_request.parse_deferred_request(json.dumps({"transaction_id": "t" * size}), encrypted=False)


_DPOP, _CLIENT, _KEYS = "invalid_dpop_proof", "invalid_client_attestation", "invalid_proof"


def rsa_of(bits: int) -> object:
    """A key of so many bits, whatever its factors."""
    modulus = b64u_encode((2 ** (bits - 1) + 1).to_bytes((bits + 7) // 8, "big"))
    return openid_connect.parse_rsa_jwk({**o.RSA, "n": modulus})


def _login_of(size: int) -> object:
    return o.verify_login(token_of(size, o.LOGIN, o.INSTANCE, "JWT", in_payload=True, kid="1"))


LIMITS: dict[str, tuple[Callable[[int], object], str]] = {
    "oauth.MAX_PARAMETER": (lambda n: _asked(state="s" * n), "invalid_request"),
    "oauth.MAX_DETAILS_BYTES": (_details_of, "invalid_authorization_details"),
    "oauth.MAX_SCOPES": (lambda n: _asked(scope=" ".join("s" * n)), "invalid_scope"),
    "dpop.MAX_DPOP_BYTES": (_dpop_of, _DPOP),
    "dpop.DPOP_MAX_AGE": (lambda n: _dpop({"iat": NOW - n}), _DPOP),
    "dpop.DPOP_MAX_AHEAD": (lambda n: _dpop({"iat": NOW + n}), _DPOP),
    "dpop.MAX_JTI": (lambda n: _dpop({"jti": "j" * n}), _DPOP),
    "dpop.MAX_NONCE": (lambda n: _dpop({"nonce": "n" * n}), _DPOP),
    "client_attestation.MAX_ATTESTATION_BYTES": (_attestation_of, _CLIENT),
    "client_attestation.MAX_POP_BYTES": (_pop_of, _CLIENT),
    "client_attestation.POP_MAX_AGE": (lambda n: _proven(iat=NOW - n), _CLIENT),
    "client_attestation.MAX_CLOCK_SKEW": (lambda n: _attested(iat=NOW + n), _CLIENT),
    "client_attestation.MAX_TEXT": (_named, _CLIENT),
    "key_attestation.MAX_KEY_ATTESTATION_BYTES": (_key_attestation_of, _KEYS),
    "key_attestation.MAX_ATTESTED_KEYS": (_attested_keys, _KEYS),
    "key_attestation.MAX_CLOCK_SKEW": (lambda n: _keyed(iat=NOW + n), _KEYS),
    "key_attestation.MAX_NONCE": (lambda n: _keyed(nonce="n" * n), _KEYS),
    "key_attestation.MAX_LEVELS": (lambda n: _keyed(key_storage=["a"] * n), _KEYS),
    "credential_encryption.MAX_ENCRYPTED_REQUEST_BYTES": (
        lambda n: _opened(credential_encryption.decrypt_request, n), "invalid_encryption_parameters"),
    "credential_encryption.MAX_ENCRYPTED_RESPONSE_BYTES": (
        lambda n: _opened(credential_encryption.decrypt_response, n), "bad_credential_response"),
    "signed_metadata.MAX_SIGNED_METADATA_BYTES": (_metadata_of, "bad_metadata"),
    "signed_metadata.MAX_CLOCK_SKEW": (lambda n: _metadata_at(NOW + n), "bad_metadata"),
    "credential_request.MAX_REQUEST_BYTES": (_requested, "invalid_credential_request"),
    "credential_request.MAX_RESPONSE_BYTES": (_answered, "bad_credential_response"),
    "credential_request.MAX_NAME": (_transaction, "invalid_transaction_id"),
    "credential_request.MAX_INTERVAL": (_waiting, "bad_credential_response"),
    "openid_connect.MAX_KEYS": (
        lambda n: openid_connect.parse_keys(dump({"keys": [{}] * n})), "bad_keys"),
    "openid_connect.MAX_RSA_BITS": (rsa_of, "bad_id_token"),
    "openid_connect.MAX_TOKEN_BYTES": (_login_of, "bad_id_token"),
}  # fmt: skip
"""What is sent, and the code of the refusal beyond the limit; at the limit it is accepted."""
