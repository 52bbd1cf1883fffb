"""The villain: somebody who stole a log's signing keys and its openings, and serves a history of their own.

Takes over what the honest log published, goes on from there (or changes it), signs with the stolen key, asks the
witnesses for cosignatures as the honest log does, and serves the public files and the openings.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import Checkpoint, sign_checkpoint
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.leaf import Grant, Head, LeafType, Read, Revocation, commitment, event_tag, parse_leaf
from protocol.merkle import Frontier, consistency_proof, leaf_hash
from protocol.note import NoteSigner, SignatureType
from protocol.status_tree import StatusTree
from protocol.tiles import encode_entries, encode_tile, node_from_tiles, parse_entries, parse_tile_path, tile_width
from protocol.witness import encode_add_checkpoint

OPENING_KEY = bytes(range(32))


def fetch(url: str, *, token: str = "", body: bytes | None = None) -> bytes:
    """The body of an answer from a neighbour on this machine."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        return bytes(answer.read())


class LyingLog:
    """A history that can be bent. `leaves` and `openings` start as the honest log's; `signers`: all its keys."""

    def __init__(
        self, origin: str, signers: Sequence[NoteSigner], leaves: list[bytes], openings: list[dict[str, Any]]
    ) -> None:
        self._signers = signers
        self.origin = origin
        self.note = ""
        self.honest_size = len(leaves)
        self.leaves, self.openings = leaves, openings
        self._server: ThreadingHTTPServer | None = None

    @classmethod
    def steal(cls, origin: str, home: Path, url: str, token: str) -> "LyingLog":
        """With the keys in the honest log's `home`, what it published at `url` and its openings."""
        signers = [
            NoteSigner(origin, Ed25519Private((home / "log-key").read_bytes())),
            NoteSigner(origin, MlDsa44Private((home / "pq-key").read_bytes()), SignatureType.MLDSA44_COSIGNATURE),
        ]
        size = int(fetch(f"{url}/checkpoint").decode().split("\n")[1])
        leaves = [leaf for n in range(-(-size // 256)) for leaf in _bundle(url, n, size)]
        page = fetch(f"{url}/v1/openings?from=0&to={size}", token=token)
        return cls(origin, signers, leaves, json.loads(page)["openings"])

    # -- bending -----------------------------------------------------------------------------------------------

    def change(self, index: int) -> None:
        """Put another commitment into an old read or grant."""
        leaf = self.leaves[index]
        self.leaves[index] = leaf[:-1] + bytes([leaf[-1] ^ 1])

    def read_after_revocation(self, refused: dict[str, Any]) -> None:
        """Pass a refused READ off as an admitted one, with a commitment and a tag that fit."""
        token = json.loads(refused["opening"])["read"]
        grant = next(o for o in self.openings if o["type"] == "grant" and o["slot"] == refused["slot"])
        tag_key = b64u_decode(json.loads(grant["opening"])["tag_key"])
        n = sum(o["type"] == "read" and o["slot"] == refused["slot"] for o in self.openings)
        commit = commitment(OPENING_KEY, LeafType.READ, token.encode())
        self.openings.append(
            {
                "index": len(self.leaves),
                "type": "read",
                "slot": refused["slot"],
                "n": n,
                "opening_key": b64u_encode(OPENING_KEY),
                "opening": token,
            }
        )
        self.leaves.append(Read(event_tag(tag_key, LeafType.READ, n), commit).to_bytes())

    def add_head(self, *, hide_revocations: bool = False) -> None:
        """End in a head, an honest one or one that shows every grant as live."""
        status = StatusTree()
        for data in self.leaves:
            leaf = parse_leaf(data)
            if isinstance(leaf, Grant):
                status.append_slot()
            elif isinstance(leaf, Revocation) and not hide_revocations:
                status.revoke(leaf.slot)
        self.leaves.append(Head(len(self.leaves), status.slots, status.root()).to_bytes())

    # -- publishing --------------------------------------------------------------------------------------------

    def sign(self) -> str:
        """A checkpoint of the bent history, signed with the stolen key."""
        tree = Frontier()
        for leaf in self.leaves:
            tree.append(leaf_hash(leaf))
        self.note = sign_checkpoint(Checkpoint(self.origin, tree.size, tree.root()), self._signers)
        return self.note

    def ask_cosignature(self, witness: str, old_size: int) -> str:
        """`cosigned`, or the code with which the witness refuses."""
        size = len(self.leaves)
        reader = node_from_tiles(self._tile, size)
        proof = consistency_proof(old_size, size, reader) if 0 < old_size < size else []
        body = encode_add_checkpoint(old_size, proof, self.sign_line()).encode()
        try:
            self.note += fetch(f"{witness}/add-checkpoint", body=body).decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return str(json.loads(text)["code"]) if text.startswith("{") else f"refused with {error.code}"
        return "cosigned"

    def sign_line(self) -> str:
        """The note without cosignatures, as witnesses take it."""
        head, _, signatures = self.note.partition("\n\n")
        own = signatures.splitlines(keepends=True)[: len(self._signers)]
        return f"{head}\n\n{''.join(own)}"

    def _tile(self, level: int, n: int, width: int) -> bytes:
        if level == 0:
            return encode_tile([leaf_hash(leaf) for leaf in self.leaves[n * 256 : n * 256 + width]])
        roots = []
        for start in range(n * 256**level, n * 256**level + width * 256**level, 256**level):
            tree = Frontier()
            for leaf in self.leaves[start : start + 256**level]:
                tree.append(leaf_hash(leaf))
            roots.append(tree.root())
        return encode_tile(roots)

    def answer(self, path: str) -> bytes | None:
        """The file or answer at `path`, as the honest log would give it."""
        if path == "/checkpoint":
            return self.note.encode()
        if path.startswith("/tile/"):
            name = parse_tile_path(path[1:])
            if name.level is None:
                return encode_entries(self.leaves[name.n * 256 : name.n * 256 + name.width])
            return self._tile(name.level, name.n, name.width)
        if path.startswith("/v1/openings"):
            asked = {name: int(value) for name, value in parse_qsl(urlsplit(path).query)}
            found = [o for o in self.openings if asked["from"] <= o["index"] < asked["to"]]
            return json.dumps({"openings": found, "size": len(self.leaves)}).encode()
        return None

    # -- serving -----------------------------------------------------------------------------------------------

    def serve(self, url: str) -> None:
        """Take the honest log's place at `url` on this machine."""
        self._server = ThreadingHTTPServer(("127.0.0.1", int(url.rpartition(":")[2])), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _bundle(url: str, n: int, size: int) -> list[bytes]:
    width = tile_width(0, n, size)
    name = f"{n:03d}" if width == 256 else f"{n:03d}.p/{width}"
    return parse_entries(fetch(f"{url}/tile/entries/{name}"), width)


def _handler(log: LyingLog) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = log.answer(self.path)
            self.send_response(404 if body is None else 200)
            kind = "application/json" if self.path.startswith("/v1/") else "text/plain; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the story tells itself."""

    return Handler
