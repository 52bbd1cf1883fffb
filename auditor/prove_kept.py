"""A proof from what this home keeps: do its own leaves obey every rule and have the root that was signed?

Needs no network. The result is kept in the home, so that everybody who looks sees when it was made last.
"""

from collections.abc import Iterator, Sequence

import msgspec

from auditor.config import log_keys, read_config, trust_of
from auditor.findings import Finding
from auditor.follow_store import LAST, Archive, FollowStore
from auditor.integrity import check_leaves
from auditor.store import Store
from auditor.watch import Progress
from protocol.canonical import b64u_encode, parse_struct
from protocol.errors import Rejected
from protocol.policy import verify_kept_checkpoint
from service.home import MAX_FILE_BYTES, Home

FILE = "proof-check.json"
_TELL = 4096


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding of the proof, as it is kept."""

    code: str
    text: str
    index: int | None


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`time`: when it was made, POSIX seconds; `size`, `root` (b64u): of the tree; no `findings` when whole."""

    time: int
    size: int
    root: str
    findings: list[Found]


def last_proof(home: Home) -> Proof | None:
    """The one that was made last. Raises `Rejected` for a file that is not ours."""
    if not home.has(FILE):
        return None
    return parse_struct(home.read_public(FILE), Proof, max_bytes=MAX_FILE_BYTES)


def prove_kept(home: Home, store: FollowStore, now: int, progress: Progress) -> Proof:
    """1. the last tree that passed is the log's and was witnessed; 2. every kept leaf obeys the rules, and the
    root of all of them is the signed one (`integrity.check_leaves`, also for trees verified before); 3. keep.

    Raises `Rejected`: `never_looked`, and those of the trust list and of `verify_kept_checkpoint`; `Unavailable`.
    """
    kept = store.notes().get(LAST)
    if kept is None:
        raise Rejected("never_looked", "nobody has looked at the log from this home yet")
    config = read_config(home)
    _, keys, policy = log_keys(trust_of(home, config).current(now), config.log)
    checkpoint = verify_kept_checkpoint(policy, kept[0], now, keys)  # 1.
    leaves = [*_told(Archive(store.engine, checkpoint.size), progress)]
    findings = check_leaves(checkpoint, leaves, Store(home).seen())  # 2.
    proof = Proof(now, checkpoint.size, b64u_encode(checkpoint.root), [_kept(finding) for finding in findings])
    home.write_json(FILE, proof)  # 3.
    return proof


def _told(leaves: Sequence[bytes], progress: Progress) -> Iterator[bytes]:
    for index, leaf in enumerate(leaves):
        if index % _TELL == 0:
            progress("replay", index, len(leaves))
        yield leaf


def _kept(finding: Finding) -> Found:
    return Found(finding.code, finding.text, finding.index)
