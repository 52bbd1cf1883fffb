"""The network between the log and its PostgreSQL falls silent: what was committed unheard stands once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.consent_api import GrantAnswer, ReadAnswer, RevocationAnswer
from protocol.leaf import Grant, Read, Revocation, parse_leaf
from service.database import engine_for, immediate
from tests.consentlog.small_town import SmallTown
from tests.ha.wire import Wire
from tests.service import postgresql
from tests.service.postgresql import PostgreSQL
from tests.waiting import wait_until

LONG = 60.0
"""Seconds until the log must be back; it takes the deadline of an answer, five seconds, once or twice."""
pytestmark = pytest.mark.skipif(not postgresql.is_installed(), reason="not installed: postgresql")


@pytest.fixture
def server() -> Iterator[PostgreSQL]:
    started = PostgreSQL()
    yield started
    started.stop()


@pytest.fixture
def wire(server: PostgreSQL) -> Iterator[Wire]:
    laid = Wire(server.folder)
    yield laid
    laid.close()


@pytest.fixture
def town(wire: Wire, tmp_path: Path) -> Iterator[SmallTown]:
    database = f"postgresql://regie@127.0.0.1:{wire.port}/postgres"
    with SmallTown(tmp_path, database=database).running() as running:
        yield running


def rows(server: PostgreSQL) -> int:
    """Leaves that stand in the database, seen without the wire."""
    with immediate(engine_for(server.url)) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM leaves").scalar())


def kinds(town: SmallTown) -> dict[type, int]:
    """How many leaves of each kind are published."""
    leaves = [parse_leaf(leaf) for leaf in town.leaves()]
    return {kind: sum(isinstance(leaf, kind) for leaf in leaves) for kind in (Grant, Read, Revocation)}


def test_commits_whose_answers_were_lost_stand_once(town: SmallTown, wire: Wire, server: PostgreSQL) -> None:
    stopped, other = town.grant(), town.grant()
    sent = town.make_read(other)
    wire.cut("answers")
    assert town.post_read(sent).status_code == 503
    assert town.post_revocation(stopped.r).status_code == 503
    wire.mend()
    wait_until(lambda: town.post_read(sent).status_code == 200, LONG)
    wait_until(lambda: town.post_revocation(stopped.r).status_code == 200, LONG)
    first = town.parsed(town.post_read(sent), ReadAnswer)
    again = town.parsed(town.post_read(sent), ReadAnswer)
    assert (first.index, first.n) == (again.index, again.n) == (first.index, 0)
    assert town.parsed(town.post_revocation(stopped.r), RevocationAnswer).slot == stopped.answer.slot
    assert kinds(town) == {Grant: 2, Read: 1, Revocation: 1}
    town.replayed()


def test_session_cut_off_in_its_transaction_keeps_nobody_out_for_long(
    town: SmallTown, wire: Wire, server: PostgreSQL
) -> None:
    given = town.grant()
    before = rows(server)
    body = town.grant_request()[2]
    wire.cut("questions", "answers")
    assert town.send("POST", "/v1/grants", body).status_code == 503
    wire.mend()
    wait_until(lambda: town.send("POST", "/v1/grants", body).status_code in (200, 201), LONG)
    assert town.parsed(town.send("POST", "/v1/grants", body), GrantAnswer).slot == given.answer.slot + 1
    assert town.read(given)[1].n == 0
    assert kinds(town) == {Grant: 2, Read: 1, Revocation: 0}
    assert rows(server) > before
    town.replayed()
