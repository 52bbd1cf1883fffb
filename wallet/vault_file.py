"""The SQLite file under the vault: taking it for one program, its tables, and what lies in it in the clear.

    lock      format, wrapped (JSON: how the passphrase wraps the store key), header (sealed)
    keyholes  credential, keyhole (JSON: how one passkey wraps the same key); only where the resident has made some

A version that knows no passkeys leaves `keyholes` alone, so a file goes from one to the other and back.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlite_utils import Database

from protocol.errors import Rejected, Unavailable
from protocol.passphrase import WrappedKey
from service.sqlite_file import make_private
from wallet.passkey import Keyhole
from wallet.rows import damaged

_FORMAT = 1
_KEYHOLES = "keyholes"
RETURN_TRIES = 10
"""Of two seconds each: no command but one that waits for a login takes longer."""


@dataclass(frozen=True)
class Lock:
    """The one row of `lock`."""

    wrapped: WrappedKey
    header: bytes


def create(path: Path) -> Database:
    """A new file, 0600, without tables. Raises `Rejected`: `vault_exists`."""
    make_private(path)
    database = connect(path)
    # A crash while making a vault leaves a file without tables; that one may be made again.
    if database.conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        database.close()
        raise Rejected("vault_exists", "there is a wallet here already; nothing was changed", status=409)
    return database


def make_lock(database: Database, wrapped: WrappedKey) -> None:
    """The table and its row, without a header so far."""
    database.conn.execute("CREATE TABLE lock (format INTEGER, wrapped TEXT, header BLOB)")
    database.conn.execute("INSERT INTO lock VALUES (?, ?, NULL)", (_FORMAT, msgspec.json.encode(wrapped).decode()))


def change_lock(database: Database, wrapped: WrappedKey) -> None:
    """Another wrapping of the same store key; SQLite overwrites the old one (secure_delete)."""
    database.conn.execute("UPDATE lock SET wrapped = ?", (msgspec.json.encode(wrapped).decode(),))


def shred_lock(database: Database) -> None:
    """No wrapping of the store key is left; SQLite overwrites them (secure_delete). Inside a transaction."""
    database.conn.execute("UPDATE lock SET wrapped = ''")
    if database.table(_KEYHOLES).exists():
        database.table(_KEYHOLES).delete_where()


def read_lock(database: Database) -> Lock:
    """Raises `Rejected`: `bad_vault`; what `sqlite3` and `msgspec` raise for a damaged file."""
    row = database.conn.execute("SELECT format, wrapped, header FROM lock").fetchone()
    if row is None or row[0] != _FORMAT:
        raise Rejected("bad_vault", "this file was not made by this version of the wallet")
    return Lock(msgspec.json.decode(row[1], type=WrappedKey), row[2])


def add_tables(database: Database, tables: Sequence[str]) -> None:
    """Those that are missing. An empty one where one was lost deceives nobody: the header knows all rows."""
    for table in tables:
        if not database.table(table).exists():
            database.table(table).create({"id": str, "version": int, "sealed": bytes}, pk="id")


def keyholes(database: Database) -> dict[str, Keyhole]:
    """By credential id. Anybody can write here, so a keyhole is believed only once it has opened the vault."""
    if not database.table(_KEYHOLES).exists():
        return {}
    rows = database.conn.execute(f"SELECT keyhole FROM {_KEYHOLES} ORDER BY rowid").fetchall()  # noqa: S608
    found = (msgspec.json.decode(row[0], type=Keyhole) for row in rows)
    return {keyhole.credential: keyhole for keyhole in found}


def put_keyhole(database: Database, keyhole: Keyhole) -> None:
    """Inside a transaction."""
    text = msgspec.json.encode(keyhole).decode()
    table = database.table(_KEYHOLES)
    if not table.exists():
        table.create({"credential": str, "keyhole": str}, pk="credential")
    table.upsert({"credential": keyhole.credential, "keyhole": text}, pk="credential")


def drop_keyhole(database: Database, credential: str) -> None:
    """Inside a transaction."""
    if database.table(_KEYHOLES).exists():
        database.table(_KEYHOLES).delete_where("credential = ?", [credential])


def read_keyholes(path: Path) -> dict[str, Keyhole]:
    """Of a vault that is closed: what a browser has to know to ask a passkey. Empty where there is no vault.

    Raises `Rejected`: `vault_damaged`; `Unavailable`: `wallet_busy`.
    """
    if not path.exists():
        return {}
    database = connect(path)
    try:
        return keyholes(database)
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise damaged() from error
    finally:
        database.close()


def connect(path: Path) -> Database:
    """Not in WAL mode: that would keep older versions of rows in a second file, and one reader needs none.

    Threads may share it, one at a time. Raises `Unavailable`: `wallet_busy`; `Rejected`: `vault_damaged`.
    """
    connection = sqlite3.connect(path, timeout=2, isolation_level=None, check_same_thread=False)
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


def reconnect(path: Path) -> Database:
    """As soon as whoever has the file is done with it."""
    for _ in range(RETURN_TRIES - 1):
        try:
            return connect(path)
        except Unavailable:
            continue
    return connect(path)
