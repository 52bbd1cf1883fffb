"""Rows for JSON, keys, certificates, tokens, credentials, status lists and the trust list."""

from typing import Any

from protocol import (
    attributes,
    canonical,
    credential,
    disclosure,
    formats,
    issuer_jwt,
    jwe,
    jws,
    key_binding,
    keys,
    passphrase,
    seal,
    status_list,
    trust_list,
    x509,
)
from protocol.canonical import b64u_decode, b64u_encode, convert, sha256, to_builtins
from protocol.keys import MlDsa44Private
from tests.protocol import builders as b
from tests.protocol.peer_input import Row, b64u_json, forge, forge_header, header_of, payload_of, received
from tests.protocol.spoiling import dump

NOW, TRUST = b.NOW, b.TRUST
X5C = {"x5c": b.ISSUER.x5c}
CARD = b.credential()
JWT, *DISCLOSURES = CARD.removesuffix("~").split("~")
PRESENTATION = b.present(CARD, ["postcode", "huisnummer"])
PRESENTED, _, KB_JWT = PRESENTATION.rpartition("~")
PRESENTED += "~"
STATUS_TOKEN = status_list.sign_status_token(
    uri=b.STATUS_URI,
    bits=2,
    lst=status_list.encode_list(2, [0, 1, 2, 0] * 20),
    iat=NOW,
    exp=NOW + 3600,
    ttl=300,
    signer=b.ISSUER.key,
    x5c=b.ISSUER.x5c,
)
TRUST_TOKEN = b.trust_list_token(version=2)
READ_LIKE = forge({"iat": NOW}, b.AGENCY.key, "regie-read+jwt", {"x5c": b.AGENCY.x5c})
ENCRYPTED = jwe.encrypt(b"an answer", b.HOLDER.public.jwk(), enc="A256GCM", apv=b"nonce")
AGENCY = b.agency()
KEM = b.kem("agency")
INFO = b"regie/test"
MLDSA = MlDsa44Private(sha256(b"ml-dsa"))
SD_JWT_VC = formats.SdJwtVc()
CHALLENGE = formats.Challenge(b.AGENCY.client_id, b.NONCE)
ANCHORED = b.anchored()
FOREIGN_PAYLOAD = {
    "vct": "urn:eudi:pid:1",
    "exp": NOW + 1000,
    "cnf": {"jwk": b.HOLDER.public.jwk()},
    "_sd_alg": "sha-256",
    "address": {"_sd": [b64u_encode(bytes(32))], "country": "DE"},
    "nationalities": ["DE", {"...": b64u_encode(bytes(31) + b"1")}],
    "height": 1.85,
}
NESTED_PAYLOAD = {
    "iss": "https://a.example",
    "_sd_alg": "sha-256",
    "_sd": [b64u_encode(disclosure.digest_of(DISCLOSURES[0])), b64u_encode(bytes(32))],
    "inner": {"_sd": [b64u_encode(disclosure.digest_of(DISCLOSURES[1]))]},
    "list": [{"...": b64u_encode(bytes(31) + b"1")}, {"a": [1, "b"]}],
}


def _key(jwk: Any) -> Any:
    return keys.parse_jwk(jwk).verify(b.HOLDER.sign(b"m"), b"m")


def _verified(payload: Any) -> issuer_jwt.VerifiedIssuerJwt:
    return issuer_jwt.verify_issuer_jwt(forge(payload, b.ISSUER.key, "dc+sd-jwt", X5C), TRUST, NOW)


def _issuer_payload(payload: Any) -> object:
    return _verified(payload).digests


def _issuer_header(header: Any) -> object:
    return issuer_jwt.verify_issuer_jwt(forge_header(header, JWT.split(".")[1], b.ISSUER.key), TRUST, NOW)


def _credential_payload(payload: Any) -> object:
    token = "~".join((forge(payload, b.ISSUER.key, "dc+sd-jwt", X5C), *DISCLOSURES, ""))
    return credential.verify_credential(token, TRUST, NOW)


def _disclosure_in_place(parts: Any) -> object:
    encoded = b64u_json(parts)
    payload = {"_sd": [b64u_encode(disclosure.digest_of(encoded))], "iss": "x"}
    return disclosure.process(payload, [encoded])


def _verify_binding(token: str) -> object:
    return key_binding.verify_key_binding(
        token, PRESENTED, b.HOLDER.public, audience=b.AGENCY.client_id, nonce=b.NONCE, now=NOW
    )


def _verify_presentation(text: str) -> object:
    return credential.verify_presentation(text, TRUST, now=NOW, audience=b.AGENCY.client_id, nonce=b.NONCE)


def _verify_status(token: str) -> status_list.StatusList:
    return status_list.verify_status_token(token, uri=b.STATUS_URI, roots=[b.ISSUER.root], now=NOW)


def _status_at(reference: Any) -> object:
    return _verify_status(STATUS_TOKEN).status(received(reference, status_list.StatusReference).idx)


def _trust_payload(payload: Any) -> object:
    token = forge(payload, b.REGISTRAR, trust_list.TRUST_LIST_TYP)
    listed = trust_list.verify_trust_list(token, b.REGISTRAR.public, NOW)
    trust_list.check_successor(TRUST, listed)
    return trust_list.agency_of_leaf(listed, [b.AGENCY.leaf], NOW)


def _agency_jws(token: str) -> object:
    return trust_list.verify_agency_jws(token, typ="regie-read+jwt", agency=AGENCY, now=NOW)


def _jwe_header(header: Any) -> object:
    return jwe.decrypt(".".join((b64u_json(header), *ENCRYPTED.split(".")[1:])), b.HOLDER)


_CANONICAL = [
    Row("canonical.b64u_decode", "aGVsbG8gd29ybGQ", canonical.b64u_decode),
    Row("canonical.b64u_fixed", "aGVsbG8", lambda text: canonical.b64u_fixed(text, 5)),
    Row("canonical.parse_json", b'{"a":[1,"x",null],"b":{"c":true}}', canonical.parse_json),
    Row("canonical.parse_json", '{"a": [1, "\\u00e9", null], "b": 2}', canonical.parse_json, "text"),
    Row("canonical.parse_json", b'{"a":[1.5,2e3],"b":"\\u00e9"}', lambda data: canonical.parse_json(
        data, floats=True), "floats"),
    Row("canonical.parse_json", {"a": [1, "x", {"b": []}]}, lambda v: canonical.parse_json(dump(v)), "values"),
    Row("canonical.parse_b64u_json", b64u_json(["salt", "name", {"a": [1, "é"]}]), canonical.parse_b64u_json),
    Row("canonical.parse_b64u_json", ["salt", "name", {"a": [1]}], lambda value: canonical.parse_b64u_json(
        b64u_json(value)), "values"),
    Row("canonical.parse_object", b'{"a":[1,"x",null]}', canonical.parse_object),
    Row(
        "canonical.parse_struct",
        {"idx": 3, "uri": "https://a.example"},
        lambda v: canonical.parse_struct(dump(v), status_list.StatusReference),
    ),
    Row(
        "canonical.convert",
        {"idx": 3, "uri": "https://a.example"},
        lambda v: canonical.convert(v, status_list.StatusReference),
    ),
]  # fmt: skip
_KEYS = [
    Row("keys.parse_jwk", {**b.HOLDER.public.jwk(), "alg": "ES256", "kid": "1"}, keys.parse_jwk, keep_root=True),
    Row("keys.Es256Public.verify", b.HOLDER.sign(b"m"), lambda s: b.HOLDER.public.verify(s, b"m")),
    Row("keys.Es256Public.verify", b.HOLDER.public.jwk(), lambda v: keys.parse_jwk(v), "key", keep_root=True),
    Row("keys.verify_ed25519", b.LOG_KEY.sign(b"m"), lambda s: keys.verify_ed25519(b.LOG_KEY.public, s, b"m")),
    Row("keys.verify_ed25519", b.LOG_KEY.public, lambda public: keys.verify_ed25519(
        public, b.LOG_KEY.sign(b"m"), b"m"), "key"),
    Row("keys.verify_mldsa44", MLDSA.sign(b"m"), lambda s: keys.verify_mldsa44(MLDSA.public, s, b"m")),
    Row("keys.verify_mldsa44", MLDSA.public, lambda p: keys.verify_mldsa44(p, MLDSA.sign(b"m"), b"m"), "key"),
    Row("seal.parse_kem_public", KEM.public_bytes(), seal.parse_kem_public),
    Row("seal.hpke_seal", KEM.public_bytes(), lambda public: seal.hpke_seal(public, b"m", INFO)),
    Row(
        "seal.hpke_open",
        seal.hpke_seal(KEM.public_bytes(), b"m" * 32, INFO),
        lambda sealed: seal.hpke_open(KEM, sealed, INFO),
    ),
    Row(
        "seal.aead_open",
        seal.aead_seal(bytes(32), bytes(24), b"m" * 32, INFO),
        lambda sealed: seal.aead_open(bytes(32), bytes(24), sealed, INFO),
    ),
    Row("seal.aead_open", bytes(24), lambda nonce: seal.aead_open(
        bytes(32), nonce, seal.aead_seal(bytes(32), bytes(24), b"m", INFO), INFO), "nonce"),
    Row("seal.unpad", seal.pad(b"m" * 9, 32), seal.unpad),
]  # fmt: skip
_TOKENS = [
    Row("jws.parse_jws", JWT, lambda token: jws.parse_jws(token, typ="dc+sd-jwt")),
    Row(
        "jws.parse_jws",
        header_of(JWT),
        lambda header: jws.parse_jws(f"{b64u_json(header)}.e30.AA", typ="dc+sd-jwt"),
        "header",
    ),
    Row("jws.verify_jws", JWT, lambda token: jws.verify_jws(
        jws.parse_jws(token, typ="dc+sd-jwt"), b.ISSUER.key.public)),
    Row("jwe.parse_header", ENCRYPTED, jwe.parse_header),
    Row("jwe.parse_header", header_of(ENCRYPTED), _jwe_header, "header"),
    Row("jwe.decrypt", ENCRYPTED, lambda token: jwe.decrypt(token, b.HOLDER)),
    Row("jwe.decrypt", header_of(ENCRYPTED), _jwe_header, "header"),
    Row(
        "jwe.encrypt",
        {**b.HOLDER.public.jwk(), "kid": "1", "alg": "ECDH-ES", "use": "enc"},
        lambda jwk: jwe.encrypt(b"m", received(jwk, dict), enc="A128GCM", apv=b"n"),
    ),
]  # fmt: skip
_CERTIFICATES = [
    Row("x509.parse_der_base64", b.ISSUER.x5c[0], x509.parse_der_base64),
    Row("x509.parse_x5c", [*b.ISSUER.x5c, *b.ISSUER.roots], x509.parse_x5c),
    Row("x509.subject_name", b.ISSUER.leaf, x509.subject_name),
    Row("x509.issuer_name", b.ISSUER.leaf, x509.issuer_name),
    Row("x509.authority_key_ids", b.ISSUER.leaf, lambda der: x509.authority_key_ids((der,))),
    Row("x509.verify_chain", b.ISSUER.leaf, lambda der: x509.verify_chain([der], [b.ISSUER.root], NOW)),
    Row("x509.verify_chain", b.ISSUER.root, lambda der: x509.verify_chain([b.ISSUER.leaf], [der], NOW), "root"),
]
_CREDENTIALS = [
    Row("attributes.credential_type", b.ADRES, attributes.credential_type),
    Row("attributes.attribute", "postcode", lambda name: attributes.attribute(b.ADRES, name)),
    Row("attributes.fits", DISCLOSURES[0], lambda text: attributes.fits(b.ADRES, "postcode", text)),
    Row("disclosure.parse_disclosure", DISCLOSURES[0], disclosure.parse_disclosure),
    Row(
        "disclosure.parse_disclosure",
        ["salt", "name", {"a": [1]}],
        lambda parts: disclosure.parse_disclosure(b64u_json(parts)),
        "parts",
    ),
    Row("disclosure.process", ["salt", "name", {"a": [{"...": "x"}]}], _disclosure_in_place, "parts"),
    Row(
        "disclosure.process",
        NESTED_PAYLOAD,
        lambda payload: disclosure.process(received(payload, dict), DISCLOSURES[:2]),
        "payload",
    ),
    Row("disclosure.unpack", NESTED_PAYLOAD, lambda p: disclosure.unpack(received(p, dict), DISCLOSURES[:2])),
    Row("key_binding.verify_key_binding", KB_JWT, _verify_binding),
    Row("key_binding.verify_key_binding", payload_of(KB_JWT), lambda payload: _verify_binding(
        forge(payload, b.HOLDER, "kb+jwt")), "payload"),
    Row("key_binding.verify_key_binding", header_of(KB_JWT), lambda header: _verify_binding(
        forge_header(header, KB_JWT.split(".")[1], b.HOLDER)), "header"),
    Row("key_binding.UnverifiedKeyBinding.verify", KB_JWT, lambda token: key_binding.read_key_binding(
        token, PRESENTED, audience=b.AGENCY.client_id, nonce=b.NONCE, now=NOW).verify(b.HOLDER.public)),
    Row("credential.split_sd_jwt", PRESENTATION, credential.split_sd_jwt),
    Row("issuer_jwt.verify_issuer_jwt", JWT, lambda token: issuer_jwt.verify_issuer_jwt(token, TRUST, NOW)),
    Row("issuer_jwt.verify_issuer_jwt", payload_of(JWT), _issuer_payload, "payload"),
    Row("issuer_jwt.verify_issuer_jwt", header_of(JWT), _issuer_header, "header"),
    Row("issuer_jwt.VerifiedIssuerJwt.digests", payload_of(JWT), _issuer_payload, "payload"),
    Row("issuer_jwt.UnverifiedIssuerJwt.verify", JWT, lambda token: issuer_jwt.read_issuer_jwt(
        token, TRUST, NOW).verify()),
    Row("issuer_jwt.VerifiedIssuerJwt.holder", payload_of(JWT), lambda payload: _verified(payload).holder),
    Row("issuer_jwt.issuer_roots", payload_of(JWT), lambda p: issuer_jwt.issuer_roots(_verified(p), TRUST)),
    Row("issuer_jwt.issuer_name", payload_of(JWT), lambda p: issuer_jwt.issuer_name(_verified(p), TRUST)),
    Row("issuer_jwt.read_payload", JWT, issuer_jwt.read_payload),
    Row("issuer_jwt.read_payload", payload_of(JWT), lambda payload: issuer_jwt.read_payload(
        forge(payload, b.ISSUER.key, "dc+sd-jwt", X5C)), "payload"),
    Row("credential.verify_credential", CARD, lambda text: credential.verify_credential(text, TRUST, NOW)),
    Row("credential.verify_credential", payload_of(JWT), _credential_payload, "payload"),
    Row("credential.verify_presentation", PRESENTATION, _verify_presentation),
    Row("credential.verify_presentation", payload_of(KB_JWT), lambda payload: _verify_presentation(
        PRESENTED + forge(payload, b.HOLDER, "kb+jwt")), "key binding"),
]  # fmt: skip
_LISTS = [
    Row("status_list.decode_list", status_list.encode_list(2, [0, 1, 2, 0] * 20), status_list.decode_list),
    Row(
        "status_list.decode_list",
        b64u_decode(status_list.encode_list(2, [0, 1, 2, 0] * 20)),
        lambda data: status_list.decode_list(b64u_encode(data)),
        "zlib",
    ),
    Row("status_list.verify_status_token", STATUS_TOKEN, _verify_status),
    Row("status_list.verify_status_token", payload_of(STATUS_TOKEN), lambda payload: _verify_status(
        forge(payload, b.ISSUER.key, "statuslist+jwt", X5C)), "payload"),
    Row("status_list.StatusList.status", {"idx": 3, "uri": b.STATUS_URI}, _status_at),
    Row(
        "trust_list.verify_trust_list",
        TRUST_TOKEN,
        lambda token: trust_list.verify_trust_list(token, b.REGISTRAR.public, NOW),
    ),
    Row("trust_list.verify_trust_list", payload_of(TRUST_TOKEN), _trust_payload, "payload"),
    Row("trust_list.check_successor", payload_of(TRUST_TOKEN), _trust_payload, "payload"),
    Row("trust_list.agency_of_leaf", payload_of(TRUST_TOKEN), _trust_payload, "payload"),
    Row("trust_list.agency_of_leaf", b.AGENCY.leaf, lambda der: trust_list.agency_of_leaf(
        TRUST, [der], NOW), "leaf"),
    Row("trust_list.verify_agency_jws", READ_LIKE, _agency_jws),
    Row("trust_list.verify_agency_jws", header_of(READ_LIKE), lambda header: _agency_jws(
        forge_header(header, READ_LIKE.split(".")[1], b.AGENCY.key)), "header"),
    Row("trust_list.TrustList.issuer", b.ISSUER_ID, TRUST.issuer),
    Row("trust_list.TrustList.agency", b.AGENCY_ID, TRUST.agency),
    Row("trust_list.TrustList.service", b.SERVICE_ID, lambda name: TRUST.service(b.AGENCY_ID, name, 1)),
    Row("trust_list.TrustList.log", b.LOG_ORIGIN, TRUST.log),
    Row("trust_list.TrustList.witness", b.WITNESS_NAME, TRUST.witness),
]  # fmt: skip
_FORMATS = [
    Row("formats.credential_format", "dc+sd-jwt", formats.credential_format),
    Row("formats.SdJwtVc.verify_issued", CARD, lambda text: SD_JWT_VC.verify_issued(text, TRUST, NOW)),
    Row("formats.SdJwtVc.verify_issued", FOREIGN_PAYLOAD, lambda payload: SD_JWT_VC.verify_issued(
        forge(payload, b.FOREIGN.key, "dc+sd-jwt", {"x5c": b.FOREIGN.x5c}) + "~", ANCHORED, NOW), "stranger"),
    Row("formats.SdJwtVc.verify_presented", PRESENTATION, lambda text: SD_JWT_VC.verify_presented(
        text, TRUST, CHALLENGE, NOW)),
    Row("formats.SdJwtVc.read_card", CARD, SD_JWT_VC.read_card),
    Row("formats.SdJwtVc.read_card", payload_of(JWT), lambda payload: SD_JWT_VC.read_card(
        forge(payload, b.ISSUER.key, "dc+sd-jwt", X5C) + "~"), "payload"),
    Row("formats.SdJwtVc.present", CARD, lambda text: SD_JWT_VC.present(
        text, [["postcode"]], b.HOLDER, CHALLENGE, NOW)),
]  # fmt: skip
_WRAPPED = passphrase.wrap_key(
    bytes(32), b"a few words", passphrase.PROFILES["small"], b"test", lambda n: bytes(n)
)
_PASSPHRASES = [
    Row("passphrase.check_passphrase", b"a few words", passphrase.check_passphrase),
    Row("passphrase.unwrap_key", to_builtins(_WRAPPED), lambda v: passphrase.unwrap_key(
        convert(v, passphrase.WrappedKey), b"a few words", b"test")),
]  # fmt: skip
ROWS = [*_CANONICAL, *_KEYS, *_PASSPHRASES, *_TOKENS, *_CERTIFICATES, *_CREDENTIALS, *_FORMATS, *_LISTS]
