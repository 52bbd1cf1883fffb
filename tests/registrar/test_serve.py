"""`regie registrar serve` as a process over TLS: what a command signs beside it is served at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from protocol.canonical import to_builtins
from protocol.client_attestation import sign_attestation_pop, verify_client_attestation
from protocol.errors import Rejected, Unavailable
from protocol.wallet_attestation import ATTESTATIONS_PATH, AttestationAnswer, AttestationRequest, sign_wallet_key
from service.command import root
from service.fetch import Fetcher
from service.home import Home
from service.tls import CA
from service.trust import TrustSource
from tests.protocol import builders as b

REGIE = Path(sys.executable).with_name("regie")
NOW = int(time.time())
AGENCY = b.party("agency of today", san_dns="a.example", not_before=NOW - 60, not_after=NOW + 10**6)


class Running:
    """The process, its home and its address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "registrar"
        self.done("tls", "new", str(folder / "pki"))
        url = "https://localhost:8083"  # the port is taken from the process below
        self.done("registrar", "new", "--name", "Registrar", "--url", url)
        entry = folder / "agency.json"
        entry.write_text(json.dumps(to_builtins(b.agency(roots=AGENCY.roots, services=[b.service()]))))
        self.done("registrar", "add-agency", str(entry))
        self.process = self._start(self.home)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().removeprefix("listening on ").strip()

    def _start(self, home: Path) -> "subprocess.Popen[str]":
        pki = self.folder / "pki"
        tls = ["--tls-cert", str(pki / "server.pem"), "--tls-key", str(pki / "server-key.pem")]
        command = [str(REGIE), "registrar", "serve", "--home", str(home), "--port", "0", *tls]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, start_new_session=True, env=dict(os.environ), **pipes)

    def second(self) -> tuple[int, str]:
        """What becomes of another one on the same home."""
        process = self._start(self.home)
        error = process.communicate(timeout=60)[1]
        return process.returncode, error

    def done(self, *words: str) -> Any:
        options = ["--home", str(self.home)] if words[0] == "registrar" else []
        result = CliRunner().invoke(root, [*words, *options, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fetcher(self) -> Fetcher:
        return Fetcher(loopback=True, ca_file=str(self.folder / "pki" / CA))

    def source(self) -> TrustSource:
        jwk = json.loads((self.home / "registrar.jwk.json").read_text())
        home = Home(self.folder / "role").create()
        return TrustSource(home, f"{self.url}/v1/trust-list", jwk, fetcher=self.fetcher())

    def stop(self) -> int:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path)
    yield started
    if started.process.poll() is None:
        started.stop()


def test_registrar_serves_over_tls_what_is_signed_beside_it(running: Running) -> None:
    assert running.url.startswith("https://127.0.0.1:")
    source, fetcher, now = running.source(), running.fetcher(), int(time.time())
    with pytest.raises(Unavailable) as caught:
        source.current(now)
    assert "no trust list has been signed yet" in caught.value.detail
    running.done("registrar", "sign")
    trust = source.current(now + 60)
    assert trust.version == 1
    use = f"{b.AGENCY_ID}:{b.SERVICE_ID}:1"
    served = fetcher.get(f"{running.url}/v1/registration-certificates/{use}", accept="application/jwt").text
    given = running.done("registrar", "certificate", "--agency", b.AGENCY_ID)["certificates"]
    assert given == [{"intended_use": use, "certificate": served}]

    provider = trust.wallet_providers[0].id
    proof = sign_wallet_key(b.HOLDER, provider=provider, iat=int(time.time()))
    answer = fetcher.post_json(running.url + ATTESTATIONS_PATH, AttestationRequest(proof)).json(AttestationAnswer)
    pop = sign_attestation_pop(
        b.HOLDER, client_id=answer.client_id, audience="https://i.example", iat=int(time.time()), jti="1"
    )
    arguments: Any = {"trust": trust, "audience": "https://i.example", "now": int(time.time())}
    assert verify_client_attestation(answer.attestation, pop, **arguments).key == b.HOLDER.public

    running.done("registrar", "remove", "agency", b.AGENCY_ID)
    running.done("registrar", "sign")
    assert source.current(now + 120).agencies == []
    with pytest.raises(Rejected) as refused:
        fetcher.get(f"{running.url}/v1/registration-certificates/{use}", accept="application/jwt")
    assert (refused.value.code, refused.value.status) == ("not_listed", 404)

    status, error = running.second()
    assert status == 3
    assert "(in_use)" in error
    assert running.stop() == 0
