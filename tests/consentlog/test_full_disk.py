"""A full disk: reads and grants wait, a stop does not, and the log recovers by itself."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consentlog.reserve import FileReserve
from protocol.errors import Unavailable
from service.ballast import BALLAST_BYTES, is_disk_full
from service.database import engine_for, immediate, sqlite_url
from service.home import Home
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.waiting import wait_until

_SYS_ADMIN = 21
"""Bit of the capability that mounts file systems."""


def may_mount() -> bool:
    """Whether a test can have a file system of its own."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return any(line.startswith("CapEff:") and int(line.split()[1], 16) >> _SYS_ADMIN & 1 for line in lines)


class FullDisk:
    """Connections that find no room to commit while `is_full`, unless the ballast was given back."""

    def __init__(self, town: SmallTown) -> None:
        self.is_full = False
        self._path = town.home.file("log.db")
        self._ballast = town.home.file("ballast")

    def connect(self) -> Any:
        disk = self

        class Connection(sqlite3.Connection):
            changes = 0

            def commit(self) -> None:
                has_written, self.changes = self.total_changes > self.changes, self.total_changes
                if disk.is_full and disk._ballast.exists() and has_written:
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = sqlite3.SQLITE_FULL
                    raise error
                super().commit()

        return sqlite3.connect(self._path, factory=Connection, check_same_thread=False)


def test_stop_is_taken_and_the_log_recovers(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    disk = FullDisk(town)
    with town.running(connect=disk.connect):
        given, other = town.grant(), town.grant()
        disk.is_full = True
        size = town.node.tree.size
        assert code_of(town.post_read(town.make_read(other))) == (503, "busy")
        assert town.node.writer.room.only_revocations
        assert town.revoke(given).slot == given.answer.slot
        assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "busy")
        disk.is_full = False
        town.node.writer._next_fill = 0.0
        wait_until(lambda: not town.node.writer.room.only_revocations)
        assert town.read(other)[1].n == 0
        assert town.node.tree.size > size
        assert town.replayed().slots == 2


def test_log_that_starts_on_a_full_disk_keeps_what_room_there_is_for_stops(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given, other = town.grant(), town.grant()
    ballast = town.home.file("ballast")
    ballast.unlink()
    ballast.mkdir()  # there is no room for it
    with town.running():
        assert code_of(town.post_read(town.make_read(other))) == (503, "busy")
        assert code_of(town.send("POST", "/v1/grants", town.grant_request()[2])) == (503, "busy")
        assert town.revoke(given).slot == given.answer.slot
        ballast.rmdir()
        town.node.writer._next_fill = 0.0
        wait_until(lambda: not town.node.writer.room.only_revocations)
        assert town.read(other)[1].n == 0


if may_mount():

    @pytest.fixture
    def small_disk(tmp_path: Path) -> Iterator[Path]:
        """A file system of its own with little room."""
        disk = tmp_path / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", str(disk)], check=True)
        yield disk
        subprocess.run(["umount", "-l", str(disk)], check=True)

    def test_stop_is_taken_on_a_disk_that_is_really_full(small_disk: Path) -> None:
        town = SmallTown(small_disk)
        with town.running():
            given, other = town.grant(), town.grant()
            filler = small_disk / "filler"
            with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
                while stream.write(bytes(4096)):
                    pass
            answers = (town.post_read(town.make_read(other)).status_code for _ in range(200))
            assert 503 in answers
            assert town.revoke(given).slot == given.answer.slot
            filler.unlink()
            town.node.writer._next_fill = 0.0
            wait_until(lambda: not town.node.writer.room.only_revocations)
            town.advance(0)
            assert town.read(other)[1].n >= 0
            town.replayed()


def test_ballast_takes_its_room_once_and_gives_it_back(tmp_path: Path) -> None:
    reserve = FileReserve(Home(tmp_path))
    assert reserve.fill()
    assert reserve.fill()
    ballast = tmp_path / "ballast"
    assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES
    reserve.give_back()
    reserve.give_back()
    assert not ballast.exists()


def test_ballast_that_does_not_fit_takes_nothing(tmp_path: Path) -> None:
    reserve = FileReserve(Home(tmp_path), 2**60)
    assert not reserve.fill()
    assert (tmp_path / "ballast").stat().st_size == 0


def test_only_want_of_room_counts_as_a_full_disk(tmp_path: Path) -> None:
    engine = engine_for(sqlite_url(tmp_path / "x.db"))
    with immediate(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    with pytest.raises(Unavailable) as broken, immediate(engine) as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
    assert not is_disk_full(broken.value)
    with immediate(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=2")
    with pytest.raises(Unavailable) as full, immediate(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")
    assert is_disk_full(full.value)
    assert not is_disk_full(Unavailable("database"))
