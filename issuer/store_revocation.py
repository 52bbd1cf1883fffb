"""What was taken back, and the status lists that say so (tables: `tables`). One step inside the caller's
transaction.
"""

from sqlalchemy import Connection, delete, func, select, update

from issuer import store_mandate
from issuer.brp import Bsn
from issuer.mandate_caller import CALLER_CONFIGURATION
from issuer.tables import copies, deferred, offers, renewals, status_lists, tokens


def revoke_offer(connection: Connection, offer_id: str, reason: str, now: int) -> tuple[int, int]:
    """Revoke every copy issued under an offer: (how many there are, how many were not revoked before).

    With the last proof of who somebody is goes what he holds for others (`_revoke_acting`), counted in both.
    """
    there = select(func.count()).select_from(copies).where(copies.c.offer_id == offer_id)
    total = connection.execute(there).scalar() or 0
    acting = _revoke_acting(connection, offer_id, reason, now)
    # `revoked IS NULL` keeps the first time and reason: a revocation is final and is not rewritten.
    changed = connection.execute(
        update(copies)
        .where(copies.c.offer_id == offer_id, copies.c.revoked.is_(None))
        .values(revoked=now, reason=reason)
    )
    # What could still be fetched under the offer, or after it, is dead too.
    renewal: str | None = connection.execute(select(offers.c.renewal_id).where(offers.c.id == offer_id)).scalar()
    if renewal is not None:
        connection.execute(delete(renewals).where(renewals.c.id == renewal))
        connection.execute(delete(tokens).where(tokens.c.renewal_id == renewal))
    connection.execute(delete(deferred).where(deferred.c.offer_id == offer_id))
    connection.execute(delete(tokens).where(tokens.c.offer_id == offer_id))
    connection.execute(update(offers).where(offers.c.id == offer_id).values(tries_left=0))
    return total + acting, changed.rowcount + acting


def _revoke_acting(connection: Connection, offer_id: str, reason: str, now: int) -> int:
    """Who loses cards that say who he is has lost the phone with the cards under mandates too, whoever's they are:
    how many of these were revoked. They belong to another resident, so nobody would find them at this counter.
    """
    own = select(copies.c.bsn).where(
        copies.c.offer_id == offer_id,
        copies.c.mandate.is_(None),
        copies.c.configuration == CALLER_CONFIGURATION,
        copies.c.revoked.is_(None),
    )
    bsn: str | None = connection.execute(own.limit(1)).scalar()
    if bsn is None:
        return 0
    revoked = 0
    for one in store_mandate.live_of(connection, Bsn(bsn)):
        party = one.party_of(Bsn(bsn))
        if party is not None:
            revoked += store_mandate.revoke_party(connection, one.id, party, reason, now)
    return revoked


def has_list(connection: Connection, number: int) -> bool:
    """Whether copies have their status in this list."""
    return (
        connection.execute(select(status_lists.c.number).where(status_lists.c.number == number)).first()
        is not None
    )


def revoked_indexes(connection: Connection, number: int) -> list[int]:
    """The revoked indexes of a list."""
    rows = connection.execute(select(copies.c.idx).where(copies.c.list == number, copies.c.revoked.is_not(None)))
    return list(rows.scalars())
