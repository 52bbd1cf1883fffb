"""The auditing cosigner signs only what it replayed, keeps revocations, and forgets neither in a crash."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event

from auditor.cosigner import Cosigner
from auditor.store import Store
from protocol.canonical import b64u_encode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected, Unavailable
from protocol.leaf import lock_of
from protocol.merkle import consistency_proof
from protocol.note import NoteSigner, SignatureType
from protocol.replay import GrantRow
from protocol.revocation_code import revocation_secret
from protocol.witness import WitnessState, encode_add_checkpoint
from service.database import immediate
from service.home import Home
from service.replica import Advance
from service.witness import Witness
from tests.auditor.history import History, honest
from tests.protocol import builders, granting
from tests.protocol.builders import NOW

R = revocation_secret(granting.CODE, 1)


class At:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW


class Desk:
    """A cosigner over a `History`, restartable."""

    def __init__(self, home: Path, history: History) -> None:
        self.home, self.history, self.fetched = Home(home).create(), history, 0
        self.restart()

    def restart(self) -> None:
        self.store = Store(self.home)
        self.cosigner = Cosigner(self.store, self.leaves)
        signer = NoteSigner(builders.AUDITOR_NAME, builders.AUDITOR_KEY, SignatureType.COSIGNATURE)
        self.witness = Witness(
            self.store.engine,
            signer,
            At(),
            lambda origin: granting.LOG_KEY,
            before_cosign=self.cosigner.before_cosign,
            in_transaction=self.cosigner.last_look,
        )

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        self.fetched += 1
        yield from self.history.log.leaves[start:size]

    def ask(self, checkpoint: VerifiedCheckpoint) -> str:
        state = self.witness.state(builders.LOG_ORIGIN) or WitnessState()
        proof = consistency_proof(state.size, checkpoint.size, self.history.log.node) if state.size else []
        note = checkpoint.note.split("\n\n")
        bare = f"{note[0]}\n\n{note[1].splitlines()[0]}\n"
        return self.witness.add_checkpoint(encode_add_checkpoint(state.size, proof, bare).encode())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "auditor", History())


def test_cosigner_signs_an_honest_tree_and_its_extension(desk: Desk) -> None:
    assert desk.ask(desk.history.checkpoint()).startswith(f"— {builders.AUDITOR_NAME} ")
    desk.history.read(0)
    desk.restart()
    assert desk.ask(desk.history.checkpoint()).startswith("— ")


def test_cosigner_signs_the_same_tree_again_without_fetching(desk: Desk) -> None:
    checkpoint = desk.history.checkpoint()
    desk.ask(checkpoint)
    before = desk.fetched
    assert desk.ask(checkpoint).startswith("— ")
    assert desk.fetched == before


def test_attack_hidden_revocation_is_never_cosigned(desk: Desk) -> None:
    desk.ask(desk.history.checkpoint())
    size = desk.witness.state(builders.LOG_ORIGIN)
    live = desk.history.log.status.copy()
    desk.history.revoke()
    desk.history.log.status = live
    with pytest.raises(Rejected, match="replay_head_status"):
        desk.ask(desk.history.checkpoint())
    assert desk.witness.state(builders.LOG_ORIGIN) == size
    assert desk.cosigner.replica.size == size.size  # type: ignore[union-attr]


def test_cosigner_goes_on_after_it_refused_a_lie(desk: Desk) -> None:
    desk.ask(desk.history.checkpoint())
    honest_leaves = list(desk.history.log.leaves)
    honest_status = desk.history.log.status.copy()
    desk.history.log.status.append_slot()
    with pytest.raises(Rejected):
        desk.ask(desk.history.checkpoint())
    desk.history.log.leaves, desk.history.log.status = honest_leaves, honest_status
    desk.history.revoke()
    assert desk.ask(desk.history.checkpoint()).startswith("— ")


def test_cosigner_signs_nothing_that_lacks_a_kept_revocation(desk: Desk) -> None:
    desk.ask(desk.history.checkpoint())
    before = desk.witness.state(builders.LOG_ORIGIN)
    desk.cosigner.keep(R)
    desk.restart()
    desk.history.read(0)
    with pytest.raises(Unavailable, match="pending_revocations"):
        desk.ask(desk.history.checkpoint())
    assert desk.witness.state(builders.LOG_ORIGIN) == before
    assert desk.cosigner.pending() == [R]
    desk.history.revoke()
    assert desk.ask(desk.history.checkpoint()).startswith("— ")
    assert desk.cosigner.pending() == []


def test_cosigner_keeps_a_revocation_once(desk: Desk) -> None:
    desk.ask(desk.history.checkpoint())
    desk.cosigner.keep(R)
    desk.cosigner.keep(R)
    assert desk.cosigner.pending() == [R]


@pytest.mark.parametrize("r", [bytes(32), revocation_secret(granting.CODE, 2)])
def test_attack_flood_of_revocations_for_locks_nobody_knows(desk: Desk, r: bytes) -> None:
    desk.ask(desk.history.checkpoint())
    with pytest.raises(Rejected, match="unknown_lock") as refusal:
        desk.cosigner.keep(r)
    assert refusal.value.status == 404
    assert desk.cosigner.pending() == []


def test_cosigner_refuses_a_revocation_that_is_in_the_log(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "auditor", honest())
    desk.ask(desk.history.checkpoint())
    with pytest.raises(Rejected, match="unknown_lock"):
        desk.cosigner.keep(R)


def test_attack_entries_that_do_not_have_the_signed_root(desk: Desk) -> None:
    checkpoint = desk.history.checkpoint()
    desk.history.log.leaves[0] = desk.history.log.leaves[0][:-1] + b"\x00"
    with pytest.raises(Rejected, match="checkpoint_root"):
        desk.ask(checkpoint)
    assert desk.witness.state(builders.LOG_ORIGIN) is None


def test_attack_log_that_serves_fewer_entries_than_it_signed(desk: Desk) -> None:
    checkpoint = desk.history.checkpoint()
    desk.history.log.leaves.pop()
    with pytest.raises(Rejected, match="checkpoint_size"):
        desk.ask(checkpoint)
    assert desk.cosigner.replica.size == 0


def test_attack_full_disk_makes_the_cosigner_forget_grants_and_stops(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was replayed and could not be stored is replayed again: no grant falls out, no stop stays for ever."""
    desk.ask(desk.history.checkpoint())
    desk.cosigner.keep(R)
    desk.history.revoke()
    desk.history.log.grant(granting.terms(lock=b64u_encode(lock_of(bytes(32)))))
    checkpoint = desk.history.checkpoint()
    with monkeypatch.context() as broken:
        broken.setattr(desk.cosigner.replica, "_save", full)
        with pytest.raises(Unavailable, match="database"):
            desk.ask(checkpoint)
        with pytest.raises(Rejected, match="unknown_lock"):
            desk.cosigner.keep(bytes(32))  # of a tree that is not stored
    desk.history.read(0)
    assert desk.ask(desk.history.checkpoint()).startswith("— ")
    assert desk.cosigner.pending() == []
    desk.restart()
    assert desk.cosigner.replica.slots == 3
    assert desk.cosigner.keep(bytes(32)) == lock_of(bytes(32))


def full(*_: object) -> None:
    raise Unavailable("database", "the disk is full")


def test_attack_slow_log_takes_one_thread_and_no_resident_waits(desk: Desk) -> None:
    desk.ask(desk.history.checkpoint())
    asked, answer = Event(), Event()

    def slow(start: int, size: int) -> Iterator[bytes]:
        asked.set()
        assert answer.wait(60)
        yield from desk.history.log.leaves[start:size]

    desk.cosigner.replica._leaves = slow
    published = desk.history.checkpoint()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.ask, published)
        assert asked.wait(60)
        with pytest.raises(Unavailable, match="busy"):
            desk.ask(published)
        assert desk.cosigner.keep(R) == lock_of(R)
        answer.set()
        with pytest.raises(Unavailable, match="pending_revocations"):
            first.result()


def test_attack_older_checkpoint_sent_again_costs_no_new_reading_of_the_store(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = desk.history.checkpoint()
    desk.history.read(0)
    newer = desk.history.checkpoint()
    desk.cosigner.before_cosign(WitnessState(), newer)
    monkeypatch.setattr(desk.cosigner.replica, "_load", full)
    with pytest.raises(Rejected, match="checkpoint_size") as refusal:
        desk.cosigner.before_cosign(WitnessState(), older)
    assert refusal.value.status == 403
    desk.cosigner.before_cosign(WitnessState(), newer)


def test_cosigner_that_joins_late_takes_in_more_stops_than_a_statement_has_room_for(desk: Desk) -> None:
    def few(connection: Any, *_: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 10)

    event.listen(desk.store.engine, "checkout", few)
    changed = {slot: GrantRow(slot.to_bytes(32, "big"), slot, revoked=True) for slot in range(11)}
    step = Advance(0, [], desk.history.checkpoint(), changed)
    with immediate(desk.store.engine) as connection:
        desk.store.drop_taken(connection, step)
