"""The bodies of the consent log's HTTP API (protocol sections 6 to 9, **ours**): forms only, no decision.

Read them with `parse_body`, which names the form that was expected and never the value that was sent.
"""

from typing import Annotated, Literal, TypeAlias, TypeVar

from msgspec import Meta

from protocol.canonical import MAX_SAFE_INTEGER, parse_struct
from protocol.checkpoint import ChunkProof, Evidence, LeafProof
from protocol.errors import Rejected
from protocol.mandate import ShownMandate, check_presence
from protocol.presentation import SealedSecret
from protocol.reading import MAX_READ_BYTES, MAX_TICKET_BYTES, Slot
from protocol.seal import HPKE_OVERHEAD
from protocol.terms import MAX_CLAIMS, MAX_PIECES, B64u32, B64uKem, Form, Origin, Terms, check_terms

MAX_REQUEST_BYTES = 64 * 1024
"""A grant of `MAX_CLAIMS` attributes with its ticket is about 30 kB, a READ with its reply key 35 kB."""
MAX_ANSWER_BYTES = 192 * 1024
"""A checkpoint with its cosignatures twice, each at most 64 KiB (a post-quantum line takes 3.3 kB), five Merkle
paths of at most 63 hashes and the sealed shares: about 10 kB with two witnesses, 30 kB with post-quantum ones."""
MAX_PAGE_BYTES = 4 * 1024 * 1024
"""A page of events or openings."""
MAX_NOTE_CHARS = 72 * 1024
"""The largest note, or a tlog-proof with it."""
MAX_PAGE = 1000
"""Events or openings of one page."""
MAX_PENDING = 10_000
"""Revocations that a cosigner hands over at once; the log comes back for more."""
MAX_RELEASE_BYTES = MAX_REQUEST_BYTES + MAX_ANSWER_BYTES
"""A request for a release: a READ, and the log's answer to it."""
_MAX_SEALED_SHARES = ((HPKE_OVERHEAD + 32 * MAX_CLAIMS) * 4 + 2) // 3
_MAX_DEPOSIT = ((HPKE_OVERHEAD + 32 * MAX_PIECES) * 4 + 2) // 3
_MAX_SEALED_PIECES = ((HPKE_OVERHEAD + 32 * MAX_PIECES * MAX_CLAIMS) * 4 + 2) // 3

Index: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Note: TypeAlias = Annotated[str, Meta(max_length=MAX_NOTE_CHARS)]
Token: TypeAlias = Annotated[str, Meta(max_length=MAX_READ_BYTES, pattern=r"\A[A-Za-z0-9_.-]+\Z")]
OpeningText: TypeAlias = Annotated[str, Meta(max_length=48 * 1024)]
"""The opening of a leaf as text: JCS or a compact JWS."""
Kind: TypeAlias = Literal["grant", "revocation", "read", "refusal", "head", "message"]
"""`LeafType` by name."""
T = TypeVar("T", bound=Form)


class GrantRequest(Form, frozen=True):
    """`POST /v1/grants`: with the agency's `ticket`, or with `replaced_r` for a refresh.

    `deposit`: absent exactly when T names operators, who get a deposit each (`DepositRequest`). `mandate`: there
    exactly when T has `on_behalf_of`, of a refresh too: `JWS~salt`, by `mandate.show_mandate` for the lock of T.
    """

    terms: Terms
    opening_key: B64u32
    view_hash: B64u32
    deposit: SealedSecret | None = None
    ticket: Annotated[str, Meta(max_length=MAX_TICKET_BYTES)] | None = None
    replaced_r: B64u32 | None = None
    mandate: ShownMandate | None = None


class GrantAnswer(Form, frozen=True):
    """The grant stands: leaf `index`, `slot`, and `proof` = the tlog-proof text under a witnessed checkpoint."""

    index: Index
    slot: Slot
    proof: Note


class ReadRequest(Form, frozen=True):
    """`POST /v1/reads`: the READ (compact JWS) and the one-use HPKE key that the shares are sealed to."""

    read: Token
    reply_key: B64uKem


class ReadAnswer(Form, frozen=True):
    """Read number `n` at leaf `index`; `proof` = tlog-proof text of that leaf, of the checkpoint in `evidence`.

    `sealed`: one HPKE ciphertext of all claim shares in READ order, b64u; absent when T names operators.
    """

    n: Count
    index: Index
    opening_key: B64u32
    proof: Note
    evidence: Evidence
    sealed: Annotated[str, Meta(max_length=_MAX_SEALED_SHARES)] | None = None


class DepositRequest(Form, frozen=True):
    """`POST /v1/deposits` at an operator: the grant as it stands in the log, and this operator's pieces, sealed.

    `proof` = the tlog-proof text of the log's answer; `deposit` by `operators.seal_pieces`, b64u.
    """

    terms: Terms
    slot: Slot
    opening_key: B64u32
    proof: Note
    deposit: Annotated[str, Meta(max_length=_MAX_DEPOSIT)]


class DepositAnswer(Form, frozen=True):
    """The operator holds its pieces of this grant; the same request gets the same answer."""

    lock: B64u32


class ReleaseRequest(Form, frozen=True):
    """`POST /v1/releases` at an operator: the READ with its reply key, and what the log answered to it."""

    read: Token
    reply_key: B64uKem
    logged: ReadAnswer


class ReleaseAnswer(Form, frozen=True):
    """`sealed`: one HPKE ciphertext of this operator's pieces of all claim shares, by `operators.seal_release`."""

    sealed: Annotated[str, Meta(max_length=_MAX_SEALED_PIECES)]


class RevocationRequest(Form, frozen=True):
    """`POST /v1/revocations` at a log: who shows r revokes."""

    r: B64u32


class RevocationAnswer(Form, frozen=True):
    """`receipt`: the signed note (lock, time, deadline); the leaf at `index` ends `slot`; the proof follows."""

    receipt: Note
    slot: Slot
    index: Index


class CosignerRevocationRequest(Form, frozen=True):
    """`POST /v1/revocations` at an auditing cosigner, which keeps r only for a live lock of that log."""

    origin: Origin
    r: B64u32


class CosignerRevocationAnswer(Form, frozen=True):
    """The cosigner's own signed note (lock, time, deadline): it will not cosign a checkpoint without this r."""

    receipt: Note


class PendingRevocations(Form, frozen=True):
    """`GET /v1/revocations?origin=` at a cosigner: what the log must take in before the next checkpoint."""

    revocations: Annotated[list[B64u32], Meta(max_length=MAX_PENDING)]


class MessageRequest(Form, frozen=True):
    """`POST /v1/messages`: a signed `regie-message+jwt`; a resident's comes with the view bearer."""

    message: Token


class MessageAnswer(Form, frozen=True):
    """The message is entry number `n` of its kind, leaf `index`; `proof` = tlog-proof text."""

    n: Count
    index: Index
    opening_key: B64u32
    proof: Note


class Event(Form, frozen=True):
    """One leaf of a grant with its inclusion proof; opening and key are absent once erased, `n` where none is."""

    index: Index
    leaf: Annotated[str, Meta(max_length=128)]
    hashes: Annotated[str, Meta(max_length=4096)]
    type: Kind
    n: Count | None = None
    opening_key: B64u32 | None = None
    opening: OpeningText | None = None


class EventsAnswer(Form, frozen=True):
    """`GET /v1/grants/{slot}/events?from=`: a page of the leaves of a grant, with the status of its slot, under
    one checkpoint; `next` is the index to go on from.
    """

    slot: Slot
    checkpoint: Note
    head: LeafProof
    status: ChunkProof
    events: list[Event]
    next: Index | None = None


class Opening(Form, frozen=True):
    """What a leaf commits to, for the auditor; `slot` and `n` where the leaf has them."""

    index: Index
    type: Kind
    opening_key: B64u32
    opening: OpeningText
    slot: Slot | None = None
    n: Count | None = None


class OpeningsAnswer(Form, frozen=True):
    """`GET /v1/openings?from=&to=`: a page; `next` is the index to go on from; `size` that of the tree."""

    openings: Annotated[list[Opening], Meta(max_length=MAX_PAGE)]
    size: Count
    next: Index | None = None


class StatusChunkAnswer(Form, frozen=True):
    """`GET /v1/status-chunks/{n}`: chunk n of the status array, its path to the status root, and the head."""

    checkpoint: Note
    head: LeafProof
    chunk: str
    hashes: str
    slots: Count


class Problem(Form, frozen=True):
    """`application/problem+json` (RFC 9457) with a stable `code`; never personal data."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    code: Annotated[str, Meta(pattern=r"\A[a-z0-9_]{1,64}\Z")]
    detail: str | None = None


def parse_body(data: bytes, kind: type[T], *, max_bytes: int = MAX_REQUEST_BYTES) -> T:
    """A body as one of the forms above. Raises `Rejected`: `bad_form` and those of `canonical.parse_json`."""
    return parse_struct(data, kind, max_bytes=max_bytes)


def parse_grant_request(data: bytes) -> GrantRequest:
    """1. form; 2. the terms' own rules; 3. either a ticket or a replaced secret; 4. a deposit, or operators in T;
    5. a mandate, or terms on nobody's behalf.

    Raises `Rejected`: `bad_form`, `bad_terms`, `flags_missing`, `bad_mandate` and those of `canonical.parse_json`.
    """
    request = parse_body(data, GrantRequest)
    check_terms(request.terms)
    if (request.ticket is None) == (request.replaced_r is None):
        raise Rejected("bad_form", "a grant comes with a ticket or with the secret that it replaces")
    if (request.deposit is None) == (request.terms.operators is None):
        raise Rejected("bad_form", "a grant comes with a deposit, unless its terms name operators")
    check_presence(request.terms, request.mandate)
    return request
