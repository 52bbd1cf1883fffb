"""What the writer does when it has nothing to do: forget tickets, destroy shares that ran out, change epochs.

Each step is one short transaction, so that a revocation never waits long behind it.
"""

from collections.abc import Callable

from sqlalchemy import Engine, bindparam, delete, func, select, update

from consentlog.epochs import Epochs
from consentlog.release import unwrap_share, wrap_share
from consentlog.tables import grants, shares, tickets
from protocol.seal import NONCE_BYTES
from service.database import immediate

SHARES_PER_STEP = 500
_REWRAP = (
    update(shares)
    .where(shares.c.slot == bindparam("of"))
    .values(epoch=bindparam("to_epoch"), wrapped=bindparam("to_wrapped"))
)


def forget_tickets(engine: Engine, now: int) -> None:
    """Delete tickets that have ended: they are refused by their date from now on."""
    with immediate(engine) as connection:
        connection.execute(delete(tickets).where(tickets.c.exp < now))


def destroy_expired_shares(engine: Engine, now: int) -> bool:
    """Destroy shares of grants whose not_after has passed: no read of theirs is admitted or released any more.

    Whether there were any.
    """
    with immediate(engine) as connection:
        return connection.execute(delete(shares).where(shares.c.not_after <= now)).rowcount > 0


def rewrap_step(engine: Engine, epochs: Epochs, random: Callable[[int], bytes]) -> bool:
    """Wrap some shares of past epochs under the current key. False when no share of a past epoch is left.

    When none is left the past keys are destroyed.
    """
    past = epochs.past()
    if not past:
        return False
    epoch = epochs.current
    key = epochs.key(epoch)
    with immediate(engine) as connection:
        old = connection.execute(
            select(shares.c.slot, shares.c.epoch, shares.c.wrapped, grants.c.lock)
            .select_from(shares.join(grants, shares.c.slot == grants.c.slot))
            .where(shares.c.epoch < epoch)
            .limit(SHARES_PER_STEP)
        ).all()
        renewed = []
        for row in old:
            b = unwrap_share(epochs.key(row.epoch), row.slot, row.lock, row.wrapped)
            wrapped = wrap_share(key, row.slot, row.lock, b, random(NONCE_BYTES))
            renewed.append({"of": row.slot, "to_epoch": epoch, "to_wrapped": wrapped})
        if renewed:
            connection.execute(_REWRAP, renewed)
        left = connection.scalar(select(func.count()).select_from(shares).where(shares.c.epoch < epoch))
    if left:
        return True
    truncate_log(engine)
    for number in past:
        epochs.destroy(number)
    return False


def truncate_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, whose older frames still hold what was deleted.

    False when a reader was under way, and the log is as it was.
    """
    if engine.dialect.name != "sqlite":
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (is_busy, *_) = cursor.fetchall()[0]
        cursor.close()
    finally:
        raw.close()
    return not is_busy
