"""An operator's store: pieces of shares, wrapped under epoch keys, and which READs they were released for.

In the cosigner's database, beside its replica and the revocations it keeps: what is released is decided in one
transaction with both. A revocation, seen in the log or handed over, destroys the pieces in its own transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from auditor.operator import Asked, Held, Rows, VerifiedDeposit, decide_release, seal_release
from protocol.canonical import parse_object
from protocol.errors import Rejected
from protocol.operators import Pieces
from protocol.presentation import grant_opening
from protocol.reading import SHARE_BYTES
from protocol.seal import NONCE_BYTES
from protocol.share_at_rest import unwrap_share, wrap_share
from protocol.terms import parse_terms
from service.database import immediate, snapshot
from service.epochs import Epochs
from service.journal import log_event
from service.migrations import prepare
from service.schema import schema_of
from service.wal import truncate_log

SHARES_PER_STEP = 500
"""Wrapped anew in one transaction: a release never waits long behind it."""
MAX_TERMS_BYTES = 64 * 1024
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_shares = Table(
    "operator_shares",
    _metadata,
    Column("lock", LargeBinary, primary_key=True),
    Column("slot", _number, nullable=False),
    Column("opening_key", LargeBinary, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("not_after", _number, nullable=False),
    Column("epoch", _number, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Index("operator_shares_of_epoch", "epoch"),
    Index("operator_shares_until", "not_after"),
)
_releases = Table(
    "operator_releases",
    _metadata,
    Column("read_hash", LargeBinary, primary_key=True),
    Column("tag_hash", LargeBinary, nullable=False),
    Column("n", _number, nullable=False),
    Column("not_after", _number, nullable=False),
    UniqueConstraint("tag_hash", "n"),
    Index("operator_releases_until", "not_after"),
)
SCHEMA = schema_of(__file__, "operator", ("operator_releases", "operator_shares"))
_OLD = select(_shares).where(_shares.c.epoch.in_(bindparam("past", expanding=True))).limit(SHARES_PER_STEP)
_REWRAP = (
    update(_shares)
    .where(_shares.c.lock == bindparam("of"))
    .values(epoch=bindparam("to_epoch"), wrapped=bindparam("to_wrapped"))
)


@dataclass(frozen=True)
class Ended:
    """How this operator sees, in a transaction of its own, that a grant is over.

    `is_live(connection, slot)`: by its replay; `is_kept(connection, lock)`: a revocation waits for the log.
    """

    is_live: Callable[[Connection, int], bool]
    is_kept: Callable[[Connection, bytes], bool]

    def is_revoked(self, connection: Connection, held: Held) -> bool:
        """Either of the two."""
        return not self.is_live(connection, held.slot) or self.is_kept(connection, held.lock)


class Shares:
    """Thread-safe. Raises `Unavailable`: `database`, `epoch_key`."""

    def __init__(self, engine: Engine, epochs: Epochs, ended: Ended, random: Callable[[int], bytes]) -> None:
        self._engine = engine
        self._epochs = epochs
        self._ended = ended
        self._random = random
        self.has_remains = True
        """Whether the write-ahead log may still hold what was destroyed."""
        prepare(engine, SCHEMA)

    def keep(self, deposit: VerifiedDeposit) -> None:
        """Durable when this returns; a second time changes nothing: T names each piece, so there is only one.

        Raises `Rejected`: `revoked` 410.
        """
        held = deposit.held
        with immediate(self._engine) as connection:
            # In the writing transaction: a stop that came meanwhile found nothing to destroy.
            if self._ended.is_revoked(connection, held):
                raise Rejected("revoked", "the grant is over", status=410)
            epoch = self._epochs.current
            row = {
                "lock": held.lock,
                "slot": held.slot,
                "opening_key": held.opening_key,
                "terms": grant_opening(held.terms),
                "not_after": held.terms.not_after,
                "epoch": epoch,
                "wrapped": self._wrap(epoch, held.slot, held.lock, b"".join(deposit.pieces)),
            }
            connection.execute(upsert(_shares).on_conflict_do_nothing(), row)

    def held(self, lock: bytes) -> Held:
        """The grant with this lock. Raises `Rejected`: `no_share` 410 when its pieces are not or no more here."""
        with snapshot(self._engine) as connection:
            row = connection.execute(select(_shares).where(_shares.c.lock == lock)).one_or_none()
        if row is None:
            raise _no_share()
        return Held(parse_terms(parse_object(row.terms, max_bytes=MAX_TERMS_BYTES)), row.slot, row.opening_key)

    def release(self, asked: Asked, name: str, now: int) -> bytes:
        """The sealed pieces for this READ, once `decide_release` agrees and it is on disk under which number.

        In one transaction that no revocation can overtake: what is decided on is still so when it is sealed.
        Raises `Rejected` as `decide_release` does, and `no_share` 410.
        """
        held = asked.held
        with immediate(self._engine) as connection:
            row = connection.execute(
                select(_shares.c.epoch, _shares.c.wrapped).where(_shares.c.lock == held.lock)
            ).one_or_none()
            decide_release(asked, self._rows(connection, asked, share_present=row is not None), now)
            if row is None:
                raise _no_share()
            joined = unwrap_share(self._epochs.key(row.epoch), held.slot, held.lock, row.wrapped)
            values = {
                "read_hash": asked.read_hash,
                "tag_hash": asked.tag_hash,
                "n": asked.n,
                "not_after": held.terms.not_after,
            }
            connection.execute(upsert(_releases).on_conflict_do_nothing(index_elements=["read_hash"]), values)
            return seal_release(asked, _split(joined), name)

    def _rows(self, connection: Connection, asked: Asked, *, share_present: bool) -> Rows:
        of_read = select(_releases.c.n).where(_releases.c.read_hash == asked.read_hash)
        of_n = select(_releases.c.read_hash).where(
            _releases.c.tag_hash == asked.tag_hash, _releases.c.n == asked.n
        )
        highest = select(func.max(_releases.c.n)).where(_releases.c.tag_hash == asked.tag_hash)
        highest_n = connection.execute(highest).scalar_one_or_none()
        return Rows(
            revoked=self._ended.is_revoked(connection, asked.held),
            share_present=share_present,
            n_of_read=connection.execute(of_read).scalar_one_or_none(),
            read_of_n=connection.execute(of_n).scalar_one_or_none(),
            highest_n=-1 if highest_n is None else highest_n,
        )

    def destroy(self, connection: Connection, locks: Sequence[bytes]) -> None:
        """Of grants that were revoked, in the transaction that learns of it."""
        if locks:
            # One by one: an operator that joins late takes in more than one statement has room for.
            rows = [{"of": lock} for lock in locks]
            done = connection.execute(delete(_shares).where(_shares.c.lock == bindparam("of")), rows)
            self.has_remains |= done.rowcount != 0

    # Upkeep.

    def destroy_expired(self, now: int) -> None:
        """Pieces of grants that are over by date, and what was noted about their releases."""
        with immediate(self._engine) as connection:
            done = connection.execute(delete(_shares).where(_shares.c.not_after <= now))
            self.has_remains |= done.rowcount != 0
            connection.execute(delete(_releases).where(_releases.c.not_after <= now))

    def begin_epoch(self, now: int) -> None:
        """A new epoch key when the current one has lasted its day."""
        if self._epochs.is_due(now):
            self._epochs.begin(self._random(32), now)

    def rewrap_step(self) -> bool:
        """Wrap some pieces of past epochs under the current key. False when none is left, and past keys are gone.

        Pieces that do not open are lost already, and go with their key.
        """
        self._epochs.finish_destroying()
        past = self._epochs.past()
        if not past:
            return False
        with immediate(self._engine) as connection:
            old = connection.execute(_OLD, {"past": past}).all()
            to = self._epochs.current
            for row in old:
                try:
                    joined = unwrap_share(self._epochs.key(row.epoch), row.slot, row.lock, row.wrapped)
                except Rejected:
                    log_event("auditor", "share_lost")
                    connection.execute(delete(_shares).where(_shares.c.lock == row.lock))
                    continue
                wrapped = self._wrap(to, row.slot, row.lock, joined)
                connection.execute(_REWRAP, {"of": row.lock, "to_epoch": to, "to_wrapped": wrapped})
            is_any_left = connection.execute(_OLD, {"past": past}).first() is not None
        if is_any_left:
            return True
        truncate_log(self._engine)
        for epoch in past:
            self._epochs.destroy(epoch)
        return False

    def clean(self) -> None:
        """Empty the write-ahead log of what was destroyed, unless a reader is under way."""
        self.has_remains = not truncate_log(self._engine)

    def _wrap(self, epoch: int, slot: int, lock: bytes, joined: bytes) -> bytes:
        return wrap_share(self._epochs.key(epoch), slot, lock, joined, self._random(NONCE_BYTES))


def _split(joined: bytes) -> Pieces:
    return tuple(joined[start : start + SHARE_BYTES] for start in range(0, len(joined), SHARE_BYTES))


def _no_share() -> Rejected:
    return Rejected("no_share", "this operator holds no share of this grant", status=410)
