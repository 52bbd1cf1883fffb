"""Backup and restore: a running log is copied; what is put back cannot take anything back."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from consentlog import backup as backup_module
from consentlog.backup import Restored, back_up, restore
from consentlog.config import AUDITOR_TOKEN, DEPOSIT_KEY, EPOCHS, LOG_KEY, RECEIPT_KEY, log_config
from consentlog.lock import GlobalLock
from protocol.errors import Rejected, Unavailable
from protocol.share_at_rest import unwrap_share
from service.database import engine_for
from service.epochs import EPOCH_SECONDS, Epochs
from service.home import Home
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.consentlog.test_cli import run
from tests.migrations.released import load_log
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.waiting import wait_until


def epochs_of(town: SmallTown) -> Epochs:
    return Epochs(Home(town.home.path / EPOCHS))


def database(town: SmallTown) -> Path:
    return town.home.file("log.db")


def lose_database(town: SmallTown) -> None:
    for path in town.home.path.glob("log.db*"):
        path.unlink()


def put_back(town: SmallTown, kept: Path) -> Restored:
    locked = GlobalLock(engine_for(log_config(town.home).lock_url(town.home)), LOG_ORIGIN).read()
    return restore(kept, database(town), locked, epochs_of(town), origin=LOG_ORIGIN, now=NOW)


def refusal(*arguments: Any) -> str:
    with pytest.raises((Rejected, Unavailable)) as refused:
        put_back(*arguments)
    return refused.value.code


def rotate_epoch(town: SmallTown) -> None:
    """A day passes; every live share is wrapped anew and the old key destroyed."""
    before = epochs_of(town).current
    town.advance(EPOCH_SECONDS)
    assert town.node is not None
    town.node.writer._next_upkeep = 0.0
    wait_until(lambda: epochs_of(town).current > before and not epochs_of(town).past())


def test_backup_of_a_running_log_goes_on_when_nothing_was_signed_since(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        given, gone = town.grant(), town.grant()
        town.revoke(gone)
        town.settle()
        back_up(database(town), kept)
        size = town.node.tree.size
    lose_database(town)
    assert put_back(town, kept) == Restored(size, 0)
    with town.running():
        assert town.read(given)[1].n == 0
        assert code_of(town.post_read(town.make_read(gone))) == (410, "revoked")
        town.replayed()


def test_backup_from_before_a_revocation_is_not_put_back(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        given = town.grant()
        town.settle()
        back_up(database(town), kept)
        town.revoke(given)
        town.settle()
    lose_database(town)
    assert refusal(town, kept) == "restored_backup"
    assert not list(town.home.path.glob("*log.db*"))
    kept.rename(database(town))  # by hand, round the command: the lock stands at the start too
    with pytest.raises(Rejected, match="restored_backup"):
        town.start(until="nothing")


def test_database_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.grant()
        town.settle()
        back_up(database(town), kept)
    before = database(town).read_bytes()
    assert refusal(town, kept) == "database_exists"
    assert database(town).read_bytes() == before


def test_backup_of_another_log_is_not_put_back(tmp_path: Path) -> None:
    town, other = SmallTown(tmp_path / "one"), SmallTown(tmp_path / "other")
    kept = tmp_path / "kept.db"
    for each in (town, other):
        with each.running():
            each.grant()
            each.settle()
    back_up(database(other), kept)
    lose_database(town)
    assert refusal(town, kept) == "forked"


@pytest.mark.parametrize("damage", ["cut", "text", "row", "missing", "other"])
def test_damaged_backup_is_not_put_back(tmp_path: Path, damage: str) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.grant()
        town.settle()
        back_up(database(town), kept)
    lose_database(town)
    match damage:
        case "cut":
            os.truncate(kept, kept.stat().st_size // 2)
        case "text":
            kept.write_text("not a database")
        case "row":
            with sqlite3.connect(kept) as connection:
                connection.execute("UPDATE grants SET not_after = not_after + 1")
            connection.close()
        case "missing":
            kept.unlink()
        case "other":
            kept.unlink()
            with sqlite3.connect(kept) as connection:
                connection.execute("CREATE TABLE leaves (n INTEGER)")
            connection.close()
    assert refusal(town, kept) in ("bad_backup", "unknown_schema")
    assert not list(town.home.path.glob("*log.db*"))


def test_backup_holds_no_key_and_no_lock(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.grant()
        town.settle()
        back_up(database(town), kept)
    data = kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600
    secrets = [town.home.read_secret(name) for name in (LOG_KEY, RECEIPT_KEY, DEPOSIT_KEY, AUDITOR_TOKEN)]
    for secret in (*secrets, epochs_of(town).key(epochs_of(town).current)):
        assert secret not in data
    with sqlite3.connect(kept) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "global_lock" not in names


def test_share_revoked_after_the_backup_opens_for_nobody_one_epoch_later(tmp_path: Path) -> None:
    """G6: the backup and every key that there is then."""
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        gone, live = town.grant(), town.grant()
        town.settle()
        back_up(database(town), kept)
        assert opened(kept, gone, town) == gone.b  # within the epoch the share is what a thief of both would open
        town.revoke(gone)
        rotate_epoch(town)
        assert town.read(live)[1].n == 0
        assert opened(kept, gone, town) is None
        assert opened(kept, live, town) is None
        assert opened(database(town), live, town) == live.b
        assert opened(database(town), gone, town) is None


def opened(path: Path, given: Any, town: SmallTown) -> bytes | None:
    """The share of a grant in a database, by any key that the home has."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT grants.slot, lock, wrapped FROM shares JOIN grants ON grants.slot = shares.slot"
        ).fetchall()
    connection.close()
    epochs = epochs_of(town)
    for slot, lock, wrapped in rows:
        for epoch in (*epochs.past(), epochs.current):
            try:
                share = unwrap_share(epochs.key(epoch), slot, lock, wrapped)
            except Rejected:
                continue
            if slot == given.answer.slot:
                return share
    return None


def test_backup_of_an_ended_epoch_says_whose_shares_are_lost(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        given, _ = town.grant(), town.grant()
        town.settle()
        back_up(database(town), kept)
        rotate_epoch(town)
    lose_database(town)
    assert put_back(town, kept).lost_shares == 2
    with town.running():
        assert code_of(town.post_read(town.make_read(given))) == (410, "no_share")
        town.revoke(given)


def test_backup_of_an_older_release_is_migrated_when_it_is_put_back(tmp_path: Path) -> None:
    town, kept = load_log("0.1", tmp_path), tmp_path / "kept.db"
    back_up(database(town), kept)
    lose_database(town)
    assert put_back(town, kept).lost_shares == 0
    with town.running():
        town.replayed()
        assert town.read(town.grant())[1].n == 0


def test_backup_of_a_newer_program_is_not_put_back(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.settle()
        back_up(database(town), kept)
    lose_database(town)
    with sqlite3.connect(kept) as connection:
        connection.execute("UPDATE log_schema SET version_num = '9999'")
    connection.close()
    assert refusal(town, kept) == "newer_schema"


def test_backup_replaces_no_file_and_leaves_none_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.grant()
        back_up(database(town), kept)
        before = kept.read_bytes()
        with pytest.raises(Rejected, match="file_exists"):
            back_up(database(town), kept)
        assert kept.read_bytes() == before
        with pytest.raises(Unavailable, match="io"):
            back_up(database(town), tmp_path / "no-folder" / "kept.db")

        def fail(*arguments: Any) -> None:
            raise OSError(28, "no space left")

        monkeypatch.setattr(backup_module.os, "fsync", fail)
        with pytest.raises(Unavailable, match="io"):
            back_up(database(town), tmp_path / "other.db")
        assert sorted(path.name for path in tmp_path.glob("*other*")) == []


def test_commands_back_up_look_and_put_back(tmp_path: Path) -> None:
    town, kept = SmallTown(tmp_path), tmp_path / "kept.db"
    with town.running():
        town.grant()
        town.settle()
        run("backup", str(kept), "--home", str(town.home.path))
    assert run("fsck", "--home", str(town.home.path))["faults"] == []
    told = run("restore", str(kept), "--home", str(town.home.path), status=1)
    assert told["error"]["code"] == "database_exists"
    lose_database(town)
    assert run("fsck", "--home", str(town.home.path), status=1)["error"]["code"] == "no_database"
    assert run("backup", str(tmp_path / "x"), "--home", str(town.home.path), status=1)
    assert run("restore", str(kept), "--home", str(town.home.path))["lost_shares"] == 0
    with sqlite3.connect(database(town)) as connection:
        connection.execute("UPDATE grants SET version = 7")
    connection.close()
    found = run("fsck", "--home", str(town.home.path), status=1)
    assert {fault["code"] for fault in found["faults"]} == {"grant_row", "bad_versions"}
    assert not found["is_whole"] or found["size"] > 0


def test_log_on_postgresql_is_not_copied_by_the_command(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    settings = replace(log_config(town.home), database="postgresql://somewhere/log")
    town.home.write_config(settings)
    told = run("backup", str(tmp_path / "kept.db"), "--home", str(town.home.path), status=1)
    assert told["error"]["code"] == "not_sqlite"
