"""What an issuer keeps (tables: `tables`). Each function is one step inside a transaction that its caller opened.

Decisions are the rules'; the caller opens `service.database.immediate`, reads, lets a rule decide, and writes, so
that what was decided on is still so when it is written.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from issuer.brp import Bsn
from issuer.issue import DAY, LIST_FILL, Copy, Validity, draw_index, draw_set, first_position, status_uri
from issuer.offer import Offer
from issuer.tables import (
    SCHEMA,
    copies,
    next_positions,
    notifications,
    offers,
    persons,
    sets,
    spent_nonces,
    status_lists,
    tokens,
)
from protocol.issuer_metadata import BATCH_SIZE
from protocol.status_list import StatusReference
from service.migrations import prepare

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Issuance:
    """What was issued of one type under one offer; `revoked` counts its copies."""

    offer_id: str
    configuration: str
    issued: int
    copies: int
    revoked: int


def create_tables(engine: Engine) -> None:
    """Make the tables, or bring them to the newest revision. Raises as `service.migrations.prepare` does."""
    prepare(engine, SCHEMA)


# ---- register


def put_person(connection: Connection, bsn: Bsn, record: str, now: int) -> None:
    """Add a person, or replace what the register said before."""
    connection.execute(delete(persons).where(persons.c.bsn == bsn))
    connection.execute(insert(persons).values(bsn=bsn, record=record, imported=now))


def person_record(connection: Connection, bsn: Bsn) -> str | None:
    """The person's JSON; None when the register does not know the number."""
    return connection.execute(select(persons.c.record).where(persons.c.bsn == bsn)).scalar()


# ---- offers and tokens


def add_offer(connection: Connection, offer: Offer, now: int) -> None:
    """Keep a new offer; forget those that nobody can use any more."""
    connection.execute(delete(offers).where(offers.c.expires < now - DAY))
    connection.execute(delete(tokens).where(tokens.c.expires < now - DAY))
    connection.execute(
        insert(offers).values(
            id=offer.id,
            bsn=offer.bsn,
            configurations=" ".join(offer.configurations),
            tx_code_hash=offer.tx_code_hash,
            expires=offer.expires,
            tries_left=offer.tries_left,
            redeemed=int(offer.redeemed),
            replaces=offer.replaces,
        )
    )


def find_offer(connection: Connection, offer_id: str | None) -> Offer | None:
    """The offer of this id."""
    row = connection.execute(select(offers).where(offers.c.id == offer_id)).one_or_none()
    return None if row is None else _offer(row)


def _offer(row: Row[tuple[object, ...]]) -> Offer:
    return Offer(
        id=row.id,
        bsn=Bsn(row.bsn),
        configurations=tuple(row.configurations.split(" ")),
        tx_code_hash=bytes(row.tx_code_hash),
        expires=row.expires,
        tries_left=row.tries_left,
        redeemed=bool(row.redeemed),
        replaces=row.replaces,
    )


def update_offer(connection: Connection, offer: Offer) -> None:
    """Store tries and redemption. The transaction is what makes a code serve once: two requests cannot both have
    read `redeemed` as false, since a writer is alone from its first statement."""
    connection.execute(
        update(offers)
        .where(offers.c.id == offer.id)
        .values(tries_left=offer.tries_left, redeemed=int(offer.redeemed))
    )


def add_token(connection: Connection, token_hash: bytes, offer_id: str, expires: int) -> None:
    """Keep the hash of an access token."""
    connection.execute(insert(tokens).values(token_hash=token_hash, offer_id=offer_id, expires=expires))


def offer_of_token(connection: Connection, token_hash: bytes, now: int) -> Offer | None:
    """The offer that a live token belongs to."""
    return find_offer(
        connection,
        connection.execute(
            select(tokens.c.offer_id).where(tokens.c.token_hash == token_hash, tokens.c.expires > now)
        ).scalar(),
    )


# ---- nonces


def spend_nonces(connection: Connection, nonces: Mapping[bytes, int], now: int) -> bool:
    """Spend nonces (random part -> expiry) that were verified; False when one of them was spent before.

    All are spent either way: a nonce serves one try.
    """
    connection.execute(delete(spent_nonces).where(spent_nonces.c.expires <= now))
    known = set(connection.execute(select(spent_nonces.c.nonce).where(spent_nonces.c.nonce.in_(nonces))).scalars())
    for nonce, expires in nonces.items():
        if nonce not in known:
            connection.execute(insert(spent_nonces).values(nonce=nonce, expires=expires))
    return not known


# ---- copies


def is_issued_to(connection: Connection, offer_id: str, bsn: Bsn) -> bool:
    """Whether copies were issued under this offer, and to this resident."""
    found = select(copies.c.id).where(copies.c.offer_id == offer_id, copies.c.bsn == bsn)
    return connection.execute(found).first() is not None


def copies_issued(connection: Connection, offer_id: str, configuration: str) -> int:
    """How many copies of a type were given out under an offer."""
    found = connection.execute(
        select(func.count())
        .select_from(copies)
        .where(copies.c.offer_id == offer_id, copies.c.configuration == configuration)
    ).scalar()
    return found or 0


def start_of(connection: Connection, offer: Offer) -> int:
    """The first position of an offer's sets; the first call reserves a whole batch for each of its types.

    An offer that replaces another starts where that one did.
    """
    if offer.replaces is not None:
        replaced = select(func.min(copies.c.position)).where(copies.c.offer_id == offer.replaces)
        return connection.execute(replaced).scalar() or 0
    known: int | None = connection.execute(select(offers.c.start).where(offers.c.id == offer.id)).scalar()
    if known is not None:
        return known
    rows = connection.execute(select(next_positions).where(next_positions.c.bsn == offer.bsn))
    start = first_position(offer, {row.configuration: row.next for row in rows})
    for name in offer.configurations:
        connection.execute(
            delete(next_positions).where(next_positions.c.bsn == offer.bsn, next_positions.c.configuration == name)
        )
        connection.execute(
            insert(next_positions).values(bsn=offer.bsn, configuration=name, next=start + BATCH_SIZE)
        )
    connection.execute(update(offers).where(offers.c.id == offer.id).values(start=start))
    return start


def reserve_copies(
    connection: Connection,
    offer: Offer,
    configuration: str,
    positions: range,
    *,
    issuer: str,
    valid: Validity,
    random: Random,
) -> list[Copy]:
    """Give out a set and a status index for each position. Committed before anything is signed: a crash wastes
    indexes, and no credential exists whose index could be given out again."""
    made = []
    for position in positions:
        number, index = _take_index(connection, random)
        set_id = _set_of(connection, offer.bsn, position, random)
        connection.execute(
            insert(copies).values(
                offer_id=offer.id,
                bsn=offer.bsn,
                configuration=configuration,
                position=position,
                list=number,
                idx=index,
                issued=valid.iat,
                expires=valid.exp,
            )
        )
        made.append(Copy(position, set_id, StatusReference(idx=index, uri=status_uri(issuer, number))))
    return made


def _take_index(connection: Connection, random: Random) -> tuple[int, int]:
    row = connection.execute(select(status_lists).order_by(status_lists.c.number.desc()).limit(1)).one_or_none()
    number, given_out = (row.number, row.given_out) if row is not None else (-1, LIST_FILL)
    if given_out >= LIST_FILL:
        number, given_out = number + 1, 0
        connection.execute(insert(status_lists).values(number=number, given_out=0))
    connection.execute(update(status_lists).where(status_lists.c.number == number).values(given_out=given_out + 1))

    def is_taken(index: int) -> bool:
        query = select(copies.c.id).where(copies.c.list == number, copies.c.idx == index)
        return connection.execute(query).first() is not None

    return number, draw_index(random, is_taken)


def _set_of(connection: Connection, bsn: Bsn, position: int, random: Random) -> str:
    """The set at a resident's position: drawn by the first type that comes there, shared by the others."""
    found = connection.execute(
        select(sets.c.set_id).where(sets.c.bsn == bsn, sets.c.position == position)
    ).scalar()
    if found is None:
        found = draw_set(random)
        connection.execute(insert(sets).values(bsn=bsn, position=position, set_id=found))
    return found


def list_issuances(connection: Connection, bsn: Bsn) -> Iterator[Issuance]:
    """What a resident was given, oldest first."""
    grouped = (
        select(
            copies.c.offer_id,
            copies.c.configuration,
            func.min(copies.c.issued).label("issued"),
            func.count().label("copies"),
            func.count(copies.c.revoked).label("revoked"),
        )
        .where(copies.c.bsn == bsn)
        .group_by(copies.c.offer_id, copies.c.configuration)
        .order_by(func.min(copies.c.id))
    )
    for row in connection.execute(grouped):
        yield Issuance(row.offer_id, row.configuration, row.issued, row.copies, row.revoked)


# ---- revocation


def revoke_offer(connection: Connection, offer_id: str, reason: str, now: int) -> tuple[int, int]:
    """Revoke every copy issued under an offer: (how many there are, how many were not revoked before)."""
    there = select(func.count()).select_from(copies).where(copies.c.offer_id == offer_id)
    total = connection.execute(there).scalar() or 0
    # `revoked IS NULL` keeps the first time and reason: a revocation is final and is not rewritten.
    changed = connection.execute(
        update(copies)
        .where(copies.c.offer_id == offer_id, copies.c.revoked.is_(None))
        .values(revoked=now, reason=reason)
    )
    # What could still be fetched under the offer is dead too.
    connection.execute(delete(tokens).where(tokens.c.offer_id == offer_id))
    connection.execute(update(offers).where(offers.c.id == offer_id).values(tries_left=0))
    return total, changed.rowcount


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


# ---- notifications


def add_notification(connection: Connection, notification_id: str, offer_id: str, configuration: str) -> None:
    """Keep the id by which the wallet will say what became of a batch."""
    connection.execute(
        insert(notifications).values(id=notification_id, offer_id=offer_id, configuration=configuration)
    )


def note_event(connection: Connection, notification_id: str, offer_id: str, event: str) -> bool:
    """Keep the last event; False for an id that was not given out under this offer. Repeating is harmless."""
    changed = connection.execute(
        update(notifications)
        .where(notifications.c.id == notification_id, notifications.c.offer_id == offer_id)
        .values(event=event)
    )
    return changed.rowcount == 1
