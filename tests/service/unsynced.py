"""A disk that forgets unsynced writes, beneath the driver that production uses: the standard library's sqlite3.

`install` puts a step before the syncs of SQLite's own file layer (its default VFS, reached with ctypes): what a
file holds when a sync ends is copied aside, for it is durable now. `cut_power` then gives every file back as it
was at its last sync; a file that was never synced is gone. Whole files, no torn pages: `lossy` is the finer disk.
"""

import ctypes
import ctypes.util
import shutil
from pathlib import Path
from typing import Any

from service import database

DURABLE = ".durable"
_SYNC = 5
"""Place of xSync in sqlite3_io_methods, which starts with its version (sqlite3.h)."""
_METHODS = 19
"""Members of version 3: the version and 18 functions."""

_Open = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3_vfs."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
    )


_Methods = ctypes.c_void_p * _METHODS
_kept: list[Any] = []
"""What C points to must not be collected."""


def install(synchronous: str) -> None:
    """From now on this process remembers what is durable. `NORMAL` is the setting that must be seen to lose.

    For a process that is killed or ends by `os._exit`: what C calls here must outlive every connection.
    Raises `OSError` where the standard library's SQLite is not a library of its own that can be reached.
    """
    sqlite = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
    sqlite.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = sqlite.sqlite3_vfs_find(None).contents
    really_open = _Open(vfs.open)

    # SQLite keeps the very pointer to the name, so it goes on as it came.
    def remembering_open(this: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        result = int(really_open(this, name, file, flags, out))
        if result == 0 and name is not None:
            _remember_syncs(file, Path(ctypes.string_at(name).decode()))
        return result

    replaced = _Open(remembering_open)
    _kept.extend((sqlite, really_open, replaced))
    vfs.open = ctypes.cast(replaced, ctypes.c_void_p).value
    database.SQLITE_PRAGMAS = tuple(one.replace("=FULL", f"={synchronous}") for one in database.SQLITE_PRAGMAS)


def _remember_syncs(file: int, path: Path) -> None:
    """Give one open file methods of its own, in which a sync also copies the file aside."""
    place = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
    methods = _Methods.from_buffer_copy(ctypes.cast(place[0], ctypes.POINTER(_Methods)).contents)
    really_sync = _Sync(methods[_SYNC])

    def remembering_sync(this: int, flags: int) -> int:
        result = int(really_sync(this, flags))
        if result == 0:
            beside = path.with_name(f"{path.name}.copying")
            shutil.copyfile(path, beside)
            beside.replace(path.with_name(path.name + DURABLE))
        return result

    replaced = _Sync(remembering_sync)
    methods[_SYNC] = ctypes.cast(replaced, ctypes.c_void_p).value
    _kept.extend((methods, really_sync, replaced))
    place[0] = ctypes.addressof(methods)


def cut_power(folder: Path) -> None:
    """After the process was killed: every database file in `folder` as it was at its last sync."""
    for path in sorted(folder.glob("*.db*")):
        if path.name.endswith((DURABLE, ".copying")):
            continue
        durable = path.with_name(path.name + DURABLE)
        if durable.exists() and not path.name.endswith("-shm"):
            shutil.copyfile(durable, path)
        else:
            path.unlink()
