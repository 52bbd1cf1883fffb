"""The status array: one bit a slot, and a tree that agrees with the naive one after every change."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.status_tree import StatusTree, chunk_count, is_bit_set, verify_chunk
from tests.oracle_tree import NaiveTree, status_chunks


def tree_of(revoked: list[bool]) -> StatusTree:
    tree = StatusTree()
    for slot, bit in enumerate(revoked):
        assert tree.append_slot() == slot
        if bit:
            tree.revoke(slot)
    return tree


def agrees(tree: StatusTree, revoked: list[bool]) -> None:
    naive = NaiveTree(status_chunks(revoked))
    count = len(naive.leaves)
    assert (tree.slots, chunk_count(tree.slots), tree.root()) == (len(revoked), count, naive.root(count))
    for number in range(count):
        assert tree.chunk(number) == naive.leaves[number]
        assert tree.proof(number) == naive.path(number, count)
        verify_chunk(tree.chunk(number), number, tree.slots, tree.proof(number), tree.root())


@pytest.mark.parametrize("slots", [0, 1, 7, 8, 9, 2047, 2048, 2049, 4096, 4097, 6145, 12_289, 14_337])
def test_the_tree_agrees_with_the_oracle(slots: int) -> None:
    dice = random.Random(slots)
    revoked = [dice.random() < 0.2 for _ in range(slots)]
    tree = tree_of(revoked)
    agrees(tree, revoked)
    assert [tree.is_revoked(slot) for slot in range(slots)] == revoked


def test_revocations_after_all_grants_agree_too() -> None:
    revoked = [False] * 9000
    tree = tree_of(revoked)
    for slot in (0, 8999, 2047, 2048, 4096, 0):
        revoked[slot] = True
        tree.revoke(slot)
        agrees(tree, revoked)


@settings(max_examples=30)
@given(st.lists(st.one_of(st.just(-1), st.integers(0, 5000)), max_size=30), st.integers(0, 5000))
def test_any_order_of_grants_and_revocations_agrees(steps: list[int], start: int) -> None:
    revoked = [False] * start
    tree = tree_of(revoked)
    for step in steps:
        if step < 0:
            tree.append_slot()
            revoked.append(False)
        elif step < len(revoked):
            tree.revoke(step)
            revoked[step] = True
    agrees(tree, revoked)


def test_the_first_slot_is_the_least_significant_bit() -> None:
    tree = tree_of([True, False, False, True] + [False] * 5 + [True])
    assert tree.chunk(0)[:2] == bytes([0b00001001, 0b00000010])
    assert [is_bit_set(tree.chunk(0), slot) for slot in range(10)] == [tree.is_revoked(slot) for slot in range(10)]


def test_a_published_copy_stands_still() -> None:
    tree = tree_of([False] * 5000)
    copy = tree.copy()
    tree.revoke(4000)
    tree.append_slot()
    agrees(copy, [False] * 5000)


@pytest.mark.parametrize("slots", [0, 1, 2048, 2049, 5000])
def test_a_tree_survives_its_store(slots: int) -> None:
    revoked = [slot % 3 == 0 for slot in range(slots)]
    tree = tree_of(revoked)
    restored = StatusTree.from_bytes(tree.to_bytes())
    agrees(restored, revoked)
    restored.append_slot()
    restored.revoke(slots)
    agrees(restored, [*revoked, True])


def test_damaged_bytes_of_a_tree_are_noticed() -> None:
    data = tree_of([True] * 10).to_bytes()
    ghost = bytearray(data)
    ghost[5 + 1] |= 0b100
    late = bytearray(data)
    late[-1] = 1
    for damaged in (b"", data[:-1], data + b"\0", data + bytes(256), bytes(ghost), bytes(late)):
        with pytest.raises(ValueError, match="status tree"):
            StatusTree.from_bytes(damaged)


def test_slots_and_chunks_that_are_not_there_are_our_own_mistake() -> None:
    tree = tree_of([False] * 2048)
    for call in (tree.revoke, tree.is_revoked):
        for slot in (-1, 2048):
            with pytest.raises(ValueError, match="slot"):
                call(slot)
    for read in (tree.chunk, tree.proof):
        for number in (-1, 1):
            with pytest.raises(ValueError, match="chunk"):
                read(number)
    tree.slots = 2**40
    with pytest.raises(ValueError, match="2\\^40"):
        tree.append_slot()


def refuses(code: str, chunk: bytes, number: int, slots: int, proof: list[bytes], root: bytes) -> None:
    with pytest.raises(Rejected) as refusal:
        verify_chunk(chunk, number, slots, proof, root)
    assert refusal.value.code == code


def test_a_chunk_that_is_not_the_one_asked_for_is_refused() -> None:
    tree = tree_of([slot % 5 == 0 for slot in range(9000)])
    chunk, proof, root = tree.chunk(2), tree.proof(2), tree.root()
    for number in (0, 1, 3, 4):
        refuses("bad_inclusion", chunk, number, 9000, proof, root)
    for number in (-1, 5):
        refuses("bad_status", chunk, number, 9000, proof, root)
    refuses("bad_inclusion", tree.chunk(1), 2, 9000, proof, root)
    refuses("bad_inclusion", chunk, 2, 2048 * 3, proof, root)
    refuses("bad_inclusion", chunk, 2, 9000, proof[:-1], root)
    refuses("bad_inclusion", chunk, 2, 9000, proof, bytes(32))
    refuses("bad_status", chunk[:-1], 2, 9000, proof, root)
    refuses("bad_status", chunk + b"\0", 2, 9000, proof, root)


def test_a_bit_beyond_the_last_slot_is_refused() -> None:
    tree = tree_of([True] * 10)
    refuses("bad_status", tree.chunk(0), 0, 9, tree.proof(0), tree.root())
    refuses("bad_status", tree.chunk(0), 0, 0, tree.proof(0), tree.root())
    for slots in (10, 11, 16, 2047, 2048):
        verify_chunk(tree.chunk(0), 0, slots, tree.proof(0), tree.root())


@settings(max_examples=50)
@given(st.integers(0, 255), st.integers(1, 255), st.integers(0, 4))
def test_any_other_chunk_is_refused(place: int, change: int, number: int) -> None:
    tree = tree_of([slot % 7 == 0 for slot in range(9000)])
    chunk = bytearray(tree.chunk(number))
    chunk[place] ^= change
    refuses("bad_inclusion", bytes(chunk), number, 9000, tree.proof(number), tree.root())
