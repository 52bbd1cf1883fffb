"""The consent log a second time, as protocol.md section 6 and RFC 6962 define it: naive, slow and on its own.

Nothing of `protocol` is used. Everything is held in lists, every root is computed anew from its definition, every
proof is unfolded by recursion. Verdicts are the codes of the real checkers, "ok" when there is nothing to say.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.oracle_tree import NaiveTree

LENGTHS = {1: 70, 2: 46, 3: 49, 4: 49, 5: 46, 6: 49}
EMPTY = hashlib.sha256(b"").digest()


class Refused(Exception):
    """A rule is broken; the argument is the code."""


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def from_b64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(data: bytes) -> int:
    return int.from_bytes(data, "big")


# --- the rules of the log --------------------------------------------------------------------------------------


@dataclass
class NaiveReplay:
    """All that follows from the leaves so far."""

    leaves: list[bytes] = field(default_factory=list)
    grants: list[tuple[int, bytes]] = field(default_factory=list)
    """Index and lock of the grant in each slot."""
    locks: set[bytes] = field(default_factory=set)
    revoked: set[int] = field(default_factory=set)

    def status_root(self) -> bytes:
        """Root of the tree over all chunks of the status array."""
        data = chunks(self.revoked, len(self.grants))
        return NaiveTree(data).root(len(data))

    def apply(self, leaf: bytes) -> None:
        """Raises `Refused` with the code of the lie."""
        index, kind = len(self.leaves), leaf[0] if leaf else 0
        if LENGTHS.get(kind) != len(leaf) or (kind in (2, 5) and number(leaf[1:9]) >= 2**63):
            raise Refused("replay_leaf")
        if kind == 1:
            self._grant(index, number(leaf[1:6]), leaf[6:38])
        if kind == 2:
            self._revocation(number(leaf[1:9]), number(leaf[9:14]), leaf[14:])
        if kind == 5:
            self._head(index, number(leaf[1:9]), number(leaf[9:14]), leaf[14:])
        self.leaves.append(leaf)

    def _grant(self, index: int, slot: int, lock: bytes) -> None:
        if slot != len(self.grants):
            raise Refused("replay_slot")
        if lock in self.locks:
            raise Refused("replay_lock_reused")
        self.grants.append((index, lock))
        self.locks.add(lock)

    def _revocation(self, grant_index: int, slot: int, r: bytes) -> None:
        if slot >= len(self.grants) or self.grants[slot][0] != grant_index:
            raise Refused("replay_unknown_grant")
        if sha(r) != self.grants[slot][1]:
            raise Refused("replay_wrong_secret")
        if slot in self.revoked:
            raise Refused("replay_revoked_twice")
        self.revoked.add(slot)

    def _head(self, index: int, covers: int, slots: int, status_root: bytes) -> None:
        if covers != index:
            raise Refused("replay_head_position")
        if slots != len(self.grants):
            raise Refused("replay_head_slots")
        if status_root != self.status_root():
            raise Refused("replay_head_status")


def chunks(revoked: set[int], slots: int) -> list[bytes]:
    """256 bytes each, at least one: the bit of slot s is bit s % 2048, least significant first."""
    bits = [0] * max(1, -(-slots // 2048))
    for slot in revoked:
        bits[slot // 2048] |= 1 << slot % 2048
    return [number_of_bits.to_bytes(256, "little") for number_of_bits in bits]


# --- notes and quorum ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A note key; `kind` 1 for a log, 4 for a witness."""

    name: str
    public: bytes
    kind: int

    @property
    def key_id(self) -> bytes:
        return sha(self.name.encode() + b"\n" + bytes([self.kind]) + self.public)[:4]

    def time_of(self, body: str, name: str, blob: bytes) -> int | None:
        """Time of the signature in a line (0 for a log's), None when it is of another key."""
        if (name, blob[:4]) != (self.name, self.key_id):
            return None
        time, signature, message = 0, blob[4:], body
        if self.kind == 4:
            time, signature = number(blob[4:12]), blob[12:]
            message = f"cosignature/v1\ntime {time}\n{body}"
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message.encode())
        except InvalidSignature as error:
            raise Refused("bad_signature") from error
        return time


@dataclass(frozen=True)
class Rules:
    """Whom to believe: the log, and at least `threshold` of the witnesses, at most 60 s ago."""

    log: Key
    witnesses: Sequence[Key]
    threshold: int = 2


def open_note(note: str, rules: Rules, now: int) -> tuple[int, bytes]:
    """(size, root) of a checkpoint that log and quorum signed."""
    body, _, lines = note.rpartition("\n\n")
    body += "\n"
    origin, size, root = body.split("\n")[:3]
    if origin != rules.log.name:
        raise Refused("wrong_origin")
    signed = [(line.split(" ")[1], base64.b64decode(line.split(" ")[2])) for line in lines.splitlines()]
    times = {
        key.name: max(seen)
        for key in (rules.log, *rules.witnesses)
        if (seen := [time for name, blob in signed if (time := key.time_of(body, name, blob)) is not None])
    }
    if not times or rules.log.name not in times:
        raise Refused("unknown_key")
    latest = sorted((t for name, t in times.items() if name != rules.log.name and t <= now + 30), reverse=True)
    if len(latest) < rules.threshold:
        raise Refused("no_quorum")
    if latest[rules.threshold - 1] < now - 60:
        raise Refused("stale_checkpoint")
    return int(size), base64.b64decode(root)


# --- proofs, by the recursion of RFC 6962 2.1 ------------------------------------------------------------------


def split(n: int) -> int:
    """The largest power of two below n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def node(left: bytes, right: bytes) -> bytes:
    return sha(b"\x01" + left + right)


def root_by_path(leaf: bytes, m: int, n: int, path: Sequence[bytes]) -> bytes:
    """The root of n leaves in which `leaf` is number m, if PATH(m, D[n]) is `path`."""
    if not 0 <= m < n or (n == 1) != (len(path) == 0):
        raise Refused("bad_inclusion")
    if n == 1:
        return leaf
    k = split(n)
    if m < k:
        return node(root_by_path(leaf, m, k, path[:-1]), path[-1])
    return node(path[-1], root_by_path(leaf, m - k, n - k, path[:-1]))


def check_included(data: bytes, m: int, n: int, path: Sequence[bytes], root: bytes) -> None:
    if root_by_path(sha(b"\x00" + data), m, n, path) != root:
        raise Refused("bad_inclusion")


def roots_by_proof(m: int, n: int, path: Sequence[bytes], old: bytes, *, whole: bool) -> tuple[bytes, bytes]:
    """(root of m, root of n leaves), if SUBPROOF(m, D[n], whole) is `path` and `old` the root of m."""
    if m == n and len(path) != (0 if whole else 1):
        raise Refused("bad_consistency")
    if m == n:
        return (old, old) if whole else (path[0], path[0])
    if not path:
        raise Refused("bad_consistency")
    k = split(n)
    if m <= k:
        small, large = roots_by_proof(m, k, path[:-1], old, whole=whole)
        return small, node(large, path[-1])
    small, large = roots_by_proof(m - k, n - k, path[:-1], old, whole=False)
    return node(path[-1], small), node(path[-1], large)


def check_consistent(m: int, old: bytes, n: int, new: bytes, path: Sequence[bytes]) -> None:
    if m in (0, n):
        if path or old != (new if m == n else EMPTY):
            raise Refused("bad_consistency")
    elif roots_by_proof(m, n, path, old, whole=True) != (old, new):
        raise Refused("bad_consistency")


# --- the two verdicts ------------------------------------------------------------------------------------------


def history_verdict(
    note: str, leaves: Sequence[bytes], rules: Rules, seen: Mapping[int, bytes], now: int
) -> set[tuple[str, int | None]]:
    """All that an auditor must find: codes, with the index of the entry where there is one."""
    found: set[tuple[str, int | None]] = set()
    body = note.split("\n")
    size, root = int(body[1]), base64.b64decode(body[2])
    try:
        open_note(note, rules, now)
    except Refused as error:
        found.add((str(error), None))
    replay = NaiveReplay()
    try:
        for leaf in leaves:
            replay.apply(leaf)
        tree = NaiveTree(leaves)
        if (len(leaves), tree.root(len(leaves))) != (size, root):
            found.add(("bad_root", None))
        if size and (not leaves or leaves[-1][0] != 5):
            found.add(("checkpoint_without_head", None))
    except Refused as error:
        found.add((str(error), len(replay.leaves)))
    good = NaiveTree(replay.leaves)
    found |= {("forked", n - 1) for n, was in seen.items() if 0 < n <= len(replay.leaves) and good.root(n) != was}
    return found | {("shrunk", None) for n in seen if n > size}


@dataclass(frozen=True)
class Own:
    """What an agency holds of its grant."""

    log: str
    lock: bytes
    terms: bytes
    opening_key: bytes


@dataclass(frozen=True)
class Kept:
    """The checkpoint that it saw before, and the proof between it and the new one."""

    size: int
    root: bytes
    proof: Sequence[bytes]


def light_verdict(evidence: Mapping[str, Any], own: Own, rules: Rules, now: int, kept: Kept | None) -> str:
    """The light check of section 6, step by step."""
    if own.log != rules.log.name:
        return "wrong_log"
    try:
        size, root = open_note(evidence["checkpoint"], rules, now)
        slots, status_root = _head(evidence["head"], size, root)
        slot = _grant(evidence["grant"], own, size, root)
        _status(evidence["status"], slot, slots, status_root)
        if kept is not None:
            pair = sorted([(kept.size, 0, kept.root), (size, 1, root)])
            check_consistent(pair[0][0], pair[0][2], pair[1][0], pair[1][2], kept.proof)
    except Refused as error:
        return str(error)
    return "ok"


def _hashes(text: str) -> list[bytes]:
    data = from_b64u(text)
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def _head(proof: Mapping[str, Any], size: int, root: bytes) -> tuple[int, bytes]:
    leaf, index = from_b64u(proof["leaf"]), proof["index"]
    if index != size - 1:
        raise Refused("bad_head")
    check_included(leaf, index, size, _hashes(proof["hashes"]), root)
    if LENGTHS.get(leaf[0]) != len(leaf):
        raise Refused("bad_leaf")
    if leaf[0] != 5 or number(leaf[1:9]) != index:
        raise Refused("bad_head")
    return number(leaf[9:14]), leaf[14:]


def _grant(proof: Mapping[str, Any], own: Own, size: int, root: bytes) -> int:
    leaf = from_b64u(proof["leaf"])
    check_included(leaf, proof["index"], size, _hashes(proof["hashes"]), root)
    if LENGTHS.get(leaf[0]) != len(leaf):
        raise Refused("bad_leaf")
    commit = hmac.new(own.opening_key, b"regie/commit/v1\x01" + own.terms, "sha256").digest()
    if leaf[0] != 1 or leaf[6:] != own.lock + commit:
        raise Refused("bad_grant")
    return number(leaf[1:6])


def _status(status: Mapping[str, Any], slot: int, slots: int, status_root: bytes) -> None:
    bits = from_b64u(status["chunk"])
    if slot >= slots:
        raise Refused("bad_status")
    n = slot // 2048
    check_included(bits, n, max(1, -(-slots // 2048)), _hashes(status["hashes"]), status_root)
    number_of_bits = int.from_bytes(bits, "little")
    if number_of_bits >> min(2048, slots - 2048 * n):
        raise Refused("bad_status")
    if number_of_bits >> slot % 2048 & 1:
        raise Refused("revoked")
