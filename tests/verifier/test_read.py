"""Reading: no log entry, no value. What is sent, what is kept, what is repeated, and what refuses."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import b64u_decode, canonical_bytes, sha256
from protocol.consent_api import ReadAnswer
from protocol.errors import Rejected, Unavailable
from protocol.reading import parse_read
from protocol.seal import KemPrivate
from protocol.terms import Context, salted_hash
from tests.protocol import builders
from tests.protocol.builders import ADRES, DAY, NOW
from tests.verifier.agency import PURPOSE, Agency, Granted, Wallet
from verifier.desk import Desk, Parts
from verifier.gate import Purpose
from verifier.reader import Opened, read_grant

FLAGS = {f"{name}.{flag}" for name in ("adres", "persoon") for flag in builders.flags(ADRES)}


def granted(agency: Agency, wallet: Wallet, **wish: Any) -> tuple[str, Granted]:
    """A grant that the agency holds."""
    rid, link = agency.ask(**wish)
    made = wallet.grant(wallet.open(agency, link))
    assert agency.post(rid, made.form()).status_code == 200
    return rid, made


def read(agency: Agency, rid: str, *only: str, purpose: Purpose = PURPOSE) -> Opened:
    return read_grant(agency.desk, rid, only, purpose)


def refused(agency: Agency, rid: str, code: str, *only: str, purpose: Purpose = PURPOSE) -> None:
    with pytest.raises(Rejected) as info:
        read(agency, rid, *only, purpose=purpose)
    assert info.value.code == code


def rows(agency: Agency) -> list[sqlite3.Row]:
    return agency.desk.store.reads.all()


def test_agency_reads_what_was_granted_and_holds_the_proof(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    opened = read(agency, rid)
    assert opened.values["postcode"] == "1234AB"
    assert opened.values["huisnummer"] == 12
    assert opened.values["geslachtsnaam"] == "Voorbeeld"
    assert set(opened.values) == {"postcode", "huisnummer", "geslachtsnaam"} | FLAGS
    assert opened.n == 0
    assert opened.gaps == ()
    (row,) = rows(agency)
    assert (row["state"], row["n"], row["leaf_index"], row["slot"]) == ("done", 0, opened.index, made.sealed.slot)
    assert row["reply_seed"] is None
    assert row["proof"].startswith("c2sp.org/tlog-proof@v1")


def test_only_what_is_asked_is_opened_with_the_flags_of_its_credential(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    assert set(read(agency, rid, "postcode").values) == {"postcode", *builders.flags(ADRES)}
    assert set(read(agency, rid, "adres.huisnummer").values) == {"huisnummer", *builders.flags(ADRES)}
    assert "persoon.geheimhouding" in read(agency, rid, "geslachtsnaam", "postcode").values
    asked = parse_read(agency.log.requests[0]).read.claims
    digests = {claim.digest: claim.path[0] for claim in made.sealed.terms.claims}
    assert {digests[digest] for digest in asked} == {"postcode", *builders.flags(ADRES)}


def test_attribute_that_was_not_granted_is_not_asked(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    refused(agency, rid, "not_granted", "straat")
    refused(agency, rid, "not_granted", "postcode", "persoon.postcode")
    assert not agency.log.requests
    assert not rows(agency)


def test_log_learns_neither_case_nor_officer(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    read(agency, rid, purpose=Purpose("ZAAK-CANARY", "CANARY-OFFICER"))
    (token,) = agency.log.requests
    assert b"CANARY" not in b"".join(b64u_decode(part) for part in token.split("."))
    assert b"CANARY" not in agency.files()
    (row,) = rows(agency)
    sent = parse_read(token).read
    assert sent.case == salted_hash(row["case_salt"], "ZAAK-CANARY")
    assert sent.officer == salted_hash(row["officer_salt"], "CANARY-OFFICER")
    read(agency, rid, purpose=Purpose("ZAAK-CANARY", "CANARY-OFFICER"))
    assert parse_read(agency.log.requests[1]).read.case != sent.case


def test_values_are_never_written(agency: Agency, wallet: Wallet) -> None:
    canary = builders.attributes_of(ADRES, postcode="CANARY77")
    wallet.cards[ADRES] = builders.credential(ADRES, holder=wallet.keys[ADRES].public, attributes=canary)
    rid, _ = granted(agency, wallet)
    assert read(agency, rid).values["postcode"] == "CANARY77"
    kept = agency.files()
    assert b"CANARY77" not in kept
    assert wallet.disclosures(ADRES)["postcode"].encode() not in kept


def test_every_read_has_a_key_and_a_number_of_its_own(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    assert [read(agency, rid).n for _ in range(3)] == [0, 1, 2]
    sent = [parse_read(token).read for token in agency.log.requests]
    assert len({item.reply_key_hash for item in sent}) == len({item.read_id for item in sent}) == 3


def test_grant_for_a_case_is_read_for_that_case_only(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet, case="Z-1")
    refused(agency, rid, "other_case", purpose=Purpose("Z-2", "officer 7"))
    assert not agency.log.requests
    assert read(agency, rid, purpose=Purpose("Z-1", "officer 7")).n == 0
    assert parse_read(agency.log.requests[0]).read.case == made.sealed.terms.case


# --- refusals of the log ---------------------------------------------------------------------------------


def test_revoked_grant_is_refused_and_stays_so_without_asking_again(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    assert read(agency, rid).values
    agency.log.stop(made.sealed.slot, made.secret)
    refused(agency, rid, "revoked")
    assert [row["state"] for row in rows(agency)] == ["done", "refused"]
    assert rows(agency)[1]["reply_seed"] is None
    assert agency.desk.store.grants.get(rid).state == "revoked"
    sent = len(agency.log.requests)
    refused(agency, rid, "revoked")
    assert len(agency.log.requests) == sent


def test_reads_beyond_the_limit_are_refused(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet, max_reads=2)
    assert [read(agency, rid).n for _ in range(2)] == [0, 1]
    refused(agency, rid, "reads_spent")
    assert agency.desk.store.grants.get(rid).state == "active"


def test_reads_outside_the_context_are_refused_and_later_ones_go_on(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet, context=Context(zone="remote"))
    refused(agency, rid, "out_of_context")
    assert read(agency, rid, purpose=Purpose("Z-1", "officer 7", zone="remote")).n == 0


def test_grant_that_has_ended_is_not_read(agency: Agency, wallet: Wallet) -> None:
    agency.enlist(builders.trust_list(version=2, exp=NOW + 400 * DAY))
    rid, made = granted(agency, wallet)
    agency.clock.time = made.sealed.terms.not_after - 1
    assert read(agency, rid).n == 0
    agency.clock.time += 1
    refused(agency, rid, "expired")
    assert len(agency.log.requests) == 1


def test_unknown_grant_is_refused(agency: Agency) -> None:
    refused(agency, "nothing", "unknown_grant")
    rid, _ = agency.ask()
    refused(agency, rid, "unknown_grant")


# --- credential status -----------------------------------------------------------------------------------


def test_revoked_credential_ends_reading_before_a_read_is_spent(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.statuses[4711] = 1
    agency.clock.time += 61
    refused(agency, rid, "credential_revoked")
    assert not agency.log.requests


def test_undetermined_status_stops_by_default_and_not_where_the_service_accepts_it(
    agency: Agency, wallet: Wallet, tmp_path: Path
) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.issuer_down = True
    assert read(agency, rid).n == 0
    agency.clock.time += 61
    refused(agency, rid, "status_undetermined")
    assert len(agency.log.requests) == 1
    config = tmp_path / "home" / "config.json"
    text = config.read_text().rstrip().removesuffix("}") + f', "accept_undetermined": ["{builders.SERVICE_ID}"]}}'
    config.write_text(text)
    agency.start()
    assert read(agency, rid).n == 1
    assert '"undetermined"' in rows(agency)[1]["statuses"]


def test_issuer_that_left_the_trust_list_ends_reading(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.enlist(builders.trust_list(version=2, issuers=[]))
    refused(agency, rid, "not_listed")
    assert not agency.log.requests


# --- repetition ------------------------------------------------------------------------------------------


def test_while_the_log_is_down_nobody_reads_and_the_same_read_goes_on_after(
    agency: Agency, wallet: Wallet
) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            read(agency, rid)
    assert [row["state"] for row in rows(agency)] == ["pending"]
    agency.log.down = False
    assert read(agency, rid).n == 0
    assert [row["state"] for row in rows(agency)] == ["done"]


def test_lost_answer_is_asked_again_with_the_same_read_and_reply_key(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.drops_answer = True
    with pytest.raises(Unavailable):
        read(agency, rid)
    leaves = len(agency.log.leaves)
    agency.log.drops_answer = False
    agency.clock.time += 500
    assert read(agency, rid).n == 0
    assert len(set(agency.log.requests)) == 1
    assert len(agency.log.leaves) == leaves + 1  # only the head of the new checkpoint
    assert read(agency, rid).n == 1


def test_read_that_never_arrived_is_made_again_when_it_is_stale(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    with pytest.raises(Unavailable):
        read(agency, rid)
    agency.log.down = False
    agency.clock.time += 61
    assert read(agency, rid).n == 0
    assert [(row["state"], row["code"]) for row in rows(agency)] == [("void", "stale"), ("done", None)]
    assert rows(agency)[0]["reply_seed"] is None


def test_another_purpose_or_attribute_is_another_read(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    for purpose, only in (
        (PURPOSE, ()), (PURPOSE, ("postcode",)), (Purpose("other", "officer 7"), ()),
        (Purpose("Z-2026-1", "officer 8"), ()), (Purpose("Z-2026-1", "officer 7", "api"), ()),
        (Purpose("Z-2026-1", "officer 7", "desk", "remote"), ()), (PURPOSE, ()),
    ):  # fmt: skip
        with pytest.raises(Unavailable):
            read(agency, rid, *only, purpose=purpose)
    assert len(rows(agency)) == 6


def test_gap_in_the_numbers_is_reported(agency: Agency, wallet: Wallet) -> None:
    """Somebody read in our name, or the log counted a read that was never made."""
    rid, _ = granted(agency, wallet)
    assert read(agency, rid).gaps == ()
    agency.log.next_n = 3
    opened = read(agency, rid)
    assert (opened.n, opened.gaps) == (3, (1, 2))


def test_reply_key_is_kept_only_while_its_read_is_under_way(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.log.down = True
    with pytest.raises(Unavailable):
        read(agency, rid)
    seed = rows(agency)[0]["reply_seed"]
    assert sha256(KemPrivate(seed).public_bytes()) == b64u_decode(
        parse_read(rows(agency)[0]["token"]).read.reply_key_hash
    )
    agency.log.down = False
    read(agency, rid)
    agency.desk.store._file.clean_journal()
    assert seed not in agency.files()


def test_read_is_the_same_bytes_at_every_try(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    agency.log.down = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            read(agency, rid)
    (pending,) = agency.desk.store.reads.pending(made.sealed.terms.lock)
    first = canonical_bytes(pending.request)
    agency.start()
    (again,) = agency.desk.store.reads.pending(made.sealed.terms.lock)
    assert canonical_bytes(again.request) == first


# --- two processes on one home ---------------------------------------------------------------------------


def other_process(agency: Agency) -> Desk:
    """Another `regie verifier` command in the same home."""
    return Desk(agency.home, Parts(agency.clock, agency.net, builders.random_of("other process")))


def test_two_processes_share_one_read_that_is_under_way(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    second = other_process(agency)

    def meanwhile(answer: ReadAnswer) -> ReadAnswer:
        agency.log.lie = lambda same: same
        assert read_grant(second, rid, [], PURPOSE).n == 0
        return answer

    agency.log.lie = meanwhile
    assert read(agency, rid).n == 0
    assert len(set(agency.log.requests)) == 1
    assert [row["state"] for row in rows(agency)] == ["done"]


def test_read_that_another_process_gave_up_hands_on_no_value(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)

    def meanwhile(answer: ReadAnswer) -> ReadAnswer:
        (pending,) = agency.desk.store.reads.pending(agency.desk.store.grants.get(rid).lock)
        other_process(agency).store.reads.refuse(pending.read_id, "void", "share_mismatch")
        return answer

    agency.log.lie = meanwhile
    refused(agency, rid, "read_ended")
    agency.log.lie = lambda answer: answer
    opened = read(agency, rid)
    assert (opened.n, opened.gaps) == (1, (0,))


def test_number_that_another_process_spent_is_refused_when_it_is_kept(
    agency: Agency, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look before and the write after are two moments: the UNIQUE in the table decides."""
    rid, _ = granted(agency, wallet)
    assert read(agency, rid).n == 0
    agency.log.next_n = 0
    monkeypatch.setattr(agency.desk.store.reads, "used_numbers", lambda *_, **__: {})
    refused(agency, rid, "read_number", "postcode")
    assert [(row["n"], row["state"]) for row in rows(agency)] == [(0, "done"), (None, "pending")]
    monkeypatch.undo()
    refused(agency, rid, "read_number", "postcode")
    assert [(row["n"], row["state"]) for row in rows(agency)] == [(0, "done"), (None, "void")]
