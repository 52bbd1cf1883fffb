"""Go's note and tlog read our log over HTTP: they verify what is right and refuse what was tampered with.

Debian packages both (golang-go, golang-golang-x-mod-dev). The program in `go/` shares no code with us.
"""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.checkpoint import Checkpoint, sign_checkpoint
from tests.consentlog.small_town import SmallTown
from tests.interop.served import MODULES, Spoil, build_reader, fill, go, on_a_socket
from tests.protocol.builders import LOG_ORIGIN

pytestmark = pytest.mark.skipif(
    go() is None or not (MODULES / "src/golang.org/x/mod/sumdb/tlog").exists(),
    reason="needs golang-go and golang-golang-x-mod-dev",
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reader(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallTown]:
    """A log with a full tile, partial ones on two levels, and an older checkpoint beside."""
    folder = tmp_path_factory.mktemp("town")
    with SmallTown(folder).running() as running:
        fill(running, 5)
        (folder / "old.note").write_text(running.send("GET", "/checkpoint").text)
        fill(running, 260)
        yield running


def read(reader: Path, vkey: str, url: str, *old: Path) -> subprocess.CompletedProcess[str]:
    arguments = [str(reader), vkey, url, *map(str, old)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)


def test_go_verifies_checkpoint_every_entry_and_every_growth(reader: Path, town: SmallTown) -> None:
    with on_a_socket(town) as url:
        done = read(reader, town.entry.vkey, url, town.folder / "old.note")
    assert done.returncode == 0, done.stderr
    assert town.node is not None
    assert json.loads(done.stdout) == {"origin": LOG_ORIGIN, "size": town.node.published.size}
    assert town.node.published.size >= 260


_TILE = "downloaded inconsistent tile|invalid transparency proof"


def flip(place: int) -> Spoil:
    def change(path: str, body: bytes) -> bytes:
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

    return change


def only(beginning: str, spoil: Spoil) -> Spoil:
    return lambda path, body: spoil(path, body) if path.startswith(beginning) else body


def another_root(path: str, body: bytes) -> bytes:
    lines = body.split(b"\n")
    lines[2] = base64.b64encode(bytes(32))
    return b"\n".join(lines)


def another_size(path: str, body: bytes) -> bytes:
    lines = body.split(b"\n")
    lines[1] = str(int(lines[1]) - 1).encode()
    return b"\n".join(lines)


def another_hash(path: str, body: bytes) -> bytes:
    lines = body.split(b"\n")
    lines[2] = base64.b64encode(bytes(32))
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (only("checkpoint", another_root), "invalid signature"),
        (only("checkpoint", another_size), "invalid signature"),
        (only("tile/0/000", flip(100)), _TILE),
        (only("tile/0/001", flip(8)), _TILE),
        (only("tile/1/", flip(0)), _TILE),
        (only("tile/0/000", lambda path, body: body[:-32]), "bad result slice"),
        (only("tile/entries/", flip(40)), "entry "),
        (only("v1/proofs/", another_hash), "served proof of entry 0"),
    ],
    ids=["root", "size", "full-tile", "partial-tile", "upper-tile", "short-tile", "entry", "proof"],
)
def test_go_refuses_what_was_tampered_with(reader: Path, town: SmallTown, spoil: Spoil, said: str) -> None:
    with on_a_socket(town, spoil) as url:
        done = read(reader, town.entry.vkey, url, town.folder / "old.note")
    assert done.returncode == 1
    assert re.search(said, done.stderr), done.stderr


def test_go_refuses_a_checkpoint_of_another_key(reader: Path, town: SmallTown) -> None:
    with on_a_socket(town) as url:
        done = read(reader, town.entry.receipt_vkey, url)
    assert done.returncode == 1
    assert "note has no verifiable signatures" in done.stderr


def test_go_refuses_a_log_that_forgot_an_older_tree(reader: Path, town: SmallTown, tmp_path: Path) -> None:
    """An older checkpoint of the same log, genuinely signed, of a tree that this one does not extend."""
    assert town.node is not None
    forked = sign_checkpoint(Checkpoint(LOG_ORIGIN, 7, bytes(32)), town.node.keys.checkpoint_signers())
    (tmp_path / "forked.note").write_text(forked)
    with on_a_socket(town) as url:
        done = read(reader, town.entry.vkey, url, tmp_path / "forked.note")
    assert done.returncode == 1
    assert "tree of 7" in done.stderr
