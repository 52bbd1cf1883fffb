"""The tables of an issuer: its register, what it offered and what it issued.

The register and `copies` say who somebody is; a thief of this database learns the register, but no code, token or
key that would let him fetch a credential (only keyed hashes), and cannot issue (the key lies beside it).
A change here needs a revision in `revisions/issuer/`.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from service.schema import schema_of

metadata = MetaData()

persons = Table(
    "persons",
    metadata,
    Column("bsn", String(9), primary_key=True),
    Column("record", Text, nullable=False),  # the person as the register's API gave it, JSON
    Column("imported", BigInteger, nullable=False),
    Column("surname", Text),  # as `finding` writes it, so that a clerk finds somebody without a BSN
    Column("birth", String(10)),  # as far as the register knows it: 1985-12-01, 2020-05, 1963 or onbekend
    Index("persons_by_name", "surname", "birth"),
)

offers = Table(
    "offers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("bsn", String(9), nullable=False),
    Column("configurations", Text, nullable=False),  # names, joined by a space
    Column("tx_code_hash", LargeBinary, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("tries_left", Integer, nullable=False),
    Column("redeemed", Integer, nullable=False),
    Column("replaces", String(32)),  # the offer whose copies are issued again in their sets
    Column("start", Integer),  # first position of its sets, once a credential was fetched
    Column("loa", String(16)),  # how surely the resident was identified; the issuer's own level without it
    Column("renewal_id", String(32)),  # the renewal that it was opened under
    Column("mandate", String(22)),  # the mandate that narrows it; none for who fetches his own
    Column("party", Integer),  # who its holder is under that mandate
    Index("offers_by_renewal", "renewal_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("offer_id", String(32), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("dpop_jkt", String(43)),  # thumbprint of the key that it is bound to; none for a Bearer token
    Column("renewal_id", String(32)),
    Column("with_details", Integer),  # credentials are asked for by identifier
    Index("tokens_by_renewal", "renewal_id"),
)

authorizations = Table(
    "authorizations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("client_jkt", String(43), nullable=False),
    Column("dpop_jkt", String(43)),
    Column("redirect_uri", Text, nullable=False),
    Column("state", Text),
    Column("code_challenge", String(43), nullable=False),
    Column("configurations", Text, nullable=False),
    Column("with_details", Integer, nullable=False),
    Column("offer_id", String(32)),  # the offer whose issuer_state was shown
    Column("phase", String(16), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("browser", LargeBinary, nullable=False),  # hash of the cookie
    Column("bsn", String(9)),
    Column("loa", String(16)),
)

renewals = Table(
    "renewals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("bsn", String(9), nullable=False),
    Column("configurations", Text, nullable=False),
    Column("loa", String(16)),
    Column("client_id", Text),
    Column("client_jkt", String(43)),
    Column("dpop_jkt", String(43), nullable=False),
    Column("with_details", Integer, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("refreshes", Integer, nullable=False),
    Column("mandate", String(22)),
    Column("party", Integer),
)

holds = Table(
    "holds",
    metadata,
    Column("bsn", String(9), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

deferred = Table(
    "deferred",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("offer_id", String(32), nullable=False),
    Column("bsn", String(9), nullable=False),
    Column("configuration", String(32), nullable=False),
    Column("again", String(32)),  # the issuance whose sets are issued again
    Column("holders", Text, nullable=False),  # public keys, JSON
    Column("state", String(16), nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("reason", Text),
    Index("deferred_by_offer", "offer_id"),
)

spent_nonces = Table(
    "spent_nonces",
    metadata,
    Column("nonce", LargeBinary, primary_key=True),
    Column("expires", BigInteger, nullable=False),
)

next_positions = Table(
    "next_positions",
    metadata,
    Column("bsn", String(9), primary_key=True),
    Column("configuration", String(32), primary_key=True),
    Column("next", Integer, nullable=False),
)

sets = Table(
    "sets",
    metadata,
    Column("bsn", String(9), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("set_id", String(22), nullable=False, unique=True),
)

status_lists = Table(
    "status_lists",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("given_out", Integer, nullable=False),
)

copies = Table(
    "copies",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("offer_id", String(32), nullable=False),
    Column("bsn", String(9), nullable=False),
    Column("configuration", String(32), nullable=False),
    Column("position", Integer, nullable=False),
    Column("list", Integer, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Column("reason", Text),
    Column("mandate", String(22)),  # for who acts for the resident; none for his own
    Column("superseded", BigInteger),  # since when the register says something else
    Column("party", Integer),  # who its holder is under that mandate
    UniqueConstraint("list", "idx"),  # an index is never given out twice, whatever the code above does
    UniqueConstraint("offer_id", "configuration", "position"),
    Index("copies_by_offer", "offer_id", "configuration"),
    Index("copies_by_mandate", "mandate"),
    Index("copies_revoked", "list", "revoked"),
    Index("copies_superseded", "list", "superseded"),
    Index("copies_by_bsn", "bsn"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("offer_id", String(32), nullable=False),
    Column("configuration", String(32), nullable=False),
    Column("event", String(32)),
)

acts = Table(
    "acts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("officer", Text, nullable=False),  # as the organisation's provider names the account
    Column("act", String(16), nullable=False),
    Column("bsn", String(9), nullable=False),
    Column("document", String(32)),  # what the resident showed, by its kind; its number is not kept
    Column("reference", String(32)),  # the offer or issuance that it was about
    Index("acts_by_bsn", "bsn"),
)

mandates = Table(
    "mandates",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("source", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("bsn", String(9), nullable=False),  # the represented
    Column("signers", Text, nullable=False),  # JSON
    Column("until", BigInteger, nullable=False),
    Column("claims", Text),  # JSON; none for every attribute
    Column("services", Text),  # JSON; none for every service
    Column("token", Text, nullable=False),  # the signed mandate; empty until a second officer confirmed it
    Column("seed", LargeBinary),  # wrapped; none once it ended
    Column("made", BigInteger, nullable=False),
    Column("evidence", Text),  # the signed wish, or the reference of the court's decision
    Column("officer", Text),
    Column("confirmed_by", Text),
    Column("ended", BigInteger),
    Column("reason", String(32)),
    Index("mandates_by_bsn", "bsn"),
)

mandate_parties = Table(
    "mandate_parties",
    metadata,
    Column("mandate", String(22), primary_key=True),
    Column("party", Integer, primary_key=True),  # from 1
    Column("bsn", String(9), nullable=False),
    Index("mandate_parties_by_bsn", "bsn"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("bsn", String(9), nullable=False),
    Column("expires", BigInteger, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("mandate", String(22), nullable=False),
    Column("body", Text, nullable=False),  # JSON of the proposal
    Column("made", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("proposals_by_mandate", "mandate"),
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("proposal", BigInteger, nullable=False),
    Column("party", Integer, nullable=False),
    Column("cosigned", Text, nullable=False),
    Index("cosignatures_by_proposal", "proposal"),
)

SCHEMA = schema_of(
    __file__,
    "issuer",
    (
        "copies",
        "next_positions",
        "notifications",
        "offers",
        "persons",
        "sets",
        "spent_nonces",
        "status_lists",
        "tokens",
    ),
)
