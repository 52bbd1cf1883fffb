"""What the counter looks up, and who did what there (tables: `tables`). One step in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, insert, select

from issuer.brp import Bsn
from issuer.tables import acts, deferred, holds, persons

ActKind = Literal[
    "found", "offered", "revoked", "held", "released", "approved", "denied", "appointed", "confirmed", "ended"
]


@dataclass(frozen=True)
class Act:
    """What somebody of the staff did, and for whom. `document`: the kind that the resident showed."""

    at: int
    officer: str
    act: ActKind
    bsn: Bsn
    document: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Hold:
    """Why nothing is issued to somebody until a clerk has looked."""

    since: int
    reason: str


def records_by_name(
    connection: Connection, surnames: Sequence[str], births: Sequence[str], limit: int
) -> list[str]:
    """The records of who has one of these surnames and one of these dates of birth, by BSN."""
    query = select(persons.c.record).where(persons.c.surname.in_(surnames), persons.c.birth.in_(births))
    return list(connection.execute(query.order_by(persons.c.bsn).limit(limit)).scalars())


def add_act(connection: Connection, act: Act) -> None:
    """Keep it; nothing changes or removes an act."""
    connection.execute(
        insert(acts).values(
            at=act.at,
            officer=act.officer,
            act=act.act,
            bsn=act.bsn,
            document=act.document,
            reference=act.reference,
        )
    )


def list_acts(connection: Connection, bsn: Bsn, limit: int) -> list[Act]:
    """What was done for a resident, the newest first."""
    query = select(acts).where(acts.c.bsn == bsn).order_by(acts.c.id.desc()).limit(limit)
    return [
        Act(row.at, row.officer, row.act, Bsn(row.bsn), row.document, row.reference)
        for row in connection.execute(query)
    ]


def find_hold(connection: Connection, bsn: Bsn) -> Hold | None:
    """Whether a clerk has to look first, and why."""
    row = connection.execute(select(holds).where(holds.c.bsn == bsn)).one_or_none()
    return None if row is None else Hold(row.since, row.reason)


def waiting_of(connection: Connection, offer_id: str) -> Bsn | None:
    """Who waits under an issuance; None when nothing does."""
    query = select(deferred.c.bsn).where(deferred.c.offer_id == offer_id, deferred.c.state == "waiting").limit(1)
    bsn: str | None = connection.execute(query).scalar()
    return None if bsn is None else Bsn(bsn)
