"""What a change of the register does to what was issued (tables: `tables`). One step inside the caller's
transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from issuer.brp import Bsn
from issuer.change import Change
from issuer.tables import authorizations, copies, deferred, offers, renewals, tokens


@dataclass(frozen=True)
class Changed:
    """How many copies were superseded, and how many revoked."""

    superseded: int = 0
    revoked: int = 0


def apply_change(connection: Connection, bsn: Bsn, change: Change, now: int) -> Changed:
    """Mark what was issued to a resident. Repeating it changes nothing."""
    if change.end is not None:
        return Changed(revoked=_end(connection, bsn, change.end, now))
    return Changed(superseded=_supersede(connection, bsn, change.types, now) if change.types else 0)


def _supersede(connection: Connection, bsn: Bsn, configurations: Collection[str], now: int) -> int:
    changed = connection.execute(
        update(copies)
        .where(
            copies.c.bsn == bsn,
            copies.c.configuration.in_(configurations),
            copies.c.revoked.is_(None),
            copies.c.superseded.is_(None),
            copies.c.expires > now,
        )
        .values(superseded=now)
    )
    return changed.rowcount


def _end(connection: Connection, bsn: Bsn, reason: str, now: int) -> int:
    """Every copy, and whatever could still be fetched."""
    changed = connection.execute(
        update(copies).where(copies.c.bsn == bsn, copies.c.revoked.is_(None)).values(revoked=now, reason=reason)
    )
    own = select(offers.c.id).where(offers.c.bsn == bsn)
    connection.execute(delete(tokens).where(tokens.c.offer_id.in_(own)))
    connection.execute(delete(renewals).where(renewals.c.bsn == bsn))
    connection.execute(delete(authorizations).where(authorizations.c.bsn == bsn))
    connection.execute(delete(deferred).where(deferred.c.bsn == bsn))
    connection.execute(update(offers).where(offers.c.bsn == bsn).values(tries_left=0))
    return changed.rowcount


def superseded_indexes(connection: Connection, number: int) -> list[int]:
    """The indexes of a list whose copies are good and out of date."""
    rows = connection.execute(
        select(copies.c.idx).where(
            copies.c.list == number, copies.c.superseded.is_not(None), copies.c.revoked.is_(None)
        )
    )
    return list(rows.scalars())
