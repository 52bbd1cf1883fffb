"""The store: nothing readable, nothing swapped, nothing put back unnoticed, nothing half written."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from protocol.canonical import b64u_encode
from protocol.errors import Rejected, Unavailable
from protocol.passphrase import MAX_PASSPHRASE_BYTES, PROFILES, check_passphrase
from wallet import vault_file
from wallet.passkey import Keyhole, PasskeyRecord
from wallet.rows import MAX_RECORD_BYTES, PAD_STEP
from wallet.vault import TABLES, Vault, create_vault, open_vault, open_vault_by_passkey

PASSPHRASE = b"vier gele fietsen"
CANARY = "Kanaalstraat-73-canary"


class Note(msgspec.Struct, frozen=True):
    text: str


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    vault = create_vault(path, PASSPHRASE, PROFILES["small"], os.urandom)
    yield vault
    vault.close()


def put(vault: Vault, table: str, name: str, text: str) -> None:
    with vault.transaction():
        vault.put(table, name, Note(text))


def sql(path: Path, *statements: str) -> None:
    """What somebody with the file and without the passphrase can do."""
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def reopen(path: Path) -> Vault:
    return open_vault(path, PASSPHRASE, os.urandom)


def refuses(path: Path, code: str, passphrase: bytes = PASSPHRASE) -> None:
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(Rejected) as refusal:
        open_vault(path, passphrase, os.urandom)
    assert refusal.value.code == code
    assert (path.read_bytes() if path.exists() else b"") == before


def test_vault_gives_back_what_was_put_after_reopening(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    put(vault, "copies", "one", "b")
    put(vault, "grants", "one", "c")
    vault.close()
    again = reopen(path)
    assert again.get("copies", "one", Note) == Note("b")
    assert again.all("grants", Note) == {"one": Note("c")}
    assert again.get("grants", "two", Note) is None
    again.close()


def test_vault_forgets_what_was_deleted(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    with vault.transaction():
        vault.delete("copies", "one")
        vault.delete("copies", "never there")
    vault.close()
    again = reopen(path)
    assert again.all("copies", Note) == {}
    again.close()


def test_file_shows_neither_values_nor_names(vault: Vault, path: Path) -> None:
    put(vault, "grants", "name-" + CANARY, CANARY)
    vault.close()
    stored = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert CANARY.encode() not in stored
    assert PASSPHRASE not in stored


def test_deleted_record_leaves_no_ciphertext_behind(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", CANARY)
    sealed = bytes(vault._database.conn.execute("SELECT sealed FROM grants").fetchone()[0])
    with vault.transaction():
        vault.delete("grants", "one")
    vault.close()
    assert sealed[40:80] not in path.read_bytes()


def test_sizes_are_rounded_to_steps(vault: Vault) -> None:
    for index, length in enumerate((1, 100, 200, 210, 300, 700)):
        put(vault, "copies", str(index), "x" * length)
    sizes = [row[0] - 24 - 16 for row in vault._database.conn.execute("SELECT length(sealed) FROM copies")]
    assert all(size % PAD_STEP == 0 for size in sizes)
    assert len(set(sizes)) < len(sizes)


def test_files_belong_to_the_resident_alone(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file.name


def test_vault_refuses_wrong_passphrase(vault: Vault, path: Path) -> None:
    vault.close()
    refuses(path, "wrong_passphrase", b"vijf gele fietsen")
    refuses(path, "wrong_passphrase", b"")


def test_vault_refuses_altered_wrapping_like_a_wrong_passphrase(vault: Vault, path: Path) -> None:
    vault.close()
    sql(path, "UPDATE lock SET wrapped = replace(wrapped, '\"small\"', '\"standard\"')")
    refuses(path, "wrong_passphrase")


def test_vault_never_pays_a_price_that_the_file_invents(vault: Vault, path: Path) -> None:
    vault.close()
    sql(path, "UPDATE lock SET wrapped = replace(wrapped, '\"small\"', '\"enormous\"')")
    refuses(path, "bad_vault")


def test_vault_refuses_swapped_rows(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    put(vault, "copies", "two", "b")
    vault.close()
    sql(
        path,
        "UPDATE copies SET id = 'x' || id",
        "CREATE TEMP TABLE old AS SELECT * FROM copies",
        "UPDATE copies SET sealed = (SELECT o.sealed FROM old o WHERE o.id != copies.id)",
        "UPDATE copies SET id = substr(id, 2)",
    )
    refuses(path, "vault_damaged")


def test_vault_refuses_row_moved_to_another_table(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    vault.close()
    sql(path, "INSERT INTO grants SELECT * FROM copies", "DELETE FROM copies")
    refuses(path, "vault_damaged")


def test_vault_refuses_row_put_back_to_an_older_version(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    old = vault._database.conn.execute("SELECT version, sealed FROM grants").fetchone()
    put(vault, "grants", "one", "stopped")
    vault.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE grants SET version = ?, sealed = ?", old)
    connection.close()
    refuses(path, "vault_damaged")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM grants",
        "INSERT INTO grants SELECT 'ff', version, sealed FROM grants",
        "UPDATE grants SET version = version + 1",
        "UPDATE grants SET sealed = sealed || x'00'",
        "UPDATE lock SET header = NULL",
        "UPDATE lock SET header = x'00'",
        "UPDATE lock SET wrapped = '{}'",
        "DROP TABLE grants",
        "DROP TABLE lock",
    ],
)
def test_vault_refuses_tampered_file(vault: Vault, path: Path, statement: str) -> None:
    put(vault, "grants", "one", "active")
    vault.close()
    sql(path, statement)
    refuses(path, "vault_damaged")


def test_vault_refuses_every_flipped_byte_of_a_record(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    sealed = vault._database.conn.execute("SELECT sealed FROM grants").fetchone()[0]
    vault.close()
    for place in range(0, len(sealed), 37):
        flipped = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE grants SET sealed = ?", (flipped,))
        connection.close()
        refuses(path, "vault_damaged")


def test_vault_refuses_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"not a database " * 100)
    refuses(path, "vault_damaged")


def test_vault_refuses_format_of_another_version(vault: Vault, path: Path) -> None:
    vault.close()
    sql(path, "UPDATE lock SET format = 2")
    refuses(path, "bad_vault")


def test_open_says_when_there_is_no_wallet(path: Path) -> None:
    refuses(path, "no_vault")
    assert not path.exists()


def test_vault_refuses_older_file_put_back(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    old = path.read_bytes()
    put(vault, "grants", "one", "stopped")
    vault.close()
    path.write_bytes(old)
    refuses(path, "vault_rolled_back")


def test_resident_can_accept_an_older_file(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    old = path.read_bytes()
    put(vault, "grants", "one", "stopped")
    vault.close()
    path.write_bytes(old)
    open_vault(path, PASSPHRASE, os.urandom, accept_older=True).close()
    again = reopen(path)
    assert again.get("grants", "one", Note) == Note("active")
    again.close()


@pytest.mark.parametrize("text", [None, "", "AAAA", "AAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_vault_cannot_be_made_to_forget_its_counter(vault: Vault, path: Path, text: str | None) -> None:
    vault.close()
    counter = path.with_name(path.name + ".counter")
    counter.unlink() if text is None else counter.write_text(text)
    refuses(path, "vault_rolled_back")


def test_crash_between_commit_and_counter_file_harms_nobody(vault: Vault, path: Path) -> None:
    counter = path.with_name(path.name + ".counter")
    old = counter.read_bytes()
    put(vault, "grants", "one", "active")
    vault.close()
    counter.write_bytes(old)
    again = reopen(path)
    assert again.get("grants", "one", Note) == Note("active")
    again.close()


def test_failed_transaction_changes_nothing(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    counter = vault.counter

    def fail_half_way() -> None:
        with vault.transaction():
            vault.put("grants", "one", Note("stopped"))
            vault.put("grants", "two", Note("new"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert vault.counter == counter
    put(vault, "copies", "one", "works on")
    vault.close()
    again = reopen(path)
    assert again.all("grants", Note) == {"one": Note("active")}
    again.close()


def test_inner_block_belongs_to_the_outer_transaction(vault: Vault) -> None:
    def fail_after_inner_block() -> None:
        with vault.transaction():
            put(vault, "grants", "one", "inner")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_inner_block()
    assert vault.all("grants", Note) == {}


def test_full_disk_is_reported_and_changes_nothing(vault: Vault) -> None:
    pages = vault._database.conn.execute("PRAGMA page_count").fetchone()[0]
    vault._database.conn.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable) as failure:
        put(vault, "grants", "one", "x" * 100_000)
    assert failure.value.code == "vault_unwritable"
    assert vault.all("grants", Note) == {}
    vault._database.conn.execute("PRAGMA max_page_count = 100000")
    put(vault, "grants", "one", "fits again")


def test_writing_outside_a_transaction_is_our_mistake(vault: Vault) -> None:
    with pytest.raises(ValueError, match="inside a transaction"):
        vault.put("grants", "one", Note("a"))
    with pytest.raises(ValueError, match="inside a transaction"):
        vault.delete("grants", "one")
    with pytest.raises(ValueError, match="no such table"):
        vault.get("sqlite_master", "one", Note)


def test_record_limit(vault: Vault) -> None:
    overhead = len(b'{"name":"one","record":{"text":""}}')
    put(vault, "grants", "one", "x" * (MAX_RECORD_BYTES - overhead))
    with pytest.raises(ValueError, match="larger"):
        put(vault, "grants", "one", "x" * (MAX_RECORD_BYTES - overhead + 1))


def test_second_program_is_told_to_wait(vault: Vault, path: Path) -> None:
    with pytest.raises(Unavailable) as failure:
        open_vault(path, PASSPHRASE, os.urandom)
    assert failure.value.code == "wallet_busy"


def test_existing_wallet_is_never_overwritten(vault: Vault, path: Path) -> None:
    put(vault, "grants", "one", "active")
    vault.close()
    with pytest.raises(Rejected) as refusal:
        create_vault(path, b"another passphrase", PROFILES["small"], os.urandom)
    assert refusal.value.code == "vault_exists"
    again = reopen(path)
    assert again.get("grants", "one", Note) == Note("active")
    again.close()


def test_vault_half_made_by_a_crash_can_be_made_again(path: Path) -> None:
    path.touch()
    create_vault(path, PASSPHRASE, PROFILES["small"], os.urandom).close()
    reopen(path).close()


def test_passphrase_limits() -> None:
    check_passphrase(b"a" * 8)
    check_passphrase(b"a" * MAX_PASSPHRASE_BYTES)
    check_passphrase(b"1234567890123456")
    for weak in (b"", b"a" * 7, b"a" * (MAX_PASSPHRASE_BYTES + 1), b"123456", b"123456789012345"):
        with pytest.raises(Rejected) as refusal:
            check_passphrase(weak)
        assert refusal.value.code == "weak_passphrase"


def test_standard_profile_costs_what_the_design_says() -> None:
    assert (PROFILES["standard"].memory, PROFILES["standard"].passes) == (256 * 1024 * 1024, 3)
    assert len(TABLES) == len(set(TABLES))


_WRITER = """
import os, sys
from pathlib import Path
import msgspec
from wallet.vault import open_vault

class Note(msgspec.Struct, frozen=True):
    text: str

vault = open_vault(Path(sys.argv[1]), b"vier gele fietsen", os.urandom)
for number in range(100_000):
    with vault.transaction():
        vault.put("grants", "left", Note(str(number)))
        vault.put("grants", "right", Note(str(number)))
    print(number, flush=True)
"""


def test_killed_writer_loses_nothing_acknowledged_and_leaves_no_half(vault: Vault, path: Path) -> None:
    vault.close()
    acknowledged = -1
    for round_number in range(6):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(0.01 + 0.017 * round_number)
        writer.send_signal(signal.SIGKILL)
        lines = [first, *writer.stdout.read().split("\n")]
        writer.wait()
        acknowledged = max(int(line) for line in lines if line.strip())
        again = reopen(path)
        left, right = again.get("grants", "left", Note), again.get("grants", "right", Note)
        assert left == right
        assert left is not None
        assert int(left.text) >= acknowledged
        again.close()
    assert acknowledged > 0


def test_vault_of_an_earlier_version_gets_the_tables_that_it_lacks(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    vault.close()
    sql(path, "DROP TABLE accesses", "DROP TABLE awaited")
    again = reopen(path)
    put(again, "awaited", "one", "b")
    again.close()
    once_more = reopen(path)
    assert once_more.all("awaited", Note) == {"one": Note("b")}
    assert once_more.all("copies", Note) == {"one": Note("a")}
    once_more.close()


def test_attack_table_of_promises_is_dropped(vault: Vault, path: Path) -> None:
    """An empty table in its place deceives nobody."""
    put(vault, "awaited", "one", "a")
    vault.close()
    sql(path, "DROP TABLE awaited")
    with pytest.raises(Rejected) as refusal:
        reopen(path)
    assert refusal.value.code == "vault_damaged"


def test_vault_can_be_used_by_another_program_while_it_is_released(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    with vault.released():
        other = reopen(path)
        put(other, "copies", "one", "b")
        other.close()
    assert vault.get("copies", "one", Note) == Note("b")
    put(vault, "copies", "two", "c")
    assert vault.all("copies", Note) == {"one": Note("b"), "two": Note("c")}


def test_released_vault_waits_for_who_has_it(vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_file, "RETURN_TRIES", 1)
    other = None
    with pytest.raises(Unavailable) as refusal, vault.released():
        other = reopen(path)
    assert refusal.value.code == "wallet_busy"
    assert other is not None
    other.close()


def test_attack_released_vault_is_tampered_with(vault: Vault, path: Path) -> None:
    put(vault, "copies", "one", "a")
    with pytest.raises(Rejected) as refusal, vault.released():
        sql(path, "DELETE FROM copies")
    assert refusal.value.code == "vault_damaged"


def test_vault_is_not_released_in_a_transaction(vault: Vault) -> None:
    with vault.transaction(), pytest.raises(ValueError, match="transaction"), vault.released():
        pass


def test_vault_remembers_what_it_opened_and_never_what_was_changed_since(vault: Vault) -> None:
    put(vault, "copies", "one", "a")
    put(vault, "copies", "two", "b")
    assert vault.all("copies", Note) == {"one": Note("a"), "two": Note("b")}
    vault.all("copies", Note).clear()
    assert vault.all("copies", Note)["one"] is vault.all("copies", Note)["one"]
    put(vault, "copies", "one", "c")
    with vault.transaction():
        vault.delete("copies", "two")
    assert vault.all("copies", Note) == {"one": Note("c")}
    put(vault, "copies", "two", "d")  # its version starts again
    assert vault.all("copies", Note) == {"one": Note("c"), "two": Note("d")}

    def fail_after_reading() -> None:
        with vault.transaction():
            vault.put("copies", "one", Note("never"))
            assert vault.all("copies", Note)["one"] == Note("never")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_reading()
    assert vault.all("copies", Note)["one"] == Note("c")


def test_vault_goes_from_a_version_with_passkeys_to_one_without_and_back(vault: Vault, path: Path) -> None:
    keyhole = Keyhole("aWQ", "wallet-x.localhost", "c2FsdA", "cHVibGlj", "d3JhcHBlZA")
    vault.add_passkey(PASSPHRASE, lambda key: keyhole, PasskeyRecord("my key", 1))
    vault.close()
    assert vault_file.read_keyholes(path) == {"aWQ": keyhole}
    sql(path, "DROP TABLE keyholes")
    assert vault_file.read_keyholes(path) == {}
    with pytest.raises(Rejected) as refusal:
        open_vault_by_passkey(path, "aWQ", bytes(32), os.urandom)
    assert refusal.value.code == "unknown_passkey"
    again = reopen(path)
    again.drop_passkey("aWQ")
    again.close()
    assert vault_file.read_keyholes(path.with_name("none.db")) == {}


def test_attack_keyhole_is_written_by_somebody_without_the_key(vault: Vault, path: Path) -> None:
    vault.add_passkey(
        PASSPHRASE, lambda key: Keyhole("aWQ", "h", b64u_encode(bytes(32)), "", "AAAA"), PasskeyRecord("x", 1)
    )
    vault.close()
    for changed in ("UPDATE keyholes SET keyhole = '{}'", "UPDATE keyholes SET keyhole = x'00'"):
        sql(path, changed)
        with pytest.raises(Rejected) as refusal:
            open_vault_by_passkey(path, "aWQ", bytes(32), os.urandom)
        assert refusal.value.code == "vault_damaged"
        reopen(path).close()
