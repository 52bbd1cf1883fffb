"""`POST /v1/reads` on the event loop: the one endpoint of the log that a profile put past Flask and its threads.

A thread for each waiting READ costs more than the READ: every step of a thread takes the interpreter from the
writer. Here a READ is checked on the loop, waits as a future, and is answered there; what would need a look at
the disk (a grant not seen lately, a trust list not looked at lately) goes by a thread.
"""

import asyncio

import msgspec

from consentlog.node import ANSWER_SECONDS, Node, NotAtHand
from consentlog.operations import Outcome, ReadOperation
from consentlog.parties import Parties
from consentlog.waiting import LoopAnswer, Mailbox
from protocol.consent_api import MAX_REQUEST_BYTES, ReadRequest, parse_body
from protocol.errors import Unavailable
from service.edge import HotPath
from service.hot import JsonPath

MAX_READS_WAITING = 1024
"""READs under way on the loop; beyond that `busy`."""


class HotReads:
    """`await read(body)` from one event loop."""

    def __init__(self, node: Node, parties: Parties) -> None:
        self._node = node
        self._parties = parties
        self._mailbox: Mailbox | None = None
        self._waiting = 0

    async def read(self, body: bytes) -> bytes:
        """The JSON of a `ReadAnswer`. Raises what `Parties.read` raises."""
        if self._waiting >= MAX_READS_WAITING:
            raise Unavailable("busy", "too many requests are waiting")
        self._waiting += 1
        try:
            operation = await self._prepare(parse_body(body, ReadRequest))
            outcome = await self._perform(operation)
        finally:
            self._waiting -= 1
        return msgspec.json.encode(self._parties.answer_read(operation, outcome))

    async def _prepare(self, request: ReadRequest) -> ReadOperation:
        try:
            return self._parties.prepare_read_at_hand(request)
        except NotAtHand:
            return await asyncio.to_thread(self._parties.prepare_read, request)

    async def _perform(self, operation: ReadOperation) -> Outcome:
        loop = asyncio.get_running_loop()
        if self._mailbox is None:
            self._mailbox = Mailbox(loop)
        future: asyncio.Future[Outcome] = loop.create_future()
        self._node.writer.room.enter(operation, LoopAnswer(self._mailbox, future))
        try:
            return await asyncio.wait_for(future, ANSWER_SECONDS)
        except TimeoutError as error:
            raise Unavailable(
                "no_quorum", "no witnessed checkpoint came in time: ask again", retry_after=2
            ) from error


def hot_paths(node: Node, parties: Parties) -> dict[tuple[str, str], HotPath]:
    """What `Edge` runs on its loop."""
    reads = HotReads(node, parties)
    path = JsonPath("consentlog", "/v1/reads", reads.read, max_bytes=MAX_REQUEST_BYTES)
    return {("POST", "/v1/reads"): path}
