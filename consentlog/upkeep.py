"""What the writer does when it has nothing to do: forget tickets, destroy shares that ran out, change epochs.

Each step is one short transaction, so that a revocation never waits long behind it.
"""

from collections.abc import Callable

from sqlalchemy import Engine, bindparam, delete, select, update

from consentlog.tables import grants, shares, tickets
from protocol.errors import Rejected
from protocol.seal import NONCE_BYTES
from protocol.share_at_rest import unwrap_share, wrap_share
from service.database import immediate
from service.epochs import Epochs
from service.journal import log_event
from service.wal import truncate_log

SHARES_PER_STEP = 500
ENDED_PER_STEP = 5000
"""Rows of one statement: a million that end on the last day of a year must not outlast the database's patience."""
_OLD_SHARES = (
    select(shares.c.slot, shares.c.epoch, shares.c.wrapped, grants.c.lock)
    .select_from(shares.join(grants, shares.c.slot == grants.c.slot))
    .where(shares.c.epoch.in_(bindparam("past", expanding=True)))
    .limit(SHARES_PER_STEP)
)
_REWRAP = (
    update(shares)
    .where(shares.c.slot == bindparam("of"))
    .values(epoch=bindparam("to_epoch"), wrapped=bindparam("to_wrapped"))
)


def forget_tickets(engine: Engine, now: int) -> None:
    """Delete tickets that have ended: they are refused by their date from now on. At most `ENDED_PER_STEP`."""
    ended = select(tickets.c.key).where(tickets.c.exp < now).limit(ENDED_PER_STEP)
    with immediate(engine) as connection:
        connection.execute(delete(tickets).where(tickets.c.key.in_(ended)))


def destroy_expired_shares(engine: Engine, now: int) -> int:
    """Destroy shares of grants whose not_after has passed: no read of theirs is admitted or released any more.

    How many: `ENDED_PER_STEP` means that there may be more.
    """
    expired = select(shares.c.slot).where(shares.c.not_after <= now).limit(ENDED_PER_STEP)
    with immediate(engine) as connection:
        return connection.execute(delete(shares).where(shares.c.slot.in_(expired))).rowcount


def begin_epoch(engine: Engine, epochs: Epochs, key: bytes, now: int) -> None:
    """Once the current epoch has lasted its day: a new one under `key`, in a turn of the writers.

    Who wraps a share asks for the current epoch in its own turn: from this one on nobody wraps under the old key.
    """
    if epochs.is_due(now):
        with immediate(engine):
            if epochs.is_due(now):
                epochs.begin(key, now)


def rewrap_step(engine: Engine, epochs: Epochs, random: Callable[[int], bytes]) -> bool:
    """Wrap some shares of past epochs under the current key. False when no share of a past epoch is left.

    When none is left the past keys are destroyed. A share that does not open is lost already, and goes with them.
    """
    epochs.finish_destroying()
    past = epochs.past()
    if not past:
        return False
    with immediate(engine) as connection:
        old = connection.execute(_OLD_SHARES, {"past": past}).all()
        opened = {row.slot: _rewrapped(epochs, row.epoch, row.slot, row.lock, row.wrapped, random) for row in old}
        to = epochs.current
        if renewed := [
            {"of": slot, "to_epoch": to, "to_wrapped": share} for slot, share in opened.items() if share
        ]:
            connection.execute(_REWRAP, renewed)
        if lost := [slot for slot, share in opened.items() if share is None]:
            log_event("consentlog", "shares_lost", count=len(lost))
            connection.execute(delete(shares).where(shares.c.slot.in_(lost)))
        is_any_left = connection.execute(_OLD_SHARES, {"past": past}).first() is not None
    if is_any_left:
        return True
    truncate_log(engine)
    for number in past:
        epochs.destroy(number)
    return False


def _rewrapped(
    epochs: Epochs, epoch: int, slot: int, lock: bytes, wrapped: bytes, random: Callable[[int], bytes]
) -> bytes | None:
    """The share under the current key; None when it does not open under its own."""
    try:
        b = unwrap_share(epochs.key(epoch), slot, lock, wrapped)
    except Rejected:
        return None
    return wrap_share(epochs.key(epochs.current), slot, lock, b, random(NONCE_BYTES))
