"""Backup and restore: the whole wallet in one sealed file, read back before it counts as made.

The file has a key of its own, wrapped like the vault's; it holds the seed, so whoever has file and passphrase has
the wallet. What was given after the backup is not in it: `sync` finds those grants again in the log, and what was
stopped since stays stopped, for the log has destroyed its shares. Until `sync` has searched, nothing can be given.
A copy that was shared once is in no log: its set counts as unspent again, which only new cards heal.
"""

import secrets
from pathlib import Path

import msgspec
from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.errors import Rejected
from protocol.passphrase import Profile, Random, WrappedKey, unwrap_key, wrap_key
from protocol.seal import KEY_BYTES, NONCE_BYTES, aead_open, aead_seal, pad, unpad
from service.home import CONFIG, Home
from wallet.config import VAULT, WalletConfig
from wallet.opened import OpenWallet, make_vault
from wallet.records import KnownLog, Secrets
from wallet.vault import open_vault

PAD_STEP = 64 * 1024
"""So that the size of the file hardly tells how many cards and grants there are."""
MAX_BACKUP_BYTES = 256 * 1024 * 1024
_FORMAT = "regie/backup/v1"
_PURPOSE = b"regie/backup/v1"


class BackupFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: `sealed` = nonce || XChaCha20-Poly1305, b64u."""

    format: str
    key: WrappedKey
    sealed: str


class Contents(msgspec.Struct, frozen=True):
    """What is sealed. `made_at` in POSIX seconds."""

    made_at: int
    config: WalletConfig
    tables: dict[str, dict[str, msgspec.Raw]]


def back_up(wallet: OpenWallet, path: Path, passphrase: bytes, profile: Profile) -> int:
    """Write the file (0600), read it back and compare; its size in bytes. An existing file is not touched.

    Raises `Rejected`: `exists`, `no_folder`, `backup_failed`; `Unavailable`: `io`.
    """
    if path.exists():
        raise Rejected("exists", "there is a file of that name already; choose another one", status=409)
    if not path.absolute().parent.is_dir():
        raise Rejected("no_folder", "there is no such folder; choose another place for the backup", status=404)
    plain, data = _seal(wallet, passphrase, profile)
    Home(path.absolute().parent).write_secret(path.name, data)
    _check_good(path.read_bytes(), plain, passphrase)
    return len(data)


def make_backup(wallet: OpenWallet, passphrase: bytes, profile: Profile) -> bytes:
    """The bytes of the file, opened once to be sure. Raises `Rejected`: `backup_failed`."""
    plain, data = _seal(wallet, passphrase, profile)
    _check_good(data, plain, passphrase)
    return data


def _seal(wallet: OpenWallet, passphrase: bytes, profile: Profile) -> tuple[bytes, bytes]:
    """Contents and file."""
    contents = Contents(wallet.now(), wallet.home.config(WalletConfig), wallet.vault.export())
    plain = msgspec.json.encode(contents)
    return plain, seal_backup(plain, passphrase, profile, wallet.random)


def _check_good(data: bytes, plain: bytes, passphrase: bytes) -> None:
    try:
        is_good = _open(data, passphrase) == plain
    except Rejected:
        is_good = False
    if not is_good:
        raise Rejected("backup_failed", "the file could not be read back; do not rely on it, try another disk")


def seal_backup(plain: bytes, passphrase: bytes, profile: Profile, random: Random) -> bytes:
    """The bytes of a backup file."""
    key, nonce = random(KEY_BYTES), random(NONCE_BYTES)
    wrapped = wrap_key(key, passphrase, profile, _PURPOSE, random)
    padded = pad(plain, (len(plain) // PAD_STEP + 1) * PAD_STEP)
    sealed = nonce + aead_seal(key, nonce, padded, _PURPOSE)
    return msgspec.json.encode(BackupFile(_FORMAT, wrapped, b64u_encode(sealed)))


def open_backup(data: bytes, passphrase: bytes) -> Contents:
    """What is in a backup. Raises `Rejected`: `bad_backup`, `wrong_passphrase`."""
    try:
        return msgspec.json.decode(_open(data, passphrase), type=Contents)
    except msgspec.DecodeError as error:
        raise Rejected("bad_backup", "this file is not a backup that this program can read") from error


def _open(data: bytes, passphrase: bytes) -> bytes:
    if len(data) > MAX_BACKUP_BYTES:
        raise Rejected("too_large", "this file is too large to be a backup")
    try:
        file = msgspec.json.decode(data, type=BackupFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected("bad_backup", "this file is not a backup of a wallet") from error
    if file.format != _FORMAT:
        raise Rejected("bad_backup", "this backup was made by another version of the wallet")
    key = unwrap_key(file.key, passphrase, _PURPOSE)
    try:
        sealed = b64u_decode(file.sealed, max_bytes=MAX_BACKUP_BYTES)
        return unpad(aead_open(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _PURPOSE))
    except Rejected as error:
        raise Rejected("bad_backup", "this backup is damaged; use another one") from error


def restore(home: Home, data: bytes, backup_passphrase: bytes, passphrase: bytes, profile: str) -> Contents:
    """Put a backup into a home without a wallet, or with one that is still empty.

    The copy of the log's checkpoint tells from where to look for grants that were given since: `sync` does, and
    until it has, `grant` and `present` are refused (`sync_first`).
    Raises `Rejected`: `not_empty`, `bad_backup`, `wrong_passphrase`, `weak_passphrase`.
    """
    contents = open_backup(data, backup_passphrase)
    if home.has(CONFIG):
        vault = open_vault(home.file(VAULT), passphrase, secrets.token_bytes)
    else:
        vault = make_vault(home, passphrase, profile)
    try:
        if not vault.is_empty("copies") or not vault.is_empty("grants"):
            raise Rejected(
                "not_empty", "this wallet holds cards or grants; restore into an empty home", status=409
            )
        vault.replace_all(contents.tables | {"passkeys": {}})  # those opened the other file, and cannot this one
        with vault.transaction():
            for name, kept in vault.all("secrets", Secrets).items():
                vault.put("secrets", name, replace(kept, restored=True))
            for origin, known in vault.all("logs", KnownLog).items():
                vault.put("logs", origin, replace(known, scan_from=known.size))
        if not home.has(CONFIG):
            home.write_config(contents.config)
    finally:
        vault.close()
    return contents
