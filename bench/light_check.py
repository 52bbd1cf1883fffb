"""The light check of an agency and inclusion proofs, at the sizes where they matter."""

from typing import Any

from bench.pairs import compare, cpu_seconds, repetitions
from protocol import policy
from protocol.light_check import verify_light_check
from protocol.merkle import inclusion_proof, leaf_hash, node_hash, root, verify_inclusion
from tests.protocol import granting
from tests.protocol.builders import NOW

LEAVES = 2**20
"""The first size with 20 levels; 10^6 leaves have as many."""


def measure() -> dict[str, Any]:
    """Microseconds, and the ratio of a cold check to a cached one."""
    town = granting.town()
    note = town.log.publish()
    evidence = town.log.evidence(note, town.grant_index, town.slot)

    def check() -> None:
        verify_light_check(evidence, town.opening(), log_key=granting.LOG_KEY, policy=granting.POLICY, now=NOW)

    def cold() -> None:
        for name in dir(policy):
            cached = getattr(policy, name)
            if hasattr(cached, "cache_clear"):
                cached.cache_clear()
        check()

    return {"cold_to_cached": compare(cold, check).to_json(), "inclusion_at_2_20": inclusion()}


def inclusion() -> dict[str, float]:
    """Making and verifying one inclusion proof in a tree of 2^20 leaves that lies in memory."""
    levels = [[leaf_hash(index.to_bytes(4, "big")) for index in range(LEAVES)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below), 2)])

    def node(level: int, index: int) -> bytes:
        return levels[level][index]

    top, index = root(LEAVES, node), 777_777
    proof = inclusion_proof(index, LEAVES, node)

    def make() -> None:
        inclusion_proof(index, LEAVES, node)

    def verify() -> None:
        verify_inclusion(levels[0][index], index, LEAVES, proof, top)

    times = {
        "make_us": cpu_seconds(make, repetitions(make)),
        "verify_us": cpu_seconds(verify, repetitions(verify)),
    }
    return {name: round(value * 1e6, 1) for name, value in times.items()}
