"""The published status array as IETF Token Status Lists, for software that knows only those (protocol section 6).

List n holds the bits of slots n * 2^20 and on, always all of them: how many grants there are it does not tell. It
says what the checkpoint says that is published at that moment, and is as old: `iat` is the time of its quorum.
"""

from threading import Lock

from consentlog.node import Node
from protocol.errors import Rejected, Unavailable
from protocol.status_list import encode_packed, sign_status_token
from protocol.status_tree import CHUNK_BYTES, SLOTS_PER_CHUNK

SLOTS_PER_LIST = 1 << 20
TTL = 60
"""Seconds after which a reader asks again: as fresh as the light check wants a checkpoint."""
LIFETIME = 3600
"""Seconds after which a list says nothing any more."""
_CHUNKS = SLOTS_PER_LIST // SLOTS_PER_CHUNK


class StatusLists:
    """Thread-safe; one for a node. A list is packed and signed once for each checkpoint that it is asked under."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._guard = Lock()
        self._signed: dict[int, tuple[str, str]] = {}

    def token(self, number: int) -> str:
        """The `statuslist+jwt` of list `number`.

        Raises `Rejected`: `not_found` 404 beyond the last grant, or where this log has no certificate for lists;
        `Unavailable`: `no_quorum` when the published checkpoint is older than a list lives, `status_certificate`.
        """
        note, time, packed = self._node.published.status_slice(number * _CHUNKS, _CHUNKS)
        with self._guard:
            kept = self._signed.get(number)
            if kept is None or kept[0] != note:
                kept = self._signed[number] = (note, self._sign(number, time, packed))
            return kept[1]

    def _sign(self, number: int, time: int, packed: bytes) -> str:
        now = self._node.writer.time()
        try:
            certificate = self._node.keys.status_certificate(now)
        except Rejected as error:
            raise Unavailable(
                "status_certificate", "the certificate of the status lists is not in force"
            ) from error
        if certificate is None:
            raise Rejected("not_found", "this log signs no status lists", status=404)
        if now >= time + LIFETIME:
            raise Unavailable("no_quorum", "the witnesses have not cosigned for an hour", retry_after=2)
        signer, chain = certificate
        return sign_status_token(
            uri=f"{self._node.config.url.rstrip('/')}/v1/status-lists/{number}",
            bits=1,
            lst=encode_packed(packed.ljust(_CHUNKS * CHUNK_BYTES, b"\0")),
            iat=time,
            exp=time + LIFETIME,
            ttl=TTL,
            signer=signer,
            x5c=chain,
        )
