"""A consent log on paper for tests: leaves in a list, proofs by the naive oracle, three witnesses, two suffice.

Nothing is random. `protocol` only signs here and makes leaves; what it verifies was computed by the oracle.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from protocol.checkpoint import ChunkProof, Evidence, LeafProof
from protocol.errors import Rejected
from protocol.keys import Ed25519Private
from protocol.leaf import Grant, Head, Leaf, LeafType, Read, Revocation, commitment, event_tag, lock_of
from protocol.light_check import GrantOpening
from protocol.note import NoteSigner, SignatureType, encode_base64
from protocol.policy import parse_policy
from tests.oracle_tree import NaiveTree, status_chunks

T = TypeVar("T")
NOW = 1_795_305_600
ORIGIN = "log.voorbeeld.example/2026"


def secret(name: str) -> bytes:
    """32 bytes that are always the same."""
    return hashlib.sha256(name.encode()).digest()


def signer(name: str, kind: SignatureType = SignatureType.ED25519) -> NoteSigner:
    """An Ed25519 signer of that name."""
    return NoteSigner(name, Ed25519Private(secret(name)), kind)


def attempt(call: Callable[[], T]) -> T | str:
    """What `call` gives, or the code with which it refuses; any other error is a failure."""
    try:
        return call()
    except Rejected as refusal:
        return refusal.code


LOG = signer(ORIGIN)
WITNESSES = [signer(f"witness.voorbeeld.example/{i}", SignatureType.COSIGNATURE) for i in range(3)]
POLICY = parse_policy(
    f"log {LOG.key}\n"
    + "".join(f"witness w{i} {witness.key}\n" for i, witness in enumerate(WITNESSES))
    + "group two-of-three 2 w0 w1 w2\nquorum two-of-three\n"
)


class PaperLog:
    """Leaves in order; slots and revocations as they follow."""

    def __init__(self) -> None:
        self.leaves: list[bytes] = []
        self.grant_indexes: list[int] = []
        self.revoked: list[bool] = []

    def append(self, leaf: Leaf) -> int:
        self.leaves.append(leaf.to_bytes())
        return len(self.leaves) - 1

    def opening(self, slot: int) -> GrantOpening:
        """What resident and agency hold of the grant in `slot`."""
        return GrantOpening(ORIGIN, lock_of(secret(f"r{slot}")), b'{"slot":%d}' % slot, secret(f"key{slot}"))

    def grant(self) -> int:
        slot = len(self.revoked)
        own = self.opening(slot)
        commit = commitment(own.opening_key, LeafType.GRANT, own.terms)
        self.grant_indexes.append(self.append(Grant(slot, own.lock, commit)))
        self.revoked.append(False)
        return slot

    def revoke(self, slot: int) -> int:
        self.revoked[slot] = True
        return self.append(Revocation(self.grant_indexes[slot], slot, secret(f"r{slot}")))

    def read(self, slot: int, n: int = 0) -> int:
        commit = commitment(secret(f"read{slot}.{n}"), LeafType.READ, b"a READ")
        return self.append(Read(event_tag(secret(f"tag{slot}"), LeafType.READ, n), commit))

    def status_tree(self) -> NaiveTree:
        return NaiveTree(status_chunks(self.revoked))

    def head(self) -> int:
        tree = self.status_tree()
        return self.append(Head(len(self.leaves), len(self.revoked), tree.root(len(tree.leaves))))

    def tree(self) -> NaiveTree:
        return NaiveTree(self.leaves)

    def root(self, size: int | None = None) -> bytes:
        return self.tree().root(len(self.leaves) if size is None else size)

    def body(self) -> str:
        return f"{ORIGIN}\n{len(self.leaves)}\n{encode_base64(self.root())}\n"

    def checkpoint(self, times: Sequence[int | None] = (NOW, NOW, NOW)) -> str:
        """Signed by the log and by each witness at its time (None: not at all)."""
        body = self.body()
        lines = [w.sign(body, time=t) for w, t in zip(WITNESSES, times, strict=True) if t is not None]
        return body + "\n" + LOG.sign(body) + "".join(lines)

    def leaf_proof(self, index: int) -> LeafProof:
        return LeafProof.make(index, self.leaves[index], self.tree().path(index, len(self.leaves)))

    def chunk_proof(self, slot: int) -> ChunkProof:
        tree = self.status_tree()
        number = slot // 2048
        return ChunkProof.make(tree.leaves[number], tree.path(number, len(tree.leaves)))

    def evidence(self, slot: int, times: Sequence[int | None] = (NOW, NOW, NOW)) -> Evidence:
        return Evidence(
            self.checkpoint(times),
            self.leaf_proof(len(self.leaves) - 1),
            self.leaf_proof(self.grant_indexes[slot]),
            self.chunk_proof(slot),
        )
