"""The signed vectors of version 1: what any other implementation must produce and accept.

They are never edited: a change of bytes is a new version beside this one. The plain formulas of the protocol are
worked out here a second time, with other libraries, so that a vector is more than a copy of our own output.
"""

import hashlib
import hmac
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.secret import Aead

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes, convert, to_builtins
from protocol.consent import Asked, StandingAnswer, refresh_nonce
from protocol.consent_api import ReadAnswer
from protocol.keys import parse_jwk
from protocol.leaf import LeafType, commitment, event_tag
from protocol.light_check import GrantOpening, verify_light_check
from protocol.note import parse_vkey
from protocol.operators import combine, open_pieces, open_pieces_release, subsets
from protocol.policy import parse_policy, satisfied
from protocol.presentation import (
    SealedDisclosure,
    check_deposit,
    claim_share,
    disclosure_key,
    grant_leaf,
    grant_opening,
    open_deposit,
    open_disclosure,
    open_share_a,
    parse_regie_sealed,
    share_digest,
)
from protocol.reading import (
    open_release,
    verify_agency_message,
    verify_read,
    verify_resident_message,
    verify_ticket,
)
from protocol.receipt import parse_tlog_proof
from protocol.revocation_code import (
    code_from_seed,
    format_code,
    format_paper_qr,
    lock_for,
    parse_code,
    parse_paper_qr,
    revocation_secret,
    view_hash,
    view_key,
)
from protocol.seal import KemPrivate
from protocol.standing import open_reading, verify_standing
from protocol.terms import parse_element, parse_terms, salted_hash, terms_hash
from protocol.trust_list import Agency, verify_trust_list

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "v1"
DIGESTS = {
    "codes.json": "174d4273e975e0bdb3df1cc687709976a45f950dd0c19f56582d95b8bf865266",
    "leaves.json": "13b1e73996f11d430e73f00cbcc02f205386574a1cd65dc40330647a67978fc5",
    "mandates.json": "8329cfc74779dbdfbdad497d0b13bcdd8cd153e57d04f5fb1327387204c21203",
    "operators.json": "149577bdbd11885878409a6b0f8fbf02eb7ce3d11a1eccdf7da97e5172825154",
    "sealing.json": "05135fcd83674699c2b0ccbb3c7f8798f04e3bcbe25828467d4dc8761d2dea56",
    "standing.json": "9403fb619c557485231495946e41746b72e2dc2596a401e945635568c32f3ecc",
    "terms.json": "0976e524222d271c182aaf97ee581cb3f3106c99b55465f360d0e7cc87a8f014",
    "tokens.json": "3bab3419f92035d330c643f5c8f33143b00d9a0bf3dc5dd5680527dc1e1f2c0c",
}
D = b64u_decode


def vector(name: str) -> Any:
    """One file of version 1."""
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def hkdf(secret: bytes, info: bytes, *, salt: bytes | None = None, length: int = 32) -> bytes:
    """RFC 5869 by another library."""
    return HKDF(SHA256(), length, salt, info).derive(secret)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 by the standard library."""
    return hmac.new(key, message, hashlib.sha256).digest()


def test_vectors_are_never_edited() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.json")}
    assert found == DIGESTS


def test_codes() -> None:
    data = vector("codes")
    seed = D(data["seed"])
    for row in data["codes"]:
        code = D(row["code"])
        assert code == code_from_seed(seed, row["i"])
        assert code == hkdf(seed, b"regie/code/v1" + row["i"].to_bytes(4, "big"))[:16]
        for version in row["versions"]:
            number, r, lock = version["version"], D(version["r"]), D(version["lock"])
            assert r == revocation_secret(code, number)
            assert r == hkdf(code, b"regie/revoke/v1" + number.to_bytes(4, "big"))
            assert lock == lock_for(code, number) == hashlib.sha256(r).digest()
        assert D(row["view"]) == view_key(code) == hkdf(code, b"regie/view/v1")
        assert D(row["view_hash"]) == view_hash(code)
        assert row["paper"] == format_code(code)
        assert parse_paper_qr(row["qr"]) == ("https://log.voorbeeld.example/2026", code)
        assert row["qr"] == format_paper_qr("https://log.voorbeeld.example/2026", code)
    for row in data["paper"]:
        assert format_code(D(row["code"])) == row["digits"]
        assert parse_code(row["digits"]) == D(row["code"])


def test_terms() -> None:
    data = vector("terms")
    assert len(data["terms"]) == 3
    case = salted_hash(D(data["salt"]), data["case_number"])
    assert case == b64u_encode(mac(D(data["salt"]), data["case_number"].encode()))
    assert case in {row["terms"].get("case") for row in data["terms"]}
    for row in data["terms"]:
        terms = parse_terms(row["terms"])
        jcs = json.dumps(row["terms"], sort_keys=True, separators=(",", ":")).encode()
        assert canonical_bytes(terms) == row["jcs"].encode() == jcs
        assert terms_hash(terms) == D(row["hash"]) == hashlib.sha256(jcs).digest()
        assert refresh_nonce(terms) == row["refresh_nonce"]
        assert D(row["refresh_nonce"]) == hashlib.sha256(b"regie/refresh/v1" + jcs).digest()


def test_sealed_disclosures() -> None:
    data = vector("sealing")
    terms = parse_terms(data["terms"])
    a, b, lock = D(data["a"]), D(data["b"]), D(terms.lock)
    for claim, row in zip(terms.claims, data["sealed"], strict=True):
        disclosure, digest, share = row["disclosure"].encode(), D(row["digest"]), D(row["claim_share"])
        assert digest == hashlib.sha256(disclosure).digest() == D(claim.digest)
        assert share == claim_share(b, digest) == mac(b, b"regie/claim/v1" + digest)
        assert D(row["share"]) == share_digest(share) == hashlib.sha256(b"regie/share/v1" + share).digest()
        assert claim.share == row["share"]
        key = hkdf(a + share, b"regie/disclosure/v1", salt=lock)
        assert D(row["key"]) == disclosure_key(a, share, lock) == key
        assert D(row["aad"]) == terms_hash(terms) + digest
        padded = (disclosure + b"\x80").ljust(row["size"], b"\x00")
        assert Aead(key).encrypt(padded, D(row["aad"]), D(row["nonce"])).ciphertext == D(row["ciphertext"])
        sealed = SealedDisclosure(row["digest"], row["nonce"], row["ciphertext"])
        assert open_disclosure(terms, claim, sealed, a, share, binding=terms_hash(terms)) == row["disclosure"]


def test_shares_sealed_to_a_party_open() -> None:
    data = vector("sealing")
    terms = parse_terms(data["terms"])
    to_agency, to_log, release = data["share_a"], data["deposit"], data["release"]
    kem = KemPrivate(D(to_agency["kem_seed"]))
    assert kem.public_bytes() == D(to_agency["kem_key"])
    assert open_share_a(kem, terms, D(to_agency["share_a"])) == D(data["a"])
    b = open_deposit(KemPrivate(D(to_log["kem_seed"])), terms, D(to_log["deposit"]))
    assert b == D(data["b"])
    check_deposit(terms, b)
    shares = open_release(
        KemPrivate(D(release["kem_seed"])),
        D(release["sealed"]),
        len(terms.claims),
        lock=D(release["lock"]),
        read_id=D(release["read_id"]),
        index=release["index"],
        body_hash=D(release["body_hash"]),
    )
    assert [b64u_encode(share) for share in shares] == release["shares"]
    assert release["shares"] == [row["claim_share"] for row in data["sealed"]]


def test_tags_and_commitments() -> None:
    data = vector("leaves")
    tag_key, opening_key = D(data["tag_key"]), D(data["opening_key"])
    for row in data["tags"]:
        message = b"regie/event/v1" + bytes([row["type"]]) + row["n"].to_bytes(8, "big")
        assert D(row["tag"]) == event_tag(tag_key, LeafType(row["type"]), row["n"]) == mac(tag_key, message)[:16]
    for row in data["commitments"]:
        opening = row["opening"].encode()
        commit = mac(opening_key, b"regie/commit/v1" + bytes([row["type"]]) + opening)
        assert D(row["commit"]) == commitment(opening_key, LeafType(row["type"]), opening) == commit
    grant = data["grant"]
    terms = parse_terms(grant["terms"])
    commit = mac(opening_key, b"regie/commit/v1\x01" + canonical_bytes(terms))
    assert D(grant["leaf"]) == grant_leaf(terms, grant["slot"], opening_key).to_bytes()
    assert D(grant["leaf"]) == b"\x01" + grant["slot"].to_bytes(5, "big") + D(terms.lock) + commit


def test_signed_tokens() -> None:
    data = vector("tokens")
    agency, holder, now = convert(data["agency"], Agency), parse_jwk(data["holder"]), data["now"]
    read = verify_read(data["read"], agency, now)
    assert to_builtins(read.read) == data["read_payload"]
    assert verify_ticket(data["ticket"], agency, parse_terms(data["terms"]), now).ticket.iss == agency.id
    theirs = verify_agency_message(data["agency_message"], agency, now)
    assert to_builtins(theirs.message) == data["agency_message_payload"]
    own = verify_resident_message(data["resident_message"], holder, now)
    assert to_builtins(own.message) == data["resident_message_payload"]


@pytest.fixture
def standing() -> Any:
    """What an agency holds: parsed, nothing verified."""
    return vector("standing")


def _asked(data: Any, trust: Any) -> Asked:
    kept = data["asked"]
    element = parse_element(kept["transaction_data"])
    service = trust.service(element.recipient, element.service, element.service_version)
    return Asked(
        element,
        kept["transaction_data"],
        D(kept["request_hash"]),
        kept["audience"],
        kept["nonce"],
        kept["vcts"],
        service,
    )


def test_standing_access_from_answer_to_value(standing: Any) -> None:
    now, kem = standing["now"], KemPrivate(D(standing["kem_seed"]))
    trust = verify_trust_list(standing["trust_list"], parse_jwk(standing["registrar"]), now)
    policy, log_key = parse_policy(standing["policy"]), parse_vkey(standing["log_vkey"])
    asked = _asked(standing, trust)
    answer = StandingAnswer(standing["vp_token"], parse_regie_sealed(standing["regie_sealed"]))
    quorum = satisfied(policy, parse_tlog_proof(answer.sealed.proof).checkpoint, now, log_keys=[log_key])
    grant = verify_standing(answer, asked, trust=trust, kem=kem, quorum=quorum, now=now)
    released = convert(standing["answer"], ReadAnswer)
    terms = grant.answer.terms
    opening = GrantOpening(terms.log, D(terms.lock), grant_opening(terms), D(answer.sealed.opening_key))
    light = verify_light_check(released.evidence, opening, log_key=log_key, policy=policy, now=now)
    reading = open_reading(
        answer,
        asked,
        standing["read"],
        released,
        light,
        trust=trust,
        kem=kem,
        reply=KemPrivate(D(standing["reply_seed"])),
        now=now,
    )
    found = [
        {"credential": place.credential, "name": place.name, "value": value}
        for place, value in reading.values.items()
    ]
    assert found == standing["values"]
    assert found[0] == {"credential": "adres", "name": "postcode", "value": "1234AB"}


def xor(parts: list[bytes]) -> bytes:
    """Of 32-byte strings, by whole numbers."""
    total = 0
    for part in parts:
        total ^= int.from_bytes(part, "big")
    return total.to_bytes(32, "big")


@pytest.mark.parametrize("number", range(3), ids=["1 of 1", "2 of 3", "3 of 5"])
def test_shares_over_operators(number: int) -> None:
    data = vector("operators")
    case, reply = data["cases"][number], KemPrivate(D(data["reply_seed"]))
    needed, members, pieces = case["needed"], case["members"], [D(piece) for piece in case["pieces"]]
    kept_from = [list(s) for s in itertools.combinations(range(len(members)), needed - 1)]
    assert case["kept_from"] == kept_from == [list(s) for s in subsets(len(members), needed)]
    terms = parse_terms(case["terms"])
    assert terms.operators is not None
    assert terms_hash(terms) == D(case["terms_hash"])
    named = [hashlib.sha256(b"regie/piece/v1" + piece).digest() for piece in pieces]
    assert [D(digest) for digest in terms.operators.pieces] == named
    for claim in case["claims"]:
        share = xor([mac(piece, b"regie/claim/v1" + D(claim["digest"])) for piece in pieces])
        assert share == D(claim["share"]) == claim_share(b"".join(pieces), D(claim["digest"]))
        assert D(claim["share_digest"]) == share_digest(share)
    given = {}
    bound = {name: D(data["release"][name]) for name in ("read_id", "body_hash")}
    place = {"lock": D(terms.lock), "index": data["release"]["index"], **bound}
    for position, operator in enumerate(case["operators"]):
        name = operator["name"]
        held = [n for n, without in enumerate(kept_from) if position not in without]
        assert operator["held"] == held
        own = open_pieces(KemPrivate(D(operator["deposit_seed"])), terms, name, D(operator["deposit"]))
        assert list(own) == [pieces[n] for n in held]
        sealed, count = D(operator["release"]), len(case["claims"])
        given[name] = open_pieces_release(reply, sealed, terms.operators, name, count, **place)
        for row, claim in zip(given[name], case["claims"], strict=True):
            assert list(row) == [mac(pieces[n], b"regie/claim/v1" + D(claim["digest"])) for n in held]
    combined = combine(terms.operators, terms.claims[: len(case["claims"])], given)
    assert combined is not None
    assert list(combined.shares) == [D(claim["share"]) for claim in case["claims"]]
