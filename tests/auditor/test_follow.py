"""A follower keeps up, waits for what is out of reach, stops at what is a lie, and can be killed at any point."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from auditor.client import LogReader
from auditor.follow import WITHHELD_SECONDS, Followed, Follower, Step
from auditor.follow_store import Archive, FollowStore
from auditor.proofs import read_proof, write_proof
from protocol.canonical import b64u_encode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import Opening, StatusChunkAnswer
from protocol.errors import Rejected, Unavailable
from protocol.fraud import verify_fraud_proof
from protocol.fraud_form import parse_fraud_proof
from protocol.leaf import Read
from protocol.log_keys import keys_of
from protocol.merkle import NodeReader
from service.fetch import Fetcher
from service.home import Home
from tests.auditor.history import History, honest, listed
from tests.auditor.lies import ACCUSED, LIES, revocation_invented
from tests.protocol import granting
from tests.protocol.builders import NOW
from tests.protocol.granting import POLICY


class Served(LogReader):
    """A history as its log serves it: `note` stays until it is published anew."""

    def __init__(self, history: History) -> None:
        super().__init__("https://log.example", Fetcher())
        self.history = history
        self.note = ""
        self.failure: Exception | None = None
        self.asked: list[tuple[int, int]] = []

    def publish(self, time: int = NOW) -> VerifiedCheckpoint:
        checkpoint = self.history.checkpoint(time)
        self.note = checkpoint.note
        return checkpoint

    def checkpoint(self) -> str:
        if self.failure is not None:
            raise self.failure
        return self.note

    def leaves(self, start: int, size: int) -> Iterator[bytes]:
        return iter(self.history.log.leaves[start:size])

    def openings(self, size: int, token: str, *, start: int = 0) -> dict[int, Opening]:
        self.asked.append((start, size))
        return {index: found for index, found in self.history.openings.items() if start <= index < size}

    def nodes(self, size: int) -> NodeReader:
        return self.history.log.node

    def status_chunk(self, number: int) -> StatusChunkAnswer | None:
        return None


class Desk:
    """A follower and the log it follows, restartable."""

    def __init__(self, path: Path, history: History, **options: Any) -> None:
        self.home, self.log = Home(path).create(), Served(history)
        self.options = options
        self.restart()

    def restart(self) -> None:
        self.follower = Follower(FollowStore(self.home))

    def step(self, now: int = NOW, **changes: Any) -> Step:
        log = Followed(keys_of(granting.LOG_KEY), POLICY, listed, self.log, **self.options)
        return self.follower.step(replace(log, **changes), now)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "auditor", History())


@pytest.fixture
def with_token(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "auditor", History(), token="token")


def codes(step: Step) -> list[str]:
    return [alarm.finding.code for alarm in step.alarms]


def kinds(step: Step) -> list[str]:
    """What each proof convicts the log of, before anybody."""
    return [
        verify_fraud_proof(parse_fraud_proof(alarm.proof), ACCUSED, NOW).kind
        for alarm in step.alarms
        if alarm.proof is not None
    ]


def test_follower_keeps_up(desk: Desk) -> None:
    steps = []
    for n in range(5):
        desk.log.publish()
        steps.append(desk.step())
        desk.log.history.read(n)
        if n % 2:
            desk.restart()
    assert [step.state for step in steps] == ["ok"] * 5
    assert desk.follower.size == sum(step.new for step in steps)
    assert desk.step().new == 0


def test_archive_holds_every_leaf_over_bundles_and_restarts(desk: Desk) -> None:
    for count in (1, 200, 55, 300, 1):
        for n in range(count):
            desk.log.history.log.append(Read(n.to_bytes(16, "big"), bytes(32)))
        desk.log.publish()
        assert desk.step().state == "ok"
        desk.restart()
        kept = Archive(desk.follower.store.engine, desk.follower.size)
        assert list(kept) == desk.log.history.log.leaves
        assert kept[0] == desk.log.history.log.leaves[0]
        assert kept[250:260] == desk.log.history.log.leaves[250:260]
        with pytest.raises(IndexError):
            kept[len(kept)]


def test_log_that_cannot_be_reached_is_waited_for(desk: Desk) -> None:
    desk.log.publish()
    desk.step()
    desk.log.failure = Unavailable("unreachable", "no route")
    step = desk.step()
    assert (step.state, step.code, step.alarms) == ("waiting", "unreachable", ())
    desk.log.failure = None
    assert desk.step().state == "ok"


def test_checkpoint_that_is_stale_or_lacks_its_quorum_is_waited_for(desk: Desk) -> None:
    checkpoint = desk.log.publish()
    assert desk.step(NOW + 61).code == "stale_checkpoint"
    desk.log.note = "\n".join(checkpoint.note.split("\n")[:5]) + "\n"
    step = desk.step()
    assert (step.code, step.size) == ("no_quorum", checkpoint.size)  # the log signed it and is bound by it
    desk.log.note = checkpoint.note
    assert desk.step().state == "ok"


def test_checkpoint_that_the_log_did_not_sign_is_no_lie_of_the_log(desk: Desk) -> None:
    size = desk.log.publish().size
    desk.log.note = desk.log.note.replace(f"\n{size}\n", f"\n{size + 1}\n")
    assert desk.step().state == "waiting"


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie.__name__ not in ("read_late", "number_used_again")])
def test_lie_is_an_alarm_with_its_proof_and_the_tree_stays(tmp_path: Path, lie: Callable[..., str]) -> None:
    desk = Desk(tmp_path / "auditor", honest())
    if lie.__name__ == "revocation_of_a_read":
        desk.log.history = History()
        desk.log.history.read(0)
    desk.log.publish()
    before = desk.step().size
    code = lie(desk.log.history)
    desk.log.publish()
    step = desk.step()
    assert step.state == "alarm"
    assert code in codes(step)
    assert LIES[lie] in kinds(step)  # type: ignore[index]
    assert step.size == before
    desk.restart()
    assert [finding.code for _, finding, _ in desk.follower.store.alarms()] == codes(step)
    assert desk.step().state == "alarm"


def test_attack_fork_of_the_same_size(desk: Desk) -> None:
    desk.log.history.read(0)
    desk.log.publish()
    desk.step()
    other = History()
    other.read(7)
    desk.log.history = other
    desk.log.publish()
    step = desk.step()
    assert codes(step) == ["forked"]
    assert kinds(step) == ["fork"]


@pytest.mark.parametrize("reads", [0, 2, 5, 300])
def test_attack_fork_that_goes_on(desk: Desk, reads: int) -> None:
    desk.log.history.read(0)
    desk.log.history.read(1)
    desk.log.publish()
    desk.step()
    other = History()
    for n in range(reads):
        other.log.append(Read(n.to_bytes(16, "big"), bytes(32)))
    desk.log.history = other
    desk.log.publish()
    step = desk.step()
    assert codes(step) == ["forked"]
    assert kinds(step) == ["fork" if reads == 2 else "inconsistent"]


def test_attack_log_that_serves_other_entries_than_it_signed(desk: Desk) -> None:
    desk.log.publish()
    desk.step()
    desk.log.history.read(0)
    desk.log.publish()
    desk.log.history.log.leaves[-2] = desk.log.history.log.leaves[-2][:-1] + b"\x00"
    step = desk.step()
    assert codes(step) == ["bad_root"]
    assert kinds(step) == []


def test_attack_rewind_that_witnesses_vouch_for(desk: Desk) -> None:
    first = desk.log.publish()
    desk.step()
    desk.log.history.read(0)
    desk.log.publish()
    desk.step()
    desk.log.note = first.note
    older = desk.step()
    assert (older.state, older.code) == ("waiting", "older_copy")
    del desk.log.history.log.leaves[first.size - 1 :]
    desk.log.publish(NOW + 30)
    assert codes(desk.step(NOW + 30)) == ["shrunk"]


def test_attack_split_view_between_us_and_a_witness(desk: Desk) -> None:
    desk.log.history.read(0)
    desk.log.publish()
    other = History()
    for n in range(4):
        other.read(7 + n)
    theirs = other.checkpoint().note
    ahead = desk.step(witnesses=[("w", lambda: theirs)])
    assert ahead.state == "ok"  # it may be that the log has not shown us yet
    desk.restart()
    for n in range(6):
        desk.log.history.read(n + 1)
    desk.log.publish()
    step = desk.step(witnesses=[("w", down)])
    assert codes(step) == ["split_view"]
    assert kinds(step) == ["inconsistent"]


def down() -> str:
    raise Unavailable("unreachable", "no route")


def test_witness_that_shows_our_own_history_is_no_alarm(desk: Desk) -> None:
    earlier = desk.log.publish().note
    desk.log.history.read(0)
    later = desk.log.publish().note
    for seen in (earlier, later):
        step = desk.step(witnesses=[("w", lambda seen=seen: seen), ("x", down)])
        assert step.state == "ok"
        assert step.remarks == ("x: unreachable",)


def test_split_view_is_found_while_the_log_is_out_of_reach(desk: Desk) -> None:
    desk.log.history.read(0)
    desk.log.publish()
    desk.step()
    desk.log.failure = Unavailable("unreachable", "no route")
    other = History()
    other.read(7)
    theirs = other.checkpoint().note
    assert codes(desk.step(witnesses=[("w", lambda: theirs)])) == ["split_view"]


@pytest.mark.parametrize(("late", "expected"), [(WITHHELD_SECONDS, []), (WITHHELD_SECONDS + 1, ["withheld"])])
def test_attack_log_withholds_what_a_witness_saw(desk: Desk, late: int, expected: list[str]) -> None:
    desk.log.publish()
    witnessed = History()
    for n in range(9):
        witnessed.read(n)
    larger = witnessed.checkpoint().note
    seen = [("w", lambda: larger)]
    assert desk.step(witnesses=seen).state == "ok"
    desk.restart()
    desk.log.publish(NOW + late)
    assert codes(desk.step(NOW + late, witnesses=seen)) == expected
    desk.log.failure = Unavailable("unreachable", "no route")
    assert desk.step(NOW + late, witnesses=seen).state == "waiting"


def test_openings_are_asked_for_only_where_they_are_new(with_token: Desk) -> None:
    desk = with_token
    desk.log.history.read(0)
    desk.log.publish()
    assert desk.step().state == "ok"
    first = desk.follower.size
    desk.restart()
    desk.log.history.read(1)
    desk.log.history.refuse(0)
    desk.log.publish()
    assert desk.step().state == "ok"
    grants = [asked for asked in desk.log.asked if asked[1] - asked[0] == 1]
    assert [asked for asked in desk.log.asked if asked not in grants] == [(0, first), (first, desk.follower.size)]
    assert len(grants) == 1  # T, which is not kept


def test_attack_read_after_the_revocation_is_found_over_a_restart(with_token: Desk) -> None:
    desk = with_token
    desk.log.history.read(0)
    desk.log.history.revoke()
    desk.log.publish()
    assert desk.step().state == "ok"
    desk.restart()
    desk.log.history.read(1)
    desk.log.publish()
    step = desk.step()
    assert codes(step) == ["read_after_revocation"]
    assert kinds(step) == ["read_after_revocation"]
    desk.restart()
    assert len(desk.follower.store.alarms()) == 1
    assert desk.step().state == "ok"  # it is told once; the command stops until somebody says --go-on


def test_openings_that_cannot_be_had_now_are_asked_for_again(with_token: Desk) -> None:
    desk = with_token
    desk.log.publish()
    honest_openings = desk.log.openings

    def refused(size: int, token: str, *, start: int = 0) -> dict[int, Opening]:
        raise Rejected("unauthorized", "no", status=401)

    desk.log.openings = refused  # type: ignore[method-assign]
    assert desk.step().remarks == ("openings: unauthorized",)
    desk.log.openings = honest_openings  # type: ignore[method-assign]
    assert desk.step().remarks == ()
    assert desk.log.asked == [(0, desk.follower.size)]


@pytest.mark.parametrize("at", range(1, 22))
def test_follower_that_is_killed_anywhere_goes_on_and_misses_nothing(tmp_path: Path, at: int) -> None:
    """Killed at its n-th statement; what a restart then sees is what it would have seen."""
    desk = Desk(tmp_path / "auditor", History(), token="token")
    desk.log.history.read(0)
    desk.log.publish()
    desk.step()
    desk.log.history.revoke()
    desk.log.history.read(1)
    desk.log.publish()
    count = 0

    def kill(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == at:
            raise Killed

    engine = desk.follower.store.engine
    event.listen(engine, "before_cursor_execute", kill)
    try:
        found = codes(desk.step())
    except Killed:
        desk.restart()
        kept = [finding.code for _, finding, _ in desk.follower.store.alarms()]
        found = codes(desk.step()) or kept
    assert found == ["read_after_revocation"]
    event.remove(engine, "before_cursor_execute", kill)
    assert list(Archive(desk.follower.store.engine, desk.follower.size)) == desk.log.history.log.leaves


class Killed(BaseException):
    """Not an error of the follower's own."""


def test_tree_that_was_verified_before_is_compared(desk: Desk) -> None:
    earlier = History()
    earlier.read(7)
    desk.follower = Follower(FollowStore(desk.home), [earlier.checkpoint().note])
    for n in range(3):
        desk.log.history.read(n)
    desk.log.publish()
    step = desk.step()
    assert codes(step) == ["split_view"]
    assert kinds(step) == ["inconsistent"]


def test_proof_is_a_file_with_a_name_that_tells(desk: Desk, tmp_path: Path) -> None:
    revocation_invented(desk.log.history)
    desk.log.publish()
    proof = desk.step().alarms[0].proof
    assert proof is not None
    path = write_proof(tmp_path / "proofs", proof)
    assert path.name.startswith("fraud-transcript-")
    assert write_proof(tmp_path / "proofs", proof) == path
    assert [found.name for found in (tmp_path / "proofs").iterdir()] == [path.name]
    verify_fraud_proof(read_proof(path), ACCUSED, NOW)
    path.write_bytes(b"a" * (12 * 2**20 + 1))
    with pytest.raises(Rejected, match="too_large"):
        read_proof(path)


def test_follower_keeps_no_opening_and_no_terms(with_token: Desk) -> None:
    desk = with_token
    desk.log.history.read(0)
    desk.log.publish()
    assert desk.step().state == "ok"
    data = b"".join(path.read_bytes() for path in desk.home.path.glob("follow.db*"))
    for opening in desk.log.history.openings.values():
        assert opening.opening.encode()[:200] not in data
        assert opening.opening_key.encode() not in data
    assert b64u_encode(granting.TAG_KEY).encode() not in data
    assert granting.TAG_KEY not in data


@pytest.mark.parametrize("witnesses", [0, 1])
def test_attack_lie_that_the_witnesses_refused_is_still_a_lie(desk: Desk, witnesses: int) -> None:
    desk.log.publish()
    desk.step()
    desk.log.history.revoke()
    desk.log.history.log.status = History().log.status
    lines = desk.log.publish().note.split("\n")
    desk.log.note = "\n".join(lines[: 5 + witnesses]) + "\n"
    step = desk.step()
    assert codes(step) == ["replay_head_status"]
    assert kinds(step) == ["hidden_revocation"]


def test_attack_two_trees_that_no_witness_saw(desk: Desk) -> None:
    for n in range(2):
        desk.log.history = History()
        desk.log.history.read(n)
        desk.log.publish()
        desk.log.note = "\n".join(desk.log.note.split("\n")[:5]) + "\n"
        step = desk.step()
    assert kinds(step) == ["fork"]
