"""Sealing: no share, no value; every other part fails closed (section 4)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import (
    b64u_decode,
    b64u_encode,
    canonical_bytes,
    hkdf_sha256,
    hmac_sha256,
    sha256,
    to_builtins,
)
from protocol.disclosure import make_disclosure
from protocol.errors import Rejected
from protocol.leaf import LeafType, commitment, parse_leaf
from protocol.presentation import (
    MAX_SEALED_BYTES,
    SealedDisclosure,
    check_deposit,
    check_sealed_form,
    check_share,
    claim_share,
    claim_shares,
    disclosure_key,
    grant_leaf,
    make_claim,
    open_deposit,
    open_disclosure,
    open_share_a,
    parse_regie_sealed,
    seal_deposit,
    seal_presentation,
    share_digest,
)
from protocol.seal import aead_seal
from protocol.terms import Place, Terms, places_of, terms_hash, with_flags
from tests.protocol import builders, granting
from tests.protocol.builders import ADRES, PERSOON
from tests.protocol.granting import KEM, OPENING_KEY, A, B, change, disclosure, terms, town

TERMS = terms()
DIGEST = b64u_decode(TERMS.claims[0].digest)
OTHER = sha256(b"other")
LOG_KEM = builders.kem("log")
PLACES = [
    Place(name, vct, attribute.name)
    for name, vct in granting.VCTS.items()
    for attribute in CREDENTIAL_TYPES[vct].attributes
]


def disclosures(granted: Terms) -> dict[str, str]:
    """What the wallet holds for these terms."""
    return {c.digest: disclosure(p) for c, p in zip(granted.claims, places_of(granted), strict=True)}


def seal(granted: Terms = TERMS) -> list[SealedDisclosure]:
    """Sealed as an honest wallet does."""
    return seal_presentation(granted, disclosures(granted), A, B, KEM.public_bytes(), builders.random_of("s"))[0]


def open_first(**changes: Any) -> str:
    """Open the first disclosure, with one part exchanged."""
    arguments: dict[str, Any] = {
        "terms": TERMS,
        "claim": TERMS.claims[0],
        "sealed": seal()[0],
        "a": A,
        "share": claim_share(B, DIGEST),
        "binding": terms_hash(TERMS),
    }
    return open_disclosure(**{**arguments, **changes})


def test_shares_and_keys_are_the_named_functions() -> None:
    share = hmac_sha256(B, b"regie/claim/v1", DIGEST)
    assert claim_share(B, DIGEST) == share
    assert share_digest(share) == sha256(b"regie/share/v1" + share)
    assert disclosure_key(A, share, OTHER) == hkdf_sha256(A + share, b"regie/disclosure/v1", salt=OTHER)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.sampled_from(PLACES), min_size=1, max_size=8))
def test_any_subset_of_attributes_seals_and_opens(chosen: set[Place]) -> None:
    granted = terms(sorted(chosen))
    sealed = seal(granted)
    check_sealed_form(granted, sealed)
    shares = claim_shares(granted.claims, B)
    for claim, item, share in zip(granted.claims, sealed, shares, strict=True):
        check_share(claim, share)
        opened = open_disclosure(granted, claim, item, A, share, binding=terms_hash(granted))
        assert sha256(opened.encode()) == b64u_decode(claim.digest)
    assert set(places_of(granted)) == set(with_flags(chosen))


def test_ciphertext_length_tells_only_the_attributes_size() -> None:
    for place in (Place("adres", ADRES, "straat"), Place("adres", ADRES, "huisletter")):
        granted = terms([place])
        assert len(b64u_decode(seal(granted)[0].ciphertext)) == 256 + 16


@given(st.sampled_from(range(len(TERMS.claims))), st.sampled_from(range(len(TERMS.claims))))
def test_share_of_one_attribute_never_opens_another(mine: int, wanted: int) -> None:
    share = claim_share(B, b64u_decode(TERMS.claims[mine].digest))
    sealed, claim = seal()[wanted], TERMS.claims[wanted]
    if mine == wanted:
        assert open_disclosure(TERMS, claim, sealed, A, share, binding=terms_hash(TERMS))
        return
    with pytest.raises(Rejected, match="share_mismatch"):
        check_share(claim, share)
    with pytest.raises(Rejected, match="digest_mismatch"):
        open_disclosure(TERMS, claim, sealed, A, share, binding=terms_hash(TERMS))


@pytest.mark.parametrize(
    "changes",
    [
        {"a": OTHER},
        {"share": OTHER},
        {"claim": TERMS.claims[1]},
        {"sealed": seal()[1]},
        {"terms": change(TERMS, lock=b64u_encode(OTHER))},
        {"binding": terms_hash(change(TERMS, max_reads=1))},
        {"sealed": change(seal()[0], nonce=b64u_encode(bytes(24)))},
        {"sealed": change(seal()[0], ciphertext="")},
        {"sealed": change(seal()[0], ciphertext="!")},
    ],
)
def test_any_other_part_does_not_open(changes: dict[str, Any]) -> None:
    assert open_first() == disclosures(TERMS)[TERMS.claims[0].digest]
    with pytest.raises(Rejected, match="digest_mismatch"):
        open_first(**changes)


@given(st.integers(0, 271), st.integers(1, 255))
def test_no_changed_byte_of_a_ciphertext_opens(place: int, step: int) -> None:
    sealed = seal()[0]
    data = bytearray(b64u_decode(sealed.ciphertext))
    data[place % len(data)] ^= step
    with pytest.raises(Rejected, match="digest_mismatch"):
        open_first(sealed=change(sealed, ciphertext=b64u_encode(bytes(data))))


def sealed_by_a_liar(plaintext: bytes) -> SealedDisclosure:
    """What a wallet seals, under the right key, in place of the disclosure."""
    key = disclosure_key(A, claim_share(B, DIGEST), b64u_decode(TERMS.lock))
    ciphertext = aead_seal(key, bytes(24), plaintext, terms_hash(TERMS) + DIGEST)
    return SealedDisclosure(TERMS.claims[0].digest, b64u_encode(bytes(24)), b64u_encode(ciphertext))


@pytest.mark.parametrize(
    "plaintext",
    [
        bytes(256),
        b"\xff" * 255 + b"\x80",
        b"WyJ4Il0".ljust(255, b"A") + b"\x80",
        disclosure(granting.HUISNUMMER).encode() + b"\x80",
    ],
)
def test_lying_wallet_is_told_from_a_lying_log(plaintext: bytes) -> None:
    check_share(TERMS.claims[0], claim_share(B, DIGEST))
    with pytest.raises(Rejected, match="digest_mismatch"):
        open_first(sealed=sealed_by_a_liar(plaintext))
    with pytest.raises(Rejected, match="share_mismatch"):
        check_share(TERMS.claims[0], OTHER)


def test_wallet_cannot_seal_what_the_terms_do_not_name() -> None:
    held = disclosures(TERMS)
    swapped = {**held, TERMS.claims[0].digest: held[TERMS.claims[1].digest]}
    with pytest.raises(ValueError):
        seal_presentation(TERMS, swapped, A, B, KEM.public_bytes(), builders.random_of("s"))
    with pytest.raises(ValueError):
        seal_presentation(TERMS, held, A, OTHER, KEM.public_bytes(), builders.random_of("s"))


def test_claim_of_a_disclosure_beyond_its_size_is_refused() -> None:
    place = granting.POSTCODE
    for length, fits in ((255, True), (256, False)):
        text = "A" * length
        if fits:
            assert make_claim(place, text, B).size == 256
        else:
            with pytest.raises(Rejected, match="too_large"):
                make_claim(place, text, B)


def test_shares_of_another_length_are_our_mistake() -> None:
    for parts in ((b"", OTHER, OTHER), (A, b"", OTHER), (A, OTHER, b"")):
        with pytest.raises(ValueError):
            disclosure_key(*parts)


def test_share_a_opens_for_its_agency_and_terms_only() -> None:
    _, share_a = seal_presentation(TERMS, disclosures(TERMS), A, B, KEM.public_bytes(), builders.random_of("s"))
    assert open_share_a(KEM, TERMS, share_a) == A
    for kem, granted, sealed in (
        (LOG_KEM, TERMS, share_a),
        (KEM, change(TERMS, max_reads=1), share_a),
        (KEM, TERMS, share_a[:-1]),
        (KEM, TERMS, b""),
        (KEM, TERMS, seal_deposit(KEM.public_bytes(), TERMS, A)),
    ):
        with pytest.raises(Rejected, match="bad_share_a"):
            open_share_a(kem, granted, sealed)


def test_deposit_opens_for_its_log_and_terms_only() -> None:
    deposit = seal_deposit(LOG_KEM.public_bytes(), TERMS, B)
    assert len(deposit) == 1168
    assert open_deposit(LOG_KEM, TERMS, deposit) == B
    check_deposit(TERMS, B)
    for kem, granted in ((KEM, TERMS), (LOG_KEM, change(TERMS, version=2))):
        with pytest.raises(Rejected, match="bad_deposit"):
            open_deposit(kem, granted, deposit)
    with pytest.raises(Rejected, match="bad_deposit"):
        open_deposit(LOG_KEM, TERMS, seal_deposit(LOG_KEM.public_bytes(), TERMS, B + B))


def test_log_refuses_a_deposit_that_can_never_open() -> None:
    with pytest.raises(Rejected, match="bad_deposit"):
        check_deposit(TERMS, OTHER)
    first, *rest = TERMS.claims
    lied = change(TERMS, claims=[change(first, share=b64u_encode(OTHER)), *rest])
    with pytest.raises(Rejected, match="bad_deposit"):
        check_deposit(lied, B)


def test_key_that_cannot_be_sealed_to_is_refused() -> None:
    for key in (b"", bytes(1215), bytes(1217)):
        with pytest.raises(Rejected, match="bad_key"):
            seal_deposit(key, TERMS, B)


SEALED = seal()


@pytest.mark.parametrize(
    "sealed",
    [
        [],
        SEALED[1:],
        [*SEALED, SEALED[0]],
        [SEALED[1], SEALED[0], *SEALED[2:]],
        [change(SEALED[0], digest=b64u_encode(OTHER)), *SEALED[1:]],
        [change(SEALED[0], ciphertext=b64u_encode(bytes(271))), *SEALED[1:]],
        [change(SEALED[0], ciphertext=b64u_encode(bytes(273))), *SEALED[1:]],
        [change(SEALED[0], ciphertext=b64u_encode(bytes(1040))), *SEALED[1:]],
    ],
)
def test_every_digest_is_sealed_once_at_its_exact_size(sealed: list[SealedDisclosure]) -> None:
    check_sealed_form(TERMS, SEALED)
    with pytest.raises(Rejected, match="bad_sealed"):
        check_sealed_form(TERMS, sealed)


def test_largest_answer_stays_below_its_limit() -> None:
    granted = terms(PLACES)
    assert len(canonical_bytes(town(signed=granted).answer.sealed)) < MAX_SEALED_BYTES / 4


PLAIN: dict[str, Any] = to_builtins(town().answer.sealed)


def test_regie_sealed_comes_back() -> None:
    assert to_builtins(parse_regie_sealed(PLAIN)) == PLAIN


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("slot", -1, "bad_form"),
        ("slot", 2**40, "bad_form"),
        ("sealed", [], "bad_form"),
        ("opening_key", "x", "bad_form"),
        ("share_a", b64u_encode(bytes(1167)), "bad_form"),
        ("proof", "x" * (72 * 1024 + 1), "bad_form"),
        ("terms", {**PLAIN["terms"], "not_after": 0}, "bad_terms"),
        ("terms", {**PLAIN["terms"], "claims": PLAIN["terms"]["claims"][:1]}, "flags_missing"),
        ("extra", 1, "bad_form"),
    ],
)
def test_agency_refuses_a_sealed_part_of_bad_form(name: str, value: Any, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_regie_sealed({**PLAIN, name: value})
    assert caught.value.code == code


def test_grant_leaf_opens_to_the_terms() -> None:
    leaf = grant_leaf(TERMS, 7, OPENING_KEY)
    assert leaf.commit == commitment(OPENING_KEY, LeafType.GRANT, canonical_bytes(TERMS))
    assert (leaf.slot, leaf.lock) == (7, b64u_decode(TERMS.lock))
    assert parse_leaf(leaf.to_bytes()) == leaf


def test_persons_credential_differs_from_the_address_one() -> None:
    """Equal attributes of two credentials have other salts, so their digests and keys differ."""
    made = make_disclosure("geheimhouding", None, bytes(16))
    assert made.digest not in {b64u_decode(claim.digest) for claim in TERMS.claims}
    flags = [claim for claim in TERMS.claims if claim.path == ["geheimhouding"]]
    assert {claim.vct for claim in flags} == {ADRES, PERSOON}
    assert len({claim.digest for claim in flags}) == 2
