"""The verdict of the console: a lie outweighs everything, and nothing is whole that nobody looked at lately."""

import pytest

from auditor.findings import Finding
from auditor.tally import LOOK_SECONDS, Look
from auditor.ui.health import FRESH_SECONDS, gaps, judge, read_tree
from protocol.log_keys import keys_of
from tests.auditor.history import honest
from tests.protocol import granting
from tests.protocol.builders import NOW
from tests.protocol.granting import POLICY

LIE = Finding("policy", "read_after_revocation", "", 7)


def look(since: int, until: int, state: str = "ok", code: str = "", *, size: int = 9, checked: int = 9) -> Look:
    return Look(since, until, state, code, size, checked)


@pytest.mark.parametrize(
    ("looks", "alarms", "verdict"),
    [
        ([], [], "never"),
        ([look(NOW, NOW)], [], "whole"),
        ([look(NOW, NOW - FRESH_SECONDS)], [], "whole"),
        ([look(NOW, NOW - FRESH_SECONDS - 1)], [], "unsure"),
        ([look(NOW, NOW, "waiting", "unreachable")], [], "unsure"),
        ([look(NOW, NOW)], [LIE], "wrong"),
        ([look(NOW, NOW, "waiting", "unreachable")], [LIE], "wrong"),
    ],
)
def test_verdict(looks: list[Look], alarms: list[Finding], verdict: str) -> None:
    assert judge(looks, alarms, NOW).verdict == verdict


def test_three_verdicts_go_as_far_as_was_looked() -> None:
    assert judge([look(NOW, NOW, checked=0)], [], NOW).checked == {
        "integrity": "ok",
        "completeness": "unchecked",
        "policy": "unchecked",
    }
    assert judge([look(NOW, NOW, checked=8)], [], NOW).checked["policy"] == "partly"
    assert judge([look(NOW, NOW)], [LIE], NOW).checked == {
        "integrity": "ok",
        "completeness": "ok",
        "policy": "wrong",
    }


@pytest.mark.parametrize(("apart", "count"), [(LOOK_SECONDS, 0), (LOOK_SECONDS + 1, 1)])
def test_time_in_which_nobody_looked_is_a_gap(apart: int, count: int) -> None:
    looks = [look(NOW - 10, NOW), look(NOW - 10 - apart - 50, NOW - 10 - apart)]
    found = gaps(looks, NOW)
    assert len(found) == count
    assert [(gap.since, gap.until, gap.code) for gap in found] == [(NOW - 10 - apart, NOW - 10, "")] * count


def test_time_in_which_the_log_could_not_be_read_is_a_gap() -> None:
    looks = [look(NOW - 10, NOW), look(NOW - 99, NOW - 20, "waiting", "unreachable")]
    assert [gap.code for gap in gaps(looks, NOW)] == ["unreachable"]


def test_tree_names_its_witnesses_and_when_they_signed() -> None:
    checkpoint = honest().checkpoint()
    tree = read_tree(checkpoint.note, NOW, POLICY, keys_of(granting.LOG_KEY), NOW)
    assert tree is not None
    assert (tree.size, tree.root) == (checkpoint.size, checkpoint.root)
    assert tree.cosigned == len(tree.witnesses) == 2
    assert {witness.time for witness in tree.witnesses} == {NOW}


def test_attack_note_that_the_log_did_not_sign_is_no_tree() -> None:
    checkpoint = honest().checkpoint()
    forged = checkpoint.note.replace(f"\n{checkpoint.size}\n", f"\n{checkpoint.size + 1}\n")
    assert read_tree(forged, NOW, POLICY, keys_of(granting.LOG_KEY), NOW) is None
