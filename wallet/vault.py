"""The encrypted store of the wallet: one SQLite file whose rows say nothing without the passphrase.

    table lock      one row in the clear: how the passphrase wraps the store key, and the sealed header
    table RECORDS   id (keyed hash of the record's name), version, sealed = nonce || XChaCha20-Poly1305

- Each record is sealed with aad = table, row id, version, and padded to steps of 256 bytes: rows cannot be swapped
  between places, and sizes tell little. Visible stay the number of rows of a table and their rounded sizes.
- The sealed header holds a counter of transactions and a keyed set hash over all rows. A row that is removed,
  added or put back to an older version no longer fits the header, so a tampered file does not open.
- The counter also lies in a file of its own beside the store: an older *whole* file put back is noticed as long as
  that file is not put back with it. Against somebody who replaces both there is no local defence: the log is the
  anchor then (a stopped grant stays stopped, its share is gone).

One process at a time: the file is held under SQLite's exclusive lock for as long as it is open.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlite_utils import Database

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.errors import Rejected, Unavailable
from protocol.seal import KEY_BYTES
from service.home import Home
from wallet.passphrase import Profile, Random, WrappedKey, check_passphrase, unwrap_key, wrap_key
from wallet.rows import Header, Row, RowKeys, damaged, xor

_ADDED = ("accesses", "awaited")
"""Not in vaults of earlier versions."""
TABLES = ("secrets", "copies", "grants", "messages", "activities", "logs", *_ADDED)
_PURPOSE = b"regie/vault/v1"
_FORMAT = 1
RETURN_TRIES = 10
"""Of two seconds each: no command but one that waits for a login takes longer."""
T = TypeVar("T")


class Vault:
    """An open store. Reads need no transaction; `put` and `delete` belong inside `transaction()`."""

    def __init__(self, path: Path, database: Database, keys: RowKeys) -> None:
        """For `create_vault` and `open_vault` only."""
        self.path = path
        self._database = database
        self._keys = keys
        self._header = Header()
        self._depth = 0

    @property
    def counter(self) -> int:
        """How many transactions this store has seen."""
        return self._header.counter

    def close(self) -> None:
        """Release the file. The object is of no use afterwards."""
        self._database.close()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Let other programs use the file inside the block, while the resident does something else: a stop must
        not wait for a login. Afterwards every row is checked as on opening; what they changed is seen.

        Raises those of `open_vault`; `ValueError` inside a transaction.
        """
        if self._depth:
            raise ValueError("a transaction is open")
        self._database.close()
        try:
            yield
        finally:
            self._database = _reconnect(self.path)
            try:
                self.check(_read_lock(self._database)[1], accept_older=False)
            except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
                raise damaged() from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable on leaving. Blocks inside a block belong to the outer one.

        Raises `Unavailable`: `vault_unwritable`.
        """
        if self._depth:
            yield
            return
        before = self._header
        self._depth = 1
        try:
            self._database.conn.execute("BEGIN IMMEDIATE")
            yield
            self._header = Header(self._header.counter + 1, self._header.rows)
            self._database.conn.execute(
                "UPDATE lock SET header = ?", (self._keys.seal_header(self._header, _PURPOSE),)
            )
            self._database.conn.execute("COMMIT")
        except BaseException as error:
            self._header = before
            if self._database.conn.in_transaction:
                self._database.conn.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise Unavailable(
                    "vault_unwritable", "the wallet could not be written; is the disk full?"
                ) from error
            raise
        finally:
            self._depth = 0
        # After the commit: a crash in between leaves a counter file that is too low, which harms nobody.
        self._write_counter()

    def put(self, table: str, name: str, record: msgspec.Struct | msgspec.Raw) -> None:
        """Insert or replace the record `name`. Raises `ValueError` outside a transaction or for a huge record."""
        old = self._row(table, name)
        row = self._keys.seal(table, name, old.version + 1 if old else 1, record)
        self._change_set(old, row)
        self._database.table(table).upsert({"id": row.id, "version": row.version, "sealed": row.sealed}, pk="id")

    def delete(self, table: str, name: str) -> None:
        """Remove the record if it is there; SQLite overwrites its bytes (secure_delete)."""
        old = self._row(table, name)
        self._change_set(old, None)
        if old:
            self._database.table(table).delete_where("id = ?", [old.id])

    def get(self, table: str, name: str, kind: type[T]) -> T | None:
        """The record, or None. Raises `Rejected`: `vault_damaged`."""
        row = self._row(table, name)
        return self._keys.open(row, kind)[1] if row else None

    def all(self, table: str, kind: type[T]) -> dict[str, T]:
        """Every record of a table by name, in no particular order. Raises `Rejected`: `vault_damaged`."""
        return dict(self._keys.open(row, kind) for row in self._rows(table))

    def is_empty(self, table: str) -> bool:
        """Whether a table has no record."""
        _check_table(table)
        return self._database.table(table).count == 0

    def export(self) -> dict[str, dict[str, msgspec.Raw]]:
        """All records by table and name, opened: for a backup that is sealed as a whole."""
        return {table: self.all(table, msgspec.Raw) for table in TABLES}

    def replace_all(self, tables: Mapping[str, Mapping[str, msgspec.Raw]]) -> None:
        """Put the records of an export in the place of everything, in one transaction."""
        with self.transaction():
            for table in TABLES:
                for name in self.all(table, msgspec.Raw):
                    self.delete(table, name)
                for name, record in tables.get(table, {}).items():
                    self.put(table, name, record)

    def accept_as_newest(self) -> None:
        """The resident said that this copy is the real one: from now on its counter counts."""
        with self.transaction():
            pass

    def check(self, sealed_header: bytes, *, accept_older: bool) -> None:
        """All rows against the header, and the header against the counter file; once, on opening.

        Raises `Rejected`: `vault_damaged`, `vault_rolled_back`.
        """
        self._header = self._keys.open_header(sealed_header, _PURPOSE)
        rows = Header().rows
        for table in TABLES:
            for row in self._rows(table):
                rows = xor(rows, self._keys.hash_of(row))
        if not is_equal(rows, self._header.rows):
            raise damaged()
        if not accept_older and self._read_counter() > self._header.counter:
            raise Rejected(
                "vault_rolled_back",
                "this wallet file is older than the one last used here; put the newer file back, or accept this "
                "one with `regie wallet sync --accept-older`",
                status=409,
            )

    def _row(self, table: str, name: str) -> Row | None:
        _check_table(table)
        found = list(self._database.table(table).rows_where("id = ?", [self._keys.id_of(table, name)]))
        return Row(table, found[0]["id"], found[0]["version"], found[0]["sealed"]) if found else None

    def _rows(self, table: str) -> list[Row]:
        _check_table(table)
        return [Row(table, row["id"], row["version"], row["sealed"]) for row in self._database.table(table).rows]

    def _change_set(self, *rows: Row | None) -> None:
        """XOR the old row out of the set hash and the new one in."""
        if not self._depth:
            raise ValueError("the vault is written inside a transaction only")
        changed = self._header.rows
        for row in rows:
            if row is not None:
                changed = xor(changed, self._keys.hash_of(row))
        self._header = Header(self._header.counter, changed)

    def _write_counter(self) -> None:
        text = b64u_encode(self._keys.mark_of(self._header.counter))
        Home(self.path.parent).write_secret(_counter_path(self.path).name, text.encode())

    def _read_counter(self) -> int:
        """The counter last written beside the store; higher than any when nobody can say which it was."""
        try:
            data = b64u_decode(_counter_path(self.path).read_text("ascii"), max_bytes=64)
        except (OSError, Rejected, UnicodeError):
            data = b""
        counter = int.from_bytes(data[:8], "big")
        return counter if is_equal(data, self._keys.mark_of(counter)) else 2**63 - 1


def create_vault(path: Path, passphrase: bytes, profile: Profile, random: Random) -> Vault:
    """A new empty store, mode 0600. Raises `Rejected`: `weak_passphrase`, `vault_exists`."""
    check_passphrase(passphrase)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    database = _connect(path)
    # A crash while making a vault leaves a file without tables; that one may be made again.
    if database.conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        database.close()
        raise Rejected("vault_exists", "there is a wallet here already; nothing was changed", status=409)
    store_key = random(KEY_BYTES)
    wrapped = wrap_key(store_key, passphrase, profile, _PURPOSE, random)
    vault = Vault(path, database, RowKeys(store_key, random))
    with vault.transaction():
        database.conn.execute("CREATE TABLE lock (format INTEGER, wrapped TEXT, header BLOB)")
        _add_tables(database, TABLES)
        text = msgspec.json.encode(wrapped).decode()
        database.conn.execute("INSERT INTO lock VALUES (?, ?, NULL)", (_FORMAT, text))
    return vault


def open_vault(path: Path, passphrase: bytes, random: Random, *, accept_older: bool = False) -> Vault:
    """An existing store, every row of it checked.

    Raises `Rejected`: `no_vault`, `wrong_passphrase`, `vault_damaged`, `vault_rolled_back`; `Unavailable`:
    `wallet_busy` when another program has it open.
    """
    if not path.exists():
        raise Rejected("no_vault", "there is no wallet here yet; make one with `regie wallet init`", status=404)
    database = _connect(path)
    try:
        wrapped, header = _read_lock(database)
        _add_tables(database, _ADDED)
        vault = Vault(path, database, RowKeys(unwrap_key(wrapped, passphrase, _PURPOSE), random))
        vault.check(header, accept_older=accept_older)
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
        database.close()
        raise damaged() from error
    except BaseException:
        database.close()
        raise
    if accept_older:
        vault.accept_as_newest()
    return vault


def _add_tables(database: Database, tables: Sequence[str]) -> None:
    """Those that are missing. An empty one where one was lost deceives nobody: the header knows all rows."""
    for table in tables:
        if not database.table(table).exists():
            database.table(table).create({"id": str, "version": int, "sealed": bytes}, pk="id")


def _read_lock(database: Database) -> tuple[WrappedKey, bytes]:
    row = database.conn.execute("SELECT format, wrapped, header FROM lock").fetchone()
    if row is None or row[0] != _FORMAT:
        raise Rejected("bad_vault", "this file was not made by this version of the wallet")
    return msgspec.json.decode(row[1], type=WrappedKey), row[2]


def _connect(path: Path) -> Database:
    """Not in WAL mode: that would keep older versions of rows in a second file, and one reader needs none."""
    connection = sqlite3.connect(path, timeout=2, isolation_level=None)
    try:
        for pragma in ("synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY", "cell_size_check=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")  # takes the lock, which the mode above then keeps
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        connection.close()
        raise Unavailable("wallet_busy", "another program is using this wallet; try again in a moment") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise damaged() from error
    return Database(connection)


def _reconnect(path: Path) -> Database:
    """As soon as whoever has the file is done with it."""
    for _ in range(RETURN_TRIES - 1):
        try:
            return _connect(path)
        except Unavailable:
            continue
    return _connect(path)


def _check_table(table: str) -> None:
    if table not in TABLES:
        raise ValueError("no such table in the vault")


def _counter_path(path: Path) -> Path:
    return path.with_name(path.name + ".counter")
