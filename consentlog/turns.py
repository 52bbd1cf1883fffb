"""Who publishes: of several workers on one log one at a time, by a row that it has to keep moving.

The row holds what was published last; the others take that over, and one of them takes the turn when the row has
stood still for `TAKE_OVER_SECONDS` by its own monotonic clock: no two clocks are compared. Two that both believe
it is their turn do no harm: what must not happen twice is kept by the global lock's compare-and-swap, not here.
A log on SQLite has one worker (`OnlyOne`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Update, bindparam, func, insert, select, update

from consentlog.queries import committed_size
from consentlog.tables import published
from protocol.errors import Unavailable
from service.database import immediate, listening, single, snapshot
from service.journal import log_event

TAKE_OVER_SECONDS = 5.0
"""How long the row may stand still: more than any step of a round takes."""
KEEP_SECONDS = 1.0
"""After so long without a new checkpoint the row is moved all the same, and looked at without having been told."""
TURN_LOST = "turn_lost"
"""Code of a round that was ended because another worker publishes now."""
CHANNEL = "regie_log"
NOBODY = ""


@dataclass(frozen=True)
class Row:
    """What was published last, by whom; `moves` counts the signs of life. An empty `note`: nothing yet."""

    holder: str
    moves: int
    note: str
    head: bytes
    is_ready: bool


class Turn(Protocol):
    """One worker's view of whose turn it is."""

    @property
    def is_mine(self) -> bool:
        """Whether this worker publishes, as far as it knows."""

    def tell_committed(self, connection: Connection) -> None:
        """In the transaction of a group: whoever publishes hears of it once it is committed."""

    def committed_size(self) -> int:
        """Leaves that any worker has committed. Raises `Unavailable`."""

    def published_size(self) -> int:
        """Leaves under what any worker has published. Raises `Unavailable`."""

    def keep(self) -> None:
        """A sign of life, where one is due. Raises `Unavailable`: `turn_lost`, `database`."""

    def publish(self, size: int, note: str, head: bytes, *, is_ready: bool) -> None:
        """Durably, before anybody is answered. Raises as `keep`."""

    def give_up(self) -> None:
        """So that nobody has to wait for the silence of a worker that stops."""

    def look(self) -> Row:
        """What was published last, and by whom. Raises `Unavailable`."""

    def take(self, row: Row) -> bool:
        """Take the turn if nobody has it or its holder has been silent. Raises `Unavailable`."""


class OnlyOne:
    """The turn of a log that has one worker: always its own, and nobody to tell."""

    is_mine = True

    def tell_committed(self, connection: Connection) -> None:
        """Nobody."""

    def committed_size(self) -> int:
        """Nothing but what it has appended itself."""
        return 0

    def published_size(self) -> int:
        """Nothing but what it has published itself."""
        return 0

    def keep(self) -> None:
        """Nobody waits for it."""

    def publish(self, size: int, note: str, head: bytes, *, is_ready: bool) -> None:
        """Nobody reads it."""

    def give_up(self) -> None:
        """Nobody takes it."""

    def look(self) -> Row:
        """Nothing by anybody else."""
        return Row(NOBODY, 0, "", b"", is_ready=False)

    def take(self, row: Row) -> bool:
        """It has it."""
        return True


_ROW = select(published.c.holder, published.c.moves, published.c.note, published.c.head, published.c.is_ready)
# The compare-and-swaps. Whoever finds another holder, or a row that has moved since it looked, has no turn.
_MOVE = update(published).where(published.c.holder == bindparam("me")).values(moves=published.c.moves + 1)
_PUBLISH = _MOVE.values(
    size=bindparam("to_size"), note=bindparam("to_note"), head=bindparam("to_head"), is_ready=bindparam("ready")
)
_TAKE = (
    update(published)
    .where(published.c.holder == bindparam("old"), published.c.moves == bindparam("at"))
    .values(holder=bindparam("me"), moves=published.c.moves + 1, is_ready=False)
)
_GIVE = update(published).where(published.c.holder == bindparam("me")).values(holder=NOBODY)


class SharedTurn:
    """The turn of worker `me` (at most 32 letters, never the same twice) on a log in PostgreSQL."""

    def __init__(self, engine: Engine, me: str) -> None:
        self.is_mine = False
        self._engine = engine
        self._me = me
        self._moved = 0.0
        self._seen: tuple[str, int] | None = None
        self._since = 0.0
        with immediate(engine) as connection:
            if connection.execute(_ROW).first() is None:
                first = {"id": 1, "holder": NOBODY, "moves": 0, "size": 0, "note": "", "head": b""}
                connection.execute(insert(published).values(**first, is_ready=False))

    # For who has the turn.

    def keep(self) -> None:
        """A sign of life, where one is due. Raises `Unavailable`: `turn_lost`, `database`."""
        if monotonic() - self._moved >= KEEP_SECONDS:
            self._move(_MOVE, {})

    def publish(self, size: int, note: str, head: bytes, *, is_ready: bool) -> None:
        """Durably, before anybody is answered; the others are told. Raises as `keep`."""
        values = {"to_size": size, "to_note": note, "to_head": head, "ready": is_ready}
        self._move(_PUBLISH, values, told="published")

    def _move(self, statement: Update, values: dict[str, Any], *, told: str = "") -> None:
        with single(self._engine) as connection:
            moved = connection.execute(statement, {"me": self._me, **values})
            if moved.rowcount != 1:
                self.is_mine = False
                raise Unavailable(TURN_LOST, "another worker publishes now")
            if told:
                self._tell(connection, told)
        self._moved = monotonic()

    def give_up(self) -> None:
        """So that nobody has to wait for the silence of a worker that stops; if the database can be told."""
        if not self.is_mine:
            return
        self.is_mine = False
        try:
            with single(self._engine) as connection:
                connection.execute(_GIVE, {"me": self._me})
                self._tell(connection, "published")
        except Unavailable as error:
            log_event("consentlog", "turn_not_given_up", code=error.code)

    # For who has not.

    def look(self) -> Row:
        """The row now. Raises `Unavailable`; a row that nobody can see does not stand still."""
        try:
            with snapshot(self._engine) as connection:
                found = connection.execute(_ROW).one()
        except Unavailable:
            self._seen = None
            raise
        row = Row(found.holder, found.moves, found.note, bytes(found.head), found.is_ready)
        if (row.holder, row.moves) != self._seen:
            self._seen, self._since = (row.holder, row.moves), monotonic()
        return row

    def take(self, row: Row) -> bool:
        """Take the turn if nobody has it or its holder has been silent. Raises `Unavailable`."""
        if row.holder not in (NOBODY, self._me) and monotonic() - self._since < TAKE_OVER_SECONDS:
            return False
        with single(self._engine) as connection:
            values = {"old": row.holder, "at": row.moves, "me": self._me}
            is_taken = connection.execute(_TAKE, values).rowcount == 1
        self.is_mine = is_taken  # only once that is durable: else it is taken anew, by who looks again first
        self._moved = monotonic()
        return self.is_mine

    # For both.

    def committed_size(self) -> int:
        """Leaves that any worker has committed. Raises `Unavailable`."""
        return committed_size(self._engine)

    def published_size(self) -> int:
        """Leaves under what any worker has published. Raises `Unavailable`."""
        with snapshot(self._engine) as connection:
            return int(connection.execute(select(published.c.size)).scalar_one())

    def tell_committed(self, connection: Connection) -> None:
        """In the transaction of a group: whoever publishes hears of it once it is committed."""
        self._tell(connection, "committed")

    def is_news(self, message: str) -> bool:
        """Whether a message of the channel is for this worker: what it sent itself is not."""
        kind, _, sender = message.partition(" ")
        return sender != self._me and kind == ("committed" if self.is_mine else "published")

    def _tell(self, connection: Connection, kind: str) -> None:
        connection.execute(select(func.pg_notify(CHANNEL, f"{kind} {self._me}")))


class News(Thread):
    """Calls `wake` when another worker has committed or published something that concerns this one.

    A message that is lost costs `KEEP_SECONDS`: the row and the tail are looked at then anyhow.
    """

    def __init__(self, engine: Engine, turn: SharedTurn, wake: Callable[[], None]) -> None:
        super().__init__(name="news", daemon=True)
        self._engine = engine
        self._turn = turn
        self._wake = wake
        self._stopping = Event()

    def stop(self) -> None:
        """End within `KEEP_SECONDS`."""
        self._stopping.set()

    def run(self) -> None:
        """Listen until stopped, by a new session whenever one breaks."""
        while not self._stopping.is_set():
            try:
                with listening(self._engine, CHANNEL) as hear:
                    self._wake()  # what was said meanwhile is not heard
                    while not self._stopping.is_set():
                        if any(self._turn.is_news(message) for message in hear(KEEP_SECONDS)):
                            self._wake()
            except Unavailable as error:
                log_event("consentlog", "not_listening", code=error.code)
                self._stopping.wait(KEEP_SECONDS)
