"""What an agency checks before it stores a grant (sections 4 and 7.4): each attack ends in a refusal."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.canonical import b64u_encode, sha256
from protocol.consent import CredentialStatus, refresh_nonce, verify_consent
from protocol.credential import split_sd_jwt
from protocol.disclosure import digest_of
from protocol.errors import Rejected
from protocol.policy import satisfied
from protocol.presentation import grant_leaf, grant_opening
from protocol.receipt import make_tlog_proof
from protocol.revocation_code import lock_for
from protocol.standing import verify_refresh
from protocol.terms import ElementClaim, Place
from tests.protocol import builders, granting
from tests.protocol.builders import ADRES, DAY, HOLDER, NOW
from tests.protocol.granting import (
    ALL,
    CARDS,
    CODE,
    HUISNUMMER,
    POSTCODE,
    SURNAME,
    VCTS,
    B,
    asked,
    bind,
    change,
    outcome,
    terms,
    town,
)

TOWN = town()
TERMS = TOWN.terms
OTHER = b64u_encode(sha256(b"other"))


def test_agency_accepts_an_honest_grant() -> None:
    grant = TOWN.accept()
    assert grant.grant_index == TOWN.grant_index
    assert set(grant.consent.credentials) == {"adres", "persoon"}
    assert grant.consent.set_id == builders.set_id()


def test_agency_accepts_fewer_attributes_and_credentials() -> None:
    assert set(town([POSTCODE]).accept().consent.credentials) == {"adres"}


def test_nothing_readable_is_in_what_the_agency_stores() -> None:
    """Section 4: no disclosure and no value before a read."""
    stored = msgspec.json.encode([dict(TOWN.answer.vp_token), TOWN.answer.sealed]).decode()
    for place in ALL:
        assert granting.disclosure(place) not in stored
    for text in stored.split('"'):
        assert "1234AB" not in text
        assert "Voorbeeld" not in text


def test_terms_of_bad_form_are_refused_first() -> None:
    assert outcome(town(not_before=NOW + 200 * DAY).accept) == "bad_terms"


def test_terms_without_register_flags_are_refused() -> None:
    claims = [claim for claim in TERMS.claims if claim.path != ["geheimhouding"]]
    assert outcome(town(signed=change(TERMS, claims=claims)).accept) == "flags_missing"


def test_terms_for_another_request_are_refused() -> None:
    assert outcome(town(request_hash=OTHER).accept) == "wrong_request"
    assert outcome(TOWN.accept, asked=replace(TOWN.asked, request_hash=sha256(b"x"))) == "wrong_request"


def test_grant_that_is_over_is_refused() -> None:
    assert outcome(TOWN.accept, now=TERMS.not_after) == "expired"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient": "00000099000000002000"}, "widened"),
        ({"not_after": NOW + 301 * DAY}, "widened"),
        ({"retention": "P9Y"}, "widened"),
        ({"case": OTHER}, "widened"),
        ({"log": "log.elders.example"}, "widened"),
        ({"basis": "legal_obligation"}, "over_asking"),
    ],
)
def test_widened_terms_are_refused_though_the_holder_signed_them(changes: dict[str, Any], code: str) -> None:
    assert outcome(town(**changes).accept) == code


def test_terms_widened_after_the_holder_signed_are_refused() -> None:
    """The agency (or somebody on the way) raises the number of reads or the end date in T."""
    limited = town(max_reads=1)
    for changes in ({"max_reads": 2}, {"max_reads": None}, {"not_after": TERMS.not_after + 1}):
        answer = limited.with_sealed(terms=change(limited.terms, **changes))
        assert outcome(limited.accept, answer=answer) == "consent_mismatch"


def test_claims_cannot_be_added_to_signed_terms() -> None:
    narrow = town([POSTCODE])
    answer = narrow.with_sealed(terms=terms([POSTCODE, HUISNUMMER]))
    assert outcome(narrow.accept, answer=answer) == "consent_mismatch"


def test_terms_without_a_needed_attribute_are_refused() -> None:
    assert outcome(town([HUISNUMMER]).accept) == "needed_missing"


def test_mandate_is_refused_and_never_ignored() -> None:
    assert outcome(town(on_behalf_of=OTHER).accept) == "bad_mandate"


def test_key_binding_cannot_be_stripped() -> None:
    """RFC 9901 section 9.5: required by policy, not because it happens to be there."""
    stripped = TOWN.answer.vp_token["persoon"].rpartition("~")[0] + "~"
    assert outcome(TOWN.accept, answer=TOWN.with_token("persoon", stripped)) == "key_binding_missing"
    bare = split_sd_jwt(CARDS["persoon"]).jwt
    assert outcome(TOWN.accept, answer=TOWN.with_token("persoon", bare)) == "bad_sd_jwt"


def test_disclosure_in_the_clear_is_refused() -> None:
    text = builders.present(CARDS["adres"], ["postcode"])
    assert outcome(TOWN.accept, answer=TOWN.with_token("adres", text)) == "disclosures_present"


def test_key_binding_of_one_credential_does_not_serve_another() -> None:
    swapped = split_sd_jwt(CARDS["persoon"]).jwt + "~" + TOWN.answer.vp_token["adres"].rpartition("~")[2]
    assert outcome(TOWN.accept, answer=TOWN.with_token("persoon", swapped)) == "bad_key_binding"


def test_thief_of_a_credential_without_its_key_is_refused() -> None:
    stolen = bind("persoon", TERMS, TOWN.asked, holder=builders.es256("thief"))
    assert outcome(TOWN.accept, answer=TOWN.with_token("persoon", stolen)) == "bad_signature"


def test_presentation_is_not_replayed_at_another_agency() -> None:
    """Audience, nonce, request, recipient and KEM key each stop it alone."""
    elsewhere = "x509_hash:" + OTHER
    assert outcome(TOWN.accept, asked=replace(TOWN.asked, audience=elsewhere)) == "wrong_audience"
    assert outcome(TOWN.accept, asked=replace(TOWN.asked, nonce="another-nonce-123")) == "wrong_nonce"
    assert outcome(TOWN.accept, kem=builders.kem("another agency")) == "bad_share_a"
    theirs = asked(recipient="00000099000000002000")
    assert outcome(TOWN.accept, asked=theirs) == "widened"


@pytest.mark.parametrize(
    ("iat", "code"),
    [(NOW - 300, None), (NOW - 301, "stale_key_binding"), (NOW + 60, None), (NOW + 61, "stale_key_binding")],
)
def test_key_binding_is_fresh_when_the_grant_is_accepted(iat: int, code: str | None) -> None:
    assert outcome(town(kb={"iat": iat}).accept) == code


def test_key_binding_age_is_not_counted_again_at_reads() -> None:
    later = NOW + 100 * DAY
    trust = builders.trust_list(exp=later + DAY)
    consent = verify_consent(TOWN.answer, TOWN.asked, trust=trust, now=later, fresh=False)
    assert set(consent.credentials) == {"adres", "persoon"}
    code = outcome(verify_consent, TOWN.answer, TOWN.asked, trust=trust, now=later, fresh=True)
    assert code == "stale_key_binding"


def test_plain_presentation_is_not_a_consent() -> None:
    """An ordinary share-once answer, replayed as standing access, lacks `consent`."""
    assert outcome(town(kb={"consent": None}).accept) == "consent_mismatch"
    assert outcome(town(kb={"consent": sha256(b"other terms")}).accept) == "consent_mismatch"


def test_transaction_data_is_signed_by_the_named_credential_and_no_other() -> None:
    right = [sha256(TOWN.asked.transaction_data.encode())]
    for name, hashes in (("adres", None), ("adres", [sha256(b"x")]), ("adres", right * 2), ("persoon", right)):
        text = bind(name, TERMS, TOWN.asked, transaction_data_hashes=hashes)
        answer = TOWN.with_token(name, text)
        assert outcome(TOWN.accept, answer=answer) == "transaction_data_mismatch"


def test_another_element_than_the_one_signed_is_refused() -> None:
    other = asked(inbox="https://agency.voorbeeld.example/v1/inbox/2")
    assert outcome(TOWN.accept, asked=other) == "transaction_data_mismatch"


def test_residents_cannot_lend_each_other_attributes() -> None:
    """Credentials of two sets in one grant."""
    holder = granting.HOLDERS["persoon"].public
    lent = builders.credential(VCTS["persoon"], holder=holder, set_id=builders.set_id("2"))
    mixed = town(cards={**CARDS, "persoon": lent})
    assert outcome(mixed.accept) == "claim_mismatch"


def test_all_credentials_of_another_set_are_one_person() -> None:
    cards = {
        name: builders.credential(vct, holder=granting.HOLDERS[name].public, set_id=builders.set_id("2"))
        for name, vct in VCTS.items()
    }
    assert town(cards=cards).accept().consent.set_id == builders.set_id("2")


def test_digest_that_the_issuer_never_signed_is_refused() -> None:
    """Also one that it signed in another credential of the same person."""
    first, *rest = TERMS.claims
    foreign = digest_of(granting.disclosure(Place("persoon", VCTS["persoon"], "voornamen")))
    for digest in (OTHER, b64u_encode(foreign)):
        signed = change(TERMS, claims=[change(first, digest=digest), *rest])
        vp_token = {name: bind(name, signed, TOWN.asked) for name in VCTS}
        answer = replace(TOWN.with_sealed(terms=signed), vp_token=vp_token)
        assert outcome(TOWN.accept, answer=answer) == "digest_mismatch"


def test_reissued_copy_does_not_serve_terms_of_the_old_one() -> None:
    copy = builders.credential(ADRES, random=builders.random_of("copy 2"))
    text = bind("adres", TERMS, TOWN.asked, card=copy)
    assert outcome(TOWN.accept, answer=TOWN.with_token("adres", text)) == "digest_mismatch"


def test_credential_of_another_type_is_refused() -> None:
    text = bind("persoon", TERMS, TOWN.asked, card=CARDS["adres"], holder=HOLDER)
    assert outcome(TOWN.accept, answer=TOWN.with_token("persoon", text)) == "claim_mismatch"


def test_terms_cannot_name_another_type_than_the_credential_has() -> None:
    wrong = replace(TOWN.asked, vcts={"adres": VCTS["persoon"], "persoon": VCTS["persoon"]})
    assert outcome(TOWN.accept, asked=wrong) == "claim_mismatch"


def test_grant_does_not_outlive_a_credential() -> None:
    for exp, code in ((TERMS.not_after, None), (TERMS.not_after - 1, "outlives_credential")):
        card = builders.credential(VCTS["persoon"], holder=granting.HOLDERS["persoon"].public, exp=exp)
        assert outcome(town(cards={**CARDS, "persoon": card}).accept) == code


def test_credential_of_an_unlisted_issuer_is_refused() -> None:
    forged = builders.credential(ADRES, signer=builders.STRANGER)
    assert outcome(town(cards={**CARDS, "adres": forged}).accept) is not None
    trust = builders.trust_list(issuers=[builders.issuer(vcts=[VCTS["persoon"]])])
    assert outcome(TOWN.accept, trust=trust) == "vct_not_allowed"
    assert outcome(TOWN.accept, trust=builders.trust_list(issuers=[])) == "not_listed"


@pytest.mark.parametrize("names", [[], ["adres"], ["persoon"]])
def test_presentation_that_the_terms_need_must_be_there(names: list[str]) -> None:
    vp_token = {name: TOWN.answer.vp_token[name] for name in names}
    assert outcome(TOWN.accept, answer=replace(TOWN.answer, vp_token=vp_token)) == "bad_vp_token"


def test_presentation_that_nobody_asked_is_refused() -> None:
    assert outcome(TOWN.accept, answer=TOWN.with_token("gezin", TOWN.answer.vp_token["adres"])) == "bad_vp_token"


def test_signing_credential_is_presented_even_when_nothing_of_it_is_granted() -> None:
    claims = [ElementClaim("adres", ["postcode"], False), ElementClaim("persoon", ["geslachtsnaam"], True)]
    request = asked(claims=claims)
    assert set(town([SURNAME], request=request).accept().consent.credentials) == {"adres", "persoon"}


@pytest.mark.parametrize(
    ("status", "accept_undetermined", "code"),
    [
        ("valid", False, None),
        ("undetermined", True, None),
        ("undetermined", False, "status_undetermined"),
        ("revoked", True, "credential_revoked"),
        ("revoked", False, "credential_revoked"),
    ],
)
def test_credential_status_decides(status: CredentialStatus, accept_undetermined: bool, code: str | None) -> None:
    statuses: dict[str, CredentialStatus] = {"adres": "valid", "persoon": status}
    assert outcome(TOWN.accept, statuses=statuses, accept_undetermined=accept_undetermined) == code


def test_status_that_nobody_looked_up_is_undetermined() -> None:
    assert outcome(TOWN.accept, statuses={"adres": "valid"}, accept_undetermined=False) == "status_undetermined"


def test_swapped_disclosures_are_refused() -> None:
    first, second, *rest = TOWN.answer.sealed.sealed
    for sealed in ([second, first, *rest], [first, first, *rest], [first, *rest]):
        assert outcome(TOWN.accept, answer=TOWN.with_sealed(sealed=sealed)) == "bad_sealed"


def test_share_a_for_another_agency_is_refused() -> None:
    assert outcome(town(kem_key=builders.kem("another").public_bytes()).accept) == "bad_share_a"
    assert outcome(TOWN.accept, answer=TOWN.with_sealed(share_a=b64u_encode(bytes(1168)))) == "bad_share_a"


def test_grant_that_is_not_in_the_log_is_refused() -> None:
    """Another slot, another opening key, a receipt for a neighbour, an unpublished leaf."""
    assert outcome(TOWN.accept, answer=TOWN.with_sealed(slot=TOWN.slot - 1)) == "bad_inclusion"
    assert outcome(TOWN.accept, answer=TOWN.with_sealed(opening_key=OTHER)) == "bad_inclusion"
    note = TOWN.quorum.checkpoint.note
    neighbour = make_tlog_proof(0, TOWN.log.proof(0), note)
    assert outcome(TOWN.accept, answer=TOWN.with_sealed(proof=neighbour)) == "bad_inclusion"
    assert outcome(TOWN.accept, answer=TOWN.with_sealed(proof="")) == "bad_proof"


def test_receipt_under_another_checkpoint_than_the_verified_one_is_refused() -> None:
    own = town()
    own.log.append(grant_leaf(own.terms, 2, granting.OPENING_KEY))
    later = satisfied(granting.POLICY, own.log.publish(NOW), NOW)
    assert outcome(own.accept, quorum=later) == "other_checkpoint"


def test_receipt_of_another_log_is_refused() -> None:
    foreign = replace(TOWN.quorum.checkpoint, origin="log.elders.example")
    assert outcome(TOWN.accept, quorum=replace(TOWN.quorum, checkpoint=foreign)) == "wrong_log"


@example("adres", 140, 1)  # the issuer's name in a certificate is no name
@given(st.sampled_from(["adres", "persoon"]), st.integers(0, 10_000), st.integers(1, 127))
def test_no_changed_character_of_a_presentation_is_accepted(name: str, place: int, step: int) -> None:
    text = TOWN.answer.vp_token[name]
    place %= len(text)
    changed = text[:place] + chr((ord(text[place]) + step) % 128) + text[place + 1 :]
    with pytest.raises(Rejected):
        TOWN.accept(answer=TOWN.with_token(name, changed))


def refreshed_town(*, set_name: str = "set 1", nonce: str | None = None, **changes: Any) -> granting.Town:
    """Version 2 of the grant, over reissued copies of the same set."""
    cards = {
        name: builders.credential(
            vct,
            holder=granting.HOLDERS[name].public,
            random=builders.random_of(f"copy 2 {name}"),
            set_id=builders.set_id(set_name),
        )
        for name, vct in VCTS.items()
    }
    members: dict[str, Any] = {"version": 2, "lock": b64u_encode(lock_for(CODE, 2))}
    signed = terms(ALL, b=B, cards=cards, **{**members, **changes})
    return town(signed=signed, cards=cards, kb={"nonce": nonce or refresh_nonce(signed)})


def test_refresh_is_accepted_with_the_nonce_of_its_own_terms() -> None:
    new = refreshed_town()
    assert refresh_nonce(new.terms) == b64u_encode(sha256(b"regie/refresh/v1" + grant_opening(new.terms)))
    verify_refresh(TOWN.accept(), new.accept())


def test_refresh_with_the_nonce_of_the_first_request_is_refused() -> None:
    assert outcome(refreshed_town(nonce=builders.NONCE).accept) == "wrong_nonce"


def test_refresh_never_swaps_the_person() -> None:
    other = refreshed_town(set_name="another person")
    assert outcome(verify_refresh, TOWN.accept(), other.accept()) == "claim_mismatch"


def test_refresh_never_widens() -> None:
    longer = refreshed_town(not_after=TERMS.not_after + 1)
    assert outcome(verify_refresh, TOWN.accept(), longer.accept()) == "widened"
    assert outcome(verify_refresh, TOWN.accept(), TOWN.accept()) == "widened"
