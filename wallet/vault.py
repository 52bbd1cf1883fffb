"""The encrypted store of the wallet: one SQLite file whose rows say nothing without the passphrase.

    table lock      one row in the clear: how the passphrase wraps the store key, and the sealed header
    table keyholes  in the clear: how passkeys wrap the same key, if the resident wanted any (see `passkey`)
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

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlite_utils import Database

from protocol.canonical import b64u_decode, b64u_encode, is_equal
from protocol.errors import Rejected, Unavailable
from protocol.passphrase import Profile, Random, check_passphrase, unwrap_key, wrap_key
from protocol.seal import KEY_BYTES
from service.home import Home
from wallet import vault_file
from wallet.passkey import Keyhole, unwrap_by_passkey
from wallet.rows import Header, Row, RowKeys, damaged, xor

_ADDED = (
    *("accesses", "awaited", "settings", "passkeys", "histories", "evidence", "mandates"),
    *("refreshes", "versions", "moved"),
)
"""Not in vaults of earlier versions."""
TABLES = ("secrets", "copies", "grants", "messages", "activities", "logs", *_ADDED)
PURPOSE = b"regie/vault/v1"
_FEW = 16
"""Rows that are fetched one by one; of more the whole table is read."""
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
        self._opened: dict[tuple[str, type[Any]], dict[str, tuple[str, Any]]] = {}

    @property
    def counter(self) -> int:
        """How many transactions this store has seen."""
        return self._header.counter

    def close(self) -> None:
        """Release the file and forget what was opened. The object is of no use afterwards."""
        self._opened.clear()
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
        self._opened.clear()
        try:
            yield
        finally:
            self._database = vault_file.reconnect(self.path)
            try:
                self.check(vault_file.read_lock(self._database).header, accept_older=False)
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
                "UPDATE lock SET header = ?", (self._keys.seal_header(self._header, PURPOSE),)
            )
            self._database.conn.execute("COMMIT")
        except BaseException as error:
            self._header = before
            self._opened.clear()
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
        """Every record of a table by name, in no particular order. Raises `Rejected`: `vault_damaged`.

        What was opened once is remembered until it changes: nobody else can change the file while it is held.
        """
        _check_table(table)
        known = self._opened.setdefault((table, kind), {})
        ids = [row[0] for row in self._database.conn.execute(f"SELECT id FROM {table}")]  # noqa: S608 - checked
        missing = [row_id for row_id in ids if row_id not in known]
        rows = self._rows(table) if len(missing) > _FEW else [self._row_of(table, row_id) for row_id in missing]
        known.update((row.id, self._keys.open(row, kind)) for row in rows if row and row.id not in known)
        return dict(known[row_id] for row_id in ids)

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

    def check_passphrase(self, passphrase: bytes) -> None:
        """Whether it is the resident who asks, once more. Raises `Rejected`: `wrong_passphrase`."""
        self._store_key(passphrase)

    def change_passphrase(self, passphrase: bytes, new: bytes, profile: Profile, random: Random) -> None:
        """From now on `new` opens this file. Backups keep theirs. Raises `Rejected`: `wrong_passphrase`,
        `weak_passphrase`.
        """
        check_passphrase(new)
        wrapped = wrap_key(self._store_key(passphrase), new, profile, PURPOSE, random)
        with self.transaction():
            vault_file.change_lock(self._database, wrapped)

    def add_passkey(self, passphrase: bytes, wrap: Callable[[bytes], Keyhole], record: msgspec.Struct) -> None:
        """A second way in: `wrap` makes its keyhole of the store key. Raises `Rejected`: `wrong_passphrase`."""
        keyhole = wrap(self._store_key(passphrase))
        with self.transaction():
            vault_file.put_keyhole(self._database, keyhole)
            self.put("passkeys", keyhole.credential, record)

    def drop_passkey(self, credential: str) -> None:
        """Take a passkey off the list, with what it could open."""
        with self.transaction():
            vault_file.drop_keyhole(self._database, credential)
            self.delete("passkeys", credential)

    def shred(self) -> None:
        """For good: nothing opens this file any more."""
        with self.transaction():
            vault_file.shred_lock(self._database)

    def _store_key(self, passphrase: bytes) -> bytes:
        return unwrap_key(vault_file.read_lock(self._database).wrapped, passphrase, PURPOSE)

    def check(self, sealed_header: bytes, *, accept_older: bool) -> None:
        """All rows against the header, and the header against the counter file; once, on opening.

        Raises `Rejected`: `vault_damaged`, `vault_rolled_back`.
        """
        self._header = self._keys.open_header(sealed_header, PURPOSE)
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
        return self._row_of(table, self._keys.id_of(table, name))

    def _row_of(self, table: str, row_id: str) -> Row | None:
        found = list(self._database.table(table).rows_where("id = ?", [row_id]))
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
                for (table, _), known in self._opened.items():
                    if table == row.table:
                        known.pop(row.id, None)
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
    database = vault_file.create(path)
    store_key = random(KEY_BYTES)
    wrapped = wrap_key(store_key, passphrase, profile, PURPOSE, random)
    vault = Vault(path, database, RowKeys(store_key, random))
    with vault.transaction():
        vault_file.make_lock(database, wrapped)
        vault_file.add_tables(database, TABLES)
    return vault


def open_vault(path: Path, passphrase: bytes, random: Random, *, accept_older: bool = False) -> Vault:
    """An existing store, every row of it checked.

    Raises `Rejected`: `no_vault`, `wrong_passphrase`, `vault_damaged`, `vault_rolled_back`; `Unavailable`:
    `wallet_busy` when another program has it open.
    """

    def unwrap(database: Database) -> bytes:
        return unwrap_key(vault_file.read_lock(database).wrapped, passphrase, PURPOSE)

    return _open(path, unwrap, random, accept_older=accept_older)


def open_vault_by_passkey(path: Path, credential: str, secret: bytes, random: Random) -> Vault:
    """The same with what a passkey's PRF gave (32 bytes); `credential`: the passkey's id, b64u.

    A passkey that was taken off the list opens nothing, also when its row is put back into the file.
    Raises those of `open_vault` but `unknown_passkey` or `wrong_passkey` for `wrong_passphrase`.
    """
    vault = _open(path, lambda database: _unwrap(database, credential, secret), random, accept_older=False)
    if vault.get("passkeys", credential, msgspec.Raw) is None:
        vault.close()
        raise unknown_passkey()
    return vault


def unknown_passkey() -> Rejected:
    """Of a passkey that is not on this wallet's list."""
    return Rejected("unknown_passkey", "this wallet does not know this passkey; use your passphrase", status=403)


def _unwrap(database: Database, credential: str, secret: bytes) -> bytes:
    keyhole = vault_file.keyholes(database).get(credential)
    if keyhole is None:
        raise unknown_passkey()
    return unwrap_by_passkey(keyhole, secret)


def _open(path: Path, unwrap: Callable[[Database], bytes], random: Random, *, accept_older: bool) -> Vault:
    if not path.exists():
        raise Rejected("no_vault", "there is no wallet here yet; make one with `regie wallet init`", status=404)
    database = vault_file.connect(path)
    try:
        header = vault_file.read_lock(database).header
        store_key = unwrap(database)
        vault_file.add_tables(database, _ADDED)
        vault = Vault(path, database, RowKeys(store_key, random))
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


def _check_table(table: str) -> None:
    if table not in TABLES:
        raise ValueError("no such table in the vault")


def _counter_path(path: Path) -> Path:
    return path.with_name(path.name + ".counter")
