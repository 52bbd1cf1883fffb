"""The command line, and a log and its witness as processes of their own: killed whole, started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.canonical import b64u_decode
from protocol.keys import Es256Private
from protocol.note import parse_vkey
from protocol.policy import parse_policy, satisfied
from protocol.trust_list import TrustedLog, TrustedWitness, sign_trust_list
from service.command import root
from service.fetch import Fetcher
from tests.protocol import builders

ORIGIN = "log.voorbeeld.example/cli"
REGISTRAR = Es256Private.from_secret(bytes(range(48)))


def run(*words: str, status: int = 0) -> Any:
    """What `regie log ... --json` prints."""
    result = CliRunner().invoke(root, ["log", *words, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
def registrar(tmp_path: Path) -> list[str]:
    key = tmp_path / "registrar.json"
    key.write_text(json.dumps(REGISTRAR.public.jwk()))
    return ["--trust-list", str(tmp_path / "trust-list.jwt"), "--registrar", str(key)]


def init(tmp_path: Path, registrar: list[str], *, url: str = "https://log.example") -> Any:
    home = str(tmp_path / "log")
    return run("init", "--home", home, "--url", url, "--origin", ORIGIN, *registrar)["entry"]


def init_witness(tmp_path: Path, registrar: list[str], *, url: str = "https://witness.example") -> Any:
    words = ("witness", "init", "--home", str(tmp_path / "witness"), "--url", url)
    return run(*words, "--name", "witness.example", *registrar)["entry"]


def publish(tmp_path: Path, log: Any, witness: Any, version: int = 1, age: int = 60) -> None:
    policy = f"log {log['vkey']}\nwitness w {witness['vkey']}\nquorum w\n"
    now = int(time.time())
    trust = builders.trust_list(
        version=version,
        iat=now - age,
        exp=now + 86_400,
        logs=[TrustedLog(**{**log, "policy": policy})],
        witnesses=[TrustedWitness(**witness)],
    )
    (tmp_path / "trust-list.jwt").write_text(sign_trust_list(trust, REGISTRAR))


def test_init_prints_and_keeps_the_entry_for_the_registrar(tmp_path: Path, registrar: list[str]) -> None:
    entry = init(tmp_path, registrar)
    assert parse_vkey(entry["vkey"]).name == entry["origin"] == ORIGIN
    assert len(b64u_decode(entry["deposit_key"], max_bytes=1216)) == 1216
    assert json.loads((tmp_path / "log" / "entry.json").read_text()) == entry
    for name in ("log-key", "receipt-key", "deposit-key", "auditor-token"):
        assert (tmp_path / "log" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


def test_init_refuses_a_home_that_has_one(tmp_path: Path, registrar: list[str]) -> None:
    init(tmp_path, registrar)
    before = (tmp_path / "log" / "log-key").read_bytes()
    words = ("init", "--home", str(tmp_path / "log"), "--url", "https://x.example", "--origin", "x", *registrar)
    assert run(*words, status=1)["error"]["code"] == "home_exists"
    assert (tmp_path / "log" / "log-key").read_bytes() == before


def test_serve_refuses_a_home_that_was_never_made(tmp_path: Path) -> None:
    assert run("serve", "--home", str(tmp_path), status=1)["error"]["code"] == "no_home"
    assert run("witness", "serve", "--home", str(tmp_path), status=1)["error"]["code"] == "no_home"


def test_log_does_not_serve_from_the_home_of_a_witness(tmp_path: Path, registrar: list[str]) -> None:
    init_witness(tmp_path, registrar)
    assert run("serve", "--home", str(tmp_path / "witness"), status=1)["error"]["code"] in (
        "bad_config",
        "wrong_role",
    )


def test_policy_and_token_are_printed(tmp_path: Path, registrar: list[str]) -> None:
    log, witness = init(tmp_path, registrar), init_witness(tmp_path, registrar)
    home = str(tmp_path / "log")
    assert run("policy", "--home", home, status=3)["error"]["code"] == "trust_list"
    publish(tmp_path, log, witness)
    assert str(parse_policy(run("policy", "--home", home)["policy"]).logs[0].key) == log["vkey"]
    token = run("auditor-token", "--home", home)["token"]
    assert b64u_decode(token) == (tmp_path / "log" / "auditor-token").read_bytes()


# Processes.


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`regie log ... serve` in a process group of its own; killed whole at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from service.command import main; main()", "log", *words, "--home", str(home)],
        env={**os.environ, "REGIE_LOOPBACK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on http://127.0.0.1:")
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def checkpoint(fetcher: Fetcher, url: str) -> str:
    """The published checkpoint, once there is one."""
    end = time.monotonic() + 60
    while True:
        answer = fetcher.get(f"{url}/checkpoint", accept="text/plain", expect=(503,))
        if answer.status == 200:
            return answer.text
        assert time.monotonic() < end, "nothing was published"
        time.sleep(0.05)


def test_log_and_witness_as_processes_outlive_the_kill_of_the_whole_group(
    tmp_path: Path, registrar: list[str]
) -> None:
    log_url, witness_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    log = init(tmp_path, registrar, url=log_url)
    witness = init_witness(tmp_path, registrar, url=witness_url)
    publish(tmp_path, log, witness)
    fetcher = Fetcher(loopback=True)
    with serving(tmp_path / "witness", "witness", "serve"):
        with serving(tmp_path / "log", "serve") as running:
            first = checkpoint(fetcher, log_url)
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        with serving(tmp_path / "log", "serve") as running:
            policy = parse_policy(f"log {log['vkey']}\nwitness w {witness['vkey']}\nquorum w\n")
            second = satisfied(policy, checkpoint(fetcher, log_url), int(time.time()), None)
            assert second.checkpoint.size == 1
            assert second.checkpoint.body in first
            running.terminate()
            assert running.wait(60) == 0


# --- Rotation (docs/rotation.md) ---------------------------------------------------------------------------


def test_new_log_has_a_second_kind_of_key_and_a_certificate_for_status_lists(
    tmp_path: Path, registrar: list[str]
) -> None:
    entry = init(tmp_path, registrar)
    assert parse_vkey(entry["pq_vkey"]).type == 0x06
    assert parse_vkey(entry["pq_vkey"]).name == ORIGIN
    assert len(entry["status_roots"]) == 1
    assert (tmp_path / "log" / "pq-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["log-key", "pq-key", "receipt-key", "deposit-key"])
def test_rotation_is_begun_once_and_not_finished_before_it_is_listed(
    tmp_path: Path, registrar: list[str], kind: str
) -> None:
    log, witness = init(tmp_path, registrar), init_witness(tmp_path, registrar)
    publish(tmp_path, log, witness)
    words = ("rotate", kind, "--home", str(tmp_path / "log"))
    assert run(*words, "--finish", status=1)["error"]["code"] == "no_rotation"
    made = run(*words)["entry"]
    assert json.loads((tmp_path / "log" / "entry.json").read_text()) == made != log
    assert run(*words, status=1)["error"]["code"] == "rotation_under_way"
    assert run(*words, "--finish", status=1)["error"]["code"] == "not_listed"
    publish(tmp_path, made, witness, version=2)
    assert run(*words, "--finish", status=1)["error"]["code"] == "too_soon"
    assert json.loads((tmp_path / "log" / "entry.json").read_text()) == made
    publish(tmp_path, made, witness, version=3, age=300)
    done = run(*words, "--finish")["entry"]
    assert "also" not in done
    assert len(done.get("retired", [])) == (0 if kind == "deposit-key" else 1)
    assert not (tmp_path / "log" / f"{kind}-next").exists()


def test_epoch_is_begun_by_command(tmp_path: Path, registrar: list[str]) -> None:
    init(tmp_path, registrar)
    words = ("rotate", "epoch", "--home", str(tmp_path / "log"))
    assert run(*words)["epoch"] == 2
    assert run(*words)["epoch"] == 3


def test_witness_gets_a_post_quantum_key_at_init_or_later(tmp_path: Path, registrar: list[str]) -> None:
    words = ("witness", "init", "--home", str(tmp_path / "w2"), "--url", "https://w2.example", "--post-quantum")
    (second,) = run(*words, "--name", "w2.example", *registrar)["entry"]["also"]
    assert parse_vkey(second).type == 0x06
    first = init_witness(tmp_path, registrar)
    assert "also" not in first
    entry = run("witness", "rotate", "--post-quantum", "--home", str(tmp_path / "witness"))["entry"]
    assert [parse_vkey(vkey).type for vkey in (entry["vkey"], *entry["also"])] == [0x04, 0x06]
    assert entry["vkey"] == first["vkey"]
    assert run("witness", "logs", "--home", str(tmp_path / "witness"))["logs"] == []


def test_several_workers_need_postgresql(tmp_path: Path, registrar: list[str]) -> None:
    init(tmp_path, registrar)
    refused = run("serve", "--home", str(tmp_path / "log"), "--workers", "2", status=1)
    assert refused["error"]["code"] == "workers_need_postgresql"
