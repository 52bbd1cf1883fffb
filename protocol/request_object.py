"""The signed request object of OpenID4VP 1.0, verifier's side: all members that HAIP 1.0 section 5 asks.

`openid4vp.py` holds what a wallet makes of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol import jwe
from protocol.canonical import to_builtins
from protocol.dcql import FORMAT, Query
from protocol.direct_post import parse_form
from protocol.errors import Rejected
from protocol.jws import MAX_JWS_BYTES, sign_jws
from protocol.keys import Es256Private, Es256Public
from protocol.registration_certificate import VERIFIER_INFO_FORMAT
from protocol.x509 import thumbprint_hash, x5c

REQUEST_TYP = "oauth-authz-req+jwt"
REQUEST_MEDIA_TYPE = "application/oauth-authz-req+jwt"
AUDIENCE = "https://self-issued.me/v2"
CLIENT_ID_PREFIX = "x509_hash:"
DNS_PREFIX = "x509_san_dns:"
"""For wallets that do not know x509_hash: the host of response_uri, in a dNSName of the leaf (section 5.9.3)."""
RESPONSE_TYPE = "vp_token"
RESPONSE_MODE = "direct_post.jwt"
PLAIN_MODE = "direct_post"
"""Without encryption: HAIP 5.1 does not have it; for wallets that cannot do better."""


def client_id_of(leaf: bytes) -> str:
    """`x509_hash:` and the SHA-256 of the DER certificate (HAIP 5: signed requests)."""
    return CLIENT_ID_PREFIX + thumbprint_hash(leaf)


def dns_client_id(host: str) -> str:
    """`x509_san_dns:` and the host of `response_uri`, which the leaf MUST name (section 5.9.3)."""
    return DNS_PREFIX + host


def request_payload(
    *,
    client_id: str,
    response_uri: str,
    nonce: str,
    state: str,
    query: Query,
    encryption_key: Es256Public | None,
    iat: int,
    exp: int,
    transaction_data: Sequence[str] = (),
    registrations: Sequence[str] = (),
) -> dict[str, Any]:
    """All members of a request but `wallet_nonce` (sections 5.1, 5.2, 5.8, 8.3; HAIP 5).

    `encryption_key` MUST be fresh for this request (HAIP 5.5); its `kid` is its thumbprint. None asks for a plain
    answer. `registrations`: the asker's registration certificates, for `verifier_info` (section 5.1).
    """
    algorithms = {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}
    metadata: dict[str, Any] = {"vp_formats_supported": {FORMAT: algorithms}}
    if encryption_key is not None:
        jwk = {**encryption_key.jwk(), "kid": encryption_key.thumbprint(), "alg": jwe.ALGORITHM, "use": "enc"}
        metadata["jwks"] = {"keys": [jwk]}
        metadata["encrypted_response_enc_values_supported"] = list(jwe.ENCRYPTIONS)
    payload = {
        "client_id": client_id,
        "aud": AUDIENCE,
        "iat": iat,
        "exp": exp,
        "response_type": RESPONSE_TYPE,
        "response_mode": PLAIN_MODE if encryption_key is None else RESPONSE_MODE,
        "response_uri": response_uri,
        "nonce": nonce,
        "state": state,
        "dcql_query": to_builtins(query),
        "client_metadata": metadata,
    }
    if registrations:
        payload["verifier_info"] = [{"format": VERIFIER_INFO_FORMAT, "data": token} for token in registrations]
    if transaction_data:
        payload["transaction_data"] = list(transaction_data)
    return payload


def sign_request_object(
    payload: Mapping[str, Any], key: Es256Private, chain: Sequence[bytes], *, wallet_nonce: str | None = None
) -> str:
    """The compact request object. `chain` is the leaf and its intermediates as DER, without the trust anchor."""
    if wallet_nonce is not None:
        payload = {**payload, "wallet_nonce": wallet_nonce}
    return sign_jws(payload, key, typ=REQUEST_TYP, header={"x5c": x5c(chain)})


def parse_wallet_nonce(form: bytes) -> str | None:
    """`wallet_nonce` of a POST to the request_uri; all else that wallets send there is ignored (section 5.10).

    Raises `Rejected`: `too_large`, `invalid_request`.
    """
    if len(form) > MAX_JWS_BYTES:
        raise Rejected("too_large", f"form is larger than {MAX_JWS_BYTES} bytes")
    nonce = parse_form(form.decode("utf-8", "replace")).get("wallet_nonce")
    if nonce is not None and (not 1 <= len(nonce) <= 512 or not nonce.isascii() or not nonce.isprintable()):
        raise Rejected("invalid_request", "wallet_nonce is a short text of ASCII characters")
    return nonce
