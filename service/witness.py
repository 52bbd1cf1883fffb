"""A C2SP tlog-witness over HTTP with its store: `POST /add-checkpoint`, `GET /<origin hash>/checkpoint`.

The rules are `protocol.witness.decide`; here is what makes them true under load and after a crash: the state moves
by compare-and-swap in SQL, durably, before a cosignature is shown to anybody.

    engine = engine_for(sqlite_url(home.file("witness.db")))
    witness = Witness(engine, keys.signers, clock, lambda origin: keys_of(trust, origin))
    app = make_app("consentlog")
    app.register_blueprint(witness_blueprint(witness))
"""

from collections.abc import Callable, Sequence

from flask import Blueprint, Response
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from protocol.canonical import sha256
from protocol.checkpoint import VerifiedCheckpoint, cosign_checkpoint, parse_checkpoint_body
from protocol.errors import Rejected
from protocol.log_keys import LogKey
from protocol.note import NoteSigner, SignatureType, parse_note
from protocol.witness import (
    MAX_REQUEST_BYTES,
    SIZE_CONTENT_TYPE,
    Accepted,
    AddCheckpoint,
    SizeConflict,
    WitnessState,
    decide,
    parse_add_checkpoint,
)
from service.app import read_body
from service.clock import Clock
from service.database import immediate, snapshot
from service.migrations import prepare
from service.schema import schema_of

LogOf = Callable[[str], LogKey | None]
"""The keys of the log with this origin, None for a log that is not witnessed here."""
Signers = Callable[[], Sequence[NoteSigner]]
"""The keys that cosign now: all of them sign every checkpoint."""
BeforeCosign = Callable[[WitnessState, VerifiedCheckpoint], None]
"""Called with the old state and the new checkpoint before anything is stored; outside any transaction, so it may
take its time. An auditing cosigner replays the new leaves here. To refuse, raise `Rejected` or `Unavailable`."""
InTransaction = Callable[[Connection, VerifiedCheckpoint], None]
"""Called in the writing transaction that moves the state; for a last look at rows of the same database that no
other request can then change. To refuse, raise `Rejected` or `Unavailable`."""

_TEXT = "text/plain; charset=utf-8"
_metadata = MetaData()
_states = Table(
    "witness_states",
    _metadata,
    Column("origin", String(255), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text),  # with the log's own signatures; NULL in rows from before there was this column
)
SCHEMA = schema_of(__file__, "witness", ("witness_states",))


class Witness:
    """Thread-safe, and safe beside other processes on the same database."""

    def __init__(
        self,
        engine: Engine,
        signers: NoteSigner | Signers,
        clock: Clock,
        log_of: LogOf,
        *,
        before_cosign: BeforeCosign | None = None,
        in_transaction: InTransaction | None = None,
    ) -> None:
        self._engine = engine
        self._signers: Signers = (lambda: (signers,)) if isinstance(signers, NoteSigner) else signers
        self._clock = clock
        self._log_of = log_of
        if any(signer.key.type is SignatureType.ED25519 for signer in self._signers()):
            raise ValueError("a witness signs cosignatures")
        self._before_cosign = before_cosign
        self._in_transaction = in_transaction
        prepare(engine, SCHEMA)

    def state(self, origin: str) -> WitnessState | None:
        """The latest tree of this log that may have been cosigned here; None for none."""
        with snapshot(self._engine) as connection:
            return _read(connection, origin)

    def add_checkpoint(self, body: bytes) -> str:
        """The cosignature lines that answer a request's body, one for each key.

        1. form; 2. the rules of tlog-witness on the stored state; 3. `before_cosign`; 4. in one transaction:
        `in_transaction`, then the state moves if it still is the one of step 2, and that is signed; 5. only after
        the durable commit is a signature shown to anybody.
        Raises `Rejected` with the statuses of tlog-witness (`SizeConflict` for 409), `Unavailable`.
        """
        request = parse_add_checkpoint(body)  # 1
        state = self.state(request.claimed.origin)
        accepted = decide(state, request, self._log_of(request.claimed.origin))  # 2
        if self._before_cosign is not None:  # 3
            self._before_cosign(state or WitnessState(), accepted.checkpoint)
        return self._move(request, state, accepted)  # 4, 5

    def _move(self, request: AddCheckpoint, old: WitnessState | None, accepted: Accepted) -> str:
        new = accepted.checkpoint
        with immediate(self._engine) as connection:
            if self._in_transaction is not None:
                self._in_transaction(connection, new)
            if not _compare_and_swap(connection, new.origin, old, accepted.state):
                kept = _read(connection, new.origin) or WitnessState()
                raise SizeConflict("conflict", "another checkpoint was cosigned meanwhile", kept.size)
            now = self._clock.now()
            lines = "".join(cosign_checkpoint(new, signer, time=now) for signer in self._signers())
            note = update(_states).where(_states.c.origin == new.origin).values(note=accepted.note + lines)
            connection.execute(note)
        return lines

    def latest(self, origin_hash: str) -> str:
        """For monitors: the latest checkpoint of a log with the log's signatures and what was answered to it.

        `origin_hash`: SHA-256 of the origin in lower-case hex. Raises `Rejected`: `unknown_log` 404.
        """
        for note in self.notes():
            if sha256(parse_checkpoint_body(parse_note(note).body).origin.encode("utf-8")).hex() == origin_hash:
                return note
        raise Rejected("unknown_log", "no checkpoint of this log was cosigned here", status=404)

    def notes(self) -> Sequence[str]:
        """The latest cosigned checkpoint of each log, by origin."""
        with snapshot(self._engine) as connection:
            rows = connection.execute(select(_states.c.note).order_by(_states.c.origin))
            return [row.note for row in rows if row.note is not None]


def _read(connection: Connection, origin: str) -> WitnessState | None:
    row = connection.execute(
        select(_states.c.size, _states.c.root).where(_states.c.origin == origin)
    ).one_or_none()
    return None if row is None else WitnessState(row.size, bytes(row.root))


def _compare_and_swap(connection: Connection, origin: str, old: WitnessState | None, new: WitnessState) -> bool:
    """Store `new` if `old` is what is stored. False when another request was faster.

    The comparison stands in the statement that writes. A plain UPDATE would let the slower of two requests, which
    were both judged against the same old state, overwrite the faster: two forks from one tree would both be
    cosigned, and a later small tree could replace a large one.
    """
    if old is None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        first = insert(_states).values(origin=origin, size=new.size, root=new.root).on_conflict_do_nothing()
        return connection.execute(first).rowcount == 1
    swap = (
        update(_states)
        .where(_states.c.origin == origin, _states.c.size == old.size, _states.c.root == old.root)
        .values(size=new.size, root=new.root)
    )
    return connection.execute(swap).rowcount == 1


def witness_blueprint(witness: Witness) -> Blueprint:
    """`POST /add-checkpoint` and the monitors' endpoint for an app of `make_app`, whose edge answers the other
    refusals with their status.
    """
    blueprint = Blueprint("witness", __name__)

    @blueprint.post("/add-checkpoint")
    def add_checkpoint() -> Response:
        try:
            lines = witness.add_checkpoint(read_body(max_bytes=MAX_REQUEST_BYTES))
        except SizeConflict as error:
            # The specification gives this body to the submitter, who starts again from that size.
            return Response(error.body(), status=409, content_type=SIZE_CONTENT_TYPE)
        return Response(lines, content_type=_TEXT)

    @blueprint.get("/<string(length=64):origin_hash>/checkpoint")
    def latest(origin_hash: str) -> Response:
        response = Response(witness.latest(origin_hash), content_type=_TEXT)
        response.headers["Cache-Control"] = "public, max-age=1"
        return response

    return blueprint
