"""Is the log whole, as far as this home can tell, and how fresh is what it tells? Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from auditor.findings import KINDS, Finding, Kind
from auditor.tally import LOOK_SECONDS, Look
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.log_keys import LogKeys
from protocol.note import verify_note
from protocol.policy import Policy, verify_kept_checkpoint

FRESH_SECONDS = 3600
"""Until then nobody needs to look again."""
Verdict = Literal["whole", "wrong", "unsure", "never"]
Checked = Literal["ok", "wrong", "partly", "unchecked"]


@dataclass(frozen=True)
class Witnessed:
    """A witness of the policy, and when it cosigned the last tree (POSIX seconds); None: it did not."""

    name: str
    time: int | None


@dataclass(frozen=True)
class Tree:
    """The last signed tree that passed."""

    origin: str
    size: int
    root: bytes
    time: int
    witnesses: tuple[Witnessed, ...]

    @property
    def cosigned(self) -> int:
        """How many witnesses cosigned it."""
        return sum(witness.time is not None for witness in self.witnesses)


@dataclass(frozen=True)
class Health:
    """The verdict in one word, and what it stands on. `looked`: when somebody last looked at the log.

    `waiting`: why the log could not be read at the last look, as a code. `counted`: entries whose openings were
    looked at.
    """

    verdict: Verdict
    looked: int | None
    waiting: str
    size: int
    counted: int
    checked: Mapping[Kind, Checked]
    findings: int

    def is_fresh(self, now: int) -> bool:
        """Whether somebody looked within the hour."""
        return self.looked is not None and now - self.looked <= FRESH_SECONDS


def read_tree(note: str, time: int, policy: Policy, keys: LogKeys, now: int) -> Tree | None:
    """The kept note as a tree, by the keys and witnesses of the trust list; None when it is not the log's."""
    try:
        tree: VerifiedCheckpoint = verify_kept_checkpoint(policy, note, now, keys)
    except Rejected:
        return None
    witnesses = []
    for witness in policy.witnesses:
        try:
            signed = verify_note(note, [witness.key]).signatures
        except Rejected:
            witnesses.append(Witnessed(witness.name, None))
            continue
        witnesses.append(Witnessed(witness.name, max(found.time or 0 for found in signed)))
    return Tree(tree.origin, tree.size, tree.root, time, tuple(witnesses))


def judge(looks: Sequence[Look], alarms: Sequence[Finding], now: int) -> Health:
    """`looks`: the newest first. A lie outweighs everything; nothing is whole that nobody looked at lately."""
    if not looks:
        return Health("never", None, "", 0, 0, dict.fromkeys(KINDS, "unchecked"), len(alarms))
    last = looks[0]
    verdict: Verdict = "whole"
    if alarms:
        verdict = "wrong"
    elif last.state != "ok" or now - last.until > FRESH_SECONDS:
        verdict = "unsure"
    waiting = last.code if last.state == "waiting" else ""
    checked = {kind: _checked(kind, last, alarms) for kind in KINDS}
    return Health(verdict, last.until, waiting, last.size, last.checked, checked, len(alarms))


def _checked(kind: Kind, last: Look, alarms: Sequence[Finding]) -> Checked:
    """Integrity needs only the leaves; the others go as far as the openings were looked at."""
    if any(finding.kind == kind for finding in alarms):
        return "wrong"
    done = last.size if kind == "integrity" else last.checked
    if done == 0:
        return "unchecked"
    return "ok" if done == last.size else "partly"


@dataclass(frozen=True)
class Gap:
    """Nobody saw a whole log from `since` until `until`: nobody looked (`code` empty), or it could not be read."""

    since: int
    until: int
    code: str


def gaps(looks: Sequence[Look], now: int) -> list[Gap]:
    """Between looks, and while looks failed; the newest first. Shorter ones than `LOOK_SECONDS` are none."""
    found: list[Gap] = []
    later = now
    for look in looks:
        if later - look.until > LOOK_SECONDS:
            found.append(Gap(look.until, later, ""))
        if look.state == "waiting":
            found.append(Gap(look.since, look.until, look.code))
        later = look.since
    return found
