"""A grant comes in: every check of protocol section 8.4 that needs no value, before anything is stored.

Each attack has its name; each refusal asserts that nothing was stored and the honest answer is still accepted.
"""

from dataclasses import replace
from typing import Any

import pytest

from protocol.canonical import b64u_encode, sha256
from protocol.credential import split_sd_jwt
from protocol.direct_post import encrypt_response
from protocol.errors import Unavailable
from protocol.key_binding import sign_key_binding
from protocol.openid4vp import VerifiedRequest
from protocol.receipt import make_tlog_proof, parse_tlog_proof
from protocol.terms import Context, Place
from tests.protocol import builders, granting
from tests.protocol.builders import ADRES, DAY, NOW, PERSOON
from tests.verifier.agency import Agency, Granted, Log, Wallet, error_of
from verifier.ask import REQUEST_SECONDS


@pytest.fixture
def asked(agency: Agency, wallet: Wallet) -> tuple[str, VerifiedRequest]:
    """Id of a request for standing access, and the request as the wallet verified it."""
    rid, link = agency.ask()
    return rid, wallet.open(agency, link)


@pytest.fixture
def granted(wallet: Wallet, asked: tuple[str, VerifiedRequest]) -> Granted:
    """An honest grant, not yet sent."""
    return wallet.grant(asked[1])


def rid_of(granted: Granted) -> str:
    return granted.request.response_uri.rpartition("/")[2]


def refused(agency: Agency, granted: Granted, body: bytes, code: str | set[str]) -> None:
    """400 with the code and nothing stored; then the honest answer is accepted, so the request is still open."""
    before = agency.stored()
    answer = agency.post(rid_of(granted), body)
    assert answer.status_code == 400, answer.text
    assert error_of(answer) in ({code} if isinstance(code, str) else code)
    assert agency.stored() == before
    assert not before["grants"]


def accepted(agency: Agency, granted: Granted) -> None:
    answer = agency.post(rid_of(granted), granted.form())
    assert answer.status_code == 200, answer.text


def test_honest_grant_is_stored_with_its_receipt(agency: Agency, granted: Granted) -> None:
    accepted(agency, granted)
    stored = agency.desk.store.grants.get(rid_of(granted))
    assert stored.answer.sealed == granted.sealed
    assert (stored.state, stored.slot, stored.grant_index) == ("active", granted.sealed.slot, granted.index)
    assert stored.request.kem is not None
    assert agency.desk.store.requests.get(rid_of(granted)).state == "answered"
    kept = agency.desk.store.seen.kept_checkpoint(builders.LOG_ORIGIN)
    assert kept is not None
    assert kept.size == len(agency.log.leaves)


def test_no_value_of_standing_access_is_on_disk(agency: Agency, wallet: Wallet) -> None:
    canary = builders.attributes_of(ADRES, postcode="CANARY77")
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=canary)
    rid, link = agency.ask()
    granted = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, granted.form()).status_code == 200
    kept = agency.files()
    assert b"CANARY77" not in kept
    assert wallet.disclosures(ADRES)["postcode"].encode() not in kept


def test_resident_may_leave_out_what_is_not_needed(agency: Agency, wallet: Wallet, asked: Any) -> None:
    granted = wallet.grant(asked[1], without=["huisnummer", "geslachtsnaam"])
    assert set(granted.vp_token()) == {"adres"}
    accepted(agency, granted)


def test_same_answer_again_is_accepted_and_changes_nothing(agency: Agency, granted: Granted) -> None:
    """A wallet that did not hear us repeats itself, with a KB-JWT made anew."""
    body = granted.form()
    first = agency.post(rid_of(granted), body)
    assert (first.status_code, "response_code" in first.text) == (200, True)
    before = agency.stored()
    agency.clock.time += 30
    for again in (body, granted.form(granted.vp_token(iat=agency.clock.time))):
        answer = agency.post(rid_of(granted), again)
        assert (answer.status_code, answer.text) == (200, first.text)
    assert agency.stored() == before


def test_another_grant_for_an_answered_request_is_refused(
    agency: Agency, wallet: Wallet, granted: Granted
) -> None:
    accepted(agency, granted)
    before = agency.stored()
    answer = agency.post(rid_of(granted), wallet.grant(granted.request).form())
    assert (answer.status_code, error_of(answer)) == (400, "already_answered")
    assert agency.stored() == before


def test_two_answers_verified_side_by_side_store_one(
    agency: Agency, wallet: Wallet, granted: Granted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compare-and-swap decides, not the look before it."""
    other = wallet.grant(granted.request)
    original = agency.desk.store.grants.add

    def overtaken(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(agency.desk.store.grants, "add", original)
        accepted(agency, other)
        original(*arguments, **named)

    monkeypatch.setattr(agency.desk.store.grants, "add", overtaken)
    answer = agency.post(rid_of(granted), granted.form())
    assert (answer.status_code, error_of(answer)) == (400, "already_answered")
    (_row,) = agency.stored()["grants"]
    assert agency.desk.store.grants.get(rid_of(granted)).answer.sealed == other.sealed


# --- attacks ---------------------------------------------------------------------------------------------


def test_replay_to_another_agency(agency: Agency, granted: Granted) -> None:
    """What was made for one agency is worth nothing at another, in whose request the nonce does not stand."""
    for changes in ({"audience": builders.STRANGER.client_id}, {"nonce": "nonce-of-another-agency"}):
        refused(agency, granted, granted.form(granted.vp_token(**changes)), {"wrong_audience", "wrong_nonce"})
    accepted(agency, granted)


def test_replayed_response(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """An answer to one request is no answer to the next one of the same agency."""
    body = granted.form()
    accepted(agency, granted)
    rid, link = agency.ask()
    request = wallet.open(agency, link)
    before = agency.stored()
    assert agency.post(rid, body).status_code == 400
    fresh_shell = replace(granted, request=replace(request, nonce=granted.request.nonce)).form(granted.vp_token())
    assert error_of(agency.post(rid, fresh_shell)) == "wrong_request"
    assert agency.stored() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"not_after": NOW + 101 * DAY},
        {"max_reads": 5},
        {"tag_key": b64u_encode(sha256(b"other tag key"))},
        {"lock": b64u_encode(sha256(b"other lock"))},
        {"not_before": NOW + 1},
        {"context": Context(zone="office")},
    ],
)
def test_tampered_terms(agency: Agency, granted: Granted, changes: dict[str, Any]) -> None:
    """Terms that the holder did not sign are refused, and so are signed ones that are not in the log."""
    cheat = granted.with_terms(**changes)
    refused(agency, granted, cheat.form(granted.vp_token()), "consent_mismatch")
    refused(agency, granted, cheat.form(), {"bad_inclusion", "bad_share_a"})
    accepted(agency, granted)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"not_after": NOW + 366 * DAY}, "widened"),
        ({"retention": "P9Y"}, "widened"),
        ({"service_version": 2}, "widened"),
        ({"service": "other"}, "widened"),
        ({"recipient": "00000099000000009999"}, "widened"),
        ({"basis": "public_task"}, "over_asking"),
        ({"case": b64u_encode(sha256(b"a case"))}, "widened"),
        ({"not_before": NOW - 2 * DAY, "not_after": NOW + 364 * DAY}, "over_asking"),
        ({"log": "other.example/2026"}, "wrong_log"),
        ({"request_hash": b64u_encode(sha256(b"another request"))}, "wrong_request"),
        ({"version": 2}, "wrong_request"),
        ({"not_before": NOW - 10, "not_after": NOW}, "expired"),
        ({"on_behalf_of": b64u_encode(sha256(b"somebody"))}, "bad_mandate"),
    ],
)
def test_widened_terms(agency: Agency, wallet: Wallet, asked: Any, changes: dict[str, Any], code: str) -> None:
    """A wallet that grants more than was asked and registered, or something else: signed, and in the log."""
    wide = wallet.grant(asked[1], **changes)
    refused(agency, wide, wide.form(), code)
    accepted(agency, wallet.grant(asked[1]))


def test_attribute_that_was_not_asked(agency: Agency, wallet: Wallet, asked: Any) -> None:
    places = [*wallet.places(asked[1]), Place("adres", ADRES, "straat")]
    wide = wallet.grant(asked[1], places=places)
    refused(agency, wide, wide.form(), "widened")


def test_needed_attribute_left_out(agency: Agency, wallet: Wallet, asked: Any) -> None:
    narrow = wallet.grant(asked[1], without=["postcode"])
    refused(agency, narrow, narrow.form(), "needed_missing")


def test_register_flags_left_out(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """An address without `geheimhouding` would be used as if it were no secret."""
    places = [place for place in wallet.places(asked[1]) if place.name != "geheimhouding"]
    bare = wallet.grant(asked[1], places=places)
    refused(agency, bare, bare.form(), "flags_missing")


def test_mixed_sets(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """Two residents who lend each other attributes."""
    friend = Wallet(agency.clock, agency.log, name="friend", set_name="set 2")
    wallet.cards[PERSOON], wallet.keys[PERSOON] = friend.cards[PERSOON], friend.keys[PERSOON]
    mixed = wallet.grant(asked[1])
    refused(agency, mixed, mixed.form(), "claim_mismatch")


def test_credential_of_another_holder(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """A stolen card without its key."""
    stolen = wallet.grant(asked[1])
    wallet.keys[ADRES] = builders.es256("thief")
    refused(agency, stolen, stolen.form(), "bad_signature")


def test_credential_of_an_unlisted_issuer(agency: Agency, wallet: Wallet, asked: Any) -> None:
    wallet.cards[ADRES] = builders.credential(
        ADRES, holder=wallet.keys[ADRES].public, signer=builders.STRANGER, set_id=builders.set_id()
    )
    forged = wallet.grant(asked[1])
    refused(agency, forged, forged.form(), "untrusted_chain")


def test_digests_of_another_credential(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """The card that signs is not the one whose attributes were sealed."""
    wallet.cards[ADRES] = builders.credential(
        ADRES, holder=wallet.keys[ADRES].public, random=builders.random_of("other salts")
    )
    refused(agency, granted, granted.form(), "digest_mismatch")


def test_grant_that_outlives_its_credential(agency: Agency, asked: Any) -> None:
    short = Wallet(agency.clock, agency.log, changes={"exp": NOW + 50 * DAY})
    outliving = short.grant(asked[1])
    refused(agency, outliving, outliving.form(), "outlives_credential")


def test_disclosure_in_the_clear(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """A value that reaches an agency without an entry in the log, even when the wallet gives it away."""
    shown = granted.vp_token()
    presented = split_sd_jwt(shown["persoon"][0])
    plain = f"{presented.jwt}~{wallet.disclosures(PERSOON)['geslachtsnaam']}~"
    bound = plain + sign_key_binding(
        plain, wallet.keys[PERSOON], audience=granted.request.client_id, nonce=granted.request.nonce, iat=NOW
    )
    refused(agency, granted, granted.form({**shown, "persoon": [bound]}), "disclosures_present")
    accepted(agency, granted)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"consent": None}, "consent_mismatch"),
        ({"consent": sha256(b"other terms")}, "consent_mismatch"),
        ({"transaction_data_hashes": None}, "transaction_data_mismatch"),
        ({"transaction_data_hashes": (sha256(b"other element"),)}, "transaction_data_mismatch"),
        ({"iat": NOW - 301}, "stale_key_binding"),
        ({"iat": NOW + 61}, "stale_key_binding"),
    ],
)
def test_consent_signature_that_says_something_else(
    agency: Agency, granted: Granted, changes: dict[str, Any], code: str
) -> None:
    refused(agency, granted, granted.form(granted.vp_token(**changes)), code)
    accepted(agency, granted)


def test_presentations_missing_or_too_many(agency: Agency, granted: Granted) -> None:
    shown = granted.vp_token()
    refused(agency, granted, granted.form({"adres": shown["adres"]}), "bad_vp_token")
    refused(agency, granted, granted.form({"persoon": shown["persoon"]}), "bad_vp_token")
    refused(agency, granted, granted.form({**shown, "other": shown["adres"]}), "bad_vp_token")
    refused(agency, granted, granted.form({**shown, "adres": shown["adres"] * 2}), "bad_vp_token")
    bare = encrypt_response(
        granted.request.encryption, nonce=granted.request.nonce, state=granted.request.state, vp_token=shown
    )
    refused(agency, granted, bare, "bad_vp_token")
    accepted(agency, granted)


def test_sealed_part_of_another_form(agency: Agency, granted: Granted) -> None:
    sealed = granted.sealed.sealed
    short = granting.change(sealed[0], ciphertext=b64u_encode(bytes(100)))
    for wrong in ([*sealed[:-1]], [*sealed, sealed[0]], [*sealed[1:], sealed[0]], [short, *sealed[1:]]):
        refused(agency, granted, granted.form(sealed=wrong), "bad_sealed")
    refused(agency, granted, granted.form(share_a=b64u_encode(bytes(1168))), "bad_share_a")
    refused(agency, granted, granted.form(opening_key=b64u_encode(bytes(32))), "bad_inclusion")
    refused(agency, granted, granted.form(slot=granted.sealed.slot + 1), "bad_inclusion")
    accepted(agency, granted)


def test_share_a_sealed_to_another_agency(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """It would be noticed only when reading; so it is opened at once."""
    stolen = replace(granted.request, consent=granting.change(
        granted.request.consent, kem_key=b64u_encode(builders.kem("another agency").public_bytes())))  # fmt: skip
    other = wallet.grant(stolen)
    refused(agency, other, other.form(), "bad_share_a")


def test_answer_without_a_grant_in_the_log(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """A receipt for another place, for a neighbour's leaf, and without witnesses."""
    honest = wallet.grant(asked[1])
    proof = parse_tlog_proof(honest.sealed.proof)
    private = Log(agency.clock)
    for lock in (b"one", b"two"):
        private.enter(granting.terms(lock=b64u_encode(sha256(lock))), bytes(32))
    _, _, elsewhere = private.enter(honest.sealed.terms, bytes(32))
    refused(agency, honest, honest.form(proof=elsewhere), "bad_inclusion")
    neighbour = make_tlog_proof(honest.index - 1, agency.log.proof(honest.index - 1), proof.checkpoint)
    refused(agency, honest, honest.form(proof=neighbour), "bad_inclusion")
    unwitnessed = "\n".join(proof.checkpoint.split("\n")[:5]) + "\n"
    bare = make_tlog_proof(proof.index, proof.hashes, unwitnessed)
    refused(agency, honest, honest.form(proof=bare), "no_quorum")
    for garbage in ("", "x", proof.checkpoint):
        refused(agency, honest, honest.form(proof=garbage), {"bad_proof", "bad_note", "too_large"})
    accepted(agency, honest)


def test_grant_that_was_revoked_before_the_answer_came(agency: Agency, granted: Granted) -> None:
    agency.log.stop(granted.sealed.slot, granted.secret)
    refused(agency, granted, granted.form(), "revoked")


def test_revoked_credential(agency: Agency, granted: Granted) -> None:
    agency.net.statuses[4711] = 1
    refused(agency, granted, granted.form(), "credential_revoked")


def test_status_that_cannot_be_had(agency: Agency, granted: Granted) -> None:
    agency.net.issuer_down = True
    refused(agency, granted, granted.form(), "status_undetermined")
    agency.net.issuer_down = False
    accepted(agency, granted)


def test_tag_key_of_another_grant(agency: Agency, wallet: Wallet, granted: Granted) -> None:
    """Two grants under one tag_key would count their reads together."""
    accepted(agency, granted)
    _, link = agency.ask()
    second = wallet.grant(wallet.open(agency, link), tag_key=granted.sealed.terms.tag_key)
    before = agency.stored()
    answer = agency.post(rid_of(second), second.form())
    assert (answer.status_code, error_of(answer)) == (400, "grant_known")
    assert agency.stored() == before


def test_answer_after_the_request_ended(agency: Agency, granted: Granted) -> None:
    agency.clock.time += REQUEST_SECONDS
    refused(agency, granted, granted.form(granted.vp_token(iat=agency.clock.time)), "expired")


def test_request_object_that_was_never_signed(agency: Agency, wallet: Wallet, asked: Any) -> None:
    """A request_hash of our own making: only objects that this agency signed and kept can be answered."""
    other = replace(asked[1], request_hash=sha256(b"forged request object"))
    forged = wallet.grant(other)
    refused(agency, forged, forged.form(), "wrong_request")


def test_answer_to_a_request_that_was_posted_for(agency: Agency, wallet: Wallet) -> None:
    rid, link = agency.ask()
    wallet.open(agency, link)
    request = wallet.open(agency, link, nonce="my-nonce")
    granted = wallet.grant(request)
    accepted(agency, granted)
    assert agency.desk.store.grants.get(rid).request_hash == request.request_hash


# --- when others are missing -----------------------------------------------------------------------------


def test_while_the_log_is_down_nothing_is_accepted_and_the_wallet_is_told_to_come_back(
    agency: Agency, granted: Granted
) -> None:
    agency.log.down = True
    before = agency.stored()
    answer = agency.post(rid_of(granted), granted.form())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert agency.stored() == before
    agency.log.down = False
    accepted(agency, granted)


def test_stale_checkpoint_of_the_log_is_refused(agency: Agency, granted: Granted) -> None:
    agency.log.age = 61
    refused(agency, granted, granted.form(), "stale_checkpoint")
    agency.log.age = 60
    accepted(agency, granted)


def test_while_the_trust_list_is_missing_nothing_is_accepted(agency: Agency, granted: Granted) -> None:
    (agency.path / "trust-list.jwt").write_text("garbage")
    agency.start()
    before = agency.stored()
    assert agency.post(rid_of(granted), granted.form()).status_code == 503
    assert agency.stored() == before
    with pytest.raises(Unavailable):
        agency.ask()


def test_service_that_left_the_trust_list_accepts_nothing(agency: Agency, granted: Granted) -> None:
    agency.enlist(builders.trust_list(version=2, agencies=[builders.agency(services=[])]))
    refused(agency, granted, granted.form(), "not_listed")
