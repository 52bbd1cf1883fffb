"""Questions to cohorts, in a file of their own (`cohort.db`, 0600): what was asked, what it cost, what was sealed.

A row of `cohort_questions` never goes: its epsilon is spent when it is taken in, before anything is read. Of a
resident there is one row while a question is being answered, with the outcome and no attribute; it goes in the
transaction that keeps the sealed answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from protocol.cohort import QUESTION_SECONDS, VerifiedQuestion
from protocol.errors import Rejected
from service.database import engine_for, immediate, snapshot, sqlite_url
from service.home import Home
from service.migrations import prepare
from service.schema import schema_of

DATABASE = "cohort.db"
_metadata = MetaData()
_number = BigInteger().with_variant(Integer(), "sqlite")
_questions = Table(
    "cohort_questions",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("version", _number, nullable=False),
    Column("asker", Text, nullable=False),
    Column("received", _number, nullable=False),
    Column("year", _number, nullable=False),
    Column("epsilon", _number, nullable=False),
    Column("answered", _number),
    Column("sealed", LargeBinary),
    Index("cohort_questions_by_service", "service", "year"),
)
_answers = Table(
    "cohort_answers",
    _metadata,
    Column("question", Text, primary_key=True),
    Column("grant_id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("holds", Boolean, nullable=False),
)
_asked = Table(
    "cohort_asked",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("made", _number, nullable=False),
    Column("reply_seed", LargeBinary),
)
SCHEMA = schema_of(__file__, "cohort", ("cohort_answers", "cohort_asked", "cohort_questions"))


@dataclass(frozen=True)
class TakenIn:
    """A question that somebody asked here. `epsilon`: thousandths; `answered`: POSIX seconds, None while it waits;
    `sealed`: the answer, for the asker only; it goes when the question is overdue.
    """

    id: str
    token: str
    service: str
    version: int
    asker: str
    received: int
    year: int
    epsilon: int
    answered: int | None = None
    sealed: bytes | None = None


@dataclass(frozen=True)
class Asked:
    """A question that this agency asked, with the seed of the one key that opens its answer."""

    id: str
    token: str
    url: str
    made: int
    reply_seed: bytes | None


class CohortStore:
    """Of one home; made when it is first needed. Raises `Unavailable`: `database`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @cached_property
    def _engine(self) -> Engine:
        engine = engine_for(sqlite_url(self._home.file(DATABASE)))
        prepare(engine, SCHEMA)
        return engine

    # --- the counting party --------------------------------------------------------------------------

    def take_in(self, asked: VerifiedQuestion, *, year: int, epsilon: int, yearly: int, now: int) -> TakenIn:
        """Spend `epsilon` (thousandths) and keep the question, or find it as it was kept before.

        Raises `Rejected`: `question_changed` 409 for another text under a known `jti`; `question_open` 409 while
        one about this service waits; `budget_spent` 403 when the year's sum would pass `yearly`.
        """
        question = asked.question
        with immediate(self._engine) as connection:
            known = _find(connection, question.jti)
            if known is not None:
                if known.token != asked.token:
                    raise Rejected("question_changed", "another question has this number", status=409)
                return known
            self._forget_overdue(connection, now)
            self._check_room(connection, question.service, year, epsilon, yearly, now - QUESTION_SECONDS)
            taken = TakenIn(
                question.jti,
                asked.token,
                question.service,
                question.service_version,
                asked.asker,
                now,
                year,
                epsilon,
            )
            connection.execute(_questions.insert(), vars(taken))
        return taken

    @staticmethod
    def _check_room(
        connection: Connection, service: str, year: int, epsilon: int, yearly: int, overdue: int
    ) -> None:
        mine = _questions.c.service == service
        # One that could not be answered in its seven days never will be: it stands in nobody's way.
        waits = mine, _questions.c.answered.is_(None), _questions.c.received >= overdue
        if connection.execute(select(func.count()).select_from(_questions).where(*waits)).scalar_one():
            raise Rejected("question_open", "a question about this service waits for its answer", status=409)
        spent = select(func.coalesce(func.sum(_questions.c.epsilon), 0)).where(mine, _questions.c.year == year)
        if epsilon and connection.execute(spent).scalar_one() + epsilon > yearly:
            raise Rejected("budget_spent", "this year's numbers about this service have been told", status=403)

    @staticmethod
    def _forget_overdue(connection: Connection, now: int) -> None:
        """What nobody can ask for any more: sealed answers, outcomes of who was read in vain, and keys of ours."""
        old = _questions.c.received < now - QUESTION_SECONDS
        connection.execute(update(_questions).where(old).values(sealed=None))
        connection.execute(delete(_answers).where(_answers.c.question.in_(select(_questions.c.id).where(old))))
        ours = _asked.c.made < now - QUESTION_SECONDS
        connection.execute(update(_asked).where(ours).values(reply_seed=None))

    def questions(self) -> list[TakenIn]:
        """All, the oldest first."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_questions).order_by(_questions.c.received, _questions.c.id))
            return [TakenIn(**row._mapping) for row in rows]

    def waiting(self, now: int) -> list[TakenIn]:
        """Those to answer, the oldest first; what is overdue is forgotten."""
        with immediate(self._engine) as connection:
            self._forget_overdue(connection, now)
        return [
            each for each in self.questions() if each.answered is None and each.received >= now - QUESTION_SECONDS
        ]

    def spent(self, service: str, year: int) -> int:
        """Thousandths of epsilon of this service in a calendar year."""
        wanted = _questions.c.service == service, _questions.c.year == year
        with snapshot(self._engine) as connection:
            sums = select(func.coalesce(func.sum(_questions.c.epsilon), 0)).where(*wanted)
            return int(connection.execute(sums).scalar_one())

    def outcomes(self, question: str) -> Mapping[str, tuple[str, bool]]:
        """(person, outcome) by grant, of a question under way."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_answers).where(_answers.c.question == question))
            return {row.grant_id: (row.person, row.holds) for row in rows}

    def note_outcome(self, question: str, grant_id: str, person: str, *, holds: bool) -> None:
        """So that a run that was killed goes on where it was, without another entry for this grant.

        Raises `Rejected`: `already_answered` 409, when a run beside this one was faster: nothing of it may stay.
        """
        with immediate(self._engine) as connection:
            known = _find(connection, question)
            if known is None or known.answered is not None:
                raise Rejected("already_answered", "this question has been answered", status=409)
            row = {"question": question, "grant_id": grant_id, "person": person, "holds": holds}
            connection.execute(_answers.insert(), row)

    def answer(self, question: str, sealed: bytes, now: int) -> None:
        """Keep the sealed answer, and forget every resident's outcome. Raises `Rejected`: `already_answered`."""
        with immediate(self._engine) as connection:
            # Without `answered IS NULL`, two runs side by side would draw two noises for one epsilon.
            waits = _questions.c.id == question, _questions.c.answered.is_(None)
            changed = connection.execute(update(_questions).where(*waits).values(answered=now, sealed=sealed))
            if changed.rowcount != 1:
                raise Rejected("already_answered", "this question has been answered", status=409)
            connection.execute(delete(_answers).where(_answers.c.question == question))

    # --- the asker -----------------------------------------------------------------------------------

    def keep_asked(self, asked: Asked) -> None:
        """Before it is sent: without its key nobody could open the answer."""
        with immediate(self._engine) as connection:
            connection.execute(_asked.insert(), vars(asked))
            self._forget_overdue(connection, asked.made)

    def asked(self, question: str) -> Asked:
        """Raises `Rejected`: `unknown_question` 404."""
        with snapshot(self._engine) as connection:
            row = connection.execute(select(_asked).where(_asked.c.id == question)).one_or_none()
        if row is None:
            raise Rejected("unknown_question", "this agency asked no such question", status=404)
        return Asked(**row._mapping)


def _find(connection: Connection, question: str) -> TakenIn | None:
    row = connection.execute(select(_questions).where(_questions.c.id == question)).one_or_none()
    return None if row is None else TakenIn(**row._mapping)
