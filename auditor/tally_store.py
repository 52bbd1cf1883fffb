"""What a follower counts and when it looked, beside its book in `follow.db`: for who looks without a replay.

Numbers, and of grants that run or requests about a right that are open one row each (`tally`); no opening and no
terms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from auditor.tally import LOOK_SECONDS, Asked, Cell, Look, Running, Tally
from protocol.rights import Right
from service.database import immediate, snapshot
from service.schema import schema_of

_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_cells = Table(
    "tally_cells",
    _metadata,
    Column("family", Text, primary_key=True),
    Column("agency", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("n", _number, nullable=False),
)
_running = Table(
    "tally_running",
    _metadata,
    Column("slot", _number, primary_key=True, autoincrement=False),
    Column("agency", Text, nullable=False),
    Column("given", _number, nullable=False),
    Column("until", _number, nullable=False),
    Column("last_read", _number),
)
_asked = Table(
    "tally_asked",
    _metadata,
    Column("slot", _number, primary_key=True, autoincrement=False),
    Column("right", Text, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("time", _number, nullable=False),
)
_state = Table(
    "tally_state",
    _metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("counted_to", _number, nullable=False),
    Column("clock", _number, nullable=False),
    Column("saves", _number, nullable=False),
)
_steps = Table(
    "tally_steps",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("since", _number, nullable=False),
    Column("until", _number, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("size", _number, nullable=False),
    Column("checked", _number, nullable=False),
    Column("remarks", Text, nullable=False),
)
SCHEMA = schema_of(
    __file__, "tally", ("tally_asked", "tally_cells", "tally_running", "tally_state", "tally_steps")
)
_ALL = (_cells, _running, _asked, _state)


@dataclass(frozen=True)
class Counted:
    """Entries that were counted, the latest time that was signed in them, and a number that each change moves."""

    size: int
    clock: int
    saves: int


def load_tally(connection: Connection) -> Tally:
    """What was counted so far."""
    state = connection.execute(select(_state)).one_or_none()
    return Tally(
        ((Cell(*row[:4]), row.n) for row in connection.execute(select(_cells))),
        ((row.slot, Running(*row[1:])) for row in connection.execute(select(_running))),
        (((row.slot, row.right), Asked(row.agency, row.time)) for row in connection.execute(select(_asked))),
        counted_to=0 if state is None else state.counted_to,
        clock=0 if state is None else state.clock,
    )


def save_tally(connection: Connection, tally: Tally) -> None:
    """What has changed in it since it was loaded or saved, in the caller's transaction."""
    _put(connection, _cells, ("n",), [{**cell._asdict(), "n": tally.cells[cell]} for cell in tally.changed_cells])
    for table, rows in (
        (_running, tally.running),
        (_asked, ()),
    ):  # of what is asked all rows of a slot are put anew
        gone = [{"of": slot} for slot in tally.changed_slots if slot not in rows]
        if gone:
            connection.execute(delete(table).where(table.c.slot == bindparam("of")), gone)
    _put(
        connection,
        _running,
        ("agency", "given", "until", "last_read"),
        [{"slot": slot, **vars(tally.running[slot])} for slot in tally.changed_slots & tally.running.keys()],
    )
    _put(
        connection,
        _asked,
        ("agency", "time"),
        [
            {"slot": slot, "right": right, **vars(asked)}
            for (slot, right), asked in tally.asked.items()
            if slot in tally.changed_slots
        ],
    )
    put = upsert(_state).values(id=1, counted_to=tally.counted_to, clock=tally.clock, saves=1)
    changed = {"counted_to": tally.counted_to, "clock": tally.clock, "saves": _state.c.saves + 1}
    connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=changed))
    tally.changed_cells.clear()
    tally.changed_slots.clear()


def clear_tally(connection: Connection) -> None:
    """Begin again: the book was begun without it."""
    for table in _ALL:
        connection.execute(delete(table))


def note_step(engine: Engine, now: int, look: Look) -> None:
    """Remember a look; one that ended as the one before and soon after it makes no row of its own."""
    remarks = "\n".join(look.remarks)
    with immediate(engine) as connection:
        last = connection.execute(select(_steps).order_by(_steps.c.id.desc()).limit(1)).one_or_none()
        is_same = last is not None and (last.state, last.code) == (look.state, look.code)
        values = {"until": now, "size": look.size, "checked": look.checked, "remarks": remarks}
        if last is not None and is_same and 0 <= now - last.until <= LOOK_SECONDS:
            connection.execute(update(_steps).where(_steps.c.id == last.id).values(**values))
        else:
            row = {"since": now, "state": look.state, "code": look.code, **values}
            connection.execute(_steps.insert(), row)


class TallyView:
    """The same for who only reads: each method one short query."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cells(self, *families: str) -> dict[Cell, int]:
        """The numbers of these families."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_cells).where(_cells.c.family.in_(families)))
            return {Cell(*row[:4]): row.n for row in rows}

    def counted(self) -> Counted:
        """How far it has come."""
        with snapshot(self._engine) as connection:
            row = connection.execute(select(_state)).one_or_none()
            return Counted(0, 0, 0) if row is None else Counted(row.counted_to, row.clock, row.saves)

    def running(self, now: int) -> dict[str, int]:
        """Grants that run at `now`, by agency."""
        return self._by_agency(_running, _running.c.until > now)

    def over(self, now: int) -> dict[str, int]:
        """Grants that have ended since the last look, by agency: they are not in the cells yet."""
        return self._by_agency(_running, _running.c.until <= now)

    def asked(self) -> list[tuple[int, Right, Asked]]:
        """(slot, right, request) for each request that nobody has answered, the oldest first."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_asked).order_by(_asked.c.time, _asked.c.slot, _asked.c.right))
            return [(row.slot, row.right, Asked(row.agency, row.time)) for row in rows]

    def looks(self, limit: int) -> Sequence[Look]:
        """The last looks, the newest first."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_steps).order_by(_steps.c.id.desc()).limit(limit))
            return [
                Look(
                    row.since,
                    row.until,
                    row.state,
                    row.code,
                    row.size,
                    row.checked,
                    tuple(row.remarks.splitlines()),
                )
                for row in rows
            ]

    def _by_agency(self, table: Table, condition: ColumnElement[bool]) -> dict[str, int]:
        with snapshot(self._engine) as connection:
            rows = connection.execute(
                select(table.c.agency, func.count().label("n")).where(condition).group_by(table.c.agency)
            )
            return {row.agency: row.n for row in rows}


def _put(connection: Connection, table: Table, changing: Iterable[str], rows: Sequence[dict[str, object]]) -> None:
    if not rows:
        return
    put = upsert(table)
    keys = [column.name for column in table.primary_key]
    updates = {name: put.excluded[name] for name in changing}
    connection.execute(put.on_conflict_do_update(index_elements=keys, set_=updates), rows)
