"""What everybody sees: tiles, checkpoints with a quorum, proofs and status chunks; and the order of publishing."""

import re
from pathlib import Path
from typing import Any

import pytest

from consentlog.client import COSIGN_SECONDS, WitnessClient
from consentlog.publish import is_whole_quorum
from protocol.canonical import b64u_decode, sha256
from protocol.checkpoint import verify_checkpoint
from protocol.consent_api import StatusChunkAnswer
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Head, parse_leaf
from protocol.light_check import verify_head, verify_slot_status
from protocol.merkle import consistency_proof, root, verify_consistency
from protocol.note import MAX_NOTE_BYTES, MAX_SIGNATURE_BYTES, NoteSignature, parse_vkey
from protocol.policy import parse_policy, satisfied
from protocol.receipt import parse_tlog_proof, verify_tlog_proof
from protocol.status_tree import verify_chunk
from protocol.tiles import TILE_WIDTH, node_from_tiles, tile_path, tile_width
from protocol.witness import encode_add_checkpoint
from service.fetch import Answer, Fetcher
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import AUDITOR_NAME, LOG_ORIGIN, NOW, WITNESS_NAME
from tests.waiting import wait_until


def checkpoint_of(town: SmallTown) -> Any:
    return verify_checkpoint(town.send("GET", "/checkpoint").text, parse_vkey(town.entry.vkey))


def fetcher(town: SmallTown) -> Any:
    def fetch(level: int, n: int, width: int) -> bytes:
        response = town.send("GET", f"/{tile_path(level, n, width)}")
        assert response.status_code == 200
        assert "immutable" in response.headers["Cache-Control"]
        return response.data

    return fetch


def test_published_checkpoint_has_a_quorum_and_ends_in_a_head(town: SmallTown) -> None:
    town.grant()
    response = town.send("GET", "/checkpoint")
    assert response.content_type.startswith("text/plain")
    log_key = parse_vkey(town.entry.vkey)
    quorum = satisfied(parse_policy(town.policy), response.text, NOW, log_keys=(log_key,))
    assert set(quorum.witnesses) == {"w1", "a1"}
    leaf = parse_leaf(town.leaves()[quorum.checkpoint.size - 1])
    assert isinstance(leaf, Head)
    assert leaf.covers == quorum.checkpoint.size - 1
    town.replayed().check_checkpoint(quorum.checkpoint)


def test_everybody_can_compute_root_and_consistency_from_the_tiles(town: SmallTown) -> None:
    town.grant()
    old = checkpoint_of(town)
    for _ in range(3):
        town.grant()
    new = checkpoint_of(town)
    node = node_from_tiles(fetcher(town), new.size)
    assert root(new.size, node) == new.root
    verify_consistency(old.size, old.root, new.size, new.root, consistency_proof(old.size, new.size, node))


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/000",
        "tile/0/000.p/200",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/1/000.p/1",
        "tile/64/000",
        "tile/entries/001",
        "tile/entries/000.p/200",
        "tile/00/000",
        "tile/0/0",
        "tile/0/-1",
        "tile/x/000",
        "tile/entries/../../config.json",
    ],
)
def test_tiles_that_are_not_there_are_not_found(town: SmallTown, path: str) -> None:
    assert town.send("GET", f"/{path}").status_code == 404


def test_any_partial_width_of_committed_leaves_is_served(town: SmallTown) -> None:
    town.grant()
    town.settle()
    whole = town.send("GET", f"/{tile_path(0, 0, town.node.tree.size)}").data
    for width in range(1, town.node.tree.size + 1):
        assert town.send("GET", f"/{tile_path(0, 0, width)}").data == whole[: 32 * width]


def test_anybody_gets_a_proof_of_any_published_leaf(town: SmallTown) -> None:
    given = town.grant()
    town.settle()
    for index, leaf in enumerate(town.leaves()):
        proof = parse_tlog_proof(town.send("GET", f"/v1/proofs/{index}").text)
        checkpoint = verify_checkpoint(proof.checkpoint, parse_vkey(town.entry.vkey))
        assert verify_tlog_proof(proof, leaf, checkpoint).index == index
    assert code_of(town.send("GET", f"/v1/proofs/{town.node.tree.size}")) == (404, "not_found")
    assert code_of(town.send("GET", f"/v1/proofs/{2**63}")) == (404, "not_found")
    assert given.answer.index < town.node.tree.size


def test_status_chunk_follows_from_the_checkpoint(town: SmallTown) -> None:
    given = town.grant()
    town.grant()
    town.revoke(given)
    town.settle()
    answer = town.parsed(town.send("GET", "/v1/status-chunks/0"), StatusChunkAnswer)
    checkpoint = verify_checkpoint(answer.checkpoint, parse_vkey(town.entry.vkey))
    head = verify_head(checkpoint, answer.head)
    assert head.slots == answer.slots == 2
    chunk = b64u_decode(answer.chunk)
    verify_chunk(chunk, 0, answer.slots, [], head.status_root)
    assert chunk[0] == 0b01
    assert code_of(town.send("GET", "/v1/status-chunks/1")) == (404, "not_found")


def test_wallet_sees_its_own_bit_in_its_events(town: SmallTown) -> None:
    given = town.grant()
    town.revoke(given)
    answer = town.events(given)
    status = verify_slot_status(
        answer.checkpoint,
        answer.head,
        answer.status,
        given.answer.slot,
        log_key=parse_vkey(town.entry.vkey),
        policy=parse_policy(town.policy),
        now=NOW,
    )
    assert status.is_revoked


def test_policy_is_that_of_the_trust_list(town: SmallTown) -> None:
    assert town.send("GET", "/v1/policy").text == town.policy


def test_health_tells_what_is_published_and_whether_reads_are_taken(town: SmallTown) -> None:
    health = town.send("GET", "/healthz").get_json()
    assert health == {
        "status": "ok",
        "room": "consentlog",
        "clock": "ok",
        "origin": LOG_ORIGIN,
        "published": town.node.published.size,
        "publishes": True,
        "reads": True,
    }


def test_unchanged_tree_is_cosigned_again(town: SmallTown) -> None:
    town.settle()
    size, time = town.node.published.size, town.node.published.view(0).time
    town.advance(45)
    wait_until(lambda: town.node.published.view(0).time == time + 45)
    assert town.node.published.size == size


def test_nothing_is_published_without_a_quorum(town: SmallTown) -> None:
    town.settle()
    published = town.node.published.size
    given = town.grant()
    town.settle()
    town.wires.cut |= {AUDITOR_NAME}
    town.revoke(given)
    before = town.send("GET", "/checkpoint").text
    committed = town.node.tree.size
    assert published < committed
    assert town.send("GET", "/checkpoint").text == before
    town.wires.cut.clear()
    wait_until(lambda: town.node.published.size == committed)


def test_one_of_two_witnesses_is_enough_where_the_policy_says_so(tmp_path: Path) -> None:
    town = SmallTown(tmp_path, threshold="any")
    with town.running():
        given = town.grant()
        town.wires.cut |= {WITNESS_NAME}
        assert town.read(given)[1].n == 0
        town.wires.cut = {AUDITOR_NAME}
        assert town.read(given)[1].n == 1
        town.wires.cut = set()
        assert town.read(given)[1].n == 2  # both follow again, from where each was left


def test_witness_that_is_behind_is_asked_from_where_it_is(town: SmallTown) -> None:
    given = town.grant()
    town.node.publisher.witnesses._clients.clear()  # forgets how far each witness was
    assert town.read(given)[1].n == 0
    assert sum(1 for asked in town.wires.asked if asked.endswith(f"{WITNESS_NAME}/add-checkpoint")) > 1


def test_lock_moves_before_anything_is_signed(town: SmallTown) -> None:
    town.wires.cut |= {WITNESS_NAME, AUDITOR_NAME}
    size = town.node.published.size
    for host in (WITNESS_NAME, AUDITOR_NAME):
        town.wires.cut.discard(host)
    town.grant()
    town.settle()
    assert town.node.publisher._lock.read().size == town.node.published.size > size


# A witness that does not do what it should.


class OneAnswer:
    """A network on which every request gets these answers in turn."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []

    def post_bytes(self, url: str, body: bytes, content_type: str, **options: Any) -> Answer:
        self.bodies.append(body)
        return self.answers.pop(0)

    def get(self, url: str, **options: Any) -> Answer:
        return self.answers.pop(0)


def client_of(town: SmallTown, *answers: Answer) -> tuple[WitnessClient, OneAnswer]:
    wire = OneAnswer(*answers)
    entry = town.node.trust().witness(WITNESS_NAME)
    return WitnessClient(wire, entry), wire  # type: ignore[arg-type]


def conflict(size: str, kind: str = "text/x.tlog.size") -> Answer:
    return Answer(409, {"content-type": kind}, size.encode())


def test_witness_with_a_larger_tree_stops_the_round(town: SmallTown) -> None:
    town.settle()
    client, _ = client_of(town, conflict("999\n"))
    with pytest.raises(Rejected, match="larger tree"):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)


def test_witness_that_contradicts_itself_is_not_asked_for_ever(town: SmallTown) -> None:
    town.grant()
    town.settle()
    client, wire = client_of(town, conflict("1\n"), conflict("0\n"))
    with pytest.raises(Rejected, match="conflict"):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)
    assert wire.bodies[1].startswith(b"old 1\n")


@pytest.mark.parametrize(
    "answer", [conflict("1", "text/plain"), conflict("-1\n"), conflict(""), conflict("9" * 30)]
)
def test_conflict_without_a_size_is_no_answer(town: SmallTown, answer: Answer) -> None:
    client, _ = client_of(town, answer)
    with pytest.raises(Unavailable, match="without saying its size"):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)


@pytest.mark.parametrize("line", ["", "— other.example AAAAAAAA\n", "nonsense"])
def test_answer_that_is_no_cosignature_of_this_witness_does_not_count(town: SmallTown, line: str) -> None:
    client, _ = client_of(town, Answer(200, {"content-type": "text/plain"}, line.encode()))
    with pytest.raises(Rejected):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)


def test_cosignature_on_another_tree_does_not_count(town: SmallTown) -> None:
    town.settle()
    old = checkpoint_of(town)
    line = re.findall(rf"— {re.escape(WITNESS_NAME)} .*\n", old.note)[0]
    town.grant()
    client, _ = client_of(town, Answer(200, {"content-type": "text/plain"}, line.encode()))
    with pytest.raises(Rejected, match="bad_signature"):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)


def test_first_request_to_a_witness_starts_from_nothing(town: SmallTown) -> None:
    town.settle()
    client, wire = client_of(town, conflict("0\n"), conflict("0\n"))
    checkpoint = checkpoint_of(town)
    with pytest.raises(Rejected, match="conflict"):
        client.add_checkpoint(checkpoint, town.node.tree)
    assert wire.bodies[0].decode() == encode_add_checkpoint(0, [], checkpoint.note)


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/octet-stream", ""])
def test_lines_of_keys_that_we_do_not_know_are_ignored(town: SmallTown, kind: str) -> None:
    """Of another name, of the same name with another key, and as long as any may be."""
    town.settle()
    checkpoint = checkpoint_of(town)
    line = re.findall(rf"— {re.escape(WITNESS_NAME)} .*\n", checkpoint.note)[0]
    strange = [
        NoteSignature("other.example", b"abcd", b"x"),
        NoteSignature(WITNESS_NAME, b"abcd", bytes(72)),
        NoteSignature(WITNESS_NAME, b"dcba", bytes(MAX_SIGNATURE_BYTES)),
    ]
    body = "".join(one.line() for one in strange[:2]) + line + strange[2].line()
    client, _ = client_of(town, Answer(200, {"content-type": kind}, body.encode()))
    assert client.add_checkpoint(checkpoint, town.node.tree) == (line,)


class Slow(Fetcher):
    """Notes how long and how much a request may take."""

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, Any] = {}

    def request(self, method: str, url: str, **options: Any) -> Answer:
        self.options = options
        raise Unavailable("unreachable", "the witness sends a byte a second")


def test_slow_or_endless_witness_is_cut_off(town: SmallTown) -> None:
    town.settle()
    slow = Slow()
    client = WitnessClient(slow, town.node.trust().witness(WITNESS_NAME))
    with pytest.raises(Unavailable):
        client.add_checkpoint(checkpoint_of(town), town.node.tree)
    assert (slow.options["total_seconds"], slow.options["max_bytes"]) == (COSIGN_SECONDS, MAX_NOTE_BYTES)
    assert not client.is_busy


def test_whole_quorum_needs_every_blocking_cosigner(town: SmallTown) -> None:
    policy = parse_policy(town.policy)
    witness, auditor = (entry.key for entry in policy.witnesses)
    assert is_whole_quorum(policy, {auditor}, {auditor})
    assert not is_whole_quorum(policy, {auditor}, set())
    assert not is_whole_quorum(policy, {auditor, witness}, {auditor})
    loose = parse_policy(town.policy.replace("group all all", "group all any"))
    assert is_whole_quorum(loose, {auditor}, set())


def test_public_tiles_hold_nothing_but_leaves(town: SmallTown) -> None:
    given = town.grant()
    town.read(given)
    width = tile_width(0, 0, town.node.tree.size)
    assert width < TILE_WIDTH
    bundle = town.send("GET", f"/tile/entries/000.p/{width}").data
    for secret in (given.terms.recipient, given.terms.service, given.terms.tag_key, given.request.opening_key):
        assert secret.encode() not in bundle
    assert sha256(b64u_decode(given.terms.tag_key)) not in bundle
