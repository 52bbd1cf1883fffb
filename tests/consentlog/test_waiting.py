"""A group waits for company only while nothing it could write would be published anyway."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from consentlog import waiting
from consentlog.operations import (
    Admitted,
    EraseOperation,
    Operation,
    ReadOperation,
    ReleaseOperation,
    RevocationOperation,
)
from consentlog.waiting import MAX_GROUP, Waiting, WaitingRoom
from tests.waiting import wait_until

LONG = 60.0
ADMITTED = Admitted(5, 0, bytes(32))


def read() -> ReadOperation:
    """Of a form that a room does not look into."""
    return object.__new__(ReadOperation)


class Room(WaitingRoom):
    """A room in which one read is written and waits for its checkpoint, and whose groups would wait for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting, "GATHER_SECONDS", LONG)
        self.size = 0
        super().__init__(lambda: self.size)
        self.first: Future[object] = self.put(read())  # type: ignore[assignment]
        (written,) = self.take(LONG) or []
        self.answer(written, ADMITTED)

    def taking(self) -> "Future[list[Operation]]":
        """`take` in a thread of its own."""
        found: Future[list[Operation]] = Future()
        threading.Thread(
            target=lambda: found.set_result([each.operation for each in self.take(LONG) or []]), daemon=True
        ).start()
        return found


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


def test_first_operation_of_an_idle_log_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "GATHER_SECONDS", LONG)
    idle = WaitingRoom(lambda: 0)
    idle.put(EraseOperation(1))
    assert [each.operation for each in idle.take(LONG) or []] == [EraseOperation(1)]


def test_operations_that_come_during_a_round_are_written_together(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "GATHER_SECONDS", 0.3)
    taking = room.taking()
    room.put(EraseOperation(1))
    room.put(EraseOperation(2))
    assert taking.result(LONG) == [EraseOperation(1), EraseOperation(2)]


@pytest.mark.parametrize(
    "press",
    [
        lambda room: room.put(RevocationOperation(bytes(32))),
        lambda room: [room.put(EraseOperation(n)) for n in range(MAX_GROUP)],
    ],
    ids=["a revocation", "a full group"],
)
def test_nothing_gathers_any_longer_once_there_is(room: Room, press: Callable[[Room], object]) -> None:
    room.put(EraseOperation(0))
    taking = room.taking()
    press(room)
    assert taking.result(LONG / 2)


def test_end_of_the_round_ends_the_gathering_and_brings_the_release(room: Room) -> None:
    room.put(EraseOperation(0))
    taking = room.taking()
    room.size = ADMITTED.index + 1
    room.published()
    group = taking.result(LONG / 2)
    assert group[0] == EraseOperation(0)
    assert [type(each) for each in group[1:]] in ([], [ReleaseOperation])


def test_a_room_that_closes_while_a_group_gathers_answers_it(room: Room) -> None:
    answer = room.put(EraseOperation(0))
    taking = room.taking()
    wait_until(lambda: not taking.done())
    room.close()
    assert taking.result(LONG / 2) == []
    assert answer.exception(LONG / 2) is not None


def test_a_release_is_not_kept_waiting_by_what_the_round_left_over(room: Room) -> None:
    room.put(read())
    (later,) = taken(room)
    room.answer(later, Admitted(9, 1, bytes(32)))
    room.size = ADMITTED.index + 1
    room.published()
    assert [type(each) for each in room.taking().result(LONG / 2)] == [ReleaseOperation]


def taken(room: Room) -> list[Waiting]:
    """The next group at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "GATHER_SECONDS", 0)
        return room.take(LONG) or []
