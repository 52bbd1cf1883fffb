"""The same log on PostgreSQL, where it is installed: one code path, one story."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.consent_api import GrantAnswer, ReadAnswer
from service.database import engine_for, snapshot
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.service import postgresql
from tests.waiting import wait_until

if postgresql.is_installed():

    @pytest.fixture
    def database() -> Iterator[str]:
        server = postgresql.PostgreSQL()
        yield server.url
        server.stop()

    def test_log_grants_reads_stops_erases_and_starts_again(tmp_path: Path, database: str) -> None:
        town = SmallTown(tmp_path, database=database)
        with town.running():
            given, other = town.grant(max_reads=2), town.grant()
            sent, answer = town.read(given)
            assert len(town.shares(sent, answer)) == len(sent.read.claims)
            assert town.read(given)[1].n == 1
            assert code_of(town.post_read(town.make_read(given))) == (403, "reads_spent")
            for _ in range(130):
                town.post_read(town.make_read(other))
            town.revoke(given)
            assert code_of(town.post_read(sent)) == (410, "revoked")
            size = town.replayed().size
        with town.running():
            assert town.replayed().size >= size > 256
            assert town.parsed(town.send("POST", "/v1/grants", given.request), GrantAnswer).slot == 0
            sent, answer = town.read(other)
            again = town.parsed(town.post_read(sent), ReadAnswer)
            assert (again.index, again.n) == (answer.index, 130)
            assert [event.type for event in town.events(given).events][-1] == "revocation"
            path = f"/v1/grants/{given.answer.slot}/openings"
            assert town.send("DELETE", path, headers=given.view).status_code == 204
            assert code_of(town.post_read(town.make_read(given))) == (404, "unknown_lock")
            assert town.read(other)[1].n == 131

    def test_release_is_decided_only_by_a_server_that_still_takes_writes(tmp_path: Path, database: str) -> None:
        town = SmallTown(tmp_path, database=database)
        with town.running():
            given = town.grant()
            sent, _ = town.read(given)
            before = beats(database)
            assert town.post_read(sent).status_code == 200  # nothing new to append
            assert beats(database) > before

    def test_log_goes_on_after_its_connections_were_cut(tmp_path: Path, database: str) -> None:
        town = SmallTown(tmp_path, database=database)
        with town.running():
            given = town.grant()
            with snapshot(engine_for(database)) as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                )
            wait_until(lambda: town.post_read(town.make_read(given)).status_code == 200)
            town.replayed()

    def beats(database: str) -> int:
        with snapshot(engine_for(database)) as connection:
            return int(connection.exec_driver_sql("SELECT n FROM beats").scalar() or 0)
