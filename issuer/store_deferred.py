"""Who is held, and which requests wait for a clerk (tables: `tables`). One step in the caller's transaction."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from issuer.brp import Bsn
from issuer.defer import Deferred, read_holders, write_holders
from issuer.tables import deferred, holds


@dataclass(frozen=True)
class Waiting:
    """What waits under one issuance: `copies` of the credential types, asked for since `asked`."""

    offer_id: str
    configurations: tuple[str, ...]
    asked: int


def put_hold(connection: Connection, bsn: Bsn, reason: str, now: int) -> None:
    """From now on a clerk looks at this resident's record first."""
    connection.execute(delete(holds).where(holds.c.bsn == bsn))
    connection.execute(insert(holds).values(bsn=bsn, since=now, reason=reason))


def release(connection: Connection, bsn: Bsn) -> bool:
    """The record was looked at. False when it was not held."""
    return connection.execute(delete(holds).where(holds.c.bsn == bsn)).rowcount == 1


def is_held(connection: Connection, bsn: Bsn) -> bool:
    """Whether a clerk has to look first."""
    return connection.execute(select(holds.c.bsn).where(holds.c.bsn == bsn)).first() is not None


def add_deferred(connection: Connection, made: Deferred, now: int) -> None:
    """Keep a request; forget those that are over."""
    connection.execute(delete(deferred).where(deferred.c.expires < now))
    connection.execute(
        insert(deferred).values(
            id=made.id,
            offer_id=made.offer_id,
            bsn=made.bsn,
            configuration=made.configuration,
            again=made.again,
            holders=write_holders(made.holders),
            state=made.state,
            asked=made.asked,
            expires=made.expires,
        )
    )


def waiting_under(connection: Connection, offer_id: str) -> int:
    """How many requests of an issuance wait."""
    query = select(func.count()).where(deferred.c.offer_id == offer_id, deferred.c.state == "waiting")
    return connection.execute(query).scalar() or 0


def find_deferred(connection: Connection, id_: str | None) -> Deferred | None:
    """The request of this id."""
    row = connection.execute(select(deferred).where(deferred.c.id == id_)).one_or_none()
    return None if row is None else _deferred(row)


def _deferred(row: Row[tuple[object, ...]]) -> Deferred:
    return Deferred(
        id=row.id,
        offer_id=row.offer_id,
        bsn=Bsn(row.bsn),
        configuration=row.configuration,
        again=row.again,
        holders=read_holders(row.holders),
        state=row.state,
        asked=row.asked,
        expires=row.expires,
    )


def mark_issued(connection: Connection, id_: str) -> bool:
    """A request is answered with copies once: False when somebody else did so first."""
    changed = connection.execute(
        # Without the condition two polls at once would both be given copies.
        update(deferred).where(deferred.c.id == id_, deferred.c.state == "approved").values(state="issued")
    )
    return changed.rowcount == 1


def decide_waiting(connection: Connection, offer_id: str, state: str, reason: str | None) -> Bsn | None:
    """Approve or deny everything that waits under an issuance; whose it is, None when nothing waits."""
    found = select(deferred.c.bsn).where(deferred.c.offer_id == offer_id, deferred.c.state == "waiting").limit(1)
    bsn: str | None = connection.execute(found).scalar()
    connection.execute(
        update(deferred)
        .where(deferred.c.offer_id == offer_id, deferred.c.state == "waiting")
        .values(state=state, reason=reason)
    )
    return None if bsn is None else Bsn(bsn)


def list_waiting(connection: Connection) -> list[Waiting]:
    """What waits for a clerk, the oldest first."""
    rows = connection.execute(
        select(deferred.c.offer_id, deferred.c.configuration, deferred.c.asked)
        .where(deferred.c.state == "waiting")
        .order_by(deferred.c.asked, deferred.c.offer_id)
    )
    found: dict[str, Waiting] = {}
    for offer_id, configuration, asked in rows:
        known = found.get(offer_id, Waiting(offer_id, (), asked))
        names = tuple(dict.fromkeys((*known.configurations, configuration)))
        found[offer_id] = Waiting(offer_id, names, known.asked)
    return list(found.values())
