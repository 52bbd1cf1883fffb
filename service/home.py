"""The home of a role: one directory, 0700, that holds its configuration, keys and database.

Every write is whole or absent after a crash: written beside, fsynced, renamed, and the directory fsynced.
"""

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from protocol.canonical import parse_struct
from protocol.errors import Rejected, Unavailable

T = TypeVar("T")

CONFIG = "config.json"
MAX_FILE_BYTES = 16 * 1024 * 1024
"""Nothing that is read whole from a home comes near; a larger file is not ours."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Home:
    """`Home(path)` touches nothing; `create()` makes the directory."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def create(self) -> "Home":
        """Make the directory (0700) where it is missing, and close it to others where it is not."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        return self

    def file(self, name: str) -> Path:
        """Path of a file directly in the home. Raises `ValueError` for a name that leaves it."""
        if not _NAME.fullmatch(name):
            raise ValueError("a file of a home has a plain name")
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether the file exists."""
        return self.file(name).exists()

    def read(self, name: str) -> bytes:
        """Raises `Rejected`: `no_home` when the role was never initialised here (the file is missing)."""
        return self._read(name)[0]

    def read_secret(self, name: str) -> bytes:
        """Like `read`, for a file that others must not be able to read. Raises also `Rejected`: `open_secret`."""
        data, mode = self._read(name)
        if mode & 0o077:
            raise Rejected("open_secret", f"{self.file(name)} can be read by others: chmod 600 it")
        return data

    def _read(self, name: str) -> tuple[bytes, int]:
        """Bytes and mode of one and the same file: by its name it may be gone a moment later."""
        path = self.file(name)
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
                mode = os.fstat(stream.fileno()).st_mode
        except FileNotFoundError as error:
            raise Rejected("no_home", f"{path} is missing: initialise this home first") from error
        except OSError as error:
            raise Unavailable("io", f"{path} cannot be read: {error.strerror}") from error
        if len(data) > MAX_FILE_BYTES:
            raise Rejected("too_large", f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return data, mode

    def read_public(self, name: str) -> bytes:
        """The same as `read`, to stand beside `write_public`."""
        return self.read(name)

    def write_secret(self, name: str, data: bytes) -> Path:
        """Write a file 0600, whole and durable, over an older one. Raises `Unavailable`: `io`."""
        return self._write(name, data, 0o600)

    def create_secret(self, name: str, data: bytes) -> bool:
        """Write a file 0600, whole and durable, unless it is there. False when it was, unchanged.

        Of several processes exactly one writes. Raises `Unavailable`: `io`.
        """
        try:
            self._write(name, data, 0o600, replace=False)
        except FileExistsError:
            return False
        return True

    def write_public(self, name: str, data: bytes) -> Path:
        """Write a file 0644, whole and durable, over an older one. Raises `Unavailable`: `io`."""
        return self._write(name, data, 0o644)

    def rename(self, name: str, to: str) -> None:
        """Put a file in the place of another, durably. Raises `Rejected`: `no_home`; `Unavailable`: `io`."""
        try:
            self.file(name).replace(self.file(to))
            self._sync_directory()
        except FileNotFoundError as error:
            raise Rejected("no_home", f"{self.file(name)} is missing: initialise this home first") from error
        except OSError as error:
            raise Unavailable("io", f"{self.file(to)} cannot be written: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Delete a file if it is there, durably."""
        self.file(name).unlink(missing_ok=True)
        self._sync_directory()

    def config(self, kind: type[T]) -> T:
        """`config.json` as Struct `kind`. Raises `Rejected`: `no_home`, `bad_config`."""
        data = self.read(CONFIG)
        try:
            return parse_struct(data, kind, max_bytes=MAX_FILE_BYTES)
        except Rejected as error:
            path = self.file(CONFIG)
            raise Rejected("bad_config", f"{path} is of another role, or was damaged: {error.detail}") from error

    def write_config(self, config: msgspec.Struct) -> None:
        """Write `config.json`, indented so that people can edit it."""
        self.write_json(CONFIG, config)

    def write_json(self, name: str, value: Any, *, secret: bool = False) -> Path:
        """A JSON value or Struct as an indented file; 0600 when `secret`."""
        text = json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False) + "\n"
        return self._write(name, text.encode("utf-8"), 0o600 if secret else 0o644)

    @contextmanager
    def lock(self, name: str = "lock", *, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the home for one process; freed by its death.

        Raises `Unavailable`: `in_use` after waiting `wait_seconds`; `Rejected`: `no_home`.
        """
        try:
            handle = os.open(self.file(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise Rejected("no_home", f"{self.path} is missing: initialise this home first") from error
        try:
            self._take(handle, time.monotonic() + wait_seconds)
            yield
        finally:
            os.close(handle)

    def _take(self, handle: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise Unavailable("in_use", f"another process uses {self.path}") from error
            time.sleep(0.02)

    def _write(self, name: str, data: bytes, mode: int, *, replace: bool = True) -> Path:
        """Raises also `FileExistsError` unless it may `replace`."""
        path = self.file(name)
        beside = self.path / f".{name}.{secrets.token_hex(8)}"
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fchmod(stream.fileno(), mode)  # the umask may have taken bits that a reader needs
                    os.fsync(stream.fileno())
                if replace:
                    beside.replace(path)
                else:
                    path.hardlink_to(beside)  # fails when there is one, where a rename would win
            finally:
                beside.unlink(missing_ok=True)
            self._sync_directory()
        except FileExistsError:
            raise
        except FileNotFoundError as error:
            raise Rejected("no_home", f"{self.path} is missing: initialise this home first") from error
        except OSError as error:
            raise Unavailable("io", f"{path} cannot be written: {error.strerror}") from error
        return path

    def _sync_directory(self) -> None:
        """A rename is durable only once the directory is."""
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
