"""Many leaves at a time give what they give one by one: the same state, the same refusal at the same leaf."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.replay import bare_root, history
from protocol.errors import Rejected
from protocol.leaf import Grant, Revocation, lock_of
from protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash, leaf_hashes, node_hash, parent_hashes
from protocol.replay import _BATCH, GrantRow, Replay
from tests.protocol import naive_history
from tests.protocol.witnessed_log import PaperLog

Outcome = tuple[str, str] | dict[int, GrantRow]


def state(replay: Replay) -> tuple[object, ...]:
    return (
        replay.frontier_bytes(),
        replay.root(),
        replay.status.to_bytes(),
        replay.status.root(),
        list(replay.rows()),
        replay.ends_in_head,
    )


def one_by_one(replay: Replay, leaves: list[bytes]) -> Outcome:
    """What `apply_all` promises, said with `apply`."""
    changed: dict[int, GrantRow] = {}
    for data in leaves:
        index = replay.size
        try:
            leaf = replay.apply(data)
        except Rejected as error:
            return error.code, error.detail
        if isinstance(leaf, Grant):
            changed[leaf.slot] = GrantRow(leaf.lock, index, revoked=False)
        elif isinstance(leaf, Revocation):
            changed[leaf.slot] = GrantRow(lock_of(leaf.r), leaf.grant_index, revoked=True)
    return changed


def in_bulk(replay: Replay, leaves: list[bytes]) -> Outcome:
    try:
        return replay.apply_all(leaves)
    except Rejected as error:
        return error.code, error.detail


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(), st.floats(0, 1), st.sampled_from([None, *naive_history.BENDS]))
def test_bulk_is_leaf_by_leaf_for_honest_and_broken_histories(
    size: int, seed: int, cut: float, bend: naive_history.Bend | None
) -> None:
    honest = naive_history.honest(size, seed)
    leaves = list(honest.leaves)
    if bend is not None:
        bend(random.Random(seed), leaves, honest.replay)
    first = round(cut * len(leaves))
    single, bulk = Replay(), Replay()
    for part in (leaves[:first], leaves[first:]):
        expected = one_by_one(single, part)
        assert in_bulk(bulk, part) == expected
        assert state(bulk) == state(single)
        if isinstance(expected, tuple):
            break
    if bend is None:
        assert bulk.root() == honest.root


@pytest.mark.parametrize("count", [_BATCH - 1, _BATCH, _BATCH + 1, 2 * _BATCH + 5])
def test_a_history_longer_than_a_batch_is_one_history(count: int) -> None:
    leaves = list(history(count))
    single, bulk = Replay(), Replay()
    assert in_bulk(bulk, leaves) == one_by_one(single, leaves)
    assert state(bulk) == state(single)
    assert bulk.root() == bare_root(leaves)


@pytest.mark.parametrize("place", [0, 1, _BATCH - 1, _BATCH, _BATCH + 3])
def test_a_broken_leaf_stops_the_bulk_there_with_all_before_it_taken(place: int) -> None:
    leaves = list(history(_BATCH + 8))
    broken = [*leaves[:place], b"a name", *leaves[place:]]
    replay = Replay()
    with pytest.raises(Rejected, match=f"leaf {place} has no known form") as refusal:
        replay.apply_all(broken)
    assert refusal.value.code == "replay_leaf"
    before = Replay()
    before.apply_all(leaves[:place])
    assert state(replay) == state(before)
    assert replay.size == place
    replay.apply_all(leaves[place:])
    assert replay.root() == bare_root(leaves)


@pytest.mark.parametrize("kind", [0, 1, 2, 5, 7, 255])
@pytest.mark.parametrize("length", [1, 48, 49, 50])
def test_only_the_three_events_pass_by_their_length_alone(kind: int, length: int) -> None:
    replay = Replay()
    with pytest.raises(Rejected) as refusal:
        replay.apply_all([bytes([kind]) + bytes(length - 1)])
    assert refusal.value.code == "replay_leaf"
    assert state(replay) == state(Replay())


def test_nothing_at_all_changes_nothing() -> None:
    log = PaperLog()
    log.grant()
    log.head()
    replay = Replay()
    replay.apply_all(log.leaves)
    before = state(replay)
    assert replay.apply_all([]) == {}
    assert state(replay) == before


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=8))
def test_a_frontier_extended_is_a_frontier_appended_to(steps: list[int]) -> None:
    single, bulk, count = Frontier(), Frontier(), 0
    for step in steps:
        leaves = [leaf_hash(str(count + i).encode()) for i in range(step)]
        for leaf in leaves:
            single.append(leaf)
        bulk.extend(leaves)
        count += step
        assert bulk.to_bytes() == single.to_bytes()
        assert bulk.root() == single.root()
    if not count:
        assert bulk.root() == EMPTY_ROOT


def test_hashes_in_bulk_are_hashes_one_by_one() -> None:
    leaves = [hashlib.sha256(bytes([i])).digest()[:i] for i in range(9)]
    row = leaf_hashes(leaves)
    assert row == [leaf_hash(leaf) for leaf in leaves]
    assert parent_hashes(row) == [node_hash(row[i], row[i + 1]) for i in (0, 2, 4, 6)]
    assert parent_hashes([]) == parent_hashes(row[:1]) == []
