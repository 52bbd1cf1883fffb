"""Clocks that are wrong, that jump and that jump back: log, witnesses, agency.

Order never comes from a clock, the log's time never goes back, nothing waits for ever, nothing expired is accepted
and nothing that lives is ended; and what cannot be decided without the time is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from consentlog.log_time import LogTime
from protocol.errors import Rejected
from protocol.light_check import verify_light_check
from protocol.note import parse_vkey
from protocol.policy import parse_policy
from service.epochs import EPOCH_SECONDS
from tests.consentlog.peers import HandClock, code_of, epoch_turns
from tests.consentlog.small_town import Given, Sent, SmallTown
from tests.consentlog.test_restart import change
from tests.faults.watched_town import rows
from tests.protocol.builders import DAY, NOW
from tests.waiting import wait_until

TEN_YEARS = 3653 * DAY
JUMPS = [1, -1, 61, -61, DAY, -DAY, TEN_YEARS, -TEN_YEARS]


class JumpingClock(HandClock):
    """`time` is what it shows; `passed` is what has really passed."""

    passed = 0

    def monotonic(self) -> float:
        return self.passed


class TrueTown(SmallTown):
    """Agencies, like the witnesses, have clocks that are right."""

    def ticket(self, **changes: Any) -> str:
        return super().ticket(**{"exp": self.witness_clock.now() + 1800, **changes})

    def make_read(self, given: Given, *places: Any, **changes: Any) -> Sent:
        return super().make_read(given, *places, **{"iat": self.witness_clock.now(), **changes})


class Clocks:
    """A town whose log has a clock that jumps; `true` time passes for everybody."""

    def __init__(self, folder: Path) -> None:
        self.town = TrueTown(folder)
        self.clock = self.town.clock = JumpingClock()
        self.shown: list[int] = []

    @contextmanager
    def running(self, until: str = "reads") -> Iterator[SmallTown]:
        with self.town.running(until=until) as town:
            yield town

    def let_pass(self, seconds: int) -> None:
        """Real time: all clocks go on, as far as they go."""
        self.clock.time += seconds
        self.clock.passed += seconds
        self.town.witness_clock.time += seconds
        self.cosign()

    def cosign(self) -> None:
        node = self.town.node
        assert node is not None
        node.publisher.wake()
        wait_until(lambda: node.published.view(0).time == self.town.witness_clock.time)
        self.look()

    def look(self) -> int:
        """The log's time; it never goes back."""
        assert self.town.node is not None
        self.shown.append(self.town.node.writer.time())
        assert self.shown == sorted(self.shown)
        return self.shown[-1]

    def keep_house(self) -> None:
        """Have the writer end what its clock says is over."""
        node = self.town.node
        assert node is not None
        node.writer._next_upkeep = 0.0
        wait_until(lambda: node.writer._next_upkeep > 0.0)

    def shares(self) -> int:
        return int(rows(self.town.home.path / "log.db", "SELECT count(*) FROM shares")[0][0])

    def epochs(self) -> list[int]:
        return epoch_turns(self.town.home.path / "epochs")

    def state(self) -> str:
        return str(self.town.send("GET", "/healthz").get_json()["clock"])

    def read_works(self, given: Given, n: int) -> None:
        assert self.town.read(given)[1].n == n


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    return Clocks(tmp_path)


@pytest.mark.parametrize("jump", JUMPS)
def test_clock_of_a_running_log_that_jumps_and_jumps_back_ends_nothing(clocks: Clocks, jump: int) -> None:
    with clocks.running() as town:
        given, other = town.grant(not_after=NOW + 2 * DAY), town.grant()
        town.settle()
        before = clocks.look()
        clocks.clock.time += jump
        assert abs(clocks.look() - before) <= 1
        assert clocks.state() == ("ok" if abs(jump) == 1 else "off")
        clocks.keep_house()
        assert (clocks.shares(), clocks.epochs()) == (2, [1])
        clocks.read_works(given, 0)
        assert town.revoke(other).slot == other.answer.slot
        clocks.let_pass(20)
        clocks.read_works(given, 1)
        assert town.grant().answer.slot == 2
        clocks.clock.time -= jump
        clocks.let_pass(20)
        assert clocks.state() == "ok"
        clocks.read_works(given, 2)
        assert clocks.look() in (NOW + 40, NOW + 41)
        town.settle()
        town.replayed()
    with clocks.running() as town:  # and nothing of it was written down
        assert clocks.look() in (NOW + 40, NOW + 41)
        clocks.read_works(given, 3)


@pytest.mark.parametrize("jump", [61, -61, DAY, TEN_YEARS, -TEN_YEARS])
def test_log_that_starts_with_a_wrong_clock_takes_stops_and_waits_for_the_rest(clocks: Clocks, jump: int) -> None:
    with clocks.running() as town:
        given, other = town.grant(), town.grant()
        town.settle()
    clocks.town.witness_clock.time += 120  # the log was down
    clocks.clock.time += 120 + jump
    clocks.shown.clear()
    with clocks.running(until="nothing") as town:
        clocks.keep_house()
        assert town.send("GET", "/healthz").get_json()["reads"] is False
        assert clocks.state() == ("unvouched" if jump > -120 else "behind")
        assert code_of(town.post_read(town.make_read(given)))[0] == 503
        assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2]))[0] == 503
        assert town.revoke(other).slot == other.answer.slot
        assert (clocks.shares(), clocks.epochs()) == (1, [1])
        clocks.clock.time -= jump
        wait_until(lambda: town.node.publisher.is_ready)
        clocks.read_works(given, 0)
        assert (clocks.state(), clocks.look()) == ("ok", NOW + 120)


def test_time_that_was_signed_in_the_future_shows_and_ends_nothing(clocks: Clocks) -> None:
    with clocks.running() as town:
        given, other = town.grant(), town.grant()
        town.settle()
    change(town, f"UPDATE global_lock SET time = {NOW + TEN_YEARS}", "lock.db")
    with clocks.running(until="nothing") as town:
        clocks.keep_house()
        assert (clocks.shares(), clocks.epochs()) == (2, [1])
        assert clocks.state() == "behind"
        assert code_of(town.post_read(town.make_read(given)))[0] == 503
        assert town.revoke(other).slot == other.answer.slot
    change(town, f"UPDATE global_lock SET time = {NOW}", "lock.db")  # what the operator does, docs/metrics.md
    with clocks.running() as town:
        assert clocks.state() == "ok"
        clocks.read_works(given, 0)


def test_machine_that_was_asleep_believes_the_clock_with_its_witnesses(clocks: Clocks) -> None:
    with clocks.running() as town:
        short, long = town.grant(not_after=NOW + 3600), town.grant()
        town.settle()
        for clock in (clocks.clock, town.witness_clock):
            clock.time += EPOCH_SECONDS  # the monotonic clock stood still
        clocks.cosign()
        assert (clocks.look(), clocks.state()) == (NOW + EPOCH_SECONDS, "ok")
        assert code_of(town.post_read(town.make_read(short))) == (403, "expired")
        clocks.keep_house()
        wait_until(lambda: clocks.epochs() == [2])
        assert clocks.shares() == 1
        clocks.read_works(long, 0)


@pytest.mark.parametrize("jump", [31, 61, DAY, TEN_YEARS, -61, -DAY, -TEN_YEARS])
def test_witnesses_whose_clocks_are_wrong_make_no_quorum(clocks: Clocks, jump: int) -> None:
    with clocks.running() as town:
        given, other = town.grant(), town.grant()
        town.settle()
        before, sent, late = clocks.look(), town.make_read(given), town.make_read(other)
        town.witness_clock.time += jump
        size = town.node.published.size
        assert town.revoke(other).slot == other.answer.slot
        town.node.publisher.wake()
        wait_until(lambda: town.node.tree.size > size)
        assert town.node.published.size == size
        assert clocks.look() == before
        town.witness_clock.time -= jump
        town.settle()
        assert town.post_read(sent).status_code == 200
        assert code_of(town.post_read(late)) == (410, "revoked")


def test_nothing_expired_is_released_whatever_the_clock_of_the_agency_says(clocks: Clocks) -> None:
    with clocks.running() as town:
        given = town.grant(not_after=NOW + 100)
        town.settle()
        for iat in (NOW - DAY, NOW + DAY, NOW - TEN_YEARS, NOW + TEN_YEARS):
            assert code_of(town.post_read(town.make_read(given, iat=iat))) == (400, "stale")
        for _ in range(3):
            clocks.let_pass(45)
        size = town.node.tree.size
        assert code_of(town.post_read(town.make_read(given, iat=clocks.look()))) == (403, "expired")
        clocks.clock.time -= DAY
        assert code_of(town.post_read(town.make_read(given, iat=NOW + 130))) == (403, "expired")
        assert town.node.tree.size > size  # both refusals are entries


@pytest.mark.parametrize(
    ("seconds", "code"), [(61, "stale_checkpoint"), (-31, "no_quorum"), (TEN_YEARS, "stale_checkpoint")]
)
def test_agency_whose_clock_is_wrong_believes_no_checkpoint(clocks: Clocks, seconds: int, code: str) -> None:
    with clocks.running() as town:
        given = town.grant()
        sent, answer = town.read(given)
        check = {"log_key": parse_vkey(town.entry.vkey), "policy": parse_policy(town.policy)}
        opening = town._opening_of(sent)
        verify_light_check(answer.evidence, opening, now=NOW, **check)
        with pytest.raises(Rejected, match=code):
            verify_light_check(answer.evidence, opening, now=NOW + seconds, **check)


def test_order_comes_from_the_tree_and_never_from_a_clock(clocks: Clocks) -> None:
    with clocks.running() as town:
        first = town.grant()
        clocks.clock.time -= DAY
        second = town.grant()
        clocks.clock.time += 3 * DAY
        third = town.grant()
        indexes = [each.answer.index for each in (first, second, third)]
        assert indexes == sorted(indexes)
        assert [each.answer.slot for each in (first, second, third)] == [0, 1, 2]


def test_vouched_time_goes_on_by_the_monotonic_clock() -> None:
    clock = JumpingClock()
    time = LogTime(clock, NOW - 5)
    assert (time.is_vouched, time.off) == (False, 0)
    clock.time += DAY
    assert time.now() == NOW + DAY  # nobody knows better
    assert time.kept == NOW - 5  # and nothing is kept of it
    assert time.candidates() == [NOW + DAY]  # a checkpoint of NOW - 5 says nothing of the present
    clock.time -= DAY
    time.vouch(NOW)
    clock.time, clock.passed = NOW + TEN_YEARS, 7
    assert (time.now(), time.state, time.off) == (NOW + 7, "off", TEN_YEARS - 7)
    assert time.candidates() == [NOW + TEN_YEARS, NOW + 7]  # and nothing else
    clock.time = NOW + 7 + 30
    assert (time.now(), time.state) == (NOW + 37, "ok")
    clock.time = NOW + 7
    assert time.now() == NOW + 37  # never back
