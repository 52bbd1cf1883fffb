"""A small town whose auditing cosigner is the real one, and whose wires look at the disks behind everybody's back.

What is checked in passing: a checkpoint that is shown to a witness stands in the global lock already, and whatever
is acknowledged is in the log's database when the answer leaves. Files are read with connections of their own.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from flask import Response, request

from auditor.client import LogReader
from auditor.cosigner import Cosigner
from auditor.store import Store
from consentlog.config import log_config
from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import parse_checkpoint_body
from protocol.consent_api import CosignerRevocationRequest, PendingRevocations
from protocol.note import NoteSigner, SignatureType, VerifierKey, parse_vkey
from protocol.witness import parse_add_checkpoint
from service.app import json_response, make_app, read_json
from service.database import engine_for, sqlite_url
from service.fetch import Answer
from service.home import Home
from service.witness import Witness, witness_blueprint
from tests.consentlog.peers import Wires
from tests.consentlog.small_town import SmallTown
from tests.protocol import builders
from tests.protocol.builders import AUDITOR_NAME, LOG_ORIGIN, LOG_URL, WITNESS_NAME


def rows(path: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What stands in a database, past every fault."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        return connection.execute(statement, values).fetchall()


class WatchingWires(Wires):
    """`violations`: what must never be seen."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.lock_path = folder / "log" / "lock.db"
        self.violations: list[str] = []

    def request(self, method: str, url: str, **options: Any) -> Answer:
        if urlsplit(url).path == "/add-checkpoint":
            self._check_lock(options["body"])
        return super().request(method, url, **options)

    def _check_lock(self, body: bytes) -> None:
        claimed = parse_add_checkpoint(body).claimed
        ((size, root),) = rows(self.lock_path, "SELECT size, root FROM global_lock")
        if claimed.size > size or (claimed.size == size and claimed.root != root):
            self.violations.append("a checkpoint was shown before the lock stood at it")


class WatchedTown(SmallTown):
    """`folder` keeps everybody's homes, as in `SmallTown`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.watch = WatchingWires(folder)
        self.watch.hosts = self.wires.hosts
        self.wires = self.watch
        self._add_peers()

    def _add_witnesses(self) -> None:
        pass  # `_add_peers`, once the wires that watch are there

    def _add_peers(self) -> None:
        """Both witnesses, from their files: again after a crash of theirs."""
        key = parse_vkey(self.entry.vkey)

        def key_of(origin: str) -> VerifierKey | None:
            return key if origin == LOG_ORIGIN else None

        signer = NoteSigner(WITNESS_NAME, builders.WITNESS_KEY, SignatureType.COSIGNATURE)
        store = engine_for(sqlite_url(Home(self.folder / "witness").create().file("witness.db")))
        plain = make_app("consentlog")
        plain.register_blueprint(witness_blueprint(Witness(store, signer, self.witness_clock, key_of)))
        self.wires.hosts[WITNESS_NAME] = plain
        kept = Store(Home(self.folder / "auditor").create())
        auditor = Cosigner(kept, lambda start, size: self._leaves(start, size))
        witness = Witness(
            kept.engine,
            NoteSigner(AUDITOR_NAME, builders.AUDITOR_KEY, SignatureType.COSIGNATURE),
            self.witness_clock,
            key_of,
            before_cosign=auditor.before_cosign,
            in_transaction=auditor.last_look,
        )
        app = make_app("auditor")
        app.register_blueprint(witness_blueprint(witness))

        @app.post("/v1/revocations")
        def keep() -> Response:
            lock = auditor.keep(b64u_decode(read_json(CosignerRevocationRequest).r))
            return json_response({"lock": b64u_encode(lock)})

        @app.get("/v1/revocations")
        def pending() -> Response:
            assert request.args["origin"] == LOG_ORIGIN
            return json_response(PendingRevocations([b64u_encode(r) for r in auditor.pending()]))

        self.wires.hosts[AUDITOR_NAME] = app

    def _leaves(self, start: int, size: int) -> Iterator[bytes]:
        return LogReader(LOG_URL, self.wires).leaves(start, size)

    def use_lock(self, path: Path) -> None:
        """Have the log keep its global lock on another disk."""
        self.watch.lock_path = path
        self.home.write_config(msgspec.structs.replace(log_config(self.home), lock=sqlite_url(path)))

    @property
    def database(self) -> Path:
        return self.home.path / "log.db"

    def stored_leaf(self, index: int) -> bytes | None:
        """The leaf at `index` on the log's disk now."""
        found = rows(self.database, "SELECT leaf FROM leaves WHERE idx = ?", index)
        return found[0][0] if found else None

    def note_size_and_root(self, note: str) -> tuple[int, bytes]:
        """Of a checkpoint that somebody was shown."""
        body = parse_checkpoint_body(note.partition("\n\n")[0] + "\n")
        return body.size, body.root
