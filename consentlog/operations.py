"""What the log is asked to do and what comes of it: plain values.

An operation has been verified as far as no row is needed (`intake`); `admit` decides with the rows that are read
in the writing transaction. Secrets are kept out of every `repr`.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from consentlog.rows import SpentTicket
from protocol.canonical import b64u_fixed
from protocol.leaf import lock_of
from protocol.reading import VerifiedRead
from protocol.terms import Terms


@dataclass(frozen=True)
class GrantOperation:
    """A grant of good form with its ticket verified, or (`replaced_r`) a refresh compared with its old terms.

    `b`: the share, None when operators hold it.
    """

    terms: Terms
    opening: bytes
    lock: bytes
    tag_hash: bytes
    view_hash: bytes
    post_hash: bytes
    opening_key: bytes = field(repr=False)
    b: bytes | None = field(repr=False)
    ticket: SpentTicket | None = None
    replaced_r: bytes | None = field(default=None, repr=False)

    @property
    def replaced_lock(self) -> bytes | None:
        """Lock of the version that a refresh ends."""
        return None if self.replaced_r is None else lock_of(self.replaced_r)


@dataclass(frozen=True)
class RepeatOperation:
    """A grant request that is in the log already, byte for byte, when it arrives: only its answer is wanted."""

    lock: bytes
    post_hash: bytes


@dataclass(frozen=True)
class ReadOperation:
    """A READ that the recipient of `terms` signed. `key` = u40 slot || read_id."""

    slot: int
    key: bytes
    read_hash: bytes
    read: VerifiedRead = field(repr=False)
    terms: Terms = field(repr=False)
    tag_hash: bytes
    reply_key: bytes = field(repr=False)

    @property
    def tag_key(self) -> bytes:
        """32 bytes, of T."""
        return b64u_fixed(self.terms.tag_key, 32)


@dataclass(frozen=True)
class RevocationOperation:
    """Somebody shows `r`; the lock is H(r)."""

    r: bytes = field(repr=False)

    @property
    def lock(self) -> bytes:
        """H(r)."""
        return lock_of(self.r)


@dataclass(frozen=True)
class MessageOperation:
    """A message that its sender may put under the grant. `key` = H(u40 slot || jti)."""

    slot: int
    key: bytes
    message_hash: bytes
    token: str = field(repr=False)
    tag_hash: bytes
    tag_key: bytes = field(repr=False)


@dataclass(frozen=True)
class ReleaseOperation:
    """Phase two of a read: its leaf is durable and under a witnessed checkpoint."""

    request: ReadOperation
    admitted: "Admitted"


@dataclass(frozen=True)
class EraseOperation:
    """The holder wants the openings of an ended grant gone."""

    slot: int


Operation: TypeAlias = (
    GrantOperation
    | RepeatOperation
    | ReadOperation
    | RevocationOperation
    | MessageOperation
    | ReleaseOperation
    | EraseOperation
)


@dataclass(frozen=True)
class Granted:
    """The grant stands at `index`."""

    slot: int
    index: int


@dataclass(frozen=True)
class Admitted:
    """The read is entry `index`, number `n` of its kind under the grant."""

    index: int
    n: int
    opening_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Revoked:
    """The grant is over since `time`, by the leaf at `index`."""

    lock: bytes
    slot: int
    index: int
    time: int


@dataclass(frozen=True)
class Delivered:
    """The message is entry `index`, number `n` of its kind under the grant."""

    index: int
    n: int
    opening_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Sealed:
    """The claim shares, sealed to the READ's reply key under the checkpoint of `view`; None when operators hold
    them.
    """

    sealed: bytes | None
    admitted: Admitted
    view: "View"


@dataclass(frozen=True)
class Erased:
    """Openings and keys of the slot are gone."""

    slot: int


Outcome: TypeAlias = Granted | Admitted | Revoked | Delivered | Sealed | Erased


@dataclass(frozen=True)
class View:
    """One published checkpoint with the status chunk of one slot under it, taken at one moment.

    `note`: cosigned checkpoint; `head`: its head leaf; `time`: when a quorum cosigned (POSIX seconds).
    """

    note: str
    body_hash: bytes
    size: int
    head: bytes
    time: int
    slots: int
    chunk: bytes
    chunk_proof: tuple[bytes, ...]
