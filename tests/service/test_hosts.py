"""A session is asked first where one was given last; who keeps us waiting is asked last."""

import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from protocol.errors import Unavailable
from service.database import engine_for, listening
from service.hosts import Hosts

PARAMETERS = {"host": "a,b,c", "port": "1,2,3", "user": "regie"}


class Cluster:
    """Answers for its hosts; `asked` is who was asked, in order."""

    def __init__(self, parameters: dict[str, str] = PARAMETERS) -> None:
        self.hosts, self.leader, self.asked = Hosts(parameters), "", []
        self.slow: set[str] = set()

    def open(self, conninfo: str) -> str:
        name = conninfo_to_dict(conninfo)["host"]
        self.asked.append(name)
        if name in self.slow:
            time.sleep(0.05)
        if name != self.leader:
            raise psycopg.OperationalError(f"{name} takes no writes")
        return name

    def connect(self) -> list[str]:
        """Who was asked for this session."""
        self.asked = []
        assert self.hosts.connect(self.open) == self.leader
        return self.asked


def test_leader_is_asked_first_from_its_first_session_on() -> None:
    cluster = Cluster()
    cluster.leader = "b"
    cluster.connect()
    assert [cluster.connect() for _ in range(3)] == [["b"]] * 3


def test_hanging_old_leader_is_asked_last_as_soon_as_it_kept_one_session_waiting() -> None:
    cluster = Cluster()
    cluster.leader = "b"
    cluster.connect()
    cluster.leader, cluster.slow = "", {"b"}
    with pytest.raises(psycopg.OperationalError, match="takes no writes"):
        cluster.connect()
    assert cluster.asked[0] == "b"
    cluster.leader = "c"
    assert "b" not in cluster.connect()
    assert cluster.connect() == ["c"]


def test_host_that_was_slow_is_still_asked_and_leads_again() -> None:
    cluster = Cluster()
    cluster.slow = {"a"}
    with pytest.raises(psycopg.OperationalError):
        cluster.connect()
    cluster.leader = "a"
    assert cluster.connect()[-1] == "a"
    assert cluster.connect() == ["a"]


def test_another_error_than_of_the_connection_is_not_swallowed() -> None:
    def broken(_: str) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        Hosts(PARAMETERS).connect(broken)


def test_processes_do_not_all_begin_with_the_same_host() -> None:
    assert len({tuple(Hosts(PARAMETERS).order()) for _ in range(200)}) == 6


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": "a,b", "port": "5"}, {("a", "5"), ("b", "5")}),
        ({"host": "a,b"}, {("a", None), ("b", None)}),
        ({"host": "/run/one"}, {("/run/one", None)}),
        ({}, {(None, None)}),
        ({"hostaddr": "127.0.0.1,127.0.0.2", "port": "5,6"}, {(None, "5"), (None, "6")}),
    ],
)
def test_lists_are_read_as_libpq_reads_them(given: dict[str, str], expected: set[tuple[str, str]]) -> None:
    found = [conninfo_to_dict(host) for host in Hosts({**given, "dbname": "x"}).order()]
    assert {(one.get("host"), one.get("port")) for one in found} == expected
    assert {one["dbname"] for one in found} == {"x"}


@pytest.mark.parametrize(
    "given", [{"host": "a,b,c", "port": "1,2"}, {"host": "a,b", "hostaddr": "1.1.1.1,2.2.2.2,3.3.3.3"}]
)
def test_lists_that_do_not_fit_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="other numbers"):
        Hosts(given)


def test_listener_that_reaches_no_host_says_so() -> None:
    engine = engine_for("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(Unavailable, match="database"), listening(engine, "news"):
        pytest.fail("nobody can be heard")
