"""Two packages of PyPI: `aics-witness` cosigns our log, and `aics-tlog` verifies it.

They know Ed25519 only, signature types 0x01 and 0x04: our ML-DSA-44 line is one of a key unknown to them, and is
ignored as signed-note demands. Their witness follows tlog-witness 1.1.0. They ask for Python 3.12 and run on 3.11.
"""

import importlib.util
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protocol.canonical import sha256
from protocol.checkpoint import Checkpoint, sign_checkpoint
from protocol.note import SignatureType, parse_note, parse_vkey
from protocol.trust_list import TrustedWitness
from protocol.witness import SIZE_CONTENT_TYPE, encode_add_checkpoint
from service.fetch import Fetcher
from tests.consentlog.small_town import SmallTown
from tests.interop.served import fill, free_port, on_a_socket, peer, running_peer
from tests.protocol import builders
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("aics_witness", "aics_tlog")),
    reason="needs aics-witness and aics-tlog (requirements/peers.txt)",
)
NAME = "witness.aics.example/w1"


@dataclass(frozen=True)
class Theirs:
    """A town whose quorum needs a witness that we did not write."""

    town: SmallTown
    entry: TrustedWitness
    folder: Path

    def tell(self, command: str, *arguments: str, now: int = NOW) -> dict[str, Any]:
        """What `aics-tlog` says, as JSON, with its exit code."""
        (self.folder / "log.vkey").write_text(self.town.entry.vkey + "\n")
        done = peer("aics_tlog", command, "--vkey-file", str(self.folder / "log.vkey"), *arguments, now=now)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "exit": done.returncode}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theirs]:
    folder = tmp_path_factory.mktemp("aics")
    config, port = ("--config", str(folder / "witness.json")), free_port()
    made = peer("aics_witness", "init", "--name", NAME, "--listen", f"127.0.0.1:{port}", *config)
    vkey = made.stdout.strip().splitlines()[-1]
    entry = TrustedWitness(name=NAME, url=f"http://127.0.0.1:{port}", vkey=vkey, auditing=False)
    town = SmallTown(folder / "town")
    added = peer("aics_witness", "add-log", "--origin", LOG_ORIGIN, "--vkey", town.entry.vkey, *config)
    assert added.returncode == 0, added.stderr
    town.policy = town.policy.replace(
        "group all all w1 a1", f"witness aics {vkey} {entry.url}\ngroup all all w1 a1 aics"
    )
    town.publish_trust(version=2, witnesses=[*builders.TRUST.witnesses, entry])
    town.wires.outside = Fetcher(loopback=True)
    with running_peer("aics_witness", "serve", *config, port=port), town.running():
        yield Theirs(town, entry, folder)


def test_aics_witness_cosigns_our_log_while_it_grows(theirs: Theirs) -> None:
    town = theirs.town
    for leaves in (3, 9):
        fill(town, leaves)
        note = parse_note(town.send("GET", "/checkpoint").text)
        assert NAME in [line.name for line in note.signatures]
        assert parse_vkey(theirs.entry.vkey).key_id in [line.key_id for line in note.signatures]
    second = parse_vkey(town.entry.pq_vkey or "")
    assert second.type is SignatureType.MLDSA44_COSIGNATURE
    assert second.key_id in [line.key_id for line in note.signatures]


def test_without_its_cosignature_nothing_is_published(theirs: Theirs) -> None:
    town = theirs.town
    node = town.node
    assert node is not None
    fill(town, 3)
    before = node.published.size
    outside, town.wires.outside = town.wires.outside, None
    try:
        with ThreadPoolExecutor(1) as hand:
            waiting = hand.submit(town.grant)
            wait_until(lambda: node.tree.size > before)
            time.sleep(0.3)  # long enough for a round with the others
            assert node.published.size == before
            town.wires.outside = outside
            assert waiting.result().answer.index >= before
    finally:
        town.wires.outside = outside


def test_aics_witness_shows_monitors_what_it_cosigned(theirs: Theirs) -> None:
    town = theirs.town
    url = f"{theirs.entry.url}/{sha256(LOG_ORIGIN.encode()).hex()}/checkpoint"
    shown = Fetcher(loopback=True).get(url, accept="text/plain").text
    assert parse_note(shown).body == parse_note(town.send("GET", "/checkpoint").text).body


def test_aics_witness_refuses_a_fork_that_the_log_signed(theirs: Theirs) -> None:
    """Of the size that the witness has: 422; of a larger one without a proof: 422; of a smaller one: 409."""
    town = theirs.town
    node = town.node
    assert node is not None
    town.settle()
    size = node.published.size
    statuses = []
    for old, new in ((size, size), (size, size + 5), (size - 1, size + 5)):
        forged = sign_checkpoint(Checkpoint(LOG_ORIGIN, new, bytes(32)), node.keys.checkpoint_signers())
        body = encode_add_checkpoint(old, [], forged).encode()
        answer = Fetcher(loopback=True).post_bytes(
            f"{theirs.entry.url}/add-checkpoint", body, "text/plain", accept=None, expect=(409, 422)
        )
        statuses.append(answer.status)
    assert statuses == [422, 422, 409]
    assert (answer.media_type, answer.text) == (SIZE_CONTENT_TYPE, f"{size}\n")


def test_aics_tlog_verifies_checkpoint_and_quorum(theirs: Theirs) -> None:
    fill(theirs.town, 9)
    with on_a_socket(theirs.town) as url:
        found = theirs.tell(
            "verify-checkpoint", "--tiles", url, "--origin", LOG_ORIGIN, "--witness-key", theirs.entry.vkey,
            "--quorum", "1", "--max-age", "3600",
        )  # fmt: skip
    assert (found["exit"], found["ok"], found["witnesses"]) == (0, True, [NAME])


def test_aics_tlog_verifies_every_entry_from_our_tiles(theirs: Theirs) -> None:
    town = theirs.town
    fill(town, 9)
    leaves = town.leaves()
    with on_a_socket(town) as url:
        for index in (0, 4, len(leaves) - 1):
            out = theirs.folder / f"{index}.entry"
            found = theirs.tell("verify-inclusion", "--tiles", url, "--index", str(index), "--entry-out", str(out))
            assert (found["exit"], found["ok"]) == (0, True)
            assert out.read_bytes() == leaves[index]


def test_aics_tlog_verifies_that_our_log_only_grew(theirs: Theirs) -> None:
    town = theirs.town
    old = theirs.folder / "old.note"
    old.write_text(town.send("GET", "/checkpoint").text)
    fill(town, town.node.tree.size + 4)  # type: ignore[union-attr]
    with on_a_socket(town) as url:
        found = theirs.tell("verify-consistency", "--tiles", url, "--old-checkpoint", str(old))
        assert (found["exit"], found["ok"]) == (0, True)


def test_aics_tlog_refuses_a_tampered_tile_and_checkpoint(theirs: Theirs) -> None:
    town = theirs.town
    fill(town, 9)

    def spoiled_size(path: str, body: bytes) -> bytes:
        return body.replace(b"\n", b"\n1", 1) if path == "checkpoint" else body

    def spoiled(beginning: str) -> Any:
        return lambda path, body: body[:-9] + b"x" + body[-8:] if path.startswith(beginning) else body

    for beginning in ("tile/0/", "tile/entries/"):
        with on_a_socket(town, spoiled(beginning)) as url:
            assert theirs.tell("verify-inclusion", "--tiles", url, "--index", "8")["exit"] == 1
    with on_a_socket(town, spoiled_size) as url:
        assert theirs.tell("verify-checkpoint", "--tiles", url)["exit"] == 1
