"""An agency's evidence: what it shows stands in the log, and what stands in the log it shows."""

import base64
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.convict import convict_log, fraud_file
from auditor.evidence import EvidenceFile, GrantEvidence, ReadEvidence, check_evidence
from auditor.evidence_file import read_evidence
from auditor.prove import Case
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.fraud import Accused
from protocol.log_keys import keys_of
from protocol.presentation import grant_opening
from protocol.receipt import make_tlog_proof
from tests.auditor.history import History, listed
from tests.protocol import granting
from tests.protocol.builders import AGENCY_ID, LOG_ORIGIN, NOW, TRUST
from tests.protocol.granting import OPENING_KEY, POLICY

KEY = b64u_encode(OPENING_KEY)


def shown(history: History, reads: int = 2) -> EvidenceFile:
    """What an honest agency exports after `reads` READs."""
    indexes = [history.read(n, read_id=b64u_encode(bytes([n]) * 16)) for n in range(reads)]
    note = history.log.publish()
    slot = history.town.slot
    grant = GrantEvidence(slot, history.town.grant_index, grant_opening(history.town.terms).decode(), KEY)
    tokens = [history.openings[index].opening for index in indexes]
    made = [ReadEvidence(slot, tokens[n], n, indexes[n], KEY) for n in range(reads)]
    return EvidenceFile(AGENCY_ID, LOG_ORIGIN, [grant], made, [note])


def codes(evidence: EvidenceFile, history: History) -> list[str]:
    return [finding.code for finding in check_evidence(evidence, history.log.leaves, TRUST, listed)]


def swapped_root(note: str) -> str:
    """The note with another root under the same signatures."""
    lines = note.split("\n")
    return "\n".join([*lines[:2], base64.b64encode(bytes(32)).decode(), *lines[3:]])


def test_auditor_finds_nothing_in_honest_evidence() -> None:
    history = History()
    assert codes(shown(history), history) == []


def test_attack_agency_hides_a_read_it_made() -> None:
    history = History()
    evidence = shown(history)
    assert codes(replace(evidence, reads=evidence.reads[:1]), history) == ["missing_in_evidence"]


def test_a_read_without_an_answer_excuses_one_entry_and_no_more() -> None:
    history = History()
    evidence = shown(history, reads=3)
    unanswered = replace(evidence.reads[1], n=None, leaf_index=None, opening_key=None)
    assert codes(replace(evidence, reads=[evidence.reads[0], unanswered, evidence.reads[2]]), history) == []
    assert codes(replace(evidence, reads=[unanswered]), history) == ["missing_in_evidence"] * 2


def test_attack_agency_shows_a_read_that_is_not_in_the_log() -> None:
    history = History()
    evidence = shown(history)
    moved = replace(evidence.reads[1], leaf_index=evidence.reads[0].leaf_index)
    assert codes(replace(evidence, reads=[evidence.reads[0], moved]), history) == ["read_not_in_log"]
    beyond = replace(evidence.reads[1], leaf_index=10_000)
    assert codes(replace(evidence, reads=[evidence.reads[0], beyond]), history) == ["read_not_in_log"]


def test_attack_agency_shows_a_grant_that_nobody_gave() -> None:
    history = History()
    evidence = shown(history, reads=0)
    forged = replace(evidence.grants[0], opening_key=b64u_encode(bytes(32)))
    assert codes(replace(evidence, grants=[forged]), history) == ["grant_not_in_log"]


def test_attack_agency_uses_a_number_twice() -> None:
    history = History()
    evidence = shown(history)
    twice = [*evidence.reads, evidence.reads[0]]
    assert codes(replace(evidence, reads=twice), history) == ["number_used_twice"]


def test_attack_log_showed_the_agency_another_tree() -> None:
    history, other = History(), History()
    evidence = shown(history)
    other.read(5)
    other.read(6)
    assert codes(replace(evidence, checkpoints=[other.log.publish()]), history) == ["forked"]


def test_attack_log_drops_entries_that_it_showed_to_the_agency() -> None:
    history = History()
    evidence = shown(history)
    history.read(2)
    later = replace(evidence, checkpoints=[history.log.publish()])
    del history.log.leaves[-2:]
    assert codes(later, history) == ["shrunk"]


@pytest.mark.parametrize("forge", [lambda note: note.replace("\n\n", "\n", 1), lambda note: "", swapped_root])
def test_attack_agency_frames_the_log_by_a_checkpoint_that_it_wrote_itself(forge: Any) -> None:
    history = History()
    evidence = shown(history)
    forged = [forge(note) for note in evidence.checkpoints]
    assert codes(replace(evidence, checkpoints=forged), history) == ["bad_evidence"]


def test_attack_agency_excuses_a_hidden_read_by_reads_that_it_never_signed() -> None:
    history = History()
    evidence = shown(history)
    hidden = replace(evidence.reads[1], n=None, leaf_index=None, opening_key=None)
    unsigned = hidden.token.rpartition(".")[0] + "." + b64u_encode(bytes(64))
    for excuse in (replace(hidden, token=unsigned), replace(hidden, token="nonsense")):
        found = codes(replace(evidence, reads=[evidence.reads[0], excuse]), history)
        assert found == ["bad_evidence", "missing_in_evidence"]


def test_attack_agency_shows_one_unanswered_read_for_two_entries() -> None:
    history = History()
    evidence = shown(history)
    hidden = replace(evidence.reads[1], n=None, leaf_index=None, opening_key=None)
    assert codes(replace(evidence, reads=[hidden, hidden]), history) == ["missing_in_evidence"]


def test_attack_agency_shows_the_number_of_a_read_and_hides_what_it_was() -> None:
    history = History()
    evidence = shown(history)
    bare = replace(evidence.reads[1], leaf_index=None, opening_key=None)
    assert codes(replace(evidence, reads=[evidence.reads[0], bare]), history) == ["bad_evidence"]


def test_attack_entry_of_no_known_form_hides_nothing() -> None:
    history = History()
    evidence = replace(shown(history), reads=[])
    history.log.leaves.append(b"\xff")
    assert codes(evidence, history) == ["missing_in_evidence"] * 2


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense"])
def test_evidence_that_is_nonsense_is_a_finding_and_no_crash(text: str) -> None:
    history = History()
    evidence = shown(history)
    bad = replace(evidence.grants[0], terms=text)
    assert codes(replace(evidence, grants=[bad]), history) == ["bad_evidence"]
    assert codes(replace(evidence, reads=[replace(evidence.reads[0], token=text)]), history)[0] == "bad_evidence"


def test_auditor_refuses_a_file_that_is_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "evidence.db"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 100)
    with pytest.raises(Rejected, match="bad_evidence"):
        read_evidence(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value TEXT)")
    with pytest.raises(Rejected, match="bad_evidence"):
        read_evidence(path)


def written(path: Path, evidence: EvidenceFile, contradictions: list[tuple[str, str, str]]) -> Path:
    """The file that an agency exports, as far as an auditor reads it."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value TEXT)")
        meta = [("format", "regie/evidence/v1"), ("oin", evidence.oin), ("log", evidence.log)]
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta)
        connection.execute("CREATE TABLE grants (slot, grant_index, terms, opening_key)")
        rows = [(grant.slot, grant.grant_index, grant.terms, grant.opening_key) for grant in evidence.grants]
        connection.executemany("INSERT INTO grants VALUES (?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE reads (slot, token, n, leaf_index, opening_key)")
        reads = [(read.slot, read.token, read.n, read.leaf_index, read.opening_key) for read in evidence.reads]
        connection.executemany("INSERT INTO reads VALUES (?, ?, ?, ?, ?)", reads)
        connection.execute("CREATE TABLE checkpoints (origin, note)")
        notes = [(evidence.log, note) for note in evidence.checkpoints]
        connection.executemany("INSERT INTO checkpoints VALUES (?, ?)", notes)
        connection.execute("CREATE TABLE contradictions (origin, kept, seen)")
        connection.executemany("INSERT INTO contradictions VALUES (?, ?, ?)", contradictions)
    connection.close()
    return path


def test_checkpoints_that_contradict_each_other_are_held_against_the_log(tmp_path: Path) -> None:
    history, other = History(), History()
    evidence = shown(history)
    other.read(5)
    other.read(6)
    kept, seen = evidence.checkpoints[0], other.log.publish()
    found = read_evidence(written(tmp_path / "evidence.db", evidence, [(LOG_ORIGIN, kept, seen)]))
    assert codes(found, history) == ["forked"]
    elsewhere = written(tmp_path / "elsewhere.db", evidence, [("another.example/log", kept, seen)])
    assert codes(read_evidence(elsewhere), history) == []


def test_attack_evidence_with_a_number_below_nothing(tmp_path: Path) -> None:
    evidence = shown(History())
    below = replace(evidence, reads=[replace(evidence.reads[0], n=-1)])
    with pytest.raises(Rejected, match="bad_evidence"):
        read_evidence(written(tmp_path / "evidence.db", below, []))


def convicted(evidence: EvidenceFile, history: History) -> list[str]:
    """Of what the file convicts a log with this history."""
    checkpoint = history.checkpoint()
    case = Case.of(checkpoint, history.log.leaves)
    found = convict_log(case, evidence, POLICY, keys_of(granting.LOG_KEY), NOW)
    accused = Accused(granting.LOG_KEY, POLICY)
    assert all(fraud_file(proof, accused, NOW) for proof in found)
    return [str(proof.__struct_config__.tag) for proof in found]


def with_receipts(history: History) -> EvidenceFile:
    """What an agency exports that kept every receipt."""
    evidence = shown(history)
    note, log = evidence.checkpoints[0], history.log

    def receipt(index: int | None) -> str:
        assert index is not None
        return make_tlog_proof(index, log.proof(index), note)

    return replace(
        evidence,
        grants=[replace(grant, proof=receipt(grant.grant_index)) for grant in evidence.grants],
        reads=[replace(read, proof=receipt(read.leaf_index)) for read in evidence.reads],
    )


def test_receipts_of_an_honest_log_convict_nobody() -> None:
    history = History()
    evidence = with_receipts(history)
    history.read(2)
    assert convicted(evidence, history) == []


def test_attack_log_replaces_an_entry_that_it_gave_a_receipt_for() -> None:
    history = History()
    evidence = with_receipts(history)
    index = evidence.reads[1].leaf_index
    assert index is not None
    history.log.leaves[index] = history.log.leaves[index][:-1] + b"\x00"
    assert set(convicted(evidence, history)) == {"inconsistent", "entry_changed"}
    assert convicted(replace(evidence, checkpoints=[]), history) == ["entry_changed"]


def test_attack_agency_frames_the_log_by_a_receipt_that_it_wrote_itself() -> None:
    history = History()
    evidence = with_receipts(history)
    read = evidence.reads[1]
    assert read.proof is not None
    forged = [swapped_root(read.proof), read.proof.replace("index ", "index 1"), "nonsense", ""]
    reads = [replace(read, proof=proof) for proof in forged]
    other = [replace(read, n=7), replace(read, opening_key=b64u_encode(bytes(32))), replace(read, slot=9)]
    assert convicted(replace(evidence, checkpoints=[], reads=[*reads, *other]), history) == []


def test_receipts_are_read_from_the_file_where_it_has_them(tmp_path: Path) -> None:
    evidence = with_receipts(History())
    path = written(tmp_path / "evidence.db", evidence, [])
    assert read_evidence(path).reads[0].proof is None  # of an export from before there were any
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE reads ADD COLUMN proof")
        connection.execute("UPDATE reads SET proof = ?", (evidence.reads[0].proof,))
    connection.close()
    assert read_evidence(path).reads[0].proof == evidence.reads[0].proof
