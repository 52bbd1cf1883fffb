"""A wire between a log and its PostgreSQL that is cut without either end hearing of it: a partition."""

import socket
import threading
from contextlib import suppress
from pathlib import Path


class Wire:
    """Passes TCP on `port` to PostgreSQL's Unix socket in `folder`. `close` it.

    A direction that is cut swallows what is sent, and the end of a connection too: the other side waits.
    """

    def __init__(self, folder: Path) -> None:
        self._target = str(folder / ".s.PGSQL.5432")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._cut = {"questions": threading.Event(), "answers": threading.Event()}
        self._doomed: dict[str, set[int]] = {"questions": set(), "answers": set()}
        self._lines: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *directions: str) -> None:
        """Swallow `questions`, `answers` or both from now on. Connections that are open now never recover."""
        for direction in directions:
            self._cut[direction].set()
            self._doomed[direction].update(map(id, self._lines))

    def mend(self) -> None:
        """New connections pass again."""
        for cut in self._cut.values():
            cut.clear()

    def close(self) -> None:
        """End all connections."""
        for line in (self._listener, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._lines += [client, server]
                for direction, source, sink in (("questions", client, server), ("answers", server, client)):
                    threading.Thread(target=self._pump, args=(direction, source, sink), daemon=True).start()

    def _pump(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not self._is_cut(direction, source):
                    sink.sendall(data)
        if not self._is_cut(direction, source):
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def _is_cut(self, direction: str, source: socket.socket) -> bool:
        if self._cut[direction].is_set():
            self._doomed[direction].add(id(source))
        return id(source) in self._doomed[direction]
