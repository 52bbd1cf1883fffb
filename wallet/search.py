"""Searching the public leaves for what is ours: entries that a log shows to everybody but not to us.

The tags of a grant's events come from `tag_key`, which only resident, agency and log know: whoever has it finds
every read in the log's own leaves, also one that the log leaves out when it is asked. Leaves count only once they
are proven to be those of the witnessed tree.
"""

from collections.abc import Iterable, Sequence

from protocol.canonical import b64u_decode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.leaf import LeafType, Message, Read, Refusal, event_tag, parse_leaf
from protocol.merkle import NodeReader, leaf_hash, node_hash, root
from protocol.reading import NUMBERS_AHEAD
from protocol.terms import Terms
from wallet.records import Seen

LOOK_AHEAD = 256
"""Numbers of refusals and messages tried beyond those shown. Of reads `NUMBERS_AHEAD`: no honest operator releases
under a number further ahead, so the first read that is hidden is found.
"""


def verify_leaves(first: int, leaves: Sequence[bytes], checkpoint: VerifiedCheckpoint, node: NodeReader) -> None:
    """That `leaves` stand in the tree of the checkpoint from index `first` on.

    The root is computed anew, from these leaves and, for all else, from `node`, which needs no trust: other nodes
    make another root. Raises `Rejected`: `bad_entries`.
    """
    hashes = [leaf_hash(leaf) for leaf in leaves]
    last = first + len(hashes)

    def over(level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        if end <= first or start >= last:
            return node(level, index)
        if level == 0:
            return hashes[start - first]
        return node_hash(over(level - 1, 2 * index), over(level - 1, 2 * index + 1))

    if last > checkpoint.size or root(checkpoint.size, over) != checkpoint.root:
        raise Rejected(
            "bad_entries", "the log's leaves are not those of its checkpoint; report this to the auditor"
        )


def event_tags(terms: Terms, seen: Seen) -> dict[bytes, LeafType]:
    """Tags that leaves of this grant carry or may carry."""
    key = b64u_decode(terms.tag_key)
    counts = {LeafType.READ: seen.reads, LeafType.REFUSAL: seen.refusals, LeafType.MESSAGE: seen.messages}
    ends = {
        kind: count + (NUMBERS_AHEAD if kind is LeafType.READ else LOOK_AHEAD) for kind, count in counts.items()
    }
    return {event_tag(key, kind, n): kind for kind, end in ends.items() for n in range(end)}


def find_events(first: int, leaves: Iterable[bytes], tags: dict[bytes, LeafType]) -> list[int]:
    """Indexes of the leaves that carry one of `tags`, under their own kind. Raises `Rejected`: `bad_leaf`."""
    found = []
    for index, data in enumerate(leaves, first):
        leaf = parse_leaf(data)
        if isinstance(leaf, Read | Refusal | Message) and tags.get(leaf.tag) == leaf.type:
            found.append(index)
    return found
