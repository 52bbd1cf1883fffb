"""Encrypted credential requests and responses (OpenID4VCI 1.0 section 10): `application/jwt`, on top of TLS.

The JWE of HAIP: ECDH-ES on P-256 with A128GCM or A256GCM, never compressed. The issuer's key for requests stands
in its metadata with a `kid`; the wallet's key for a response, one a request, stands in the request. A request that
names such a key is itself encrypted, or somebody on the way could put his own key there (8.2, 13.11). Errors are
never encrypted (8.3.1).
"""

from typing import Any

from protocol import jwe
from protocol.direct_post import EncryptionKey
from protocol.errors import Rejected
from protocol.issuer_metadata import KeySet, RequestEncryption, ResponseEncryption
from protocol.keys import Es256Private, Es256Public, parse_jwk

JWT_MEDIA_TYPE = "application/jwt"
MAX_ENCRYPTED_REQUEST_BYTES = 192 * 1024
"""A credential request of the largest size fits."""
MAX_ENCRYPTED_RESPONSE_BYTES = 3 * 1024 * 1024
"""A credential response of the largest size fits."""


def request_encryption(key: Es256Public, *, required: bool) -> RequestEncryption:
    """Metadata of an issuer that takes requests encrypted to `key`; its `kid` is its thumbprint."""
    return RequestEncryption(KeySet([_public(key)]), list(jwe.ENCRYPTIONS), required)


def response_encryption(*, required: bool) -> ResponseEncryption:
    """Metadata of an issuer that encrypts responses to who asks for it."""
    return ResponseEncryption([jwe.ALGORITHM], list(jwe.ENCRYPTIONS), required)


def response_parameters(key: Es256Public, enc: str) -> dict[str, Any]:
    """`credential_response_encryption` of a request (8.2); `key` MUST be fresh for this request."""
    return {"jwk": _public(key), "enc": enc}


def _public(key: Es256Public) -> dict[str, Any]:
    return {**key.jwk(), "kid": key.thumbprint(), "alg": jwe.ALGORITHM, "use": "enc"}


def choose_request_key(offered: RequestEncryption) -> EncryptionKey | None:
    """The first key that we can use, and how; `None` when there is none. Others are passed over."""
    enc = next((name for name in jwe.ENCRYPTIONS if name in offered.enc_values_supported), None)
    for jwk in offered.jwks.keys:
        if enc is None or jwk.get("alg") != jwe.ALGORITHM or jwk.get("use", "enc") != "enc" or "kid" not in jwk:
            continue
        try:
            parse_jwk(jwk)
        except Rejected:
            continue
        return EncryptionKey(jwk, enc)
    return None


def choose_response_enc(offered: ResponseEncryption) -> str | None:
    """The content encryption to ask for, or `None` when nothing that is offered is of use."""
    if jwe.ALGORITHM not in offered.alg_values_supported:
        return None
    return next((name for name in jwe.ENCRYPTIONS if name in offered.enc_values_supported), None)


def parse_response_parameters(value: object) -> EncryptionKey:
    """`credential_response_encryption` of a request (8.2). 1. an object with `jwk` and `enc`; 2. `alg` ECDH-ES,
    which has to be there; 3. a public P-256 key; 4. an `enc` that we offer; 5. no compression.

    Raises `Rejected`: `invalid_encryption_parameters`.
    """
    jwk = value.get("jwk") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(jwk, dict):  # 1.
        raise Rejected("invalid_encryption_parameters", "it holds a key and the name of an encryption")
    if jwk.get("alg") != jwe.ALGORITHM or jwk.get("use", "enc") != "enc":  # 2.
        raise Rejected("invalid_encryption_parameters", "only ECDH-ES is supported")
    kid = jwk.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 256):
        raise Rejected("invalid_encryption_parameters", "kid is a short text")
    try:
        parse_jwk(jwk)  # 3.
    except Rejected as error:
        raise Rejected("invalid_encryption_parameters", error.detail) from error
    if value.get("enc") not in jwe.ENCRYPTIONS:  # 4.
        raise Rejected("invalid_encryption_parameters", "only A128GCM and A256GCM are supported")
    if "zip" in value:  # 5.
        raise Rejected("invalid_encryption_parameters", "compression is not supported")
    return EncryptionKey(jwk, str(value["enc"]))


def encrypt_request(body: bytes, key: EncryptionKey) -> str:
    """The wallet's request to the issuer's key. Raises `Rejected`: `bad_key`, `bad_encryption`."""
    return jwe.encrypt(body, key.jwk, enc=key.enc)


def decrypt_request(token: bytes | str, key: Es256Private) -> bytes:
    """The body of an encrypted request; **not** parsed. Raises `Rejected`: `invalid_encryption_parameters`."""
    try:
        return _decrypt(token, key, MAX_ENCRYPTED_REQUEST_BYTES)
    except Rejected as error:
        raise Rejected("invalid_encryption_parameters", error.detail) from error


def encrypt_response(body: bytes, key: EncryptionKey) -> str:
    """The issuer's response to the key in the request. Raises `Rejected`: `bad_key`, `bad_encryption`."""
    return jwe.encrypt(body, key.jwk, enc=key.enc)


def decrypt_response(token: bytes | str, key: Es256Private) -> bytes:
    """The body of an encrypted response; **not** parsed. Raises `Rejected`: `bad_credential_response`."""
    try:
        return _decrypt(token, key, MAX_ENCRYPTED_RESPONSE_BYTES)
    except Rejected as error:
        raise Rejected("bad_credential_response", error.detail) from error


def _decrypt(token: bytes | str, key: Es256Private, max_bytes: int) -> bytes:
    """1. text; 2. the JWE names our key, where it names one; 3. decryption."""
    if isinstance(token, bytes):
        if len(token) > max_bytes:
            raise Rejected("too_large", f"JWE is larger than {max_bytes} bytes")
        token = token.decode("ascii", "replace")
    kid = jwe.parse_header(token, max_bytes=max_bytes).get("kid")
    if kid is not None and kid != key.public.thumbprint():
        raise Rejected("bad_jwe", "encrypted to another key")
    return jwe.decrypt(token, key, max_bytes=max_bytes)
