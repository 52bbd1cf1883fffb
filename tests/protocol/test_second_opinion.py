"""SD-JWT VCs held against a verifier that nobody here wrote: `polaris-oid4vp`, certified for OpenID4VP under HAIP.

Whatever ours accepts the other one accepts as well and reads the same in it, but portraits larger than it takes.
The reverse does not hold, and need not.
"""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.x509 import load_der_x509_certificate
from polaris_oid4vp.sdjwt import verify_presentation

from protocol.canonical import b64u_encode
from protocol.disclosure import digest_of
from protocol.errors import Rejected
from protocol.formats import Challenge, VerifiedContent, credential_format
from protocol.key_binding import sd_hash
from tests.protocol import builders as b
from tests.protocol import foreign as f
from tests.protocol.peer_input import b64u_json, forge, forge_header, header_of, payload_of
from tests.protocol.spoiling import spoil

SD_JWT_VC = credential_format("dc+sd-jwt")
CHALLENGE = Challenge(b.AGENCY.client_id, b.NONCE)
TRUST = b.anchored()
ANCHORS = [load_der_x509_certificate(root) for root in (b.ISSUER.root, b.FOREIGN.root)]
PATHS: Sequence[Any] = [
    [], [["given_name"]], [["address"], ["height"]], [["nationalities", None], ["degrees", 1, "university"]],
    [["age_equal_or_over", "18"], ["address", "locality"]],
]  # fmt: skip
ROUNDS = 120
SKEW = 60


def ours(text: str) -> VerifiedContent | None:
    try:
        return SD_JWT_VC.verify_presented(text, TRUST, CHALLENGE, b.NOW)
    except Rejected:
        return None


def theirs(text: str) -> Any:
    return verify_presentation(
        text,
        expected_nonce=b.NONCE,
        expected_audience=CHALLENGE.client_id,
        trust_anchors=ANCHORS,
        now=b.NOW,
        max_skew_seconds=SKEW,
    )


def agree(text: str) -> bool:
    """Whether ours accepts; the other one does then, and says the same of the holder."""
    mine = ours(text)
    if mine is None:
        return False
    verdict = theirs(text)
    if not verdict.authentic and verdict.reason.endswith("byte limit"):
        return True
    assert verdict.authentic, verdict.as_dict()
    assert {name: verdict.claims[name] for name in mine.claims} == mine.claims
    assert verdict.claims["vct"] == mine.vct
    return True


def bound(jwt: str, *disclosures: str, **members: Any) -> str:
    presented = "~".join((jwt, *disclosures, ""))
    payload = {
        "aud": CHALLENGE.client_id,
        "nonce": b.NONCE,
        "iat": b.NOW,
        "sd_hash": sd_hash(presented),
        **members,
    }
    return presented + forge(payload, b.HOLDER, "kb+jwt")


@pytest.mark.parametrize("paths", PATHS, ids=str)
def test_both_accept_what_is_shown_of_a_foreign_card(paths: Any) -> None:
    assert agree(SD_JWT_VC.present(f.pid(), paths, b.HOLDER, CHALLENGE, b.NOW))


@pytest.mark.parametrize("vct", [b.PERSOON, b.ADRES, b.GEZIN])
def test_both_accept_a_card_of_ours(vct: str) -> None:
    """Without null claims: the other one holds them for absent."""
    names = [name for name, value in b.attributes_of(vct).items() if value is not None]
    assert agree(b.present(b.credential(vct), names, vct=vct))


@pytest.mark.parametrize("what", ["payload", "header", "disclosure", "key binding", "key binding header"])
def test_ours_accepts_nothing_that_the_other_one_refuses(what: str) -> None:
    """Spoiled by one whose signature is good, wherever it would be found by the signature alone."""
    accepted = 0
    for number in range(ROUNDS):
        draw = random.Random(f"{what} {number}")
        accepted += agree(spoiled(what, draw))
    assert accepted > ROUNDS // 100, "some of what is spoiled does no harm"


def spoiled(what: str, draw: random.Random) -> str:
    jwt, disclosures = f.issuer_jwt(), list(f.DISCLOSURES.values())
    if what == "payload":
        return bound(forge(spoil(draw, payload_of(jwt)), b.FOREIGN.key, "dc+sd-jwt", {"x5c": b.FOREIGN.x5c}))
    if what == "header":
        head = spoil(draw, {**header_of(jwt), "kid": "1"})
        return bound(forge_header(head, jwt.split(".")[1], b.FOREIGN.key), *disclosures)
    if what == "disclosure":
        contents = ["salt", "place", {"a": [1, {"b": "c"}], "_sd": [b64u_encode(bytes(32))]}]
        encoded = b64u_json(spoil(draw, contents))
        return bound(f.issuer_jwt(_sd=[b64u_encode(digest_of(encoded))]), encoded)
    good = bound(jwt, *disclosures)
    presented, _, kb_jwt = good.rpartition("~")
    if what == "key binding":
        return f"{presented}~{forge(spoil(draw, payload_of(kb_jwt)), b.HOLDER, 'kb+jwt')}"
    head = spoil(draw, {**header_of(kb_jwt), "kid": "1"})
    return f"{presented}~{forge_header(head, kb_jwt.split('.')[1], b.HOLDER)}"
