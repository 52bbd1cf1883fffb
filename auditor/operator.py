"""What an operator holds and releases: pieces of shares, for an entry that it has seen itself (sections 7, 8).

Pure. An operator believes neither the log nor the agency: it has replayed the leaves, opens the entry of the READ
in a checkpoint that it knows, and decides the READ once more by the terms that the grant's leaf opens to. So log
and agency together get nothing that the resident cannot see, as long as one operator too many is honest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.canonical import b64u_decode, sha256
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import DepositRequest, ReleaseRequest
from protocol.errors import Rejected
from protocol.light_check import GrantOpening, verify_light_check
from protocol.log_keys import LogKeys
from protocol.operators import Pieces, open_pieces, seal_pieces_release
from protocol.policy import Policy, satisfied
from protocol.presentation import grant_leaf, grant_opening
from protocol.reading import (
    NUMBERS_AHEAD,
    GrantState,
    Refusal,
    VerifiedRead,
    decide_read,
    refusal_reason,
    verify_read,
)
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.seal import KemPrivate
from protocol.standing import verify_entry
from protocol.terms import Terms
from protocol.trust_list import TrustList


@dataclass(frozen=True)
class Followed:
    """The log that this operator (`name` in the trust list) follows, as listed now."""

    name: str
    origin: str
    keys: LogKeys
    policy: Policy


@dataclass(frozen=True)
class Held:
    """A grant whose pieces this operator holds; only `verify_deposit` makes the first."""

    terms: Terms
    slot: int
    opening_key: bytes

    @property
    def lock(self) -> bytes:
        """32 bytes."""
        return b64u_decode(self.terms.lock)

    @property
    def opening(self) -> GrantOpening:
        """What the light check compares the grant leaf with."""
        return GrantOpening(self.terms.log, self.lock, grant_opening(self.terms), self.opening_key)


@dataclass(frozen=True)
class VerifiedDeposit:
    """Pieces that T names, of a grant at `index` in the tree of `checkpoint`.

    The caller MUST find the lock live at that place in its own replay before it keeps them.
    """

    held: Held
    pieces: Pieces
    index: int
    checkpoint: VerifiedCheckpoint


@dataclass(frozen=True)
class Asked:
    """A READ with its entry, verified but for what rows say; only `verify_release` makes one.

    The caller MUST know `checkpoint` by its own replay, and call `decide_release` on its rows.
    """

    held: Held
    read: VerifiedRead
    n: int
    index: int
    reply_key: bytes
    checkpoint: VerifiedCheckpoint

    @property
    def read_hash(self) -> bytes:
        """Which READ it is, byte for byte."""
        return sha256(self.read.opening)

    @property
    def tag_hash(self) -> bytes:
        """Under which the numbers of a grant are counted, over all its versions."""
        return sha256(b64u_decode(self.held.terms.tag_key))


@dataclass(frozen=True)
class Rows:
    """What the operator's rows say, read in the transaction that keeps the release.

    `revoked`: by its replay, or by a revocation it keeps that the log has yet to take in. `n_of_read`: the number
    under which this READ was released before; `read_of_n`: hash of the READ released under this number;
    `highest_n`: released under the tag_key so far, -1 for none.
    """

    revoked: bool
    share_present: bool
    n_of_read: int | None = None
    read_of_n: bytes | None = None
    highest_n: int = -1


def verify_deposit(
    request: DepositRequest, log: Followed, private: Sequence[KemPrivate], now: int
) -> VerifiedDeposit:
    """`POST /v1/deposits`, with checked terms:

    1. of the log that is followed, and not over; 2. the grant leaf opens to T, in a tree that a quorum cosigned at
    any time; 3. the pieces are this operator's, and each is the one that T names.
    Raises `Rejected`: `wrong_log`, `expired` 410, `bad_deposit`, `bad_terms`, those of quorum and proof.
    """
    terms = request.terms
    if terms.log != log.origin:  # 1.
        raise Rejected("wrong_log", "the grant is in another log than this operator follows")
    if now >= terms.not_after:
        raise Rejected("expired", "the grant has ended", status=410)
    proof = parse_tlog_proof(request.proof)  # 2.
    checkpoint = satisfied(log.policy, proof.checkpoint, now, None, log_keys=(log.keys,)).checkpoint
    held = Held(terms, request.slot, b64u_decode(request.opening_key))
    leaf = grant_leaf(terms, held.slot, held.opening_key)
    index = verify_tlog_proof(proof, leaf.to_bytes(), checkpoint).index
    pieces = open_pieces(private, terms, log.name, b64u_decode(request.deposit, max_bytes=4096))  # 3.
    return VerifiedDeposit(held, pieces, index, checkpoint)


def verify_release(request: ReleaseRequest, held: Held, log: Followed, trust: TrustList, now: int) -> Asked:
    """`POST /v1/releases`, all that needs no row:

    1. the READ is signed by T.recipient; 2. the light check: a checkpoint of the log that a quorum cosigned within
    a minute, in it the grant's leaf, which opens to T, and its status bit, which is 0; 3. the entry: its leaf
    stands after the grant's in the same tree, opens to this READ, is tagged as number n; lock, slot, log and reply
    key are those of the READ, n is below max_reads.
    Raises `Rejected`: `not_recipient` 403, `wrong_read`, `read_number`, `revoked` 410, those of the light check.
    """
    try:
        agency = trust.agency(held.terms.recipient)
    except Rejected as error:
        raise Rejected("not_recipient", "the recipient is not on the trust list", status=403) from error
    read = verify_read(request.read, agency, now)  # 1.
    logged, reply_key = request.logged, b64u_decode(request.reply_key)
    standing = verify_light_check(  # 2.
        logged.evidence, held.opening, log_key=log.keys, policy=log.policy, now=now
    )
    verify_entry(held.terms, request.read, logged, standing, reply_key)  # 3.
    return Asked(held, read, logged.n, logged.index, reply_key, standing.checkpoint)


def decide_release(asked: Asked, rows: Rows, now: int) -> None:
    """Returns when this operator's pieces may go, by its own rows and clock:

    1. the number was released for no other READ, and the READ under no other number; it is not so far ahead that
    the resident would not look for it; 2. all that the log had to ask (`decide_read`), `revoked` included. A READ
    that was released before may be older than a minute by now.
    Raises `Rejected`: `read_number` 409, those of `decide_read`, and its refusals under their codes.
    """
    if rows.read_of_n not in (None, asked.read_hash) or rows.n_of_read not in (None, asked.n):  # 1.
        raise Rejected("read_number", "the log counts a number or a READ twice", status=409)
    if asked.n > rows.highest_n + NUMBERS_AHEAD:
        raise Rejected("read_number", "the log skips more numbers than a resident looks through", status=409)
    state = GrantState(asked.held.slot, rows.revoked, rows.share_present, asked.n)
    terms = asked.held.terms
    if rows.n_of_read is not None:  # 2.
        reason = refusal_reason(terms, asked.read.read, state, now)
        decision = None if reason is None else Refusal(reason)
    else:
        admitted = decide_read(terms, asked.read, state=state, reply_key=asked.reply_key, now=now)
        decision = admitted if isinstance(admitted, Refusal) else None
    if decision is not None:
        raise decision.error()


def seal_release(asked: Asked, pieces: Pieces, name: str) -> bytes:
    """This operator's part, for the READ's reply key. The caller MUST have called `decide_release`.

    Raises `Rejected`: `bad_key`.
    """
    read = asked.read.read
    by_digest = {claim.digest: claim for claim in asked.held.terms.claims}
    return seal_pieces_release(
        asked.reply_key,
        [by_digest[digest] for digest in read.claims],
        pieces,
        name,
        lock=asked.held.lock,
        read_id=b64u_decode(read.read_id),
        index=asked.index,
        body_hash=asked.checkpoint.body_hash,
    )
