"""An agency's evidence: what it shows stands in the log, and what stands in the log it shows."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.evidence import EvidenceFile, GrantEvidence, ReadEvidence, check_evidence
from auditor.evidence_file import read_evidence
from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.presentation import grant_opening
from tests.auditor.history import History
from tests.protocol.builders import AGENCY_ID, LOG_ORIGIN, TRUST
from tests.protocol.granting import OPENING_KEY

KEY = b64u_encode(OPENING_KEY)


def shown(history: History, reads: int = 2) -> EvidenceFile:
    """What an honest agency exports after `reads` READs."""
    indexes = [history.read(n, read_id=b64u_encode(bytes([n]) * 16)) for n in range(reads)]
    note = history.log.publish()
    slot = history.town.slot
    grant = GrantEvidence(slot, history.town.grant_index, grant_opening(history.town.terms).decode(), KEY)
    tokens = [history.openings[index].opening for index in indexes]
    made = [ReadEvidence(slot, tokens[n], n, indexes[n], KEY) for n in range(reads)]
    return EvidenceFile(AGENCY_ID, LOG_ORIGIN, [grant], made, [note], 0)


def codes(evidence: EvidenceFile, history: History) -> list[str]:
    return [finding.code for finding in check_evidence(evidence, history.log.leaves, TRUST)]


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


def test_contradicting_checkpoints_break_integrity() -> None:
    history = History()
    assert codes(replace(shown(history), contradictions=1), history) == ["contradiction"]


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
