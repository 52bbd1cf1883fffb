"""What the parties of a grant ask of a running log: grant, read, revoke, look back, complain, erase.

Each method turns a parsed request into an operation, waits until it may be answered, and builds the answer with
its proofs. Refusals are raised as they come.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from consentlog import intake, queries
from consentlog.intake import check_view
from consentlog.node import Node
from consentlog.operations import (
    Delivered,
    EraseOperation,
    Granted,
    Outcome,
    ReadOperation,
    RepeatOperation,
    Revoked,
    Sealed,
)
from consentlog.publish import prove_grant, prove_head, prove_leaf, tlog_proof
from consentlog.queries import EventRow
from consentlog.rows import OpeningRow, StoredGrant
from protocol.canonical import b64u_encode, b64u_fixed, sha256
from protocol.checkpoint import ChunkProof
from protocol.consent_api import (
    MAX_PAGE,
    MAX_PAGE_BYTES,
    Event,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    Kind,
    MessageAnswer,
    MessageRequest,
    Opening,
    OpeningsAnswer,
    ReadAnswer,
    ReadRequest,
    RevocationAnswer,
    RevocationRequest,
)
from protocol.errors import Rejected, Unavailable
from protocol.leaf import LeafType, lock_of
from protocol.receipt import make_revocation_receipt

_Item = TypeVar("_Item", Event, Opening)
_KINDS: dict[LeafType, Kind] = {
    LeafType.GRANT: "grant",
    LeafType.REVOCATION: "revocation",
    LeafType.READ: "read",
    LeafType.REFUSAL: "refusal",
    LeafType.MESSAGE: "message",
}
_PAGE_FRAME_BYTES = 256
"""Of a page, around what is counted."""


class Parties:
    """Thread-safe; one for a node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def grant(self, request: GrantRequest, body: bytes) -> GrantAnswer:
        """`POST /v1/grants`; `request` is `body`, parsed. A byte-equal body gets the same grant."""
        node = self._node
        earlier = queries.grant_of_lock(node.engine, b64u_fixed(request.terms.lock, 32))
        if earlier is not None and earlier.row.post_hash == sha256(body):
            outcome = node.perform(RepeatOperation(earlier.row.lock, sha256(body)))
        else:
            node.check_open(for_reads=False)
            outcome = node.perform(
                intake.grant_operation(
                    request,
                    body,
                    trust=node.trust(),
                    origin=node.config.origin,
                    deposit_key=node.keys.deposit_keys(node.writer.time()),
                    replaced=self._replaced(request),
                    now=node.writer.time(),
                )
            )
        if not isinstance(outcome, Granted):
            raise TypeError("a grant is granted")
        return GrantAnswer(outcome.index, outcome.slot, self._proof(outcome.index))

    def _replaced(self, request: GrantRequest) -> StoredGrant | None:
        if request.replaced_r is None:
            return None
        return queries.grant_of_lock(self._node.engine, lock_of(b64u_fixed(request.replaced_r, 32)))

    def read(self, request: ReadRequest) -> ReadAnswer:
        """`POST /v1/reads`: the claim shares, once the read is under a witnessed checkpoint."""
        operation = self.prepare_read(request)
        return self.answer_read(operation, self._node.perform(operation))

    def prepare_read(self, request: ReadRequest) -> ReadOperation:
        """What the writer is to decide. Raises `Rejected`, `Unavailable`."""
        node = self._node
        node.check_open(for_reads=True)
        return intake.read_operation(request, trust=node.trust(), grant_of=node.grant_of, now=node.writer.time())

    def prepare_read_at_hand(self, request: ReadRequest) -> ReadOperation:
        """The same without waiting for anything. Raises also `NotAtHand`."""
        node = self._node
        node.check_open(for_reads=True)
        trust = node.trust_at_hand()
        return intake.read_operation(request, trust=trust, grant_of=node.grant_at_hand, now=node.writer.time())

    def answer_read(self, operation: ReadOperation, outcome: Outcome) -> ReadAnswer:
        """The sealed shares with all that an agency checks."""
        node = self._node
        grant = node.grant_of(operation.slot)
        if not isinstance(outcome, Sealed) or grant is None:
            raise TypeError("an admitted read is sealed")
        view, admitted = outcome.view, outcome.admitted
        return ReadAnswer(
            n=admitted.n,
            index=admitted.index,
            opening_key=b64u_encode(admitted.opening_key),
            proof=tlog_proof(node.tree, admitted.index, view.note, view.size),
            evidence=prove_grant(node.tree, view, grant.row.index, grant.leaf),
            sealed=None if outcome.sealed is None else b64u_encode(outcome.sealed),
        )

    def revoke(self, request: RevocationRequest) -> RevocationAnswer:
        """`POST /v1/revocations`: durable when it is answered; needs no witness."""
        node = self._node
        outcome = node.perform(intake.revocation_operation(request))
        if not isinstance(outcome, Revoked):
            raise TypeError("a revocation revokes")
        signers = node.keys.receipts.all()
        receipt = make_revocation_receipt(node.config.origin, outcome.lock, outcome.time, *signers)
        return RevocationAnswer(receipt, outcome.slot, outcome.index)

    def message(self, request: MessageRequest, view: bytes | None) -> MessageAnswer:
        """`POST /v1/messages`; `view`: the resident's bearer, None for an agency."""
        node = self._node
        node.check_open(for_reads=False)
        now = node.writer.time()
        outcome = node.perform(
            intake.message_operation(request, view, trust=node.trust(), grant_of=node.grant_of, now=now)
        )
        if not isinstance(outcome, Delivered):
            raise TypeError("a message is delivered")
        proof = self._proof(outcome.index)
        return MessageAnswer(outcome.n, outcome.index, b64u_encode(outcome.opening_key), proof)

    def erase(self, slot: int, view: bytes) -> None:
        """`DELETE /v1/grants/{slot}/openings`."""
        node = self._node
        check_view(queries.grant_of_slot(node.engine, slot), view)
        if not node.writer.log_time.is_vouched:
            raise Unavailable("no_quorum", "no quorum has told what time it is: nothing is erased", retry_after=2)
        node.perform(EraseOperation(slot))
        node.forget(slot)

    def events(self, slot: int, view: bytes, start: int) -> EventsAnswer:
        """`GET /v1/grants/{slot}/events`: from leaf `start`, at most `MAX_PAGE` and `MAX_PAGE_BYTES` a page."""
        node = self._node
        grant = check_view(queries.grant_of_slot(node.engine, slot), view)
        seen = node.published.view(slot)
        rows = queries.events_of(node.engine, grant.row, start=start, size=seen.size, limit=MAX_PAGE + 1)
        frame = EventsAnswer(
            slot=slot,
            checkpoint=seen.note,
            head=prove_head(node.tree, seen),
            status=ChunkProof.make(seen.chunk, seen.chunk_proof),
            events=[],
        )
        room = MAX_PAGE_BYTES - _PAGE_FRAME_BYTES - len(msgspec.json.encode(frame))
        found = _fitting((self._event(row, seen.size) for row in rows[:MAX_PAGE]), room)
        return replace(frame, events=found, next=_following(rows, found))

    def _event(self, row: EventRow, size: int) -> Event:
        proof = prove_leaf(self._node.tree, row.index, row.leaf, size)
        opening = row.opening
        return Event(
            index=row.index,
            leaf=proof.leaf,
            hashes=proof.hashes,
            type=_KINDS[row.type],
            n=None if opening is None else opening.n,
            opening_key=None if opening is None else b64u_encode(opening.opening_key),
            opening=None if opening is None else opening.opening.decode("utf-8"),
        )

    def openings(self, start: int, end: int) -> OpeningsAnswer:
        """`GET /v1/openings`: of leaves [start, end) under the published checkpoint, at most `MAX_PAGE`
        and `MAX_PAGE_BYTES` a page.
        """
        if start > end:
            raise Rejected("bad_range", "from is larger than to")
        size = self._node.published.size
        rows = queries.openings_between(self._node.engine, start, min(end, size), MAX_PAGE + 1)
        found = _fitting(map(_opening, rows[:MAX_PAGE]), MAX_PAGE_BYTES - _PAGE_FRAME_BYTES)
        return OpeningsAnswer(found, size, _following(rows, found))

    def _proof(self, index: int) -> str:
        published = self._node.published
        note, size = published.checkpoint()
        return tlog_proof(self._node.tree, index, note, size)


def _fitting(items: Iterable[_Item], room: int) -> list[_Item]:
    """The first ones that fit in `room` bytes of JSON.

    An agency may make its READs long: a page must not become more than an auditor or a wallet takes.
    """
    found = []
    for item in items:
        room -= len(msgspec.json.encode(item)) + 1
        if room < 0:
            break
        found.append(item)
    return found


def _following(rows: Sequence[EventRow | OpeningRow], found: Sequence[object]) -> int | None:
    """Index of the first row that is not on the page."""
    return rows[len(found)].index if len(found) < len(rows) else None


def _opening(row: OpeningRow) -> Opening:
    return Opening(
        index=row.index,
        type=_KINDS[row.type],
        opening_key=b64u_encode(row.opening_key),
        opening=row.opening.decode("utf-8"),
        slot=row.slot,
        n=row.n,
    )
