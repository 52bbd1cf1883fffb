"""The public history: each lie of docs/audit.md about it is found by its name, and honest ones are clean."""

from dataclasses import replace

import pytest

from auditor.integrity import Seen, check_history
from protocol.leaf import Grant, Head, Revocation
from tests.auditor.history import History, honest
from tests.protocol.builders import NOW
from tests.protocol.granting import POLICY


def codes(history: History, seen: list[Seen] | None = None, *, now: int = NOW, publish: bool = True) -> list[str]:
    checkpoint = history.checkpoint()
    verdict = check_history(checkpoint, history.log.leaves, POLICY, seen or [], now)
    assert verdict.is_clean == (not verdict.findings)
    return [finding.code for finding in verdict.findings]


def test_auditor_finds_nothing_in_an_honest_history() -> None:
    history = honest()
    first = history.checkpoint()
    assert codes(history, [Seen(first.size, first.root)]) == []


def test_auditor_finds_nothing_wrong_with_the_first_entries_of_a_log() -> None:
    assert codes(History()) == []


def test_attack_fork_below_a_tree_that_was_seen() -> None:
    history = honest()
    seen = history.checkpoint()
    history.log.leaves[3] = history.log.leaves[3][:-1] + b"\x00"
    assert codes(history, [Seen(seen.size, seen.root)]) == ["forked"]


def test_attack_shrink_to_an_older_tree() -> None:
    history = honest()
    assert codes(history, [Seen(10_000, bytes(32))]) == ["shrunk"]


def test_attack_entries_that_were_not_signed() -> None:
    history = honest()
    checkpoint = history.checkpoint()
    leaves = [*history.log.leaves[:-1], history.log.leaves[-1]]
    leaves[4] = leaves[4][:-1] + b"\x00"
    verdict = check_history(checkpoint, leaves, POLICY, [], NOW)
    assert [finding.code for finding in verdict.findings] == ["bad_root"]


def test_attack_hidden_revocation_in_the_head() -> None:
    history = honest()
    history.log.status = History().log.status
    assert codes(history) == ["replay_head_status"]


def test_attack_head_that_counts_other_slots() -> None:
    history = honest()
    history.log.status.append_slot()
    assert codes(history) == ["replay_head_slots"]


def test_attack_lock_used_twice() -> None:
    history = honest()
    history.log.append(Grant(2, history.log.leaves[1][6:38], bytes(32)))
    assert "replay_lock_reused" in codes(history)


def test_attack_revocation_without_the_secret() -> None:
    history = History()
    history.log.append(Revocation(0, 0, bytes(32)))
    assert "replay_wrong_secret" in codes(history)


def test_attack_checkpoint_that_ends_in_no_head() -> None:
    history = honest()
    history.log.append(Head(0, 0, bytes(32)))
    checkpoint = history.checkpoint()
    assert "replay_head_position" in codes(history)
    short = replace(checkpoint, size=checkpoint.size)
    verdict = check_history(short, history.log.leaves[:-2], POLICY, [], NOW)
    assert not verdict.is_clean


@pytest.mark.parametrize(("age", "expected"), [(60, []), (61, ["stale_checkpoint"])])
def test_auditor_wants_a_fresh_quorum(age: int, expected: list[str]) -> None:
    assert codes(honest(), now=NOW + age) == expected


def test_auditor_wants_the_witnesses_of_the_policy() -> None:
    history = honest()
    checkpoint = history.checkpoint()
    alone = replace(checkpoint, note="\n".join(checkpoint.note.split("\n")[:5]) + "\n")
    verdict = check_history(alone, history.log.leaves, POLICY, [], NOW)
    assert [finding.code for finding in verdict.findings] == ["no_quorum"]
    assert verdict.state("integrity") == "failed"
    assert verdict.state("policy") == "not_checked"
