"""The log on a PostgreSQL cluster whose leader is lost, hangs or restarts under load; and an old backup of it.

The log's process is never restarted here: it must find the new leader by itself. Longer by `make campaign`, which
also writes the outages down.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.load import Load
from examples.processes import CommandFailed, is_answering
from protocol.errors import Unavailable
from tests.figures import record, spread
from tests.ha import programs
from tests.ha.backup import copy_sqlite, dump, restore
from tests.ha.clients import Crowd
from tests.ha.cluster import Cluster
from tests.ha.town import ClusterTown, founded_on
from tests.ha.verdict import check_all, witnessed
from tests.service.postgresql import PostgreSQL

KILLS = int(os.environ.get("REGIE_HA_KILLS", "1"))
FREEZES = int(os.environ.get("REGIE_HA_FREEZES", "1"))
RESTARTS = int(os.environ.get("REGIE_HA_RESTARTS", "1"))
IN_CAMPAIGN = pytest.mark.campaign
WARM_SECONDS = 2.0
ENOUGH = 20
"""Acknowledgements after a blow that tell that the log is back."""
LONGEST_OUTAGE = 120.0
"""A bound for any machine. What is aimed at, p95 under 30 s, the campaign shows."""
Blow = Callable[[Cluster, int], Callable[[], None]]
"""Strikes the leader of a cluster until another leads; what it returns mends the node."""
pytestmark = [
    pytest.mark.skipif(bool(programs.missing()), reason=f"not installed: {', '.join(programs.missing())}"),
    pytest.mark.timeout(0 if "REGIE_CAMPAIGN" in os.environ else 600),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as started:
        yield started


@pytest.fixture(scope="module")
def town(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterTown]:
    with founded_on(cluster.url, tmp_path_factory.mktemp("town")) as founded:
        yield founded


@pytest.fixture
def spare() -> Iterator[PostgreSQL]:
    """A fresh server, for a backup to be restored to."""
    started = PostgreSQL()
    yield started
    started.stop()


def lost(cluster: Cluster, leader: int) -> Callable[[], None]:
    """Patroni, PostgreSQL and all its backends killed at once; mended by starting it again."""
    cluster.kill(leader)
    cluster.wait_leader(other_than=leader)
    return lambda: cluster.start(leader)


def hanging(cluster: Cluster, leader: int) -> Callable[[], None]:
    """Stopped past its lease, until another leads; mended by letting it go on, a leader in its own eyes."""
    cluster.freeze(leader)
    cluster.wait_leader(other_than=leader)
    return lambda: cluster.thaw(leader)


def restarted(cluster: Cluster, leader: int) -> Callable[[], None]:
    """Stopped in order, which hands the lead over; mended by starting it again."""
    cluster.stop_node(leader)
    return lambda: cluster.start(leader)


def restarted_in_place(cluster: Cluster, leader: int) -> Callable[[], None]:
    """PostgreSQL alone, by its Patroni, which keeps the lead."""
    cluster.restart_in_place(leader)
    return lambda: None


def strike(cluster: Cluster, town: ClusterTown, crowd: Crowd, blow: Blow) -> float:
    """One blow under load until everything is whole again; the outage in seconds."""
    cluster.wait_healthy()
    wait_for_more(crowd, town)
    time.sleep(WARM_SECONDS)
    leader = cluster.wait_leader()
    start = time.monotonic()
    mend = blow(cluster, leader)
    wait_for_more(crowd, town)
    mend()
    if blow is hanging:
        cluster.wait_healthy()  # the load goes on while the old leader finds its place
    wait_for_more(crowd, town)
    return crowd.longest_silence(start, time.monotonic())


def wait_for_more(crowd: Crowd, town: ClusterTown) -> None:
    """Until the clients are answered again."""
    wanted = crowd.acknowledged() + ENOUGH
    deadline = time.monotonic() + LONGEST_OUTAGE
    while crowd.acknowledged() < wanted:
        if time.monotonic() > deadline:
            surprises = [words for account in crowd.accounts for words in account.surprises]
            pytest.fail(f"the log did not come back: {surprises}\n{town.words_of_log()}")
        time.sleep(0.1)


def strike_often(cluster: Cluster, town: ClusterTown, times: int, workers: int, blow: Blow) -> None:
    """The whole story of one kind of blow, and its figures."""
    town.serve_log(workers=workers)
    process = town.servers["log"].process
    crowd = Crowd(town)
    with crowd.at_work():
        outages = [strike(cluster, town, crowd, blow) for _ in range(times)]
    assert process.poll() is None
    assert is_answering(town.urls["log"])
    history = check_all(town, crowd.accounts)
    assert max(outages) < LONGEST_OUTAGE
    accounts = crowd.accounts
    record(
        f"{blow.__name__}, {workers} workers",
        {
            "blows": times,
            "outage_seconds": {**spread(outages), "all": [round(outage, 1) for outage in outages]},
            "grants": sum(len(account.grants) for account in accounts),
            "reads": sum(len(account.reads) for account in accounts),
            "revocations": sum(len(account.revocations) for account in accounts),
            "retries": sum(account.retries for account in accounts),
            "leaves": len(history.leaves),
            "lost_or_doubled": 0,
        },
    )


@pytest.mark.parametrize("workers", [2, pytest.param(1, marks=IN_CAMPAIGN)])
def test_log_goes_on_by_itself_after_its_database_leader_was_killed(
    cluster: Cluster, town: ClusterTown, workers: int
) -> None:
    strike_often(cluster, town, half(KILLS), workers, lost)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=IN_CAMPAIGN)])
def test_log_believes_no_leader_that_slept_through_its_lease(
    cluster: Cluster, town: ClusterTown, workers: int
) -> None:
    strike_often(cluster, town, half(FREEZES), workers, hanging)


@IN_CAMPAIGN
@pytest.mark.parametrize("blow", [restarted, restarted_in_place])
def test_log_goes_on_while_its_database_leader_restarts(cluster: Cluster, town: ClusterTown, blow: Blow) -> None:
    strike_often(cluster, town, half(RESTARTS), 2, blow)


def half(blows: int) -> int:
    """Of the campaign's blows; the other half is for the other number of workers, or the other way to restart."""
    return max(1, blows // 2)


def work(town: ClusterTown) -> Crowd:
    """Clients until some of their wishes were acknowledged."""
    crowd = Crowd(town)
    with crowd.at_work():
        wait_for_more(crowd, town)
    return crowd


def test_restored_backup_signs_nothing(
    cluster: Cluster, town: ClusterTown, spare: PostgreSQL, tmp_path: Path
) -> None:
    lock, old_lock, new_lock = town.at("log") / "lock.db", tmp_path / "old-lock.db", tmp_path / "new-lock.db"
    cluster.wait_healthy()
    town.serve_log()
    crowds = [work(town)]
    copy_sqlite(lock, old_lock)
    copy = dump(town.database)
    crowds.append(work(town))
    town.servers["log"].stop()
    states = witnessed(town)
    restore(copy, spare.url)

    # The global lock is newer than the copy: the log does not even start.
    with pytest.raises(CommandFailed, match="restored_backup"):
        town.serve_log(database=spare.url)

    # An operator who puts the lock back as well makes the log start, and gets nothing cosigned.
    copy_sqlite(lock, new_lock)
    copy_sqlite(old_lock, lock)
    town.serve_log(database=spare.url)
    with pytest.raises(Unavailable):
        Load(town).grant()
    assert witnessed(town) == states
    town.servers["log"].stop()

    # Put right, the log goes on where it was.
    copy_sqlite(new_lock, lock)
    town.serve_log()
    crowds.append(work(town))
    check_all(town, [account for crowd in crowds for account in crowd.accounts])
