"""Rows of the vault: how a record becomes bytes that say nothing, stay in their place and cannot be put back.

Three keys come from the store key: one seals records, one hides their names, one binds all rows together.
"""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from protocol.canonical import HASH_BYTES, hkdf_sha256, hmac_sha256
from protocol.errors import Rejected
from protocol.passphrase import Random
from protocol.seal import NONCE_BYTES, aead_open, aead_seal, pad, unpad

PAD_STEP = 256
MAX_RECORD_BYTES = 1024 * 1024
"""The largest record is a grant with its sealed disclosures, about 60 kB."""
T = TypeVar("T")


class Header(msgspec.Struct, frozen=True):
    """`counter` of transactions; `rows`: XOR over all rows of HMAC(set key, row).

    That is a set hash, since no row can be in the set twice.
    """

    counter: int = 0
    rows: bytes = bytes(HASH_BYTES)


class _Named(msgspec.Struct, frozen=True):
    """Plaintext of a row: the record with its name, which outside is only a keyed hash."""

    name: str
    record: msgspec.Raw


@dataclass(frozen=True)
class Row:
    """A row as it lies in the file. `version` counts its changes."""

    table: str
    id: str
    version: int
    sealed: bytes

    @property
    def place(self) -> bytes:
        """What the ciphertext is bound to: table, row, version."""
        return _place(self.table, self.id, self.version)


class RowKeys:
    """What seals, names and binds rows; made from the store key (32 bytes)."""

    def __init__(self, store_key: bytes, random: Random) -> None:
        self._record_key = hkdf_sha256(store_key, b"regie/vault/record/v1")
        self._name_key = hkdf_sha256(store_key, b"regie/vault/name/v1")
        self._set_key = hkdf_sha256(store_key, b"regie/vault/set/v1")
        self._random = random

    def id_of(self, table: str, name: str) -> str:
        """Keyed hash of a record's name: a set's id or an agency's number would link a stolen file to somebody."""
        return hmac_sha256(self._name_key, table.encode(), b"\x00", name.encode())[:16].hex()

    def seal(self, table: str, name: str, version: int, record: msgspec.Struct | msgspec.Raw) -> Row:
        """Raises `ValueError` for a record above `MAX_RECORD_BYTES`."""
        plain = msgspec.json.encode(_Named(name, msgspec.Raw(msgspec.json.encode(record))))
        if len(plain) > MAX_RECORD_BYTES:
            raise ValueError("record is larger than the vault takes")
        row_id = self.id_of(table, name)
        return Row(table, row_id, version, self._seal(plain, _place(table, row_id, version)))

    def open(self, row: Row, kind: type[T]) -> tuple[str, T]:
        """Name and record. Raises `Rejected`: `vault_damaged`."""
        named = msgspec.json.decode(self._open(row.sealed, row.place), type=_Named)
        return named.name, msgspec.json.decode(named.record, type=kind)

    def seal_header(self, header: Header, purpose: bytes) -> bytes:
        """As it lies in table `lock`."""
        return self._seal(msgspec.json.encode(header), purpose)

    def open_header(self, sealed: bytes, purpose: bytes) -> Header:
        """Raises `Rejected`: `vault_damaged`."""
        return msgspec.json.decode(self._open(sealed, purpose), type=Header)

    def hash_of(self, row: Row) -> bytes:
        """What this row adds to the set hash, 32 bytes."""
        return hmac_sha256(self._set_key, row.place, row.sealed)

    def mark_of(self, counter: int) -> bytes:
        """Proof that a counter was written by somebody with the key: u64 || HMAC."""
        value = counter.to_bytes(8, "big")
        return value + hmac_sha256(self._set_key, b"counter", value)

    def _seal(self, plain: bytes, aad: bytes) -> bytes:
        nonce = self._random(NONCE_BYTES)
        padded = pad(plain, (len(plain) // PAD_STEP + 1) * PAD_STEP)
        return nonce + aead_seal(self._record_key, nonce, padded, aad)

    def _open(self, sealed: bytes, aad: bytes) -> bytes:
        try:
            return unpad(aead_open(self._record_key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad))
        except Rejected as error:
            raise damaged() from error


def damaged() -> Rejected:
    """The one refusal for every change from outside."""
    return Rejected(
        "vault_damaged",
        "the wallet file was changed or damaged outside this program; restore a backup",
        status=409,
    )


def xor(left: bytes, right: bytes) -> bytes:
    """Of two strings of one length."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _place(table: str, row_id: str, version: int) -> bytes:
    return b"\x00".join((b"regie/vault/record/v1", table.encode(), row_id.encode(), version.to_bytes(8, "big")))
