"""Verifying issuer JWT + 3 of 8 disclosures + KB-JWT: against two bare ES256 checks, and against PyPI's `sd-jwt`.

The issuer's x5c chain is cached, as in an agency's process; its verdict on the credential is not (another
credential each time). *Uncached* forgets keys, headers and chains too. *Seen before* is the same one again.
"""

import itertools
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwcrypto.jwk import JWK
from sd_jwt.verifier import SDJWTVerifier

from bench.pairs import compare
from protocol import issuer_jwt, keys, x509
from protocol.canonical import b64u_decode, b64u_encode
from protocol.credential import verify_presentation
from protocol.disclosure import make_disclosure
from protocol.jws import sign_jws
from protocol.key_binding import sign_key_binding
from protocol.trust_list import TrustList
from tests.protocol import builders
from tests.protocol.builders import AGENCY, HOLDER, ISSUER, ISSUER_ID, NONCE, NOW

VCT = "urn:example:bench:1"
NAMES = ("given", "family", "born", "street", "number", "postcode", "town", "country")
AUDIENCE = AGENCY.client_id
PEER_KEY = JWK.from_json(json.dumps(ISSUER.key.public.jwk()))
COPIES = 512
"""Different credentials, more than are verified in one slice, so that no verdict is met again in it."""


def make_presentations() -> list[str]:
    """`COPIES` presentations of 8 attributes each, 3 of them shown."""
    random = builders.random_of("bench")
    found = []
    for copy in range(COPIES):
        made = [make_disclosure(name, f"value of {name}", random(16)) for name in NAMES]
        payload = {
            "iss": ISSUER_ID,
            "vct": VCT,
            "iat": NOW,
            "exp": NOW + 1000 + copy,
            "cnf": {"jwk": HOLDER.public.jwk()},
            "_sd_alg": "sha-256",
            "_sd": sorted(b64u_encode(one.digest) for one in made),
        }
        jwt = sign_jws(payload, ISSUER.key, typ="dc+sd-jwt", header={"x5c": ISSUER.x5c})
        presented = "~".join((jwt, *(one.encoded for one in made[:3]), ""))
        found.append(
            presented
            + sign_key_binding(presented, HOLDER, audience=AGENCY.client_id, nonce=NONCE, iat=NOW, consent=None)
        )
    return found


def forget() -> None:
    """Empty every cache on the way."""
    issuer_jwt._verdicts = issuer_jwt.Verdicts(2048)
    issuer_jwt._read_header.cache_clear()
    keys._load_point.cache_clear()
    for name in dir(x509):
        cached = getattr(x509, name)
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


def measure() -> dict[str, Any]:
    """Ratios of CPU time; 1.0 is the base named in the key."""
    trust = builders.trust_list(issuers=[builders.issuer(vcts=[VCT])])
    presentations = make_presentations()
    fresh = itertools.cycle(presentations)
    kb_jwt = presentations[0].rpartition("~")[2]
    head, _, signature = kb_jwt.rpartition(".")
    raw = b64u_decode(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key, algorithm = HOLDER.public.key, ec.ECDSA(hashes.SHA256())

    def bare() -> None:
        key.verify(der, head.encode(), algorithm)
        key.verify(der, head.encode(), algorithm)

    def ours() -> None:
        issuer_jwt._verdicts = issuer_jwt.Verdicts(1)
        check(next(fresh), trust)

    def uncached() -> None:
        forget()
        check(next(fresh), trust)

    return {
        "ours_to_two_es256": compare(ours, bare).to_json(),
        "uncached_to_two_es256": compare(uncached, bare).to_json(),
        "seen_before_to_two_es256": compare(lambda: check(presentations[0], trust), bare).to_json(),
        "sd_jwt_package_to_ours": compare(lambda: peer(presentations[0]), ours).to_json(),
    }


def check(presentation: str, trust: TrustList) -> None:
    """What an agency does with a presentation."""
    verify_presentation(presentation, trust, now=NOW, audience=AUDIENCE, nonce=NONCE)


def peer(presentation: str) -> None:
    """The same with the reference library, which checks neither dates nor the certificate chain."""
    SDJWTVerifier(presentation, lambda issuer, header: PEER_KEY, AUDIENCE, NONCE).get_verified_payload()
