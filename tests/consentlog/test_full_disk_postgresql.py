"""PostgreSQL's disk is full: reads and grants wait, a stop does not, and nothing is lost when room returns."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentlog.reserve import TableReserve
from protocol.consent_api import ReadAnswer
from protocol.leaf import Read, parse_leaf
from service.database import engine_for, immediate
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.consentlog.test_full_disk import may_mount
from tests.service import postgresql
from tests.waiting import wait_until

SIZE = 1 << 20
WAL_DISK = "24m"
DISK = "80m"
"""A new PostgreSQL takes some 25 MB of it, the ballast 8."""


def is_held(reserve: TableReserve, url: str) -> bool:
    with immediate(engine_for(url)) as connection:
        return reserve.is_held(connection)


def fill(disk: Path) -> Path:
    """A file that leaves no byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(4096)):
            pass
    return filler


if postgresql.is_installed():

    @pytest.fixture
    def database() -> Iterator[str]:
        server = postgresql.PostgreSQL()
        yield server.url
        server.stop()

    def test_table_takes_its_room_once_and_gives_it_back(database: str) -> None:
        reserve = TableReserve(engine_for(database), SIZE)
        assert not is_held(reserve, database)
        for _ in range(2):
            assert reserve.fill()
        with immediate(engine_for(database)) as connection:
            size = connection.exec_driver_sql("SELECT pg_total_relation_size('ballast')").scalar()
        assert SIZE <= size < 1.2 * SIZE
        for _ in range(2):
            reserve.give_back()
            assert not is_held(reserve, database)
        assert reserve.fill()

    def test_larger_reserve_replaces_a_smaller_one(database: str) -> None:
        assert TableReserve(engine_for(database), SIZE).fill()
        larger = TableReserve(engine_for(database), 2 * SIZE)
        assert not is_held(larger, database)
        assert larger.fill()
        assert is_held(larger, database)

    def test_worker_leaves_to_revocations_the_room_that_another_has_given_back(
        tmp_path: Path, database: str
    ) -> None:
        town = SmallTown(tmp_path, database=database)
        with town.running():
            given, other = town.grant(), town.grant()
            TableReserve(engine_for(database)).give_back()  # as another worker does it
            assert code_of(town.post_read(town.make_read(other))) == (503, "busy")
            assert town.node.writer.room.only_revocations
            assert town.revoke(given).slot == given.answer.slot
            town.node.writer._next_fill = 0.0
            wait_until(lambda: not town.node.writer.room.only_revocations)
            assert town.read(other)[1].n == 0
            town.replayed()


if postgresql.is_installed() and may_mount():

    @contextlib.contextmanager
    def mounted(size: str) -> Iterator[Path]:
        """A file system of its own with little room, where PostgreSQL's user can get to."""
        with tempfile.TemporaryDirectory(prefix="regie-disk-") as folder:
            Path(folder).chmod(0o755)
            disk = Path(folder) / "disk"
            disk.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
            try:
                yield disk
            finally:
                subprocess.run(["umount", "-l", str(disk)], check=True)

    @pytest.fixture
    def small_disk() -> Iterator[Path]:
        with mounted(DISK) as disk:
            yield disk

    @pytest.fixture
    def cramped(small_disk: Path) -> Iterator[str]:
        """A server whose tables lie there; its write-ahead log does not."""
        server = postgresql.PostgreSQL(disk=small_disk)
        yield server.url
        server.stop()

    def test_stop_is_taken_when_the_disk_of_postgresql_is_full(
        tmp_path: Path, small_disk: Path, cramped: str
    ) -> None:
        town = SmallTown(tmp_path, database=cramped)
        with town.running():
            given, other = town.grant(), town.grant()
            filler = fill(small_disk)
            statuses = {town.post_read(town.make_read(other)).status_code for _ in range(300)}
            assert 503 in statuses
            assert statuses <= {200, 503}
            assert town.node.writer.room.only_revocations
            size = town.node.tree.size
            assert town.revoke(given).slot == given.answer.slot
            assert town.node.tree.size > size
            assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "busy")
            filler.unlink()
            town.node.writer._next_fill = 0.0
            wait_until(lambda: not town.node.writer.room.only_revocations)
            town.advance(0)
            assert town.read(other)[1].n >= 0
            assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
            town.replayed()
        with town.running():
            town.replayed()

    def test_log_waits_for_a_postgresql_that_cannot_write_ahead(tmp_path: Path) -> None:
        with mounted(WAL_DISK) as disk, contextlib.closing(Closable(wal=disk)) as server:
            town = SmallTown(tmp_path, database=server.url)
            with town.running():
                given, other = town.grant(), town.grant()
                acknowledged = [town.read(other)[1].index]
                filler = fill(disk)
                while (answer := town.post_read(town.make_read(other))).status_code == 200:
                    acknowledged.append(town.parsed(answer, ReadAnswer).index)
                assert code_of(answer) in ((503, "busy"), (503, "database"), (503, "no_quorum"))
                assert town.post_revocation(given.r).status_code in (200, 503)
                filler.unlink()
                if not server.is_running():
                    server.start()
                wait_until(lambda: town.post_revocation(given.r).status_code == 200, 60)
                wait_until(lambda: town.post_read(town.make_read(other)).status_code == 200, 60)
                assert code_of(town.post_read(town.make_read(given))) == (410, "revoked")
                leaves = [parse_leaf(leaf) for leaf in town.leaves()]
                assert all(isinstance(leaves[index], Read) for index in acknowledged)
                town.replayed()

    class Closable(postgresql.PostgreSQL):
        """Ends with a block."""

        def close(self) -> None:
            self.stop()

    def test_ballast_that_does_not_fit_leaves_what_room_there_is(small_disk: Path, cramped: str) -> None:
        free = free_bytes(small_disk)
        assert not TableReserve(engine_for(cramped), 1 << 30).fill()
        assert free_bytes(small_disk) > free - SIZE
        assert TableReserve(engine_for(cramped), SIZE).fill()


def free_bytes(disk: Path) -> int:
    """What is left on a file system."""
    return shutil.disk_usage(disk).free
