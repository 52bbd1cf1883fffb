"""The rules of the log, from its leaves alone: each lie has its name, and a refused leaf changes nothing."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.errors import Rejected
from protocol.leaf import Grant, Head, Leaf, Message, Read, Refusal, Revocation, lock_of, parse_leaf
from protocol.replay import GrantRow, LockState, Replay
from tests.oracle_tree import NaiveTree, status_chunks
from tests.protocol.witnessed_log import LOG, PaperLog, attempt, secret


def honest() -> PaperLog:
    """Three grants, the second revoked, a read, a refusal and a message, and two heads."""
    log = PaperLog()
    log.grant()
    log.grant()
    log.head()
    log.read(0)
    log.append(Refusal(bytes(16), bytes(32)))
    log.append(Message(bytes(16), bytes(32)))
    log.revoke(1)
    log.grant()
    log.head()
    return log


def replay_of(log: PaperLog) -> Replay:
    replay = Replay()
    for leaf in log.leaves:
        replay.apply(leaf)
    return replay


def snapshot(replay: Replay) -> tuple[object, ...]:
    return (
        replay.frontier_bytes(),
        replay.status.to_bytes(),
        replay.status.root(),
        dict(replay.locks),
        list(replay.rows()),
        replay.ends_in_head,
    )


def refuses(replay: Replay, leaf: Leaf | bytes, code: str) -> None:
    before = snapshot(replay)
    with pytest.raises(Rejected) as refusal:
        replay.apply(leaf if isinstance(leaf, bytes) else leaf.to_bytes())
    assert refusal.value.code == code
    assert snapshot(replay) == before


def test_an_honest_log_replays_to_its_root_and_status() -> None:
    log = honest()
    replay = Replay()
    for index, data in enumerate(log.leaves):
        assert replay.root() == log.root(index)
        assert replay.apply(data) == parse_leaf(data)
    assert (replay.size, replay.slots, replay.root(), replay.ends_in_head) == (9, 3, log.root(), True)
    tree = log.status_tree()
    assert replay.status.root() == tree.root(len(tree.leaves))
    assert replay.locks == {
        lock_of(secret("r0")): LockState(0, 0, False),
        lock_of(secret("r1")): LockState(1, 1, True),
        lock_of(secret("r2")): LockState(2, 7, False),
    }
    assert len(replay.locks) == 3
    assert bytes(32) not in replay.locks
    replay.check_checkpoint(verify_checkpoint(log.checkpoint(), LOG.key))


def test_an_empty_replay_is_an_empty_tree_without_a_head() -> None:
    replay = Replay()
    assert (replay.size, replay.slots, replay.ends_in_head) == (0, 0, False)
    refuses(replay, Revocation(0, 0, bytes(32)), "replay_unknown_grant")


@pytest.mark.parametrize("slot", [0, 2, 4, 2**40 - 1])
def test_a_grant_that_skips_or_repeats_a_slot_is_named(slot: int) -> None:
    refuses(replay_of(honest()), Grant(slot, bytes(32), bytes(32)), "replay_slot")


@pytest.mark.parametrize("name", ["r0", "r1"])
def test_a_lock_is_never_taken_twice_even_after_its_revocation(name: str) -> None:
    refuses(replay_of(honest()), Grant(3, lock_of(secret(name)), bytes(32)), "replay_lock_reused")


@pytest.mark.parametrize(
    ("grant_index", "slot"),
    [(2, 0), (0, 2), (1, 0), (3, 0), (9, 3), (7, 3), (2**62, 0), (0, 2**40 - 1)],
)
def test_a_revocation_of_what_is_no_grant_of_that_slot_is_named(grant_index: int, slot: int) -> None:
    refuses(replay_of(honest()), Revocation(grant_index, slot, secret("r0")), "replay_unknown_grant")


@pytest.mark.parametrize("name", ["r1", "r2", "nobody"])
def test_a_revocation_without_the_secret_of_that_grant_is_named(name: str) -> None:
    refuses(replay_of(honest()), Revocation(0, 0, secret(name)), "replay_wrong_secret")


def test_a_second_revocation_is_named() -> None:
    refuses(replay_of(honest()), Revocation(1, 1, secret("r1")), "replay_revoked_twice")


def with_head(change: Callable[[Head], Head]) -> tuple[Replay, Head]:
    log = honest()
    log.read(2)
    replay = replay_of(log)
    log.head()
    head = parse_leaf(log.leaves[-1])
    assert isinstance(head, Head)
    return replay, change(head)


@pytest.mark.parametrize("step", [-1, 1, 100])
def test_a_head_at_another_place_is_named(step: int) -> None:
    refuses(
        *with_head(lambda head: Head(head.covers + step, head.slots, head.status_root)), "replay_head_position"
    )


@pytest.mark.parametrize("step", [-1, 1])
def test_a_head_that_counts_other_slots_is_named(step: int) -> None:
    refuses(*with_head(lambda head: Head(head.covers, head.slots + step, head.status_root)), "replay_head_slots")


@pytest.mark.parametrize("revoked", [[False] * 3, [True] * 3, [True, False, False]])
def test_a_head_that_hides_or_invents_a_revocation_is_named(revoked: list[bool]) -> None:
    root = NaiveTree(status_chunks(revoked)).root(1)
    refuses(*with_head(lambda head: Head(head.covers, head.slots, root)), "replay_head_status")


@pytest.mark.parametrize("data", [b"", b"\x07" + bytes(48), bytes(70), b"a name"])
def test_a_leaf_of_no_known_form_is_named(data: bytes) -> None:
    refuses(replay_of(honest()), data, "replay_leaf")


@pytest.mark.parametrize("leaf", [Read(bytes(16), bytes(32)), Grant(3, bytes(32), bytes(32))])
def test_a_checkpoint_that_ends_in_no_head_is_named(leaf: Leaf) -> None:
    log = honest()
    log.append(leaf)
    with pytest.raises(Rejected) as refusal:
        replay_of(log).check_checkpoint(verify_checkpoint(log.checkpoint(), LOG.key))
    assert refusal.value.code == "checkpoint_without_head"


def test_a_checkpoint_of_another_size_or_root_is_named() -> None:
    log = honest()
    replay = replay_of(log)
    checkpoint = verify_checkpoint(log.checkpoint(), LOG.key)
    for changed, code in [
        (VerifiedCheckpoint(checkpoint.origin, 8, checkpoint.root, ""), "checkpoint_size"),
        (VerifiedCheckpoint(checkpoint.origin, 9, bytes(32), ""), "checkpoint_root"),
    ]:
        with pytest.raises(Rejected) as refusal:
            replay.check_checkpoint(changed)
        assert refusal.value.code == code
    with pytest.raises(Rejected) as refusal:
        Replay().check_checkpoint(VerifiedCheckpoint(checkpoint.origin, 0, Replay().root(), ""))
    assert refusal.value.code == "checkpoint_without_head"


def test_a_replay_goes_on_from_its_store() -> None:
    log = honest()
    for cut in range(len(log.leaves) + 1):
        first = Replay()
        for leaf in log.leaves[:cut]:
            first.apply(leaf)
        second = Replay.restore(first.frontier_bytes(), first.rows(), ends_in_head=first.ends_in_head)
        assert snapshot(second) == snapshot(first)
        for leaf in log.leaves[cut:]:
            second.apply(leaf)
        assert snapshot(second) == snapshot(replay_of(log))


def test_a_damaged_store_is_noticed() -> None:
    row = GrantRow(bytes(32), 0, False)
    with pytest.raises(ValueError, match="twice"):
        Replay.restore(Replay().frontier_bytes(), [row, row], ends_in_head=False)
    with pytest.raises(ValueError, match="frontier"):
        Replay.restore(b"", [], ends_in_head=False)


@settings(max_examples=60)
@given(st.integers(0, 8), st.integers(0, 69), st.integers(1, 255))
def test_a_changed_leaf_is_named_or_gives_another_root(place: int, byte: int, change: int) -> None:
    log = honest()
    leaf = bytearray(log.leaves[place])
    leaf[byte % len(leaf)] ^= change
    root = log.root()
    log.leaves[place] = bytes(leaf)
    replay = attempt(lambda: replay_of(log))
    assert replay.startswith("replay_") if isinstance(replay, str) else replay.root() != root


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["grant", "revoke", "read", "head"]), max_size=25), st.randoms())
def test_any_honest_history_replays(steps: list[str], dice: random.Random) -> None:
    log = PaperLog()
    for step in steps:
        standing = [slot for slot, gone in enumerate(log.revoked) if not gone]
        if step == "grant":
            log.grant()
        elif step == "head":
            log.head()
        elif standing:
            log.revoke(dice.choice(standing)) if step == "revoke" else log.read(dice.choice(standing))
    replay = replay_of(log)
    assert (replay.root(), replay.slots) == (log.root(), len(log.revoked))
    assert [row.revoked for row in replay.rows()] == log.revoked
