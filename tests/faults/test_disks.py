"""Full disks, each of a real file system with little room: what is refused, what still passes, what is left after.

The log's own disk is in `tests/consentlog/test_full_disk.py`. Here: the global lock's, a witness's, the auditing
cosigner's, and the epoch keys'. A revocation is taken in every one of them.
"""

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from auditor.store import Kept, Store
from protocol.canonical import b64u_encode
from service.ballast import Ballast
from service.epochs import EPOCH_SECONDS
from tests.consentlog.peers import code_of, epoch_turns
from tests.consentlog.small_town import Given
from tests.consentlog.test_full_disk import may_mount
from tests.faults.watched_town import WatchedTown, rows
from tests.protocol.builders import AUDITOR_NAME, LOG_ORIGIN
from tests.waiting import wait_until

DATABASE_MIB = 2
COSIGNER_MIB = 11
"""With the ballast of 8 MiB."""


class Disk:
    """A file system of its own at `place`, to fill and to clear."""

    def __init__(self, place: Path, size: int) -> None:
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(place)], check=True)

    def fill(self) -> None:
        """Up to the last byte, with no room left inside a write-ahead log either."""
        for path in self.place.glob("*.db"):
            rows(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        with (self.place / "filler").open("ab", buffering=0) as stream:
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while stream.write(bytes(size)):
                        pass

    def clear(self) -> None:
        (self.place / "filler").unlink()


@contextlib.contextmanager
def small_disk(place: Path, size: int = DATABASE_MIB) -> Iterator[Disk]:
    disk = Disk(place, size)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def keep_at_cosigner(town: WatchedTown, given: Given) -> int:
    web = town.wires.hosts[AUDITOR_NAME].test_client()
    return web.post("/v1/revocations", json={"origin": LOG_ORIGIN, "r": b64u_encode(given.r)}).status_code


def impatient_read(town: WatchedTown, given: Given) -> TestResponse:
    """The answer to a read for which nobody waits ten seconds for the witnesses."""
    with patch("consentlog.node.ANSWER_SECONDS", 1.0):
        return town.post_read(town.make_read(given))


def read_is_refused(town: WatchedTown, given: Given) -> None:
    """Told to come again, and told when."""
    answer = impatient_read(town, given)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def all_is_well(town: WatchedTown, given: Given, stopped: Given) -> None:
    """Room has returned: reads go on by themselves, and what was stopped stays stopped."""
    town.settle()
    assert town.parsed(town.post_read(town.make_read(given)), dict)["n"] >= 0
    assert code_of(town.post_read(town.make_read(stopped))) == (410, "revoked")
    town.settle()
    town.replayed()
    assert town.watch.violations == []


if may_mount():

    def test_full_disk_of_the_global_lock_stops_reads_and_no_revocation(tmp_path: Path) -> None:
        town = WatchedTown(tmp_path / "town")
        with town.running():
            town.grant()
        home = town.home.path
        with small_disk(tmp_path / "lock") as disk:
            for path in home.glob("lock.db*"):
                shutil.move(path, disk.place)
            town.use_lock(disk.place / "lock.db")
            with town.running():
                given, other = town.grant(), town.grant()
                town.settle()
                disk.fill()
                for _ in range(30):  # until the write-ahead log needs a page that the disk has not
                    if impatient_read(town, given).status_code == 503:
                        break
                read_is_refused(town, given)
                assert town.revoke(other).slot == other.answer.slot
                disk.clear()
                all_is_well(town, given, other)

    def test_full_disk_of_a_witness_stops_reads_and_no_revocation(tmp_path: Path) -> None:
        with small_disk(tmp_path / "town" / "witness") as disk:
            town = WatchedTown(tmp_path / "town")
            with town.running():
                given, other = town.grant(), town.grant()
                town.settle()
                disk.fill()
                for _ in range(30):
                    if impatient_read(town, given).status_code == 503:
                        break
                read_is_refused(town, given)
                assert town.revoke(other).slot == other.answer.slot
                disk.clear()
                all_is_well(town, given, other)

    def test_full_disk_of_the_cosigner_still_keeps_revocations(tmp_path: Path) -> None:
        with small_disk(tmp_path / "town" / "auditor", COSIGNER_MIB) as disk:
            town = WatchedTown(tmp_path / "town")
            with town.running():
                given, *others = (town.grant() for _ in range(4))
                town.settle()
                disk.fill()
                while impatient_read(town, given).status_code != 503:
                    pass
                assert [keep_at_cosigner(town, other) for other in others] == [200] * 3
                read_is_refused(town, given)
                wait_until(lambda: shares(town) == 1)  # the log has fetched them and taken them in
                read_is_refused(town, given)  # nobody cosigns yet
                disk.clear()
                for other in others:
                    all_is_well(town, given, other)
                assert (disk.place / "ballast").exists()

    def test_full_disk_of_the_epoch_keys_keeps_the_old_epoch(tmp_path: Path) -> None:
        town = WatchedTown(tmp_path / "town")
        epochs = town.home.path / "epochs"
        (file,) = epochs.glob("epoch-*.key")
        key = file.read_bytes()
        with small_disk(epochs, 1) as disk:
            file.write_bytes(key)
            file.chmod(0o600)
            with town.running():
                given, other = town.grant(), town.grant()
                disk.fill()
                town.advance(EPOCH_SECONDS)
                town.node.writer._next_upkeep = 0.0
                wait_until(lambda: town.node.writer._next_upkeep > 0.0)
                assert town.read(given)[1].n == 0
                assert town.revoke(other).slot == other.answer.slot
                assert epoch_turns(epochs) == [1]
                disk.clear()
                town.node.writer._next_upkeep = 0.0
                wait_until(lambda: epoch_turns(epochs) == [2])
                assert town.read(given)[1].n == 1
                all_is_well(town, given, other)


def test_cosigner_gives_its_reserve_for_a_revocation_and_signs_nothing_until_it_has_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, ballast = WatchedTown(tmp_path), tmp_path / "auditor" / "ballast"
    really, fill, is_full = Store.keep_revocation, Ballast.fill, True

    def keep(store: Store, connection: Connection, kept: Kept) -> None:
        if is_full and ballast.exists():
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise OperationalError("INSERT", None, full)
        really(store, connection, kept)

    def refill(reserve: Ballast) -> bool:
        return ballast.exists() if is_full else fill(reserve)

    monkeypatch.setattr(Store, "keep_revocation", keep)
    with town.running():
        given, other = town.grant(), town.grant()
        town.settle()
        monkeypatch.setattr(Ballast, "fill", refill)
        assert keep_at_cosigner(town, other) == 200
        assert not ballast.exists()
        read_is_refused(town, given)
        is_full = False
        all_is_well(town, given, other)
        assert ballast.exists()


def shares(town: WatchedTown) -> int:
    """Shares that the log holds."""
    return int(rows(town.database, "SELECT count(*) FROM shares")[0][0])
