"""Peers in TypeScript: each role is one node process that is told what to do, a line of JSON at a time.

What they do is done by the npm packages of `package.json`; the programs in `peers/` only join those together.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tests import npm

HERE = Path(__file__).resolve().parent
WORD_SECONDS = 60.0
"""Of real time until a peer has answered, on a busy machine."""


def is_missing() -> bool:
    """Whether the packages are not installed (`make parts`)."""
    return npm.modules(HERE) is None


class PeerRefused(Exception):
    """The peer's library threw: its words."""


class Peer:
    """One role of the peers. Keyword arguments in, a JSON value out; raises `PeerRefused` when it throws."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answers: Queue[str] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)

    def tell(self, command: str, /, **arguments: Any) -> Any:
        """One command and its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        try:
            answer = json.loads(self._answers.get(timeout=WORD_SECONDS))
        except Empty:
            raise AssertionError(f"{command}: the peer says nothing") from None
        if "error" in answer:
            raise PeerRefused(answer["error"])
        return answer["result"]


@contextmanager
def running(role: str, folder: Path) -> Iterator[Peer]:
    """`peers/ROLE.mjs` until the block ends; what it says besides its answers goes to a file in `folder`."""
    program = npm.node()
    assert program is not None
    with (folder / f"{role}.log").open("w") as log:
        process = subprocess.Popen(
            [str(program), str(HERE / "peers" / f"{role}.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield Peer(process)
        finally:
            process.kill()
            process.communicate()
