"""RFC 6962 trees: our proofs are those of the naive oracle, and nothing else is a proof."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.merkle import (
    EMPTY_ROOT,
    MAX_PROOF_HASHES,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.oracle_tree import NaiveTree

LEAVES = [index.to_bytes(4, "big") for index in range(2**16 + 1)]
ORACLE = NaiveTree(LEAVES)
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp.json").read_text())["rfc6962"]


def node(level: int, index: int) -> bytes:
    return ORACLE.mth(index << level, (index + 1) << level)


def test_roots_are_those_that_certificate_transparency_publishes() -> None:
    frontier = Frontier()
    tree = NaiveTree([bytes.fromhex(leaf) for leaf in VECTORS["leaves"]])
    for size, expected in enumerate(VECTORS["roots"]):
        assert frontier.root().hex() == tree.root(size).hex() == expected
        if size < len(tree.leaves):
            frontier.append(leaf_hash(tree.leaves[size]))


def test_every_tree_up_to_300_leaves_has_the_root_and_the_inclusion_proofs_of_the_oracle() -> None:
    frontier = Frontier()
    for size in range(301):
        top = ORACLE.root(size)
        assert root(size, node) == frontier.root() == top
        for index in range(size):
            proof = inclusion_proof(index, size, node)
            assert proof == ORACLE.path(index, size)
            verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, top)
        frontier.append(leaf_hash(LEAVES[size]))


def test_every_pair_of_trees_up_to_200_leaves_has_the_consistency_proof_of_the_oracle() -> None:
    for new in range(201):
        for old in range(new + 1):
            proof = consistency_proof(old, new, node)
            assert proof == ORACLE.proof(old, new)
            verify_consistency(old, ORACLE.root(old), new, ORACLE.root(new), proof)


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1])
def test_trees_around_2_to_the_16_agree_with_the_oracle(size: int) -> None:
    top = ORACLE.root(size)
    assert root(size, node) == top
    for index in {0, 1, 255, 256, 2**15 - 1, 2**15, size - 2, size - 1}:
        proof = inclusion_proof(index, size, node)
        assert proof == ORACLE.path(index, size)
        verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, top)
    for old in {1, 2, 255, 256, 257, 2**15, 2**15 + 1, 2**16 - 1, size - 1, size}:
        proof = consistency_proof(old, size, node)
        assert proof == ORACLE.proof(old, size)
        verify_consistency(old, ORACLE.root(old), size, top, proof)


def test_an_index_or_size_that_is_not_in_the_tree_is_our_own_mistake() -> None:
    for index, size in [(0, 0), (5, 5), (-1, 5)]:
        with pytest.raises(ValueError, match="not in the tree"):
            inclusion_proof(index, size, node)
    with pytest.raises(ValueError, match="not smaller"):
        consistency_proof(6, 5, node)
    with pytest.raises(ValueError, match="negative"):
        root(-1, node)


def refuses_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], top: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        verify_inclusion(leaf, index, size, proof, top)
    assert refusal.value.code == "bad_inclusion"


def refuses_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> None:
    with pytest.raises(Rejected) as refusal:
        verify_consistency(old, old_root, new, new_root, proof)
    assert refusal.value.code == "bad_consistency"


def test_every_other_index_size_leaf_or_root_refuses_an_inclusion_proof() -> None:
    for size in range(1, 35):
        for index in range(size):
            leaf, proof, top = leaf_hash(LEAVES[index]), ORACLE.path(index, size), ORACLE.root(size)
            for other in range(-1, size + 3):
                if other != index:
                    refuses_inclusion(leaf, other, size, proof, top)
            # A proof does not fix the size where the path is the same; a verified checkpoint does.
            refuses_inclusion(leaf_hash(b"another"), index, size, proof, top)
            refuses_inclusion(leaf, index, size, proof, ORACLE.root(size - 1))
            refuses_inclusion(leaf, index, size, [*proof, top], top)
            if proof:
                refuses_inclusion(leaf, index, size, proof[:-1], top)
                refuses_inclusion(leaf, index, size, proof[1:], top)


@given(st.integers(1, 300), st.data())
def test_a_changed_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = ORACLE.path(index, size)
    changed = data.draw(st.lists(st.sampled_from([*proof, ORACLE.root(size), bytes(32), b""]), max_size=12))
    if changed != proof:
        refuses_inclusion(leaf_hash(LEAVES[index]), index, size, changed, ORACLE.root(size))


@given(st.integers(0, 300), st.integers(0, 300), st.data())
def test_a_changed_consistency_proof_is_refused(old: int, new: int, data: st.DataObject) -> None:
    old, new = sorted((old, new))
    proof = ORACLE.proof(old, new)
    changed = data.draw(st.lists(st.sampled_from([*proof, ORACLE.root(old), bytes(32), b""]), max_size=12))
    if changed != proof:
        refuses_consistency(old, ORACLE.root(old), new, ORACLE.root(new), changed)
    if old:
        refuses_consistency(old, ORACLE.root(old - 1), new, ORACLE.root(new), proof)
        refuses_consistency(old, ORACLE.root(old), new, ORACLE.root(new + 1), proof)


@given(st.integers(-5, 2**64), st.integers(-5, 2**64), st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_numbers_and_hashes_from_anywhere_are_refused_and_nothing_else_happens(
    left: int, right: int, hashes: list[bytes]
) -> None:
    refuses_inclusion(bytes(32), left, right, hashes, bytes(32))
    if (left, hashes) != (right, []):
        refuses_consistency(left, bytes(32), right, bytes(32), hashes)


def test_proofs_have_at_most_63_hashes() -> None:
    leaf, index = leaf_hash(b"x"), 0
    proof = [bytes([i]) * 32 for i in range(MAX_PROOF_HASHES)]
    top = leaf
    for sibling in proof:
        top = node_hash(top, sibling)
    verify_inclusion(leaf, index, 2**63, proof, top)
    refuses_inclusion(leaf, index, 2**63, [*proof, bytes(32)], node_hash(top, bytes(32)))
    refuses_inclusion(leaf, index, 2**63 + 1, [*proof, bytes(32)], node_hash(top, bytes(32)))
    refuses_consistency(1, leaf, 2**63 + 1, node_hash(top, bytes(32)), [*proof, bytes(32)])
    verify_consistency(1, leaf, 2**63, top, proof)


def test_consistency_from_the_empty_tree_takes_no_proof() -> None:
    verify_consistency(0, EMPTY_ROOT, 5, ORACLE.root(5), [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    refuses_consistency(0, bytes(32), 5, ORACLE.root(5), [])
    refuses_consistency(0, EMPTY_ROOT, 5, ORACLE.root(5), [ORACLE.root(5)])
    refuses_consistency(5, ORACLE.root(5), 5, ORACLE.root(4), [])
    refuses_consistency(5, ORACLE.root(5), 5, ORACLE.root(5), [ORACLE.root(5)])
    refuses_consistency(6, ORACLE.root(6), 5, ORACLE.root(5), [])


def test_a_frontier_survives_its_store_at_every_size() -> None:
    frontier = Frontier()
    for size in range(70):
        restored = Frontier.from_bytes(frontier.to_bytes())
        copy = frontier.copy()
        for tree in (frontier, restored, copy):
            assert (tree.size, tree.root()) == (size, ORACLE.root(size))
        copy.append(leaf_hash(b"another"))
        frontier.append(leaf_hash(LEAVES[size]))
        assert frontier.root() == ORACLE.root(size + 1)


def test_damaged_frontier_bytes_are_noticed() -> None:
    frontier = Frontier()
    frontier.append(leaf_hash(b"x"))
    data = frontier.to_bytes()
    for damaged in (b"", data[:-1], data + b"\0", bytes(8) + data[8:]):
        with pytest.raises(ValueError, match="frontier"):
            Frontier.from_bytes(damaged)
