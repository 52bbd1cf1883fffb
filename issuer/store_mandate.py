"""What is kept of mandates (tables: `tables`). Each function is one step in the caller's transaction."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from issuer.brp import Bsn, Person, parse_person
from issuer.mandate import Registered, named_in
from issuer.tables import (
    copies,
    deferred,
    invitations,
    mandate_parties,
    mandates,
    offers,
    persons,
    renewals,
    tokens,
)
from protocol.canonical import convert, parse_json
from protocol.mandate import MandateClaims, MandateService

T = TypeVar("T")
_MAX_JSON = 64 * 1024


# ---- mandates


def add_mandate(
    connection: Connection,
    made: Registered,
    seed: bytes,
    now: int,
    *,
    evidence: str | None = None,
    officer: str | None = None,
) -> None:
    """Keep a new mandate. `seed` is wrapped; a `token` of "" still waits for a second officer."""
    connection.execute(
        insert(mandates).values(
            id=made.id,
            source=made.source,
            kind=made.kind,
            bsn=made.represented,
            signers=_json(made.signers),
            until=made.until,
            claims=None if made.claims is None else _json(made.claims),
            services=None if made.services is None else _json(made.services),
            token=made.token,
            seed=seed,
            made=now,
            evidence=evidence,
            officer=officer,
        )
    )
    rows = [{"mandate": made.id, "party": number, "bsn": bsn} for number, bsn in enumerate(made.delegates, 1)]
    connection.execute(insert(mandate_parties), rows)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def find_mandate(connection: Connection, id_: str) -> Registered | None:
    """The mandate of this id, ended ones too."""
    row = connection.execute(select(mandates).where(mandates.c.id == id_)).one_or_none()
    return None if row is None else _registered(connection, row)


def _registered(connection: Connection, row: Row[tuple[object, ...]]) -> Registered:
    parties = select(mandate_parties.c.bsn).where(mandate_parties.c.mandate == row.id)
    delegates = connection.execute(parties.order_by(mandate_parties.c.party)).scalars()
    return Registered(
        id=row.id,
        source=row.source,
        kind=row.kind,
        represented=Bsn(row.bsn),
        delegates=tuple(Bsn(bsn) for bsn in delegates),
        signers=convert(parse_json(row.signers, max_bytes=_MAX_JSON), tuple[tuple[int, ...], ...]),
        until=row.until,
        claims=_read(row.claims, tuple[MandateClaims, ...]),
        services=_read(row.services, tuple[MandateService, ...]),
        token=row.token,
        ended=row.ended,
        reason=row.reason,
    )


def _read(text: str | None, kind: type[T]) -> T | None:
    return None if text is None else convert(parse_json(text, max_bytes=_MAX_JSON), kind)


def live_of(connection: Connection, bsn: Bsn, *, confirmed: bool = True) -> list[Registered]:
    """Mandates that have not ended in which somebody is the represented or a delegate, the oldest first.

    `confirmed` False: with those that wait for a second officer.
    """
    acting = select(mandate_parties.c.mandate).where(mandate_parties.c.bsn == bsn)
    query = select(mandates).where(
        or_(mandates.c.bsn == bsn, mandates.c.id.in_(acting)), mandates.c.ended.is_(None)
    )
    if confirmed:
        query = query.where(mandates.c.token != "")
    rows = connection.execute(query.order_by(mandates.c.made, mandates.c.id)).all()
    return [_registered(connection, row) for row in rows]


def all_live(connection: Connection) -> list[Registered]:
    """Every mandate that has not ended."""
    rows = connection.execute(select(mandates).where(mandates.c.ended.is_(None)).order_by(mandates.c.made)).all()
    return [_registered(connection, row) for row in rows]


def waiting(connection: Connection) -> list[tuple[Registered, str]]:
    """Those that wait for a second officer, with the first one."""
    query = select(mandates).where(mandates.c.token == "", mandates.c.ended.is_(None)).order_by(mandates.c.made)
    return [(_registered(connection, row), row.officer or "") for row in connection.execute(query).all()]


def officer_of(connection: Connection, id_: str) -> str | None:
    """Who registered it first."""
    return connection.execute(select(mandates.c.officer).where(mandates.c.id == id_)).scalar()


def wrapped_seed(connection: Connection, id_: str) -> bytes | None:
    """Its seed, wrapped; None once it ended."""
    return connection.execute(select(mandates.c.seed).where(mandates.c.id == id_)).scalar()


def confirm_mandate(connection: Connection, id_: str, token: str, officer: str) -> None:
    """A second officer agreed: it is signed now."""
    connection.execute(update(mandates).where(mandates.c.id == id_).values(token=token, confirmed_by=officer))


def end_mandate(connection: Connection, id_: str, reason: str, now: int) -> int:
    """It ends, for ever: copies under it are revoked (how many), its seed goes, nobody joins or comes back."""
    connection.execute(
        update(mandates)
        .where(mandates.c.id == id_, mandates.c.ended.is_(None))
        .values(ended=now, reason=reason, seed=None)
    )
    own = select(offers.c.id).where(offers.c.mandate == id_)
    changed = connection.execute(
        update(copies)
        .where(copies.c.mandate == id_, copies.c.revoked.is_(None))
        .values(revoked=now, reason=reason)
    )
    connection.execute(delete(tokens).where(tokens.c.offer_id.in_(own)))
    connection.execute(delete(renewals).where(renewals.c.mandate == id_))
    connection.execute(update(offers).where(offers.c.mandate == id_).values(tries_left=0))
    return changed.rowcount


def revoke_party(connection: Connection, id_: str, party: int, reason: str, now: int) -> int:
    """What one party of a mandate holds counts no more (how many copies), and nothing more can be fetched with it.
    The mandate stays: who has a card of his own again takes it again, as with a new phone.
    """
    own = select(offers.c.id).where(offers.c.mandate == id_, offers.c.party == party)
    changed = connection.execute(
        update(copies)
        .where(
            copies.c.mandate == id_,
            # Nobody knows any more whose copies without a party are: they go too.
            or_(copies.c.party == party, copies.c.party.is_(None)),
            copies.c.revoked.is_(None),
        )
        .values(revoked=now, reason=reason)
    )
    connection.execute(delete(tokens).where(tokens.c.offer_id.in_(own)))
    connection.execute(delete(deferred).where(deferred.c.offer_id.in_(own)))
    connection.execute(delete(renewals).where(renewals.c.mandate == id_, renewals.c.party == party))
    connection.execute(update(offers).where(offers.c.id.in_(own)).values(tries_left=0))
    return changed.rowcount


# ---- people


def find_person(connection: Connection, bsn: Bsn) -> Person | None:
    """What the register says of somebody."""
    record: str | None = connection.execute(select(persons.c.record).where(persons.c.bsn == bsn)).scalar()
    return None if record is None else parse_person(record)


def people_of(connection: Connection, numbers: Iterable[Bsn]) -> dict[Bsn, Person]:
    """Those whom the register knows, and whom their own records name in relations over them."""
    found = {bsn: person for bsn in numbers if (person := find_person(connection, bsn)) is not None}
    named = {bsn for person in found.values() for bsn in named_in(person)} - set(found)
    more = {bsn: person for bsn in named if (person := find_person(connection, bsn)) is not None}
    return found | more


def has_wallet(connection: Connection, bsn: Bsn, now: int) -> bool:
    """Whether somebody holds cards of his own that count."""
    query = (
        select(func.count())
        .select_from(copies)
        .where(
            copies.c.bsn == bsn,
            copies.c.configuration == "persoon",
            copies.c.revoked.is_(None),
            copies.c.expires > now,
            copies.c.mandate.is_(None),
        )
    )
    return bool(connection.execute(query).scalar())


def holder_of(connection: Connection, number: int, index: int) -> tuple[Bsn, bool] | None:
    """Who was given the copy at this place of a status list, and whether it still counts; None for a copy that was
    issued under a mandate, and for a place that was never given out.
    """
    query = select(copies.c.bsn, copies.c.revoked, copies.c.mandate)
    row = connection.execute(query.where(copies.c.list == number, copies.c.idx == index)).one_or_none()
    if row is None or row.mandate is not None:
        return None
    return Bsn(row.bsn), row.revoked is None


def party_of(connection: Connection, number: int, index: int) -> tuple[str, int] | None:
    """Mandate and party of the copy at this place of a status list, as long as it counts; None for every other."""
    query = select(copies.c.mandate, copies.c.party).where(copies.c.list == number, copies.c.idx == index)
    row = connection.execute(query.where(copies.c.revoked.is_(None))).one_or_none()
    return None if row is None or row.mandate is None or row.party is None else (row.mandate, row.party)


# ---- invitations


def add_invitation(connection: Connection, id_: str, bsn: Bsn, expires: int, now: int) -> None:
    """Keep it; forget those that are over."""
    connection.execute(delete(invitations).where(invitations.c.expires <= now))
    connection.execute(insert(invitations).values(id=id_, bsn=bsn, expires=expires))


def count_invitations(connection: Connection, bsn: Bsn, now: int) -> int:
    """Open ones of somebody."""
    query = select(func.count()).select_from(invitations)
    return connection.execute(query.where(invitations.c.bsn == bsn, invitations.c.expires > now)).scalar() or 0


def find_invitation(connection: Connection, id_: str, now: int) -> tuple[Bsn, int] | None:
    """Who made it, and until when it is good."""
    row = connection.execute(
        select(invitations).where(invitations.c.id == id_, invitations.c.expires > now)
    ).one_or_none()
    return None if row is None else (Bsn(row.bsn), row.expires)


def spend_invitation(connection: Connection, id_: str) -> None:
    """It serves once."""
    connection.execute(delete(invitations).where(invitations.c.id == id_))
