"""What everybody may read, without a name: checkpoint, tiles, entries, proofs, status chunks, policy.

Tiles of leaves that are committed but not yet under a published checkpoint are served too: an auditing cosigner
replays them before it cosigns.
"""

from consentlog import queries
from consentlog.node import Node
from consentlog.publish import prove_head, tlog_proof
from protocol.canonical import b64u_encode
from protocol.checkpoint import encode_hashes
from protocol.consent_api import StatusChunkAnswer
from protocol.errors import Rejected
from protocol.tiles import TILE_HEIGHT, TILE_WIDTH, encode_entries, parse_tile_path, tile_width


class Public:
    """Thread-safe; one for a node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def checkpoint(self) -> str:
        """The published note; after a restart the one published last before it, until there is a new one."""
        if not self._node.published.size and self._node.locked.note:
            return self._node.locked.note
        return self._node.published.checkpoint()[0]

    def policy(self) -> str:
        """The tlog-policy of this log as the trust list has it."""
        return self._node.trust().log(self._node.config.origin).policy

    def tile(self, path: str) -> bytes:
        """The bytes of `tile/...`, which never change. Raises `Rejected`: `bad_tile_path` 404."""
        name = parse_tile_path(path)
        tree = self._node.tree
        level = name.level or 0
        self._node.reach((name.n * TILE_WIDTH + name.width) << (TILE_HEIGHT * level))
        if name.width > tile_width(level, name.n, tree.size):
            raise Rejected("bad_tile_path", "the tree has no such tile yet", status=404)
        if name.level is not None:
            return tree.tile(level, name.n, name.width)
        first = name.n * TILE_WIDTH
        return encode_entries(queries.leaves_between(self._node.engine, first, first + name.width))

    def proof(self, index: int) -> str:
        """The tlog-proof of a leaf under the published checkpoint. Raises `Rejected`: `not_found` 404."""
        note, size = self._node.published.checkpoint()
        if index >= size:
            raise Rejected("not_found", "no published leaf has this index", status=404)
        return tlog_proof(self._node.tree, index, note, size)

    def status_chunk(self, number: int) -> StatusChunkAnswer:
        """One chunk of the status array with its proofs. Raises `Rejected`: `not_found` 404."""
        view = self._node.published.view_of_chunk(number)
        return StatusChunkAnswer(
            checkpoint=view.note,
            head=prove_head(self._node.tree, view),
            chunk=b64u_encode(view.chunk),
            hashes=encode_hashes(view.chunk_proof),
            slots=view.slots,
        )
