"""After a stop, a crash or a restored backup: the log goes on as it was, or not at all."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from consentlog.config import EPOCHS, log_config, make_log
from consentlog.lock import GlobalLock
from protocol.consent_api import GrantAnswer, ReadAnswer
from protocol.errors import Rejected, Unavailable
from service.database import engine_for, sqlite_url
from service.epochs import EPOCH_SECONDS, Epochs
from service.home import Home
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, LOG_URL, NOW
from tests.waiting import wait_until


def refusal(town: SmallTown) -> str:
    """The code with which the log refuses to start."""
    with pytest.raises(Rejected) as refused:
        town.start(until="nothing")
    return refused.value.code


def copy_database(town: SmallTown, to: Path) -> None:
    """A backup of the log's database, taken while nothing runs."""
    to.mkdir()
    for path in Path(town.home.path).glob("log.db*"):
        shutil.copy(path, to)


def restore_database(town: SmallTown, kept: Path) -> None:
    for path in Path(town.home.path).glob("log.db*"):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, town.home.path)


def change(town: SmallTown, statement: str, database: str = "log.db") -> None:
    with sqlite3.connect(town.home.file(database)) as connection:
        connection.execute(statement)
    connection.close()


def test_log_goes_on_where_it_was(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given, gone = town.grant(), town.grant()
        sent, answer = town.read(given)
        town.revoke(gone)
        leaves = town.leaves()
    with town.running():
        assert town.leaves()[: len(leaves)] == leaves
        assert town.parsed(town.send("POST", "/v1/grants", given.request), GrantAnswer).slot == 0
        again = town.parsed(town.post_read(sent), ReadAnswer)
        assert (again.index, again.n) == (answer.index, answer.n)
        assert town.read(given)[1].n == 1
        assert code_of(town.post_read(town.make_read(gone))) == (410, "revoked")
        assert town.grant().answer.slot == 2
        assert town.replayed().slots == 3


def test_log_starts_again_from_many_leaves(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
        for _ in range(130):  # each with its head: beyond one tile
            town.read(given)
        size, root = town.node.tree.size, town.node.tree.root(town.node.tree.size)
        assert size > 256
    with town.running():
        assert town.node.tree.root(size) == root
        assert town.replayed().size >= size


def test_restored_backup_is_refused(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
    copy_database(town, tmp_path / "backup")
    with town.running():
        town.revoke(given)
        town.settle()
    restore_database(town, tmp_path / "backup")
    assert refusal(town) == "restored_backup"


def test_history_that_was_not_signed_is_refused(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
    change(town, "UPDATE global_lock SET root = zeroblob(32)", "lock.db")
    assert refusal(town) == "forked"


def test_log_without_its_lock_is_refused(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
    for path in Path(town.home.path).glob("lock.db*"):
        path.unlink()
    assert refusal(town) == "lock_missing"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaves SET leaf = zeroblob(46) WHERE idx = (SELECT max(idx) FROM leaves)",
        "DELETE FROM leaves WHERE idx = 1",
        "DELETE FROM leaves WHERE idx = (SELECT max(idx) FROM leaves)",
        "DELETE FROM status_chunks",
        "DELETE FROM grants WHERE slot = 1",
        "UPDATE status_chunks SET data = zeroblob(256)",
        "UPDATE status_chunks SET data = zeroblob(255)",
    ],
)
def test_damaged_store_is_refused(tmp_path: Path, statement: str) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given, _ = town.grant(), town.grant()
        town.revoke(given)
        town.settle()
    change(town, statement)
    assert refusal(town) in ("corrupt_store", "restored_backup", "forked")


def test_second_process_that_signs_stops_the_first(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
        town.settle()
        change(town, "UPDATE global_lock SET size = size + 1", "lock.db")
        response = town.send("POST", "/v1/grants", town.grant_request()[2])
        assert code_of(response)[0] == 503
        wait_until(lambda: not town.node.publisher.is_alive())
        assert code_of(town.send("GET", "/healthz")) == (503, "stopped")
        given_later = town.send("POST", "/v1/grants", town.grant_request()[2])
        assert code_of(given_later)[0] == 503


def test_lock_moves_only_from_what_it_holds(tmp_path: Path) -> None:
    lock = GlobalLock(engine_for(sqlite_url(tmp_path / "lock.db")), LOG_ORIGIN)
    lock.create(NOW)
    empty = lock.read()
    first = lock.advance(empty, 3, b"a" * 32, NOW, "note")
    assert lock.read() == first
    with pytest.raises(Unavailable, match="lock_moved"):
        lock.advance(empty, 4, b"b" * 32, NOW, "")
    assert lock.read() == first
    with pytest.raises(ValueError, match="never goes back"):
        lock.advance(first, 2, b"c" * 32, NOW, "")


def test_last_checkpoint_is_served_after_a_restart_without_witnesses(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        town.grant()
        town.grant()
    town.wires.cut |= {builders.WITNESS_NAME}
    with town.running(until="nothing"):
        assert town.send("GET", "/checkpoint").text.startswith(f"{LOG_ORIGIN}\n")
        assert code_of(town.send("GET", "/v1/status-chunks/0")) == (503, "no_quorum")


def test_home_is_made_once_and_for_one_role(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "url": LOG_URL,
        "origin": LOG_ORIGIN,
        "trust_list": "x",
        "registrar": builders.REGISTRAR.public.jwk(),
        "random": builders.random_of("log"),
        "now": NOW,
    }
    home = Home(tmp_path / "home")
    make_log(home, **arguments)
    with pytest.raises(Rejected, match="home_exists"):
        make_log(home, **arguments)
    settings = home.read("config.json").replace(b'"log"', b'"witness"')
    home.write_public("config.json", settings)
    with pytest.raises(Rejected, match="wrong_role"):
        log_config(home)


# Epochs.


def epochs_of(town: SmallTown) -> Epochs:
    return Epochs(Home(town.home.path / EPOCHS))


def test_every_share_is_wrapped_anew_each_day_and_the_old_key_destroyed(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given = town.grant()
        kept = [town.grant() for _ in range(5)]
    copy_database(town, tmp_path / "backup")
    began = epochs_of(town).current
    first = epochs_of(town).key(began)
    with town.running():
        town.revoke(given)
        town.advance(EPOCH_SECONDS)
        town.node.writer._next_upkeep = 0.0
        wait_until(lambda: epochs_of(town).current > began and not epochs_of(town).past())
        assert [town.read(other)[1].n for other in kept] == [0] * 5
        sent, answer = town.read(kept[0])
        assert len(town.shares(sent, answer)) == len(sent.read.claims)
    files = b"".join(path.read_bytes() for path in Path(town.home.path).rglob("*") if path.is_file())
    assert first not in files  # so the share in the backup opens for nobody
    with pytest.raises(Unavailable, match="epoch_key"):
        epochs_of(town).key(began)


def test_share_that_does_not_open_does_not_keep_an_old_key_alive(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        broken, whole = town.grant(), town.grant()
        change(town, f"UPDATE shares SET wrapped = zeroblob(72) WHERE slot = {broken.answer.slot}")
        began = epochs_of(town).current
        town.advance(EPOCH_SECONDS)
        town.node.writer._next_upkeep = 0.0
        wait_until(lambda: epochs_of(town).current > began and not epochs_of(town).past())
        assert town.node.writer.is_alive()
        assert code_of(town.post_read(town.make_read(broken))) == (410, "no_share")
        assert town.read(whole)[1].n == 0
