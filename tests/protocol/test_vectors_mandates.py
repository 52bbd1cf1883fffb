"""The vectors of mandates (`tests/vectors/v1/mandates.json`), worked out a second time with other libraries."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.canonical import b64u_decode, convert
from protocol.cosign import cosign_nonce, verify_cosigned
from protocol.credential import verify_credential
from protocol.mandate import check_mandated, lock_digest, lock_digests, lock_salt, verify_mandate
from protocol.revocation_code import code_from_seed, lock_for
from protocol.terms import parse_terms, terms_hash
from protocol.trust_list import TrustedIssuer
from tests.protocol import builders

DATA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / "vectors" / "v1" / "mandates.json").read_bytes()
)
TRUST = builders.trust_list(issuers=[convert(DATA["issuer"], TrustedIssuer)])
NOW, D = DATA["now"], b64u_decode


def hkdf(secret: bytes, info: bytes, length: int = 32) -> bytes:
    return HKDF(SHA256(), length, None, info).derive(secret)


def test_locks_of_a_mandate() -> None:
    digests = lock_digests(D(DATA["seed"]))
    for row in DATA["codes"]:
        number, counted = row["version"], row["version"].to_bytes(4, "big")
        code, salt, lock = D(row["code"]), D(row["salt"]), D(row["lock"])
        assert code == code_from_seed(D(DATA["seed"]), row["i"])
        assert code == hkdf(D(DATA["seed"]), b"regie/code/v1" + row["i"].to_bytes(4, "big"))[:16]
        assert lock == lock_for(code, number)
        assert lock == hashlib.sha256(hkdf(code, b"regie/revoke/v1" + counted)).digest()
        assert salt == lock_salt(code, number) == hkdf(code, b"regie/mandate-lock/v1" + counted)
        digest = hashlib.sha256(b"regie/mandate-lock/v1" + salt + lock).digest()
        assert digest == lock_digest(salt, lock) == D(row["digest"])
        assert digests[4 * row["i"] + number - 1] == row["digest"]


def test_mandate_is_signed_by_the_leaf_in_it() -> None:
    """ES256 by the bare library."""
    head, payload, signature = DATA["mandate"].split(".")
    header = json.loads(D(head))
    assert (header["alg"], header["typ"]) == ("ES256", "regie-mandate+jwt")
    leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0])).public_key()
    assert isinstance(leaf, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(part, "big") for part in (D(signature)[:32], D(signature)[32:]))
    leaf.verify(encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(SHA256()))
    assert D(DATA["hash"]) == hashlib.sha256(DATA["mandate"].encode()).digest()
    assert DATA["shown"] == f"{DATA['mandate']}~{DATA['codes'][0]['salt']}"


def test_credential_and_terms_under_it() -> None:
    shown = verify_mandate(DATA["shown"], TRUST, NOW)
    credential = verify_credential(DATA["credential"], TRUST, NOW).issuer_jwt
    assert (credential.mandate, credential.party) == (shown.hash, 1)
    assert credential.payload["vct"] == f"{credential.vct}:namens"
    terms = parse_terms(DATA["terms"])
    jcs = json.dumps(DATA["terms"], sort_keys=True, separators=(",", ":")).encode()
    assert D(DATA["terms_hash"]) == terms_hash(terms) == hashlib.sha256(jcs).digest()
    assert DATA["cosign_nonce"] == cosign_nonce(terms)
    assert D(DATA["cosign_nonce"]) == hashlib.sha256(b"regie/cosign/v1" + jcs).digest()
    check_mandated(terms, shown)
    agreed = verify_cosigned(
        DATA["cosigned"], terms, client_id=DATA["client_id"], mandate=shown, trust=TRUST, now=NOW
    )
    assert agreed.party == 2
