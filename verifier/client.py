"""The two others that an agency talks to: the consent log (protocol sections 6, 8, 9) and issuers' status lists.

Nothing is decided here: what comes back is unverified until a rule has looked at it.
"""

from protocol.canonical import b64u_encode
from protocol.checkpoint import ChunkProof, Evidence, LeafProof
from protocol.consent_api import (
    MAX_ANSWER_BYTES,
    MessageAnswer,
    MessageRequest,
    ReadAnswer,
    ReadRequest,
    ReleaseAnswer,
    ReleaseRequest,
    RevocationAnswer,
    RevocationRequest,
    StatusChunkAnswer,
)
from protocol.errors import Rejected
from protocol.light_check import KeptCheckpoint
from protocol.merkle import HASH_BYTES, consistency_proof, inclusion_proof
from protocol.status_list import STATUS_LIST_MEDIA_TYPE
from protocol.status_tree import SLOTS_PER_CHUNK
from protocol.tiles import TILE_WIDTH, node_from_tiles, tile_path
from service.fetch import Fetcher

LOG_SECONDS = 20.0
"""A READ is answered after its checkpoint is witnessed: the log waits for its witnesses."""
OPERATOR_SECONDS = 8.0
"""An operator that was away first fetches the leaves up to the entry."""
MAX_STATUS_LIST_BYTES = 2 * 1024 * 1024
MAX_NOTE_BYTES = 64 * 1024


class LogClient:
    """One consent log. Raises what `Fetcher` raises: `Rejected` with the log's own code, `Unavailable`."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")

    def read(self, request: ReadRequest) -> ReadAnswer:
        """`POST /v1/reads`."""
        answer = self._fetcher.post_json(
            f"{self._url}/v1/reads", request, max_bytes=MAX_ANSWER_BYTES, total_seconds=LOG_SECONDS
        )
        return answer.json(ReadAnswer)

    def send_message(self, token: str) -> MessageAnswer:
        """`POST /v1/messages`, a message of this agency."""
        answer = self._fetcher.post_json(
            f"{self._url}/v1/messages",
            MessageRequest(token),
            max_bytes=MAX_ANSWER_BYTES,
            total_seconds=LOG_SECONDS,
        )
        return answer.json(MessageAnswer)

    def revoke(self, r: bytes) -> RevocationAnswer:
        """`POST /v1/revocations`: who shows r ends the grant with its lock."""
        body = RevocationRequest(b64u_encode(r))
        answer = self._fetcher.post_json(f"{self._url}/v1/revocations", body, total_seconds=LOG_SECONDS)
        return answer.json(RevocationAnswer)

    def status_chunk(self, slot: int) -> StatusChunkAnswer:
        """`GET /v1/status-chunks/{n}`: the chunk of `slot` under the newest checkpoint."""
        url = f"{self._url}/v1/status-chunks/{slot // SLOTS_PER_CHUNK}"
        return self._fetcher.get(url, max_bytes=MAX_ANSWER_BYTES).json(StatusChunkAnswer)

    def evidence(
        self, slot: int, grant_index: int, grant_leaf: bytes, *, size: int, chunk: StatusChunkAnswer
    ) -> Evidence:
        """What a light check needs, from a chunk under a checkpoint of `size` leaves and the log's tiles.

        Raises `Rejected`: `bad_tile`, `bad_inclusion` when the log's tiles do not fit together.
        """
        if not grant_index < size:
            raise Rejected("bad_inclusion", "the log's checkpoint is older than the grant's receipt")
        hashes = inclusion_proof(grant_index, size, node_from_tiles(self._tile, size))
        grant = LeafProof.make(grant_index, grant_leaf, hashes)
        return Evidence(chunk.checkpoint, chunk.head, grant, ChunkProof(chunk.chunk, chunk.hashes))

    def kept(self, size: int, root: bytes, seen: int) -> KeptCheckpoint:
        """The checkpoint kept from before, with the proof between it and one of `seen` leaves."""
        small, large = min(size, seen), max(size, seen)
        proof = consistency_proof(small, large, node_from_tiles(self._tile, large)) if small != large else []
        return KeptCheckpoint(size, root, tuple(proof))

    def _tile(self, level: int, n: int, width: int) -> bytes:
        answer = self._fetcher.get(
            f"{self._url}/{tile_path(level, n, width)}", accept=None, max_bytes=TILE_WIDTH * HASH_BYTES
        )
        return answer.body


class OperatorClient:
    """One operator of a log. Raises what `Fetcher` raises."""

    def __init__(self, fetcher: Fetcher, url: str) -> None:
        self._fetcher = fetcher
        self._url = url.rstrip("/")

    def release(self, request: ReleaseRequest) -> ReleaseAnswer:
        """`POST /v1/releases`."""
        answer = self._fetcher.post_json(
            f"{self._url}/v1/releases", request, max_bytes=MAX_ANSWER_BYTES, total_seconds=OPERATOR_SECONDS
        )
        return answer.json(ReleaseAnswer)


class StatusClient:
    """Status lists of issuers (Token Status List section 8)."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def token(self, uri: str) -> str:
        """The `statuslist+jwt` at `uri`, unverified."""
        answer = self._fetcher.get(uri, accept=STATUS_LIST_MEDIA_TYPE, max_bytes=MAX_STATUS_LIST_BYTES)
        return answer.text.strip()
