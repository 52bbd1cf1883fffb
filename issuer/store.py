"""What an issuer keeps (tables: `tables`). Each function is one step inside a transaction that its caller opened.

Decisions are the rules'; the caller opens `service.database.immediate`, reads, lets a rule decide, and writes, so
that what was decided on is still so when it is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from issuer.brp import Bsn
from issuer.issue import DAY, LIST_FILL, Copy, Validity, draw_index, draw_set, first_position, status_uri
from issuer.offer import Offer, Under
from issuer.tables import (
    SCHEMA,
    copies,
    next_positions,
    notifications,
    offers,
    persons,
    sets,
    status_lists,
    tokens,
)
from protocol.issuer_metadata import BATCH_SIZE
from protocol.status_list import StatusReference
from service.migrations import prepare

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Issuance:
    """What was issued of one type under one offer; `revoked` counts its copies. `party`: who holds them, of
    copies under a mandate.
    """

    offer_id: str
    configuration: str
    issued: int
    copies: int
    revoked: int
    party: int | None = None


def create_tables(engine: Engine) -> None:
    """Make the tables, or bring them to the newest revision. Raises as `service.migrations.prepare` does."""
    prepare(engine, SCHEMA)


# ---- register


def put_person(
    connection: Connection, bsn: Bsn, record: str, found_by: tuple[str | None, str | None], now: int
) -> None:
    """Add a person, or replace what the register said before. `found_by`: see `finding`."""
    surname, birth = found_by
    connection.execute(delete(persons).where(persons.c.bsn == bsn))
    values = {"bsn": bsn, "record": record, "imported": now, "surname": surname, "birth": birth}
    connection.execute(insert(persons).values(values))


def person_record(connection: Connection, bsn: Bsn) -> str | None:
    """The person's JSON; None when the register does not know the number."""
    return connection.execute(select(persons.c.record).where(persons.c.bsn == bsn)).scalar()


def persons_before(connection: Connection, moment: int) -> Iterator[Bsn]:
    """Everybody whose record was taken before `moment`, by number."""
    query = select(persons.c.bsn).where(persons.c.imported < moment).order_by(persons.c.bsn)
    return map(Bsn, connection.execute(query).scalars())


# ---- offers (tokens: `store_oauth`)


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
            loa=offer.loa,
            renewal_id=offer.renewal_id,
            **columns_of(offer.under),
        )
    )


def columns_of(under: Under | None) -> dict[str, str | int | None]:
    """The columns `mandate` and `party`."""
    return {"mandate": under.mandate if under else None, "party": under.party if under else None}


def under_of(row: Row[tuple[object, ...]]) -> Under | None:
    """What `columns_of` wrote."""
    return None if row.mandate is None else Under(row.mandate, row.party)


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
        loa=row.loa,
        renewal_id=row.renewal_id,
        under=under_of(row),
    )


def update_offer(connection: Connection, offer: Offer) -> None:
    """Store tries and redemption, and by whom and for what it was redeemed. The transaction is what makes a code
    serve once: two requests cannot both have read `redeemed` as false, since a writer is alone from its first
    statement.
    """
    connection.execute(
        update(offers)
        .where(offers.c.id == offer.id)
        .values(
            configurations=" ".join(offer.configurations),
            tries_left=offer.tries_left,
            redeemed=int(offer.redeemed),
            loa=offer.loa,
            renewal_id=offer.renewal_id,
            expires=offer.expires,
        )
    )


# ---- copies


def is_issued_to(connection: Connection, offer_id: str, bsn: Bsn, *, himself: bool = False) -> bool:
    """Whether copies were issued under this offer, of this resident; `himself`: not to who acts for him."""
    found = select(copies.c.id).where(copies.c.offer_id == offer_id, copies.c.bsn == bsn)
    if himself:
        found = found.where(copies.c.mandate.is_(None))
    return connection.execute(found).first() is not None


def copies_issued(connection: Connection, offer_id: str, configuration: str, room: range | None = None) -> int:
    """How many copies of a type were given out under an offer, in all or at the positions of `room`."""
    query = (
        select(func.count())
        .select_from(copies)
        .where(copies.c.offer_id == offer_id, copies.c.configuration == configuration)
    )
    if room is not None:
        query = query.where(copies.c.position >= room.start, copies.c.position < room.stop)
    return connection.execute(query).scalar() or 0


def room_again(connection: Connection, offer_id: str, configuration: str) -> range:
    """The positions at which an offer gave out copies of a type for the first time: what can be issued again."""
    start: int | None = connection.execute(select(offers.c.start).where(offers.c.id == offer_id)).scalar()
    if start is None:  # the offer itself was an issue again, or is forgotten
        replaced = select(func.min(copies.c.position)).where(copies.c.offer_id == offer_id)
        start = connection.execute(replaced).scalar() or 0
    room = range(start, start + BATCH_SIZE)
    return room[: copies_issued(connection, offer_id, configuration, room)]


def room_of(connection: Connection, offer: Offer) -> range:
    """The positions of an offer's own sets; the first call reserves a whole batch for each of its types."""
    start: int | None = connection.execute(select(offers.c.start).where(offers.c.id == offer.id)).scalar()
    if start is None:
        start = _reserve_positions(connection, offer)
    return range(start, start + BATCH_SIZE)


def _reserve_positions(connection: Connection, offer: Offer) -> int:
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
    number, indexes = _take_indexes(connection, len(positions), random)
    set_ids = _sets_of(connection, offer.bsn, positions, random)
    made = [
        Copy(position, set_id, StatusReference(idx=index, uri=status_uri(issuer, number)))
        for position, set_id, index in zip(positions, set_ids, indexes, strict=True)
    ]
    connection.execute(
        insert(copies),
        [
            {
                "offer_id": offer.id,
                "bsn": offer.bsn,
                "configuration": configuration,
                "position": copy.position,
                "list": number,
                "idx": copy.status.idx,
                "issued": valid.iat,
                "expires": valid.exp,
                **columns_of(offer.under),
            }
            for copy in made
        ],
    )
    return made


def _take_indexes(connection: Connection, count: int, random: Random) -> tuple[int, list[int]]:
    """Number of the newest status list and free indexes in it; a list without room for all of them is left."""
    row = connection.execute(select(status_lists).order_by(status_lists.c.number.desc()).limit(1)).one_or_none()
    number, given_out = (row.number, row.given_out) if row is not None else (-1, LIST_FILL)
    if given_out + count > LIST_FILL:
        number, given_out = number + 1, 0
        connection.execute(insert(status_lists).values(number=number, given_out=0))
    changed = update(status_lists).where(status_lists.c.number == number)
    connection.execute(changed.values(given_out=given_out + count))
    found: list[int] = []
    while len(found) < count:
        drawn = found.copy()
        while len(drawn) < count:
            drawn.append(draw_index(random, drawn.__contains__))
        taken = select(copies.c.idx).where(copies.c.list == number, copies.c.idx.in_(drawn))
        not_free = set(connection.execute(taken).scalars())
        found = [index for index in drawn if index not in not_free]
    return number, found


def _sets_of(connection: Connection, bsn: Bsn, positions: range, random: Random) -> list[str]:
    """The sets at a resident's positions: drawn by the first type that comes there, shared by the others."""
    query = select(sets.c.position, sets.c.set_id).where(sets.c.bsn == bsn, sets.c.position.in_(positions))
    known = {row.position: row.set_id for row in connection.execute(query)}
    fresh = {position: draw_set(random) for position in positions if position not in known}
    if fresh:
        rows = [{"bsn": bsn, "position": position, "set_id": set_id} for position, set_id in fresh.items()]
        connection.execute(insert(sets), rows)
    return [known.get(position) or fresh[position] for position in positions]


def list_issuances(connection: Connection, bsn: Bsn) -> Iterator[Issuance]:
    """What a resident was given, oldest first."""
    grouped = (
        select(
            copies.c.offer_id,
            copies.c.configuration,
            func.min(copies.c.issued).label("issued"),
            func.count().label("copies"),
            func.count(copies.c.revoked).label("revoked"),
            func.max(copies.c.party).label("party"),
        )
        .where(copies.c.bsn == bsn)
        .group_by(copies.c.offer_id, copies.c.configuration)
        .order_by(func.min(copies.c.id))
    )
    for row in connection.execute(grouped):
        yield Issuance(row.offer_id, row.configuration, row.issued, row.copies, row.revoked, row.party)


# ---- notifications


def add_notification(connection: Connection, notification_id: str, offer_id: str, configuration: str) -> None:
    """Keep the id by which the wallet will say what became of a batch."""
    connection.execute(
        insert(notifications).values(id=notification_id, offer_id=offer_id, configuration=configuration)
    )


def note_event(
    connection: Connection, notification_id: str, offer_id: str, renewal_id: str | None, event: str
) -> bool:
    """Keep the last event; False for an id that was given out neither under this offer nor under its renewal.
    Repeating is harmless."""
    own = [offer_id]
    if renewal_id is not None:
        own += connection.execute(select(offers.c.id).where(offers.c.renewal_id == renewal_id)).scalars()
    changed = connection.execute(
        update(notifications)
        .where(notifications.c.id == notification_id, notifications.c.offer_id.in_(own))
        .values(event=event)
    )
    return changed.rowcount == 1
