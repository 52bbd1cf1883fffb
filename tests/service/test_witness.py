"""The witness over HTTP: the rules of tlog-witness, and that two requests at once never roll it back."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine
from werkzeug.test import TestResponse

from protocol.checkpoint import Checkpoint, VerifiedCheckpoint, sign_checkpoint, verify_cosignatures
from protocol.errors import Rejected, Unavailable
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.log_keys import LogKeys
from protocol.merkle import Frontier, consistency_proof, leaf_hash, node_hash
from protocol.note import NoteSigner, SignatureType, VerifierKey, parse_note, verify_note
from protocol.witness import MAX_REQUEST_BYTES, SIZE_CONTENT_TYPE, WitnessState, encode_add_checkpoint
from service import witness as witness_module
from service.app import make_app
from service.database import engine_for, sqlite_url
from service.witness import Witness, witness_blueprint
from tests.service.lossy import connect_lossy
from tests.service.postgresql import PostgreSQL, is_installed

ORIGIN = "log.voorbeeld.example/2026"
LOG = NoteSigner(ORIGIN, Ed25519Private(bytes([1]) * 32))
STRANGER = NoteSigner(ORIGIN, Ed25519Private(bytes(32)))
SIGNER = NoteSigner("witness.example", Ed25519Private(bytes([2]) * 32), SignatureType.COSIGNATURE)
NOW = 1_800_000_000


class FakeClock:
    """Stands still."""

    def now(self) -> int:
        return NOW


def tree(size: int, branch: str = "") -> dict[tuple[int, int], bytes]:
    """All complete nodes of a log; histories with another `branch` differ from the fifth leaf on."""
    leaves = [leaf_hash(f"{n}{branch if n >= 4 else ''}".encode()) for n in range(size)]
    nodes = {(0, n): value for n, value in enumerate(leaves)}
    level = 0
    while len(leaves) > 1:
        level += 1
        leaves = [node_hash(leaves[n], leaves[n + 1]) for n in range(0, len(leaves) - 1, 2)]
        nodes |= {(level, n): value for n, value in enumerate(leaves)}
    return nodes


def note(size: int, branch: str = "", *, signer: NoteSigner = LOG) -> str:
    frontier = Frontier()
    for n in range(size):
        frontier.append(leaf_hash(f"{n}{branch if n >= 4 else ''}".encode()))
    return sign_checkpoint(Checkpoint(ORIGIN, size, frontier.root()), [signer])


def request(old: int, new: int, branch: str = "") -> bytes:
    nodes = tree(new, branch)
    proof = consistency_proof(old, new, lambda level, index: nodes[level, index]) if 0 < old < new else []
    return encode_add_checkpoint(old, proof, note(new, branch)).encode()


def log_key(origin: str) -> VerifierKey | None:
    return LOG.key if origin == ORIGIN else None


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", *(["postgresql"] if is_installed() else [])])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "postgresql":
        made = engine_for(request.getfixturevalue("server").url)
        witness_module._metadata.drop_all(made)
        with made.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS witness_schema")
    else:
        made = engine_for(sqlite_url(tmp_path / "witness.db"))
    yield made
    made.dispose()


@pytest.fixture
def witness(engine: Engine) -> Witness:
    return Witness(engine, SIGNER, FakeClock(), log_key)


@pytest.fixture
def client(witness: Witness) -> FlaskClient:
    return client_of(witness)


def client_of(witness: Witness) -> FlaskClient:
    app = make_app("service")
    app.register_blueprint(witness_blueprint(witness))
    return app.test_client()


def post(client: FlaskClient, body: bytes) -> TestResponse:
    return client.post("/add-checkpoint", data=body)


def check_cosigned(answer: TestResponse, size: int, branch: str = "") -> None:
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/plain"
    root = Checkpoint(ORIGIN, size, _root(size, branch))
    checkpoint = VerifiedCheckpoint(root.origin, root.size, root.root, note(size, branch))
    assert verify_cosignatures(checkpoint, answer.text, [SIGNER.key]) == (answer.text,)


def _root(size: int, branch: str) -> bytes:
    frontier = Frontier()
    for n in range(size):
        frontier.append(leaf_hash(f"{n}{branch if n >= 4 else ''}".encode()))
    return frontier.root()


def test_witness_cosigns_a_log_that_grows(client: FlaskClient, witness: Witness) -> None:
    assert witness.state(ORIGIN) is None
    for old, new in ((0, 3), (3, 3), (3, 7), (7, 8), (8, 300)):
        check_cosigned(post(client, request(old, new)), new)
        assert witness.state(ORIGIN) == WitnessState(new, _root(new, ""))


def test_empty_log_can_be_cosigned_first(client: FlaskClient) -> None:
    check_cosigned(post(client, request(0, 0)), 0)
    check_cosigned(post(client, request(0, 5)), 5)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"old 5\n\nnot a note", 400),
        (b"old x\n\n" + note(7).encode(), 400),
        (request(9, 9)[:5] + b"\n\n" + note(7).encode(), 400),
        (
            encode_add_checkpoint(5, [], note(7, signer=NoteSigner(ORIGIN, Ed25519Private(bytes(32))))).encode(),
            403,
        ),
        (encode_add_checkpoint(5, [bytes(32)], note(7)).encode(), 422),
        (encode_add_checkpoint(5, [], note(7)).encode(), 422),
        (request(5, 7, "fork"), 422),
        (request(5, 5, "fork"), 422),
        (b"x" * (MAX_REQUEST_BYTES + 1), 413),
    ],
)
def test_witness_refuses_and_keeps_its_state(
    client: FlaskClient, witness: Witness, body: bytes, status: int
) -> None:
    post(client, request(0, 5))
    answer = post(client, body)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert witness.state(ORIGIN) == WitnessState(5, _root(5, ""))


def test_log_that_is_not_known_is_404(engine: Engine) -> None:
    client = client_of(Witness(engine, SIGNER, FakeClock(), lambda origin: None))
    assert post(client, request(0, 5)).status_code == 404


@pytest.mark.parametrize("body", [request(0, 5), request(4, 7), request(0, 0)])
def test_conflict_tells_the_size_that_the_witness_has(client: FlaskClient, witness: Witness, body: bytes) -> None:
    post(client, request(0, 3))
    post(client, request(3, 5))
    answer = post(client, body)
    assert (answer.status_code, answer.text, answer.content_type) == (409, "5\n", SIZE_CONTENT_TYPE)
    assert witness.state(ORIGIN) == WitnessState(5, _root(5, ""))


def test_state_outlives_the_process(engine: Engine, witness: Witness) -> None:
    witness.add_checkpoint(request(0, 7))
    again = Witness(engine, SIGNER, FakeClock(), log_key)
    with pytest.raises(Rejected) as caught:
        again.add_checkpoint(request(0, 5))
    assert caught.value.status == 409


def test_auditing_cosigner_sees_old_and_new_and_can_refuse(engine: Engine) -> None:
    seen: list[tuple[int, int]] = []

    def replay(old: WitnessState, new: VerifiedCheckpoint) -> None:
        seen.append((old.size, new.size))
        if new.size == 7:
            raise Unavailable("replay", "a leaf is missing")
        if new.size == 9:
            raise Rejected("replay_head", "head does not fit", status=422)

    witness = Witness(engine, SIGNER, FakeClock(), log_key, before_cosign=replay)
    client = client_of(witness)
    check_cosigned(post(client, request(0, 5)), 5)
    assert post(client, request(5, 7)).status_code == 503
    assert post(client, request(5, 9)).status_code == 422
    assert post(client, encode_add_checkpoint(5, [], note(8)).encode()).status_code == 422  # never replayed
    assert witness.state(ORIGIN) == WitnessState(5, _root(5, ""))
    check_cosigned(post(client, request(5, 8)), 8)
    assert seen == [(0, 5), (5, 7), (5, 9), (5, 8)]


def test_last_look_in_the_transaction_can_refuse(engine: Engine) -> None:
    refuse = True

    def last_look(connection: Connection, new: VerifiedCheckpoint) -> None:
        if refuse:
            raise Unavailable("kept_revocation", "checkpoint lacks a revocation")

    witness = Witness(engine, SIGNER, FakeClock(), log_key, in_transaction=last_look)
    client = client_of(witness)
    assert post(client, request(0, 5)).status_code == 503
    assert witness.state(ORIGIN) is None
    refuse = False
    check_cosigned(post(client, request(0, 5)), 5)


def test_nothing_is_signed_when_the_state_cannot_be_stored(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(engine, SIGNER, FakeClock(), log_key)

    def fail(*arguments: object) -> bool:
        raise Unavailable("database", "disk is full")

    signed: list[object] = []
    monkeypatch.setattr(witness_module, "cosign_checkpoint", lambda *a, **k: signed.append(a))
    monkeypatch.setattr(witness_module, "_compare_and_swap", fail)
    with pytest.raises(Unavailable):
        witness.add_checkpoint(request(0, 5))
    assert signed == []


def test_state_stays_when_it_cannot_be_signed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    witness = Witness(engine, SIGNER, FakeClock(), log_key)
    with monkeypatch.context() as patch:
        patch.setattr(witness_module, "cosign_checkpoint", lambda *a, **k: pytest.fail("key is gone"))
        with pytest.raises(pytest.fail.Exception):
            witness.add_checkpoint(request(0, 5))
    assert witness.state(ORIGIN) is None
    assert witness.notes() == []


def test_stored_but_unanswered_checkpoint_is_cosigned_when_it_is_sent_again(engine: Engine) -> None:
    """Failed but persisted: the answer was lost after the commit."""
    witness = Witness(engine, SIGNER, FakeClock(), log_key)
    witness.add_checkpoint(request(0, 5))
    client = client_of(witness)
    assert post(client, request(0, 5)).text == "5\n"
    check_cosigned(post(client, request(5, 5)), 5)


def race(witness: Witness, bodies: list[bytes]) -> list[str | Rejected]:
    """All at once, each decided on the same old state before any of them is stored."""
    results: list[str | Rejected] = []

    def run(body: bytes) -> None:
        try:
            results.append(witness.add_checkpoint(body))
        except Rejected as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def gate(parties: int) -> Callable[[WitnessState, VerifiedCheckpoint], None]:
    """Holds every request between decision and store until all have been decided."""
    barrier = threading.Barrier(parties)

    def wait(old: WitnessState, new: VerifiedCheckpoint) -> None:
        barrier.wait(60)

    return wait


@pytest.mark.parametrize("start", [0, 4])
def test_two_forks_at_once_are_never_both_cosigned(engine: Engine, start: int) -> None:
    if start:
        Witness(engine, SIGNER, FakeClock(), log_key).add_checkpoint(request(0, start))
    witness = Witness(engine, SIGNER, FakeClock(), log_key, before_cosign=gate(2))
    results = race(witness, [request(start, 6, "left"), request(start, 6, "right")])
    cosigned = [result for result in results if isinstance(result, str)]
    refused = [result for result in results if isinstance(result, Rejected)]
    assert (len(cosigned), [error.status for error in refused]) == (1, [409])
    state = witness.state(ORIGIN)
    assert state is not None
    winner = "left" if state.root == _root(6, "left") else "right"
    assert state == WitnessState(6, _root(6, winner))
    checkpoint = VerifiedCheckpoint(ORIGIN, 6, state.root, note(6, winner))
    assert verify_cosignatures(checkpoint, cosigned[0], [SIGNER.key])


def test_race_of_two_forks_would_be_noticed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with a plain UPDATE both forks are cosigned."""
    Witness(engine, SIGNER, FakeClock(), log_key).add_checkpoint(request(0, 4))

    def overwrite(connection: Connection, origin: str, old: WitnessState | None, new: WitnessState) -> bool:
        states = witness_module._states
        return connection.execute(states.update().values(size=new.size, root=new.root)).rowcount == 1

    monkeypatch.setattr(witness_module, "_compare_and_swap", overwrite)
    witness = Witness(engine, SIGNER, FakeClock(), log_key, before_cosign=gate(2))
    results = race(witness, [request(4, 6, "left"), request(4, 6, "right")])
    assert [type(result) for result in results] == [str, str]


def test_small_tree_never_replaces_a_large_one_that_was_faster(engine: Engine) -> None:
    """Rollback by race: both are right after size 4; the small one is stored last."""
    Witness(engine, SIGNER, FakeClock(), log_key).add_checkpoint(request(0, 4))
    large_is_stored = threading.Event()

    def small_waits(old: WitnessState, new: VerifiedCheckpoint) -> None:
        if new.size == 5:
            assert large_is_stored.wait(60)

    witness = Witness(engine, SIGNER, FakeClock(), log_key, before_cosign=small_waits)
    results: list[list[str | Rejected]] = []
    small = threading.Thread(target=lambda: results.append(race(witness, [request(4, 5)])))
    small.start()
    witness.add_checkpoint(request(4, 300))
    large_is_stored.set()
    small.join()
    error = results[0][0]
    assert isinstance(error, Rejected)
    assert error.status == 409
    assert error.body() == "300\n"  # type: ignore[attr-defined]
    assert witness.state(ORIGIN) == WitnessState(300, _root(300, ""))


def test_many_requests_at_once_leave_one_line_of_growth(engine: Engine) -> None:
    """Sixteen threads push checkpoints of their own branch; what was cosigned is one history."""
    cosigned: list[tuple[int, str]] = []
    witness = Witness(engine, SIGNER, FakeClock(), log_key)
    witness.add_checkpoint(request(0, 4))

    def push(branch: str) -> None:
        for size in range(5, 25):
            state = witness.state(ORIGIN)
            assert state is not None
            if size < state.size:
                continue
            try:
                witness.add_checkpoint(request(state.size, size, branch))
            except Rejected:
                continue
            cosigned.append((size, branch))

    threads = [threading.Thread(target=push, args=(branch,)) for branch in ("a", "b", "c", "d") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cosigned
    assert len({branch for _, branch in cosigned}) == 1
    state = witness.state(ORIGIN)
    assert state is not None
    assert state.size == max(size for size, _ in cosigned)


def hash_of(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()


def test_monitor_gets_the_checkpoint_that_was_cosigned_last(client: FlaskClient, witness: Witness) -> None:
    assert client.get(f"/{hash_of(ORIGIN)}/checkpoint").status_code == 404
    foreign = NoteSigner("other.example", Ed25519Private(bytes([9]) * 32)).sign("x\n")
    for size, body in ((5, request(0, 5)), (7, request(5, 7) + foreign.encode()), (7, request(7, 7))):
        answer = post(client, body)
        got = client.get(f"/{hash_of(ORIGIN)}/checkpoint")
        assert (got.status_code, got.content_type) == (200, "text/plain; charset=utf-8")
        assert got.headers["Cache-Control"] == "public, max-age=1"
        verified = verify_note(got.text, [LOG.key, SIGNER.key])
        assert [signature.key for signature in verified.signatures] == [LOG.key, SIGNER.key]
        assert "other.example" not in got.text
        assert verified.body.split("\n")[1] == str(size)
    assert witness.notes() == [got.text]
    assert got.text.endswith(answer.text)
    for other in (hash_of("log.elders.example"), hash_of(ORIGIN).upper(), "0" * 63, "../checkpoint"):
        assert client.get(f"/{other}/checkpoint").status_code == 404


def test_monitor_is_not_told_what_was_refused(client: FlaskClient) -> None:
    post(client, request(0, 5))
    shown = client.get(f"/{hash_of(ORIGIN)}/checkpoint").text
    for body in (request(5, 7, "fork"), request(5, 5, "fork"), request(0, 3)):
        assert post(client, body).status_code in (409, 422)
    assert client.get(f"/{hash_of(ORIGIN)}/checkpoint").text == shown


def test_witness_with_two_keys_answers_a_line_of_each(engine: Engine) -> None:
    second = NoteSigner("witness.example", MlDsa44Private(bytes([5]) * 32), SignatureType.MLDSA44_COSIGNATURE)
    signers = [SIGNER]
    witness = Witness(engine, lambda: signers, FakeClock(), log_key)
    assert len(witness.add_checkpoint(request(0, 3)).splitlines()) == 1
    signers.append(second)  # as a rotation does to a server that runs
    answer = witness.add_checkpoint(request(3, 7))
    checkpoint = VerifiedCheckpoint(ORIGIN, 7, _root(7, ""), note(7))
    for keys in ([SIGNER.key], [second.key]):
        assert len(verify_cosignatures(checkpoint, answer, keys)) == 1
    assert len(verify_cosignatures(checkpoint, answer, [SIGNER.key, second.key])) == 2
    times = {signature.time for signature in verify_note(note(7) + answer, [SIGNER.key, second.key]).signatures}
    assert times == {NOW}


def test_witness_asks_every_kind_of_key_that_the_log_has(engine: Engine) -> None:
    second = NoteSigner(ORIGIN, MlDsa44Private(bytes([6]) * 32), SignatureType.MLDSA44_COSIGNATURE)
    keys = LogKeys(ORIGIN, (LOG.key, second.key))
    client = client_of(Witness(engine, SIGNER, FakeClock(), lambda origin: keys if origin == ORIGIN else None))
    assert post(client, request(0, 5)).status_code == 403
    body = Checkpoint(ORIGIN, 5, _root(5, "")).body()
    assert post(client, request(0, 5) + second.sign(body).encode()).status_code == 200
    assert second.key.key_id in [
        found.key_id for found in parse_note(client.get(f"/{hash_of(ORIGIN)}/checkpoint").text).signatures
    ]


def test_key_of_a_log_cannot_cosign(engine: Engine) -> None:
    with pytest.raises(ValueError, match="cosignatures"):
        Witness(engine, LOG, FakeClock(), log_key)


def test_witness_runs_on_the_engine_that_power_cuts_are_tested_with(tmp_path: Path) -> None:
    path = tmp_path / "witness.db"
    engine = engine_for(sqlite_url(path), connect=lambda: connect_lossy(path))
    witness = Witness(engine, SIGNER, FakeClock(), log_key)
    witness.add_checkpoint(request(0, 5))
    witness.add_checkpoint(request(5, 9))
    with pytest.raises(Rejected):
        witness.add_checkpoint(request(5, 9, "fork"))
    assert witness.state(ORIGIN) == WitnessState(9, _root(9, ""))
    engine.dispose()
