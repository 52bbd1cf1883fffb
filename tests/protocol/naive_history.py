"""Histories of any size for the naive log, honest or bent, by seed; notes and evidence without `protocol`."""

import base64
import hashlib
import hmac
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.oracle_tree import NaiveTree
from tests.protocol.naive_log import Key, NaiveReplay, Own, Rules, chunks, sha

NOW = 1_795_305_600
ORIGIN = "log.voorbeeld.example/2026"
_NAMES = [ORIGIN, *(f"witness.voorbeeld.example/{i}" for i in range(3))]
_PRIVATE = {name: Ed25519PrivateKey.from_private_bytes(sha(name.encode())) for name in _NAMES}
_KEYS = [
    Key(n, private.public_key().public_bytes_raw(), 4 if n != ORIGIN else 1) for n, private in _PRIVATE.items()
]
LOG_KEY, WITNESS_KEYS = _KEYS[0], _KEYS[1:]
RULES = Rules(LOG_KEY, WITNESS_KEYS)


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def secret(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def vkey(key: Key) -> str:
    return f"{key.name}+{key.key_id.hex()}+{base64.b64encode(bytes([key.kind]) + key.public).decode()}"


POLICY_TEXT = (
    f"log {vkey(LOG_KEY)}\n"
    + "".join(f"witness w{i} {vkey(key)}\n" for i, key in enumerate(WITNESS_KEYS))
    + "group two 2 w0 w1 w2\nquorum two\n"
)


def signature(key: Key, body: str, time: int = 0) -> str:
    """A line of a note."""
    message, before = body, b""
    if key.kind == 4:
        message, before = f"cosignature/v1\ntime {time}\n{body}", time.to_bytes(8, "big")
    blob = key.key_id + before + _PRIVATE[key.name].sign(message.encode())
    return f"\u2014 {key.name} {base64.b64encode(blob).decode()}\n"


def sign_note(
    size: int, root: bytes, times: Sequence[int | None] = (NOW, NOW, NOW), *, origin: str = ORIGIN
) -> str:
    """A checkpoint of the log, cosigned by each witness at its time (None: not at all)."""
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    lines = [signature(key, body, t) for key, t in zip(WITNESS_KEYS, times, strict=True) if t is not None]
    return f"{body}\n{signature(LOG_KEY, body)}{''.join(lines)}"


@dataclass
class NaiveHistory:
    """Leaves, and what the parties know of them. `replay` is the state after all of them, if it was honest."""

    leaves: list[bytes]
    replay: NaiveReplay

    @cached_property
    def tree(self) -> NaiveTree:
        return NaiveTree(self.leaves)

    @cached_property
    def status(self) -> NaiveTree:
        return NaiveTree(chunks(self.replay.revoked, len(self.replay.grants)))

    @cached_property
    def root(self) -> bytes:
        return self.tree.root(len(self.leaves))

    def with_lying_head(self, chance: random.Random) -> "NaiveHistory":
        """The same, but the last head marks other slots, or tells another index or number of slots."""
        slots, last = len(self.replay.grants), len(self.leaves) - 1
        marked = chance.choice((self.replay.revoked, set(), {chance.randrange(slots)}, {slots}, {slots + 2047}))
        counted = chance.choice((slots, slots, slots - 1, slots + 1, 1, 2**40 - 1))
        tree = NaiveTree(chunks(marked, max([slots, *(slot + 1 for slot in marked)])))
        head = head_leaf(chance.choice((last, last, last, 0, last + 1)), counted, tree.root(len(tree.leaves)))
        liar = NaiveHistory([*self.leaves[:last], head], self.replay)
        liar.__dict__["status"] = tree
        return liar

    def proof(self, index: int) -> dict[str, Any]:
        """A leaf with its path."""
        path = self.tree.path(index, len(self.leaves))
        return {"index": index, "leaf": b64u(self.leaves[index]), "hashes": b64u(b"".join(path))}

    def chunk_proof(self, n: int) -> dict[str, Any]:
        path = self.status.path(n, len(self.status.leaves))
        return {"chunk": b64u(self.status.leaves[n]), "hashes": b64u(b"".join(path))}

    def evidence(self, slot: int) -> dict[str, Any]:
        """What the log answers about the grant of `slot`."""
        return {
            "checkpoint": sign_note(len(self.leaves), self.root),
            "head": self.proof(len(self.leaves) - 1),
            "grant": self.proof(self.replay.grants[slot][0]),
            "status": self.chunk_proof(slot // 2048),
        }


def own(slot: int) -> Own:
    """What the parties of the grant hold."""
    return Own(ORIGIN, sha(secret(f"r{slot}")), b'{"slot":%d}' % slot, secret(f"key{slot}"))


def grant_leaf(slot: int) -> bytes:
    mine = own(slot)
    commit = hmac.new(mine.opening_key, b"regie/commit/v1\x01" + mine.terms, "sha256").digest()
    return b"\x01" + slot.to_bytes(5, "big") + mine.lock + commit


def revocation_leaf(index: int, slot: int, r: bytes) -> bytes:
    return b"\x02" + index.to_bytes(8, "big") + slot.to_bytes(5, "big") + r


def head_leaf(index: int, slots: int, status_root: bytes) -> bytes:
    return b"\x05" + index.to_bytes(8, "big") + slots.to_bytes(5, "big") + status_root


def honest(size: int, seed: int) -> NaiveHistory:
    """`size` leaves of an honest log, the last one a head: grants, events and revocations as the seed has them."""
    chance = random.Random(f"{size} {seed}")
    weights = [
        chance.choice((1, 3, 6)),
        chance.choice((0, 2, 5)),
        chance.choice((0, 1, 2)),
        min(0.7, 200 / (size + 1)),
    ]
    replay = NaiveReplay()
    while len(replay.leaves) < size:
        index = len(replay.leaves)
        kind = chance.choices(("grant", "event", "revocation", "head"), weights)[0]
        slot = chance.randrange(max(1, len(replay.grants)))
        if index == size - 1 or kind == "head":
            replay.apply(head_leaf(index, len(replay.grants), replay.status_root()))
        elif kind == "revocation" and slot < len(replay.grants) and slot not in replay.revoked:
            replay.apply(revocation_leaf(replay.grants[slot][0], slot, secret(f"r{slot}")))
        elif kind == "event":
            replay.apply(bytes([chance.choice((3, 4, 6))]) + chance.randbytes(48))
        else:
            replay.apply(grant_leaf(len(replay.grants)))
    return NaiveHistory(replay.leaves, replay)


# --- ways to lie about the past --------------------------------------------------------------------------------

Bend = Callable[[random.Random, list[bytes], NaiveReplay], None]


def _at(chance: random.Random, leaves: list[bytes], *kinds: int) -> int:
    """A place with a leaf of one of these types, or any place."""
    return chance.choice([i for i, leaf in enumerate(leaves) if leaf[0] in kinds] or range(len(leaves)))


def flip(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    at = chance.randrange(len(leaves))
    data = bytearray(leaves[at])
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    leaves[at] = bytes(data)


def drop(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    del leaves[chance.randrange(len(leaves))]


def cut(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    del leaves[chance.randrange(len(leaves)) :]


def repeat(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    at = _at(chance, leaves, 1, 2)
    leaves.insert(chance.randint(at, len(leaves)), leaves[at])


def swap(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    i, j = chance.randrange(len(leaves)), chance.randrange(len(leaves))
    leaves[i], leaves[j] = leaves[j], leaves[i]


def shorten(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    at = chance.randrange(len(leaves))
    leaves[at] = chance.choice((leaves[at][:-1], leaves[at] + b"\0", b"", b"\7" + leaves[at][1:]))


def take_lock(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    """Two grants under one lock."""
    one, other = _at(chance, leaves, 1), _at(chance, leaves, 1)
    leaves[other] = leaves[other][:6] + leaves[one][6:38] + leaves[other][38:]


def misnumber(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    """Another slot in a grant, another index in a head or revocation."""
    at = _at(chance, leaves, 1, 2, 5)
    end = 6 if leaves[at][0] == 1 else 9
    value = (int.from_bytes(leaves[at][1:end], "big") + chance.choice((-1, 1, 2**39))) % 256 ** (end - 1)
    leaves[at] = leaves[at][:1] + value.to_bytes(end - 1, "big") + leaves[at][end:]


def recount(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    """Another number of slots in a head, another slot in a revocation."""
    at = _at(chance, leaves, 2, 5)
    value = (int.from_bytes(leaves[at][9:14], "big") + chance.choice((-1, 1, 2**39))) % 2**40
    leaves[at] = leaves[at][:9] + value.to_bytes(5, "big") + leaves[at][14:]


def revoke_without_secret(chance: random.Random, leaves: list[bytes], replay: NaiveReplay) -> None:
    slot = chance.randrange(len(replay.grants) + 1)
    index = replay.grants[slot][0] if slot < len(replay.grants) else 0
    r = secret(f"r{chance.choice((slot, slot + 1))}")
    leaves.insert(chance.randint(0, len(leaves)), revocation_leaf(index, slot, r))


def hide_revocation(chance: random.Random, leaves: list[bytes], replay: NaiveReplay) -> None:
    """The last head says that nobody was revoked, or somebody else."""
    liar = NaiveReplay(grants=replay.grants, revoked=set(chance.choice(((), (0,)))))
    leaves[-1] = head_leaf(len(leaves) - 1, len(replay.grants), liar.status_root())


def end_without_head(chance: random.Random, leaves: list[bytes], _: NaiveReplay) -> None:
    leaves.append(b"\3" + chance.randbytes(48))


BENDS: tuple[Bend, ...] = (
    flip, drop, cut, repeat, swap, shorten, take_lock, misnumber, recount, revoke_without_secret, hide_revocation,
    end_without_head,
)  # fmt: skip
