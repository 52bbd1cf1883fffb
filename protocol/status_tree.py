"""The status array and its tree: one bit for each slot, 1 = revoked (**ours**, protocol section 6).

Bits stand least significant first, as in a Token Status List; the tree is RFC 6962 over chunks of 256 bytes (2048
slots), at least one. A change costs one hash for each level; 10^8 slots take 12.5 MB of bits and 3 MB of hashes.
"""

from collections.abc import Sequence

from protocol.errors import Rejected
from protocol.leaf import MAX_SLOTS
from protocol.merkle import HASH_BYTES, leaf_hash, node_hash, verify_inclusion

CHUNK_BYTES = 256
SLOTS_PER_CHUNK = CHUNK_BYTES * 8
_NO_ONE_REVOKED = leaf_hash(bytes(CHUNK_BYTES))


def chunk_count(slots: int) -> int:
    """Chunks of a status array of `slots` slots: at least one."""
    return max(1, -(-slots // SLOTS_PER_CHUNK))


class StatusTree:
    """A status array that grows and a tree that follows it."""

    def __init__(self) -> None:
        self.slots = 0
        self._bits = bytearray(CHUNK_BYTES)
        # _levels[k] holds the hashes over 2^k chunks; a last one without a sibling moves up unchanged, which is
        # the tree of RFC 6962. The last level holds the root alone.
        self._levels = [bytearray(_NO_ONE_REVOKED)]

    def append_slot(self) -> int:
        """Add an unrevoked slot and return its number."""
        slot = self.slots
        if slot >= MAX_SLOTS:
            raise ValueError("a status array has at most 2^40 slots")
        if slot and slot % SLOTS_PER_CHUNK == 0:
            self._bits += bytes(CHUNK_BYTES)
            self._set_chunk_hash(slot // SLOTS_PER_CHUNK, _NO_ONE_REVOKED)
        self.slots += 1
        return slot

    def revoke(self, slot: int) -> None:
        """Set the bit of `slot`; there is no way back. Idempotent."""
        self._check(slot)
        self._bits[slot >> 3] |= 1 << (slot & 7)
        number = slot // SLOTS_PER_CHUNK
        self._set_chunk_hash(number, leaf_hash(self.chunk(number)))

    def is_revoked(self, slot: int) -> bool:
        """The bit of `slot`."""
        self._check(slot)
        return bool(self._bits[slot >> 3] >> (slot & 7) & 1)

    def chunk(self, number: int) -> bytes:
        """256 bytes: the bits of slots [number * 2048, (number + 1) * 2048)."""
        if not 0 <= number < chunk_count(self.slots):
            raise ValueError("no such chunk")
        return bytes(self._bits[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES])

    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        return bytes(self._levels[-1])

    def proof(self, number: int) -> list[bytes]:
        """Inclusion proof of chunk `number`, from its sibling up."""
        if not 0 <= number < chunk_count(self.slots):
            raise ValueError("no such chunk")
        hashes = []
        for level in self._levels[:-1]:
            sibling = (number ^ 1) * HASH_BYTES
            if sibling < len(level):
                hashes.append(bytes(level[sibling : sibling + HASH_BYTES]))
            number >>= 1
        return hashes

    def copy(self) -> "StatusTree":
        """An independent tree with the same state: what a published checkpoint keeps."""
        other = StatusTree()
        other.slots, other._bits = self.slots, self._bits.copy()
        other._levels = [level.copy() for level in self._levels]
        return other

    def to_bytes(self) -> bytes:
        """u40 slots || the bits of all chunks."""
        return self.slots.to_bytes(5, "big") + self._bits

    @classmethod
    def from_bytes(cls, data: bytes) -> "StatusTree":
        """Inverse of `to_bytes`, for our own store. Raises `ValueError`."""
        slots, bits = int.from_bytes(data[:5], "big"), data[5:]
        if len(bits) != chunk_count(slots) * CHUNK_BYTES or not _is_clean_after(bits, slots):
            raise ValueError("not the bytes of a status tree")
        tree = cls()
        tree.slots, tree._bits = slots, bytearray(bits)
        tree._levels = [bytearray()]
        for start in range(0, len(bits), CHUNK_BYTES):
            tree._levels[0] += leaf_hash(bits[start : start + CHUNK_BYTES])
        while len(below := tree._levels[-1]) > HASH_BYTES:
            tree._levels.append(bytearray())
            for start in range(0, len(below), 2 * HASH_BYTES):
                tree._levels[-1] += _parent(below, start)
        return tree

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self.slots:
            raise ValueError("no such slot")

    def _set_chunk_hash(self, number: int, value: bytes) -> None:
        """Put the hash of a chunk, which may be the next one, and renew the path above it."""
        self._levels[0][number * HASH_BYTES : (number + 1) * HASH_BYTES] = value
        height = 0
        while len(below := self._levels[height]) > HASH_BYTES:
            number >>= 1
            height += 1
            if height == len(self._levels):
                self._levels.append(bytearray())
            above = self._levels[height]
            above[number * HASH_BYTES : (number + 1) * HASH_BYTES] = _parent(below, number * 2 * HASH_BYTES)


def _parent(level: bytearray, start: int) -> bytes:
    """Hash over the pair that begins at byte `start`, or the lone last hash as it is."""
    left, right = (
        bytes(level[start : start + HASH_BYTES]),
        bytes(level[start + HASH_BYTES : start + 2 * HASH_BYTES]),
    )
    return node_hash(left, right) if right else left


def _is_clean_after(bits: bytes, slots: int) -> bool:
    """Whether all bits of slots that do not exist yet are 0."""
    rest = bits[slots >> 3 :]
    return not rest or (rest[0] >> (slots & 7) == 0 and not any(rest[1:]))


def is_bit_set(chunk: bytes, slot: int) -> bool:
    """The bit of `slot` in the chunk that holds it."""
    place = slot % SLOTS_PER_CHUNK
    return bool(chunk[place >> 3] >> (place & 7) & 1)


def verify_chunk(chunk: bytes, number: int, slots: int, proof: Sequence[bytes], root: bytes) -> None:
    """That `chunk` is chunk `number` of the status array of `slots` slots whose tree has `root`.

    1. length and number; 2. inclusion; 3. slots that do not exist are 0.
    Raises `Rejected`: `bad_status`, `bad_inclusion`.
    """
    if len(chunk) != CHUNK_BYTES or not 0 <= number < chunk_count(slots):
        raise Rejected("bad_status", "not a chunk of this status array")
    verify_inclusion(leaf_hash(chunk), number, chunk_count(slots), proof, root)
    if not _is_clean_after(chunk, min(SLOTS_PER_CHUNK, slots - number * SLOTS_PER_CHUNK)):
        raise Rejected("bad_status", "a slot that does not exist is marked")
