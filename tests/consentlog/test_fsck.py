"""`regie log fsck` finds every change of what the leaves determine, and nothing in a log that is whole."""

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consentlog import findings
from consentlog.config import EPOCHS, log_config
from consentlog.fsck import Report, check_store
from consentlog.lock import GlobalLock, Locked
from protocol.errors import Rejected, Unavailable
from service.database import engine_for, immediate, sqlite_url
from service.epochs import Epochs
from service.home import Home
from tests.consentlog.small_town import SmallTown
from tests.consentlog.test_operators import DealtTown
from tests.figures import record
from tests.migrations.released import load_log
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.service import postgresql

FLIPS = int(os.environ.get("REGIE_FSCK_FLIPS", "200"))


@dataclass
class Store:
    """A log that has lived and stopped; `copy` gives its database to a test that damages it."""

    home: Home
    locked: Locked
    folder: Path
    made: int = 0

    def copy(self) -> Path:
        self.made += 1
        path = self.folder / f"{self.made}.db"
        shutil.copy(self.home.file("log.db"), path)
        return path

    def check(self, path: Path, *, now: int = NOW, locked: Locked | None = None) -> Report:
        engine = engine_for(sqlite_url(path))
        epochs = Epochs(Home(self.home.path / EPOCHS))
        try:
            return check_store(engine, locked or self.locked, epochs, origin=LOG_ORIGIN, now=now)
        finally:
            engine.dispose()

    def codes(self, path: Path, *, now: int = NOW) -> set[str]:
        return {fault.code for fault in self.check(path, now=now).faults}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("fsck")
    town = load_log("0.1", folder / "town")
    with town.running():
        town.settle()
    lock = GlobalLock(engine_for(log_config(town.home).lock_url(town.home)), LOG_ORIGIN)
    (folder / "copies").mkdir()
    with sqlite3.connect(town.home.file("log.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return Store(town.home, lock.read(), folder / "copies")


def change(path: Path, *statements: str) -> int:
    """Rows that the statements changed."""
    count = 0
    with sqlite3.connect(path) as connection:
        for statement in statements:
            count += connection.execute(statement).rowcount
    connection.close()
    return count


def test_log_that_is_whole_has_no_fault(store: Store) -> None:
    report = store.check(store.copy())
    assert report.faults == ()
    assert report.is_whole
    assert report.size > 256


# What the leaves determine, table by table: one change each, and the code that names it.
# fmt: off
DAMAGE = {
    "a leaf is changed": ("UPDATE leaves SET leaf = zeroblob(length(leaf)) WHERE idx = 5", "bad_leaf"),
    "a bit of a leaf": (
        "UPDATE leaves SET leaf = CAST(substr(leaf, 1, 20) || x'00' || substr(leaf, 22) AS BLOB) WHERE idx = 4",
        "bad_head",
    ),
    "a leaf is gone": ("DELETE FROM leaves WHERE idx = 7", "leaf_missing"),
    "the last leaf is gone": ("DELETE FROM leaves WHERE idx = (SELECT max(idx) FROM leaves)", "restored_backup"),
    "a leaf too many": ("INSERT INTO leaves SELECT max(idx) + 1, x'0504' FROM leaves", "bad_leaf"),
    "a full tile": ("UPDATE tiles SET data = zeroblob(length(data)) WHERE level = 0", "bad_tile"),
    "an edge": ("UPDATE tiles SET data = zeroblob(length(data)) WHERE level = 1", "bad_tile"),
    "a tile is gone": ("DELETE FROM tiles WHERE level = 1", "bad_tile"),
    "a tile too many": ("INSERT INTO tiles VALUES (2, 9, x'00')", "stray_tile"),
    "a status bit is taken back": ("UPDATE status_chunks SET data = zeroblob(256)", "bad_chunk"),
    "a status chunk is gone": ("DELETE FROM status_chunks", "bad_chunk"),
    "a status chunk too many": ("INSERT INTO status_chunks VALUES (7, zeroblob(256))", "bad_chunk"),
    "a grant's lock": ("UPDATE grants SET lock = zeroblob(32) WHERE slot = 0", "grant_row"),
    "a grant's leaf": ("UPDATE grants SET idx = idx + 1 WHERE slot = 0", "grant_row"),
    "a grant's end": ("UPDATE grants SET not_after = not_after + 86400 WHERE slot = 0", "grant_row"),
    "a grant's version": ("UPDATE grants SET version = 2 WHERE slot = 0", "grant_row"),
    "a grant's tag key": ("UPDATE grants SET tag_hash = zeroblob(32) WHERE slot = 0", "grant_row"),
    "a grant's time": ("UPDATE grants SET granted_at = granted_at + 1 WHERE slot = 0", "grant_row"),
    "a grant is represented": ("UPDATE grants SET represented = 1 WHERE slot = 0", "grant_row"),
    "a grant is gone": ("DELETE FROM grants WHERE slot = 0", "grant_row"),
    "a grant too many": (
        "INSERT INTO grants SELECT 99, idx, zeroblob(32), tag_hash, view_hash, post_hash, version, granted_at,"
        " not_after, represented, NULL, NULL, erased FROM grants WHERE slot = 0",
        "grant_row",
    ),
    "a hidden revocation": (
        "UPDATE grants SET revoked_idx = NULL, revoked_at = NULL WHERE slot = 2",
        "revocation_row",
    ),
    "a forced revocation": (
        "UPDATE grants SET revoked_idx = 8, revoked_at = granted_at WHERE slot = 0",
        "grant_row",
    ),
    "another revocation": ("UPDATE grants SET revoked_idx = revoked_idx + 1 WHERE slot = 2", "revocation_row"),
    "erased without being over": ("UPDATE grants SET erased = 1, post_hash = NULL WHERE slot = 0", "bad_erasure"),
    "an erasure is taken back": ("UPDATE grants SET erased = 0 WHERE slot = 9", "opening_missing"),
    "a share is gone": ("DELETE FROM shares WHERE slot = 0", "share_missing"),
    "a share is another's": (
        "UPDATE shares SET wrapped = (SELECT wrapped FROM shares WHERE slot = 3) WHERE slot = 0",
        "bad_share",
    ),
    "a share's epoch": ("UPDATE shares SET epoch = 9 WHERE slot = 0", "bad_share"),
    "a share's end": ("UPDATE shares SET not_after = not_after + 1 WHERE slot = 0", "bad_share"),
    "a share of a revoked grant": (
        "INSERT INTO shares SELECT 2, epoch, not_after, wrapped FROM shares LIMIT 1",
        "share_left",
    ),
    "a share of no grant": (
        "INSERT INTO shares SELECT 999, epoch, not_after, wrapped FROM shares LIMIT 1",
        "share_left",
    ),
    "an opening key": ("UPDATE openings SET opening_key = zeroblob(32) WHERE type = 3", "bad_opening"),
    "an opening": ("UPDATE openings SET opening = opening || x'20' WHERE type = 3", "bad_opening"),
    "an opening's number": ("UPDATE openings SET n = n + 1 WHERE type = 3", "bad_opening"),
    "an opening's kind": ("UPDATE openings SET type = 4 WHERE type = 3", "bad_opening"),
    "an opening's slot": ("UPDATE openings SET slot = 1 WHERE type = 3", "bad_opening"),
    "an opening's time": (
        "UPDATE openings SET time = time - 9 WHERE idx = (SELECT max(idx) FROM openings)",
        "time_order",
    ),
    "an opening of a grant is gone": ("DELETE FROM openings WHERE type = 1 AND slot = 0", "opening_missing"),
    "an opening of a read is gone": ("DELETE FROM openings WHERE type = 3 AND slot = 0", "bad_counter"),
    "an opening of nothing": (
        "INSERT INTO openings SELECT 9999, slot, type, n, time, opening_key, opening FROM openings WHERE type = 4",
        "stray_opening",
    ),
    "a read is gone": ("DELETE FROM reads WHERE reason IS NULL", "bad_entry"),
    "a read is another": ("UPDATE reads SET read_hash = zeroblob(32)", "bad_entry"),
    "a read's leaf": ("UPDATE reads SET idx = idx + 1", "bad_entry"),
    "a read's number": ("UPDATE reads SET n = n + 1", "bad_entry"),
    "a read's key": (
        "UPDATE reads SET key = CAST(substr(key, 1, 20) || x'00' AS BLOB) WHERE reason IS NOT NULL",
        "bad_entry",
    ),
    "a refusal becomes a read": ("UPDATE reads SET reason = NULL", "bad_entry"),
    "a refusal has another reason": ("UPDATE reads SET reason = 'revoked' WHERE reason IS NOT NULL", "bad_entry"),
    "a message is gone": ("DELETE FROM messages", "bad_entry"),
    "a message is another": ("UPDATE messages SET message_hash = zeroblob(32)", "bad_entry"),
    "a message's slot": ("UPDATE messages SET slot = slot + 1", "bad_entry"),
    "a message's leaf": ("UPDATE messages SET idx = idx - 1", "bad_entry"),
    "a counter goes back": ("UPDATE counters SET n = n - 1", "bad_counter"),
    "a counter jumps": ("UPDATE counters SET n = n + 1", "bad_counter"),
    "a counter is gone": ("DELETE FROM counters", "bad_counter"),
    "a counter of nobody": ("INSERT INTO counters VALUES (zeroblob(33), 0)", "bad_counter"),
    "a ticket of another form": (
        "UPDATE tickets SET key = x'00' WHERE key = (SELECT min(key) FROM tickets)",
        "bad_row",
    ),
    "the tail": ("UPDATE tail SET size = size - 1", "bad_tail"),
    "the tail's root": ("UPDATE tail SET root = zeroblob(32)", "bad_tail"),
    "a text in place of bytes": ("UPDATE reads SET key = 'text' WHERE reason IS NOT NULL", "bad_row"),
    "a text in place of a number": ("UPDATE openings SET time = 'now' WHERE type = 3", "bad_row"),
}
# fmt: on


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found_and_named(store: Store, what: str) -> None:
    statement, code = DAMAGE[what]
    path = store.copy()
    assert change(path, statement) > 0
    assert code in store.codes(path), what


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("leaves", "idx"), ("openings", "idx"), ("shares", "slot"), ("grants", "slot"), ("reads", "key"),
        ("counters", "key"),
    ],
)  # fmt: skip
def test_swapped_rows_are_found(store: Store, table: str, key: str) -> None:
    path = store.copy()
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != key]
        rows = connection.execute(f"SELECT {', '.join([key, *columns])} FROM {table} ORDER BY {key}").fetchall()
        first = rows[0]
        second = next(row for row in rows if row[1:] != first[1:])
        for row in (first, second):
            connection.execute(f"DELETE FROM {table} WHERE {key} = ?", (row[0],))
        for row in ((first[0], *second[1:]), (second[0], *first[1:])):
            places = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join([key, *columns])}) VALUES ({places})", row)
    connection.close()
    assert store.codes(path)


def test_older_copy_is_found(tmp_path: Path) -> None:
    town = SmallTown(tmp_path / "town")
    with town.running():
        given = town.grant()
    shutil.copytree(town.home.path, tmp_path / "kept")
    with town.running():
        town.revoke(given)
        town.settle()
    locked = GlobalLock(engine_for(log_config(town.home).lock_url(town.home)), LOG_ORIGIN).read()
    copy = Store(town.home, locked, tmp_path)
    assert "restored_backup" in copy.codes(tmp_path / "kept" / "log.db")
    assert copy.codes(town.home.file("log.db")) == set()


def test_another_history_than_the_signed_one_is_found(store: Store) -> None:
    other = Locked(store.locked.size, bytes(32), store.locked.time, store.locked.note)
    assert "forked" in {fault.code for fault in store.check(store.copy(), locked=other).faults}


def test_shares_of_grants_that_ran_out_are_due_to_go(store: Store) -> None:
    assert store.codes(store.copy(), now=NOW + 400 * 86400) == {"share_left"}


def test_share_under_a_key_that_is_gone_is_found(store: Store) -> None:
    engine = engine_for(sqlite_url(store.copy()))
    nothing = Epochs(Home(store.folder / "no-epochs").create())
    report = check_store(engine, store.locked, nothing, origin=LOG_ORIGIN, now=NOW)
    assert {fault.code for fault in report.faults} == {"bad_share"}
    assert check_store(engine, store.locked, None, origin=LOG_ORIGIN, now=NOW).faults == ()


def test_faults_beyond_the_limit_are_not_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.copy()
    change(path, "UPDATE grants SET granted_at = granted_at + 1")
    count = len(store.check(path).faults)
    for limit, is_whole in ((count, False), (count + 1, True)):
        monkeypatch.setattr(findings, "MAX_FAULTS", limit)
        report = store.check(path)
        assert (len(report.faults), report.is_whole) == (count, is_whole)


def test_store_of_another_revision_is_not_judged(store: Store) -> None:
    path = store.copy()
    for revision, code in (("0001", "older_schema"), ("9999", "newer_schema")):
        change(path, f"UPDATE log_schema SET version_num = '{revision}'")
        with pytest.raises(Rejected, match=code):
            store.check(path)


# Bits.

UNDETERMINED = {
    "grants": {"view_hash", "post_hash", "revoked_at", "granted_at"},
    "openings": {"time"},
    "tickets": {"key", "exp"},
    "beats": {"n"},
    "published": {"holder", "moves", "is_ready", "note"},
}
"""What no leaf tells: who may look back, which request made a grant, when; and what is only of a moment."""


ERASED = ("tag_hash", "version", "not_after", "represented")
"""Of a grant whose opening is erased nothing tells any more what its terms said."""


def blank(table: str, names: list[str], row: tuple[object, ...]) -> tuple[object, ...]:
    """A row without what nothing tells of it."""
    if table != "grants" or "erased" not in names or row[names.index("erased")] != 1:
        return row
    return tuple(None if name in ERASED else value for name, value in zip(names, row, strict=True))


def content(path: Path) -> dict[str, list[tuple[object, ...]]] | None:
    """All rows but what is undetermined; None when the file does not give them any more."""
    try:
        connection = sqlite3.connect(path)
        try:
            found = {}
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                kept = [name for name in names if name not in UNDETERMINED.get(table, ())]
                # Not by an index: the rows as they stand.
                rows = connection.execute(f"SELECT {', '.join(kept) or 1} FROM {table} NOT INDEXED")
                found[table] = [blank(table, kept, row) for row in rows]
            return found
        finally:
            connection.close()
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def test_every_flipped_bit_that_changes_content_is_found(store: Store) -> None:
    """A closed file with one bit of it flipped, at random places."""
    chance = random.Random(int(os.environ.get("REGIE_SEED", "1")))
    whole = store.home.file("log.db").read_bytes()
    before, path, changed = content(store.copy()), store.copy(), 0
    for _ in range(FLIPS):
        data = bytearray(whole)
        place, bit = chance.randrange(len(data)), chance.randrange(8)
        data[place] ^= 1 << bit
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        path.write_bytes(data)
        after = content(path)
        if after == before:
            continue
        changed += 1
        path.write_bytes(data)
        try:
            report = store.check(path)
        except (Rejected, Unavailable):
            continue
        assert report.faults or not report.is_whole, f"bit {bit} of byte {place} changed content unseen"
    record("fsck", {"flips": FLIPS, "changed": changed, "missed": 0})
    assert changed > FLIPS // 10


# Beside a living log.


@pytest.fixture
def living(tmp_path: Path) -> Iterator[SmallTown]:
    with SmallTown(tmp_path).running() as town:
        yield town


def test_look_beside_a_living_log_finds_nothing(living: SmallTown) -> None:
    settings = log_config(living.home)
    lock = GlobalLock(engine_for(settings.lock_url(living.home)), LOG_ORIGIN)
    engine = engine_for(settings.database_url(living.home))
    epochs = Epochs(Home(living.home.path / EPOCHS))
    for _ in range(5):
        given = living.grant()
        living.read(given)
        report = check_store(engine, lock.read(), epochs, origin=LOG_ORIGIN, now=NOW)
        assert report.faults == ()
        living.revoke(given)
        report = check_store(engine, lock.read(), epochs, origin=LOG_ORIGIN, now=NOW)
        assert report.faults == ()


def test_log_whose_shares_operators_hold_has_none_of_its_own(tmp_path: Path) -> None:
    town = DealtTown(tmp_path)
    with town.running():
        town.grant()
        town.settle()
    settings = log_config(town.home)
    lock = GlobalLock(engine_for(settings.lock_url(town.home)), LOG_ORIGIN)
    engine = engine_for(settings.database_url(town.home))
    assert check_store(engine, lock.read(), None, origin=LOG_ORIGIN, now=NOW).faults == ()
    engine.dispose()
    change(
        town.home.file("log.db"),
        "INSERT INTO shares SELECT slot, 1, not_after, zeroblob(72) FROM grants",
    )
    report = check_store(engine, lock.read(), None, origin=LOG_ORIGIN, now=NOW)
    assert {fault.code for fault in report.faults} == {"share_left"}


if postgresql.is_installed():

    def test_log_on_postgresql_is_looked_through_as_well(tmp_path: Path) -> None:
        server = postgresql.PostgreSQL()
        try:
            town = load_log("0.1", tmp_path, server.url)
            with town.running():
                town.read(town.grant())
                town.settle()
            lock = GlobalLock(engine_for(log_config(town.home).lock_url(town.home)), LOG_ORIGIN)
            engine, epochs = engine_for(server.url), Epochs(Home(town.home.path / EPOCHS))
            report = check_store(engine, lock.read(), epochs, origin=LOG_ORIGIN, now=NOW)
            assert report.faults == ()
            assert report.is_whole
            with immediate(engine) as connection:
                connection.exec_driver_sql("UPDATE grants SET not_after = not_after + 1 WHERE slot = 0")
                connection.exec_driver_sql("DELETE FROM shares WHERE slot = 3")
                connection.exec_driver_sql("UPDATE counters SET n = n + 1")
            found = check_store(engine, lock.read(), epochs, origin=LOG_ORIGIN, now=NOW)
            assert {fault.code for fault in found.faults} == {"grant_row", "share_missing", "bad_counter"}
        finally:
            server.stop()
