"""Figures of months (`figures.db`): the ledger of what each month cost, its one file, and files of other agencies.

A file leaves only after its row stands: noise that was drawn and not kept was seen by nobody, and of two draws
side by side the first one stays. So a month costs its epsilon once, and a second release is the same file.
"""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    select,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from protocol.errors import Rejected
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare
from service.schema import schema_of

DATABASE = "figures.db"
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_released = Table(
    "figures_released",
    _metadata,
    Column("month", Text, primary_key=True),
    Column("made", _number, nullable=False),
    Column("epsilon", _number, nullable=False),
    Column("token", Text, nullable=False),
)
_taken = Table(
    "figures_taken",
    _metadata,
    Column("agency", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("token", Text, nullable=False),
)
SCHEMA = schema_of(__file__, "figures", ("figures_released", "figures_taken"))


@dataclass(frozen=True)
class Released:
    """A month of our own. `epsilon`: thousandths that were spent."""

    month: str
    made: int
    epsilon: int
    token: str


class FiguresStore:
    """Of one home; made when it is first needed. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def is_there(self) -> bool:
        """Whether there is anything to read: who only looks makes no file."""
        return self._home.has(DATABASE)

    @cached_property
    def _engine(self) -> Engine:
        engine = engine_for(sqlite_url(self._home.file(DATABASE)))
        prepare(engine, SCHEMA)
        return engine

    def keep(self, made: Released) -> Released:
        """The one file of a month: this one, or the one that was kept before."""
        with immediate(self._engine) as connection:
            connection.execute(upsert(_released).values(**vars(made)).on_conflict_do_nothing())
            row = connection.execute(select(_released).where(_released.c.month == made.month)).one()
        return Released(**row._mapping)

    def released(self) -> list[Released]:
        """All months, the newest first."""
        if not self.is_there:
            return []
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_released).order_by(_released.c.month.desc()))
            return [Released(**row._mapping) for row in rows]

    def find(self, month: str) -> Released | None:
        """One month."""
        return next((each for each in self.released() if each.month == month), None)

    def take(self, agency: str, month: str, token: str) -> None:
        """A verified file of another agency; the first one of a month stays. Raises: `other_figures` 409."""
        row = {"agency": agency, "month": month, "token": token}
        with immediate(self._engine) as connection:
            connection.execute(upsert(_taken).values(row).on_conflict_do_nothing())
            mine = _taken.c.agency == agency, _taken.c.month == month
            kept = connection.execute(select(_taken.c.token).where(*mine)).scalar_one()
        if kept != token:
            raise Rejected("other_figures", "this agency gave other figures of this month before", status=409)

    def taken(self) -> list[str]:
        """Files of other agencies, as they were taken in."""
        if not self.is_there:
            return []
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_taken.c.token).order_by(_taken.c.month.desc(), _taken.c.agency))
            return [str(row.token) for row in rows]
