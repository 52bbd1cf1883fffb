"""Section 8.4: a value only after every check, and each liar named (sections 8.3 and 8.4)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.attributes import CREDENTIAL_TYPES
from protocol.canonical import b64u_decode, b64u_encode, sha256
from protocol.consent_api import ReadAnswer
from protocol.disclosure import make_disclosure
from protocol.errors import Rejected
from protocol.presentation import SealedDisclosure, claim_share, disclosure_key, make_claim, open_disclosure
from protocol.reading import parse_read
from protocol.receipt import make_tlog_proof
from protocol.seal import aead_seal, pad
from protocol.standing import _take_values
from protocol.terms import ElementClaim, Place, Terms, terms_hash, with_flags
from protocol.trust_list import ServiceClaim
from tests.protocol import builders, granting
from tests.protocol.builders import ADRES, DAY, NOW
from tests.protocol.granting import (
    ALL,
    HUISNUMMER,
    POSTCODE,
    SURNAME,
    A,
    B,
    Town,
    change,
    disclosure,
    outcome,
    town,
)

OTHER = b64u_encode(sha256(b"other"))
FLAGS = {place: None for place in with_flags([POSTCODE]) if place != POSTCODE}


def read(at: Town, *places: Place, **changes: Any) -> Any:
    """(READ, answer, standing) of an honest log."""
    token = at.make_read(*(places or (POSTCODE,)), **changes)
    return (token, *at.release(token))


def test_agency_reads_what_it_asked_and_nothing_else() -> None:
    at = town()
    token, released, standing = read(at)
    reading = at.open(token, released, standing, statuses={"adres": "valid"})
    assert reading.values == {POSTCODE: "1234AB", **FLAGS}
    assert (reading.read, reading.n, reading.index) == (token, 0, released.index)
    assert reading.standing is standing
    assert reading.statuses == {"adres": "valid"}


def test_agency_reads_over_two_credentials() -> None:
    at = town()
    reading = at.open(*read(at, *ALL))
    assert {place: reading.values[place] for place in ALL} == {
        POSTCODE: "1234AB",
        HUISNUMMER: 12,
        SURNAME: "Voorbeeld",
    }


@settings(max_examples=15, deadline=None)
@given(
    st.sets(st.sampled_from([a.name for a in CREDENTIAL_TYPES[ADRES].attributes]), min_size=1),
    st.data(),
)
def test_any_part_of_a_grant_can_be_read_alone(names: set[str], data: st.DataObject) -> None:
    claims = [ElementClaim("adres", [name], False) for name in sorted(names)]
    registered = [ServiceClaim(vct=ADRES, path=[name], needed=False) for name in sorted(names)]
    request = replace(granting.asked(claims=claims), service=builders.service(claims=registered))
    places = [Place("adres", ADRES, name) for name in sorted(names)]
    at = town(places, request=request)
    wanted = data.draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
    values = at.open(*read(at, *wanted)).values
    assert set(values) == set(with_flags(wanted))
    assert all(values[place] == builders.attributes_of(ADRES)[place.name] for place in wanted)


def test_release_gives_no_share_beyond_the_read() -> None:
    """A curious agency opens the release itself: with those shares no other attribute opens."""
    at = town()
    token, released, standing = read(at)
    shares = granting.open_shares(token, released, standing)
    named = parse_read(token).read.claims
    for claim, sealed in zip(at.terms.claims, at.answer.sealed.sealed, strict=True):
        opened = [
            share
            for share in shares
            if outcome(open_disclosure, at.terms, claim, sealed, A, share, binding=terms_hash(at.terms)) is None
        ]
        assert len(opened) == (claim.digest in named)


def test_light_check_of_another_grant_does_not_serve() -> None:
    at = town()
    token, released, standing = read(at)
    for changes in ({"slot": at.slot - 1}, {"lock": sha256(b"x")}):
        assert outcome(at.open, token, released, replace(standing, **changes)) == "wrong_grant"
    foreign = replace(standing, checkpoint=replace(standing.checkpoint, origin="log.elders.example"))
    assert outcome(at.open, token, released, foreign) == "wrong_log"


def test_log_cannot_release_without_an_entry() -> None:
    """No log entry, no key: an answer whose leaf is not in the tree is refused though its shares are right."""
    at = town()
    token = at.make_read(POSTCODE)
    at.log.reads = 0
    honest, standing = at.release(token)
    note = standing.checkpoint.note
    elsewhere = make_tlog_proof(at.grant_index, at.log.proof(at.grant_index), note)
    assert outcome(at.open, token, change(honest, proof=elsewhere), standing) == "bad_inclusion"
    assert outcome(at.open, token, change(honest, index=honest.index - 1), standing) == "wrong_read"
    assert outcome(at.open, token, change(honest, opening_key=OTHER), standing) == "bad_inclusion"


def test_entry_cannot_stand_before_its_grant() -> None:
    at = town()
    token, released, standing = read(at)
    for grant_index in (released.index, released.index + 1):
        assert outcome(at.open, token, released, replace(standing, grant_index=grant_index)) == "wrong_read"


def test_entry_under_an_older_checkpoint_than_the_light_check_is_refused() -> None:
    at = town()
    first = at.make_read(POSTCODE)
    released, _ = at.release(first)
    _, later = at.release(at.make_read(HUISNUMMER, read_id=b64u_encode(b"2" * 16)))
    assert outcome(at.open, first, released, later) == "other_checkpoint"


def test_entry_of_another_read_is_refused() -> None:
    """The log logs one READ and releases for another one."""
    at = town()
    logged = at.make_read(POSTCODE)
    released, standing = at.release(logged)
    wanted = at.make_read(HUISNUMMER)
    assert outcome(at.open, wanted, released, standing) == "bad_inclusion"


def test_stale_read_of_another_grant_or_key_is_refused() -> None:
    at = town()
    lies = ({"slot": at.slot - 1}, {"lock": OTHER}, {"aud": "log.elders.example"}, {"reply_key_hash": OTHER})
    for changes in lies:
        token = at.make_read(POSTCODE, **changes)
        released, standing = at.release(at.make_read(POSTCODE))
        assert outcome(at.open, token, released, standing) == "wrong_read"


def test_log_cannot_count_a_read_twice_or_beyond_the_terms() -> None:
    at = town(max_reads=2)
    token = at.make_read(POSTCODE)
    released, standing = at.release(token, n=1)
    assert at.open(token, released, standing).n == 1
    assert outcome(at.open, token, released, standing, used={1}) == "read_number"
    released, standing = at.release(token, n=2)
    assert outcome(at.open, token, released, standing) == "read_number"


def test_log_cannot_answer_with_another_number_than_the_tag_has() -> None:
    at = town()
    token, released, standing = read(at)
    assert outcome(at.open, token, change(released, n=1), standing) == "bad_inclusion"


def test_lying_log_is_named() -> None:
    """It releases shares that are not those of T: `share_mismatch`, and no value."""
    at = town()
    token = at.make_read(POSTCODE)
    right = [claim_share(B, b64u_decode(digest)) for digest in at.digests(POSTCODE)]
    for shares in ([sha256(b"x"), *right[1:]], [right[1], right[0], *right[2:]], right[::-1]):
        released, standing = at.release(token, shares=shares)
        assert outcome(at.open, token, released, standing) == "share_mismatch"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_log_that_releases_another_number_of_shares_is_refused(count: int) -> None:
    at = town()
    token = at.make_read(POSTCODE)
    released, standing = at.release(token, shares=[sha256(b"x")] * count)
    assert outcome(at.open, token, released, standing) == "bad_release"


def test_release_for_another_reply_key_is_refused() -> None:
    at = town()
    token, released, standing = read(at)
    junk = change(released, sealed=b64u_encode(bytes(1200)))
    assert outcome(at.open, token, junk, standing) == "bad_release"


def resealed(at: Town, digest: str, plaintext: bytes) -> Town:
    """The grant of a wallet that sealed something else for one attribute, under the right key."""
    key = disclosure_key(A, claim_share(B, b64u_decode(digest)), b64u_decode(at.terms.lock))
    ciphertext = aead_seal(key, bytes(24), plaintext, terms_hash(at.terms) + b64u_decode(digest))
    lie = SealedDisclosure(digest, b64u_encode(bytes(24)), b64u_encode(ciphertext))
    sealed = [lie if item.digest == digest else item for item in at.answer.sealed.sealed]
    at.answer = at.with_sealed(sealed=sealed)
    return at


def test_lying_wallet_is_named() -> None:
    """It seals junk, or a self-made disclosure with a nicer value, in place of the issuer's."""
    forged = make_disclosure("postcode", "9999ZZ", bytes(16)).encoded
    for plaintext in (pad(b"junk", 256), pad(forged.encode(), 256), bytes(256)):
        at = resealed(town(), town().terms.claims[0].digest, plaintext)
        at.accept()
        assert outcome(at.open, *read(at)) == "digest_mismatch"


def renamed(claimed: Place, real: Place) -> Terms:
    """Terms that pass off attribute `real` as `claimed`: digest and share of the one, path of the other."""
    honest = granting.terms([claimed])
    lie = make_claim(real, disclosure(real), B)
    first, *rest = honest.claims
    return change(honest, claims=[change(first, digest=lie.digest, share=lie.share), *rest])


def test_one_attribute_is_never_passed_off_as_another() -> None:
    """The wallet names the digest of `huisnummer` at the path `postcode`: accepted blind, refused when opened."""
    signed = renamed(POSTCODE, HUISNUMMER)
    at = town(signed=signed, disclosures={signed.claims[0].digest: disclosure(HUISNUMMER)})
    at.accept()
    assert outcome(at.open, *read(at)) == "claim_mismatch"


def test_array_element_is_never_passed_off_as_an_attribute() -> None:
    """An issuer-signed digest of a two-element disclosure has no name."""
    salted = b64u_encode(b'["c2FsdHNhbHRzYWx0c2FsdA","1234AB"]')
    assert outcome(_open_named, salted) == "claim_mismatch"


def _open_named(encoded: str) -> None:
    """Open a reading over a credential whose `_sd` also holds the digest of `encoded`."""
    signed = granting.terms([POSTCODE])
    first, *rest = signed.claims
    digest = b64u_encode(sha256(encoded.encode()))
    _take_values(change(signed, claims=[change(first, digest=digest), *rest]), {digest: encoded})


def test_presentation_is_verified_again_at_every_read() -> None:
    at = town()
    token, released, standing = read(at)
    stripped = at.with_token("adres", at.answer.vp_token["adres"].rpartition("~")[0] + "~")
    assert outcome(at.open, token, released, standing, answer=stripped) == "key_binding_missing"
    assert outcome(at.open, token, released, standing, trust=builders.trust_list(issuers=[])) == "not_listed"
    widened = replace(at.asked, service=builders.service(claims=[builders.service().claims[0]]))
    assert outcome(at.open, token, released, standing, asked=widened) == "over_asking"


def test_dates_are_checked_at_every_read() -> None:
    at = town(not_before=NOW + DAY)
    token, released, standing = read(at)
    assert outcome(at.open, token, released, standing) == "not_yet"
    assert outcome(at.open, token, released, standing, now=NOW + DAY) is None
    trust = builders.trust_list(exp=NOW + 300 * DAY)
    late = at.terms.not_after
    assert outcome(at.open, token, released, standing, trust=trust, now=late - 1) is None
    assert outcome(at.open, token, released, standing, trust=trust, now=late) == "expired"


def test_status_is_checked_at_every_read() -> None:
    at = town()
    token, released, standing = read(at)
    revoked: Any = {"adres": "revoked"}
    assert outcome(at.open, token, released, standing, statuses=revoked) == "credential_revoked"
    assert outcome(at.open, token, released, standing, accept_undetermined=False) == "status_undetermined"


def test_log_that_admits_a_read_without_flags_yields_no_value() -> None:
    at = town()
    token = at.make_read(claims=at.digests(POSTCODE)[:1])
    assert outcome(at.open, token, *at.release(token)) == "out_of_scope"


def test_log_that_admits_a_read_outside_the_terms_yields_no_value() -> None:
    at = town([POSTCODE])
    beyond = make_claim(HUISNUMMER, disclosure(HUISNUMMER), B)
    token = at.make_read(claims=[*at.digests(POSTCODE), beyond.digest])
    shares = [claim_share(B, b64u_decode(digest)) for digest in parse_read(token).read.claims]
    assert outcome(at.open, token, *at.release(token, shares=shares)) == "out_of_scope"


def test_read_for_another_case_yields_no_value() -> None:
    request = granting.asked(case=OTHER)
    at = town(request=request, case=OTHER)
    assert outcome(at.open, *read(at, case=OTHER)) is None
    assert outcome(at.open, *read(at)) == "out_of_scope"


def test_agency_without_its_keys_reads_nothing() -> None:
    at = town()
    token, released, standing = read(at)
    assert outcome(at.open, token, released, standing, kem=builders.kem("thief")) == "bad_share_a"
    assert outcome(at.open, token, released, standing, reply=builders.kem("thief")) == "wrong_read"


def test_stored_answer_that_was_changed_yields_no_value() -> None:
    """Somebody edits the agency's own store: other terms, other shares, other disclosures."""
    at = town()
    token, released, standing = read(at)
    changed = (
        at.with_sealed(terms=change(at.terms, max_reads=9)),
        at.with_sealed(share_a=b64u_encode(bytes(1168))),
        at.with_sealed(sealed=at.answer.sealed.sealed[1:]),
        at.with_sealed(sealed=[change(at.answer.sealed.sealed[0], nonce=b64u_encode(bytes(24)))]),
        at.with_sealed(terms=change(at.terms, claims=at.terms.claims[:1])),
    )
    codes = [outcome(at.open, token, released, standing, answer=answer) for answer in changed]
    assert codes == ["bad_share_a", "bad_share_a", "out_of_scope", "out_of_scope", "flags_missing"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["proof", "sealed", "opening_key"]), st.integers(0, 20_000), st.integers(1, 127))
def test_no_changed_character_of_an_answer_yields_a_value(name: str, place: int, step: int) -> None:
    text: str = getattr(RELEASED, name)
    place %= len(text)
    mutated = text[:place] + chr((ord(text[place]) + step) % 128) + text[place + 1 :]
    answer: ReadAnswer = change(RELEASED, **{name: mutated})
    try:
        reading = READ_TOWN.open(READ_TOKEN, answer, STANDING)
    except Rejected:
        return
    # Only the cosignature lines of the proof are free: its checkpoint is compared by body with the verified one.
    assert name == "proof"
    assert reading.values[POSTCODE] == "1234AB"
    assert mutated.partition("\n\u2014 ")[0] == text.partition("\n\u2014 ")[0]


READ_TOWN = town()
READ_TOKEN, RELEASED, STANDING = read(READ_TOWN)
