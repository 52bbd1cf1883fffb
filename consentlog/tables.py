"""The tables of the log: SQLAlchemy Core, SQLite or PostgreSQL.

No personal data and no attribute value is in any of them: terms hold digests, shares are wrapped, READs name cases
and officers by salted hashes. What tells what a leaf means can be deleted without touching the tree.
A change here needs a revision in `revisions/log/`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from service.migrations import prepare
from service.schema import schema_of

_Number = BigInteger().with_variant(Integer(), "sqlite")
_metadata = MetaData()


def _number_key(name: str) -> Column[int]:
    return Column(name, _Number, primary_key=True, autoincrement=False)


leaves = Table("leaves", _metadata, _number_key("idx"), Column("leaf", LargeBinary, nullable=False))
tiles = Table(
    "tiles", _metadata, _number_key("level"), _number_key("n"), Column("data", LargeBinary, nullable=False)
)
status_chunks = Table("status_chunks", _metadata, _number_key("n"), Column("data", LargeBinary, nullable=False))
grants = Table(
    "grants",
    _metadata,
    _number_key("slot"),
    Column("idx", _Number, nullable=False),
    Column("lock", LargeBinary, nullable=False, unique=True),
    Column("tag_hash", LargeBinary, nullable=False, index=True),
    Column("view_hash", LargeBinary, nullable=False),
    Column("post_hash", LargeBinary),
    Column("version", _Number, nullable=False),
    Column("granted_at", _Number, nullable=False),
    Column("not_after", _Number, nullable=False),
    Column("represented", Boolean, nullable=False),
    Column("revoked_idx", _Number),
    Column("revoked_at", _Number),
    Column("erased", Boolean, nullable=False, default=False),
)
shares = Table(
    "shares",
    _metadata,
    _number_key("slot"),
    Column("epoch", _Number, nullable=False, index=True),
    Column("not_after", _Number, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
)
openings = Table(
    "openings",
    _metadata,
    _number_key("idx"),
    Column("slot", _Number, nullable=False),
    Column("type", _Number, nullable=False),
    Column("n", _Number),
    Column("time", _Number, nullable=False),
    Column("opening_key", LargeBinary, nullable=False),
    Column("opening", LargeBinary, nullable=False),
    Index("openings_of_slot", "slot", "type", "time"),
)
reads = Table(
    "reads",
    _metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("read_hash", LargeBinary, nullable=False),
    Column("idx", _Number, nullable=False),
    Column("n", _Number, nullable=False),
    Column("reason", String(16)),
)
messages = Table(
    "messages",
    _metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("slot", _Number, nullable=False, index=True),
    Column("message_hash", LargeBinary, nullable=False),
    Column("idx", _Number, nullable=False),
    Column("n", _Number, nullable=False),
)
counters = Table(
    "counters", _metadata, Column("key", LargeBinary, primary_key=True), Column("n", _Number, nullable=False)
)
tickets = Table(
    "tickets",
    _metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("exp", _Number, nullable=False, index=True),
)

beats = Table("beats", _metadata, _number_key("id"), Column("n", _Number, nullable=False))
tail = Table(
    "tail",
    _metadata,
    _number_key("id"),
    Column("size", _Number, nullable=False),
    Column("root", LargeBinary, nullable=False),
)
published = Table(
    "published",
    _metadata,
    _number_key("id"),
    Column("holder", String(32), nullable=False),
    Column("moves", _Number, nullable=False),
    Column("size", _Number, nullable=False),
    Column("note", Text, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("is_ready", Boolean, nullable=False),
)

SCHEMA = schema_of(
    __file__,
    "log",
    (
        "beats",
        "counters",
        "grants",
        "leaves",
        "messages",
        "openings",
        "reads",
        "shares",
        "status_chunks",
        "tickets",
        "tiles",
    ),
)


def create_tables(engine: Engine) -> None:
    """Make the tables, or bring them to the newest revision. Raises as `service.migrations.prepare` does."""
    prepare(engine, SCHEMA)
