"""The public history: is it one tree, does it obey the log's own rules, and is it the tree that was seen before?

Works on public bytes alone. A finding carries the name of the lie (docs/audit.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.findings import Finding, Verdict
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.leaf import Leaf, parse_leaf
from protocol.policy import Policy, satisfied
from protocol.replay import Replay


@dataclass(frozen=True)
class Seen:
    """A tree that this auditor has verified before."""

    size: int
    root: bytes


def check_history(
    checkpoint: VerifiedCheckpoint, leaves: Sequence[bytes], policy: Policy, seen: Sequence[Seen], now: int
) -> Verdict:
    """The verdict on integrity of the history that `checkpoint` (its signature verified) stands for.

    1. the witnesses of the policy cosigned it, not long ago; 2. every leaf obeys the rules of the log; 3. the
    leaves have the root that was signed; 4. the last one is a head; 5. every tree seen before is a beginning of
    this one.
    """
    findings = [*_check_quorum(checkpoint, policy, now), *check_leaves(checkpoint, leaves, seen)]  # 1.
    return Verdict(checkpoint.size, checkpoint.root, frozenset({"integrity"}), tuple(findings))


def check_leaves(checkpoint: VerifiedCheckpoint, leaves: Sequence[bytes], seen: Sequence[Seen]) -> list[Finding]:
    """Steps 2 to 5 of `check_history`."""
    findings = []
    replay = Replay()
    roots = {old.size: old.root for old in seen}
    for end in sorted({*(size for size in roots if 0 < size < len(leaves)), len(leaves)}):
        try:
            replay.apply_all(leaves[replay.size : end])  # 2.
        except Rejected as error:
            findings.append(Finding("integrity", error.code, error.detail, replay.size))
            break
        if replay.size in roots and replay.root() != roots[replay.size]:  # 5.
            text = f"the first {replay.size} entries are not those that were signed before"
            findings.append(Finding("integrity", "forked", text, replay.size - 1))
    if not any(finding.index is not None and finding.code != "forked" for finding in findings):
        findings += _check_tree(checkpoint, replay)
    for size in roots:
        if size > checkpoint.size:
            text = f"a checkpoint of {size} entries was seen before, this one has {checkpoint.size}"
            findings.append(Finding("integrity", "shrunk", text))
    return findings


def readable(leaves: Sequence[bytes]) -> list[Leaf | None]:
    """The leaves as values; None for one of no known form, so that a lie behind it is found all the same."""
    return [_readable(leaf) for leaf in leaves]


def _readable(data: bytes) -> Leaf | None:
    try:
        return parse_leaf(data)
    except Rejected:
        return None


def _check_quorum(checkpoint: VerifiedCheckpoint, policy: Policy, now: int) -> list[Finding]:
    try:
        satisfied(policy, checkpoint.note, now)
    except Rejected as error:
        return [Finding("integrity", error.code, error.detail)]
    return []


def _check_tree(checkpoint: VerifiedCheckpoint, replay: Replay) -> list[Finding]:
    findings = []
    if (replay.size, replay.root()) != (checkpoint.size, checkpoint.root):  # 3.
        findings.append(Finding("integrity", "bad_root", "the entries do not have the root that was signed"))
    if checkpoint.size and not replay.ends_in_head:  # 4.
        findings.append(Finding("integrity", "checkpoint_without_head", "the last entry is not a head"))
    return findings
