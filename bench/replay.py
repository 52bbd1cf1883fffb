"""The auditor's replay against bare SHA-256 tree hashing of the same leaves.

The bare work: a hash for each leaf and for each node, level by level, and nothing else. The replay checks every
rule besides: slots, locks, secrets of revocations, and the status tree at each head. The mix of leaves is that of
`MIX`; the order is by lot, from a fixed seed. Aim: the replay at 0.6 of the bare speed.
"""

import hashlib
import random
import resource
from collections.abc import Iterator
from typing import Any

from bench.pairs import compare
from protocol.leaf import Grant, Head, Message, Read, Refusal, Revocation, lock_of
from protocol.replay import Replay
from protocol.status_tree import StatusTree

LEAVES = 1_000_000
HEAD_EVERY = 256
"""A full group of the log."""
MIX = {"grant": 0.05, "revocation": 0.02, "refusal": 0.05, "message": 0.03}
"""Shares of the leaves that are no head; all others are reads."""
PAIRS = 7


def secret(slot: int) -> bytes:
    """r of the grant of `slot`."""
    return hashlib.sha256(slot.to_bytes(8, "big")).digest()


def history(leaves: int, *, start: int = 0, seed: int = 3) -> Iterator[bytes]:
    """Leaves [start, leaves) of an honest log with `MIX`, a head at every 256th place and at the end.

    Before `start` there is no grant.
    """
    dice = random.Random(seed)
    status = StatusTree()
    standing: list[tuple[int, int]] = []  # slot and grant leaf of what is not revoked
    bounds = (MIX["grant"], MIX["grant"] + MIX["revocation"])
    events = ((bounds[1] + MIX["refusal"], Refusal), (bounds[1] + MIX["refusal"] + MIX["message"], Message))
    for index in range(start, leaves):
        if index % HEAD_EVERY == HEAD_EVERY - 1 or index == leaves - 1:
            yield Head(index, status.slots, status.root()).to_bytes()
            continue
        draw = dice.random()
        if draw < bounds[0]:
            slot = status.append_slot()
            standing.append((slot, index))
            yield Grant(slot, lock_of(secret(slot)), dice.randbytes(32)).to_bytes()
        elif draw < bounds[1] and standing:
            place = dice.randrange(len(standing))
            standing[place], (slot, grant_index) = standing[-1], standing[place]
            standing.pop()
            status.revoke(slot)
            yield Revocation(grant_index, slot, secret(slot)).to_bytes()
        else:
            kind = next((kind for bound, kind in events if draw < bound), Read)
            yield kind(dice.randbytes(16), dice.randbytes(32)).to_bytes()


def bare_root(leaves: list[bytes]) -> bytes:
    """Root of the tree, by hashing and nothing else."""
    sha256 = hashlib.sha256
    row = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(row) > 1:
        last = [row[-1]] if len(row) % 2 else []
        pairs = iter(row)
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)] + last
    return row[0]


def measure(leaves: int = LEAVES) -> dict[str, Any]:
    """`speed` = replay's rate / bare rate, for all leaves at once and one by one."""
    entries = list(history(leaves))

    def replay() -> Replay:
        done = Replay()
        done.apply_all(entries)
        return done

    def one_by_one() -> None:
        done = Replay()
        for entry in entries[: leaves // 8]:
            done.apply(entry)

    if replay().root() != bare_root(entries):
        raise RuntimeError("replay and bare hashing differ")
    bulk = compare(replay, lambda: bare_root(entries), pairs=PAIRS)
    single = compare(one_by_one, lambda: bare_root(entries[: leaves // 8]), pairs=PAIRS)
    return {
        "leaves": leaves,
        "mix": {**MIX, "head_every": HEAD_EVERY},
        "speed": round(1 / bulk.ratio, 3),
        "one_by_one_speed": round(1 / single.ratio, 3),
        "replay_us_a_leaf": round(bulk.candidate_us / leaves, 3),
        "bare_us_a_leaf": round(bulk.base_us / leaves, 3),
        "max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
