"""Rows for the authorization code flow: OAuth messages, DPoP, attestations, encrypted and deferred credentials."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

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
from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_encode
from protocol.direct_post import EncryptionKey
from protocol.issuer_metadata import issuer_metadata
from protocol.trust_list import TrustList, WalletProvider
from tests.protocol import builders as b
from tests.protocol.peer_input import Row, b64u_json, forge, forge_header, header_of, payload_of
from tests.protocol.spoiling import dump

NOW = b.NOW
PROVIDER = b.party("provider", san_dns="provider.voorbeeld.example")
PROVIDER_ID = "https://provider.voorbeeld.example"
CLIENT_ID = "https://wallet.voorbeeld.example"
URI = f"{b.ISSUER_ID}/token"
TRUST = TrustList(
    version=1,
    iat=NOW,
    exp=NOW + 10**6,
    wallet_providers=[WalletProvider(id=PROVIDER_ID, name="Provider", roots=PROVIDER.roots)],
)
X5C = {"x5c": PROVIDER.x5c}
INSTANCE = b.es256("instance")
AUTHORIZATION = oauth.AuthorizationRequest(
    CLIENT_ID,
    "http://127.0.0.1:40001/callback",
    ("persoon",),
    "state",
    "a" * 43,
    "issuer-state",
    (oauth.AuthorizationDetail("openid_credential", "persoon"),),
)
TOKEN_REQUEST = oauth.token_form(oauth.AuthorizationCode("c", AUTHORIZATION.redirect_uri, "v" * 43))
ANSWER = oauth.response_url("https://a.example/", issuer=b.ISSUER_ID, state="state", code="c").partition("?")[2]
DPOP = dpop.sign_dpop(INSTANCE, method="POST", uri=URI, iat=NOW, jti="j", nonce="n", access_token="t")
JWK = {"jwk": INSTANCE.public.jwk()}
ATTESTATION = client_attestation.sign_client_attestation(
    PROVIDER.key, [PROVIDER.leaf], issuer=PROVIDER_ID, client_id=CLIENT_ID, holder=INSTANCE.public, iat=NOW,
    exp=NOW + 60)  # fmt: skip
POP = client_attestation.sign_attestation_pop(
    INSTANCE, client_id=CLIENT_ID, audience=b.ISSUER_ID, iat=NOW, jti="j", challenge="c"
)
KEY_ATTESTATION = key_attestation.sign_key_attestation(
    PROVIDER.key, [PROVIDER.leaf], issuer=PROVIDER_ID, keys=[INSTANCE.public], iat=NOW, exp=NOW + 60, nonce="n",
    key_storage=["iso_18045_basic"])  # fmt: skip
SIGNED = signed_metadata.sign_issuer_metadata(
    issuer_metadata(b.ISSUER_ID, "Gemeente", CREDENTIAL_TYPES.values()),
    b.ISSUER.key, [b.ISSUER.leaf], iat=NOW, exp=NOW + 60)  # fmt: skip
ENCRYPTION = credential_encryption.response_parameters(INSTANCE.public, "A256GCM")
JWE = jwe.encrypt(b"{}", ENCRYPTION["jwk"], enc="A256GCM")
REQUEST = credential_request.credential_request_body(["a.b.c"], configuration="adres", encryption=ENCRYPTION)


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value) for pair in text.split("&") for name, _, value in [pair.partition("=")]]


def _form(form: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in form.items())


def _authorization(text: str) -> object:
    return oauth.parse_authorization_request(_pairs(text))


def _dpop(proof: str) -> object:
    return dpop.verify_dpop(proof, method="POST", uri=URI, now=NOW, access_token="t")


def _client(attestation: str = ATTESTATION, pop: str = POP) -> object:
    return client_attestation.verify_client_attestation(
        attestation, pop, trust=TRUST, audience=b.ISSUER_ID, now=NOW
    )


def _own(token: str) -> object:
    return client_attestation.parse_own_attestation(token, client_id=CLIENT_ID, holder=INSTANCE.public)


def _keys(token: str) -> object:
    return key_attestation.verify_key_attestation(token, trust=TRUST, now=NOW)


def _metadata(token: str) -> object:
    return signed_metadata.verify_issuer_metadata(token, issuer=b.ISSUER_ID, roots=[b.ISSUER.root], now=NOW)


def _parameters(value: Any) -> object:
    key = credential_encryption.parse_response_parameters(value)
    return credential_encryption.encrypt_response(b"{}", key)


def _request_key(value: Any) -> object:
    return credential_encryption.encrypt_request(b"{}", EncryptionKey(value, "A256GCM"))


_OAUTH = [
    Row("oauth.code_challenge", "v" * 43, oauth.code_challenge),
    Row("oauth.parse_authorization_request", _form(oauth.authorization_form(AUTHORIZATION)), _authorization),
    Row("oauth.parse_authorization_details", oauth.authorization_form(AUTHORIZATION)["authorization_details"],
        oauth.parse_authorization_details),
    Row("oauth.parse_authorization_details", [{"type": "openid_credential", "credential_configuration_id": "a"}],
        lambda v: oauth.parse_authorization_details(dump(v).decode("utf-8", "surrogatepass")), "values"),
    Row("oauth.parse_par_response", {"request_uri": "urn:x", "expires_in": 60},
        lambda v: oauth.parse_par_response(dump(v))),
    Row("oauth.parse_pushed_reference", "client_id=a&request_uri=b",
        lambda text: oauth.parse_pushed_reference(_pairs(text))),
    Row("oauth.parse_authorization_response", ANSWER,
        lambda text: oauth.parse_authorization_response(text, "state", b.ISSUER_ID)),
    Row("oauth.parse_token_request", _form(TOKEN_REQUEST), lambda text: oauth.parse_token_request(_pairs(text))),
    Row("oauth.parse_token_request", urlencode(TOKEN_REQUEST), lambda text: oauth.parse_token_request(
        parse_qsl(text)), "encoded"),
    Row("oauth.parse_token_response", {"access_token": "a", "token_type": "DPoP", "expires_in": 300,
        "refresh_token": "r", "authorization_details": [{"type": "openid_credential",
        "credential_configuration_id": "a", "credential_identifiers": ["b"]}]},
        lambda v: oauth.parse_token_response(dump(v), token_type="DPoP")),
    Row("dpop.verify_dpop", DPOP, _dpop),
    Row("dpop.verify_dpop", header_of(DPOP), lambda v: _dpop(forge_header(v, DPOP.split(".")[1], INSTANCE)),
        "header"),
    Row("dpop.verify_dpop", payload_of(DPOP), lambda v: _dpop(forge(v, INSTANCE, dpop.DPOP_TYP, JWK)), "payload"),
]  # fmt: skip
_ATTESTATIONS = [
    Row("client_attestation.verify_client_attestation", ATTESTATION, _client),
    Row("client_attestation.verify_client_attestation", POP, lambda pop: _client(pop=pop), "proof"),
    Row("client_attestation.verify_client_attestation", header_of(ATTESTATION), lambda v: _client(
        forge_header(v, ATTESTATION.split(".")[1], PROVIDER.key)), "header"),
    Row("client_attestation.verify_client_attestation", payload_of(ATTESTATION), lambda v: _client(
        forge(v, PROVIDER.key, client_attestation.ATTESTATION_TYP, X5C)), "payload"),
    Row("client_attestation.verify_client_attestation", payload_of(POP), lambda v: _client(
        pop=forge(v, INSTANCE, client_attestation.POP_TYP)), "payload of the proof"),
    Row("key_attestation.parse_key_attestation", KEY_ATTESTATION, key_attestation.parse_key_attestation),
    Row("client_attestation.parse_own_attestation", ATTESTATION, _own),
    Row("client_attestation.parse_own_attestation", payload_of(ATTESTATION), lambda v: _own(
        forge(v, PROVIDER.key, client_attestation.ATTESTATION_TYP, X5C)), "payload"),
    Row("key_attestation.verify_key_attestation", KEY_ATTESTATION, _keys),
    Row("key_attestation.verify_key_attestation", header_of(KEY_ATTESTATION), lambda v: _keys(
        forge_header(v, KEY_ATTESTATION.split(".")[1], PROVIDER.key)), "header"),
    Row("key_attestation.verify_key_attestation", payload_of(KEY_ATTESTATION), lambda v: _keys(
        forge(v, PROVIDER.key, key_attestation.KEY_ATTESTATION_TYP, X5C)), "payload"),
]  # fmt: skip
_CREDENTIALS = [
    Row("credential_encryption.parse_response_parameters", ENCRYPTION, _parameters),
    Row("credential_encryption.encrypt_response", ENCRYPTION, _parameters),
    Row("credential_encryption.encrypt_request", ENCRYPTION["jwk"], _request_key, keep_root=True),
    Row("credential_encryption.decrypt_request", JWE, lambda v: credential_encryption.decrypt_request(
        v, INSTANCE)),
    Row("credential_encryption.decrypt_response", JWE.encode(), lambda v: credential_encryption.decrypt_response(
        v, INSTANCE)),
    Row("signed_metadata.verify_issuer_metadata", SIGNED, _metadata),
    Row("signed_metadata.verify_issuer_metadata", payload_of(SIGNED), lambda v: _metadata(
        forge(v, b.ISSUER.key, signed_metadata.SIGNED_METADATA_TYP, {"x5c": b.ISSUER.x5c})), "payload"),
    Row("credential_request.parse_credential_request", REQUEST,
        lambda v: credential_request.parse_credential_request(dump(v), encrypted=True)),
    Row("credential_request.parse_deferred_request", credential_request.deferred_request_body("t", ENCRYPTION),
        lambda v: credential_request.parse_deferred_request(dump(v), encrypted=True)),
    Row("credential_request.parse_credential_response", {"credentials": [{"credential": "a~"}],
        "notification_id": "n"}, lambda v: credential_request.parse_credential_response(dump(v), copies=1)),
    Row("credential_request.parse_credential_response", {"transaction_id": "t", "interval": 5},
        lambda v: credential_request.parse_credential_response(dump(v), copies=1, transaction="t"), "deferred"),
]  # fmt: skip
LOGIN_KEYS = {"keys": [{**INSTANCE.public.jwk(), "kid": "1", "use": "sig", "alg": "ES256"}]}
LOGIN = {
    "iss": "https://login.example",
    "sub": "s",
    "aud": ["us"],
    "azp": "us",
    "iat": NOW,
    "exp": NOW + 60,
    "nonce": "n",
    "acr": "high",
}
RSA = {"kty": "RSA", "n": b64u_encode((2**2047 + 1).to_bytes(256, "big")), "e": "AQAB"}


def verify_login(token: str, keys: Any = None) -> object:
    """An ID token for the client `us`."""
    return openid_connect.verify_id_token(
        token, LOGIN_KEYS["keys"] if keys is None else keys,
        provider="https://login.example", client_id="us", algorithm="ES256", nonce="n", now=NOW)  # fmt: skip


_LOGIN = [
    Row("openid_connect.parse_keys", dump(LOGIN_KEYS), openid_connect.parse_keys),
    Row("openid_connect.parse_rsa_jwk", RSA, openid_connect.parse_rsa_jwk, keep_root=True),
    Row("openid_connect.verify_id_token", LOGIN, lambda v: verify_login(forge(v, INSTANCE, "JWT", {"kid": "1"}))),
    Row(
        "openid_connect.verify_id_token",
        {"alg": "ES256", "typ": "JWT", "kid": "1"},
        lambda v: verify_login(forge_header(v, b64u_json(LOGIN), INSTANCE)),
        "header",
    ),
    Row(
        "openid_connect.verify_id_token",
        LOGIN_KEYS["keys"][0],
        lambda v: verify_login(forge(LOGIN, INSTANCE, "JWT", {"kid": "1"}), [v]),
        "key",
        keep_root=True,
    ),
]
ROWS = [*_OAUTH, *_ATTESTATIONS, *_CREDENTIALS, *_LOGIN]
