"""TLS on one's own machine: who trusts the authority reaches the server, and everybody else sends it nothing."""

import contextlib
import os
import pty
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from protocol.errors import Rejected, Unavailable
from service import tls
from service.command import root
from service.fetch import Fetcher
from service.home import Home
from service.tls import CA, KEY, MAX_DAYS, MAX_HOSTS, Tls, make_pki, tls_files

NOW = int(time.time())
DAY = 86_400
LOCAL = ("localhost", "127.0.0.1")


def pki(folder: Path, hosts: tuple[str, ...] = LOCAL, *, days: int = 30, now: int = NOW) -> tuple[Path, Tls]:
    home = Home(folder).create()
    return folder / CA, make_pki(home, hosts, days=days, now=now)


class Site:
    """A server with this certificate that counts what reaches it."""

    def __init__(self, files: Tls) -> None:
        self.requests: list[str] = []
        heard = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[assignment]
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Callable[[Tls], Site]]:
    made: list[Site] = []

    def make(files: Tls) -> Site:
        made.append(Site(files))
        return made[-1]

    yield make
    for one in made:
        one.close()


def get(ca: Path | None, url: str) -> int:
    return Fetcher(loopback=True, ca_file=str(ca) if ca else None).get(url).status


def refused(site: Site, ca: Path | None, host: str = "localhost") -> None:
    """The fetcher does not speak with it, and it has heard nothing."""
    with pytest.raises(Unavailable) as caught:
        get(ca, f"https://{host}:{site.port}/secret-path")
    assert caught.value.code == "unreachable"
    assert site.requests == []


@pytest.mark.parametrize("host", LOCAL)
def test_who_trusts_the_authority_reaches_the_server_by_each_of_its_names(
    tmp_path: Path, site: Callable[[Tls], Site], host: str
) -> None:
    ca, files = pki(tmp_path / "pki")
    assert get(ca, f"https://{host}:{site(files).port}/") == 200


def test_environment_names_the_authority(
    tmp_path: Path, site: Callable[[Tls], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    ca, files = pki(tmp_path / "pki")
    served = site(files)
    monkeypatch.setenv("REGIE_CA_FILE", str(ca))
    assert get(None, f"https://localhost:{served.port}/") == 200


def test_certificate_of_an_unknown_authority_is_refused(tmp_path: Path, site: Callable[[Tls], Site]) -> None:
    _, files = pki(tmp_path / "pki")
    other, _ = pki(tmp_path / "other")
    served = site(files)
    refused(served, None)
    refused(served, other)


def test_certificate_for_another_host_is_refused(tmp_path: Path, site: Callable[[Tls], Site]) -> None:
    ca, files = pki(tmp_path / "pki", ("localhost",))
    refused(site(files), ca, "127.0.0.1")


@pytest.mark.parametrize("start", [NOW - 40 * DAY, NOW + DAY], ids=["expired", "not yet valid"])
def test_certificate_that_is_not_in_force_is_refused(
    tmp_path: Path, site: Callable[[Tls], Site], start: int
) -> None:
    ca, files = pki(tmp_path / "pki", now=start)
    refused(site(files), ca)


def test_authority_cannot_speak_for_a_host_that_it_was_not_made_for(
    tmp_path: Path, site: Callable[[Tls], Site]
) -> None:
    """Whoever stole its key while it signed could not pose as a bank with it."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority = tls._authority(keys[0], ["bank.example"], NOW - DAY, NOW + DAY)
    certificate = tls._server(keys[1], keys[0], authority, ["localhost"], NOW - DAY, NOW + DAY)
    home = Home(tmp_path).create()
    home.write_public(CA, authority.public_bytes(Encoding.PEM))
    home.write_public("server.pem", certificate.public_bytes(Encoding.PEM))
    _, files = pki(tmp_path / "for-its-key")
    pem = keys[1].private_bytes(
        Encoding.PEM, tls.serialization.PrivateFormat.PKCS8, tls.serialization.NoEncryption()
    )
    files.key.write_bytes(pem)
    refused(site(Tls(home.file("server.pem"), files.key)), home.file(CA))


def test_key_of_the_authority_is_not_kept(tmp_path: Path) -> None:
    ca, files = pki(tmp_path / "pki")
    assert {path.name for path in (tmp_path / "pki").iterdir()} == {"ca.pem", "server.pem", "server-key.pem"}
    public = x509.load_pem_x509_certificate(ca.read_bytes()).public_key()
    assert public != tls.serialization.load_pem_private_key(files.key.read_bytes(), None).public_key()
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_plain_http_is_only_for_this_machine_and_only_when_allowed() -> None:
    for loopback, url in (
        (False, "https://localhost/"),
        (False, "http://localhost/"),
        (True, "http://a.example/"),
    ):
        with pytest.raises(Rejected) as caught:
            Fetcher(loopback=loopback).get(url)
        assert caught.value.code == "bad_url"


def test_files_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    _, first = pki(tmp_path / "first")
    _, second = pki(tmp_path / "second")
    assert tls_files(None, None) is None
    assert tls_files(str(first.certificate), str(first.key)) == first
    for certificate, key in (
        (first.certificate, None),
        (None, first.key),
        (first.certificate, second.key),
        (first.key, first.certificate),
        (tmp_path / "missing", first.key),
        (first.certificate, tmp_path / "missing"),
    ):
        with pytest.raises(Rejected) as caught:
            tls_files(certificate, key)
        assert caught.value.code == "bad_tls"


def test_key_under_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    _, files = pki(tmp_path / "pki")
    key = load_pem_private_key(files.key.read_bytes(), None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    files.key.write_bytes(sealed)
    script = f"from service.tls import tls_files; tls_files({str(files.certificate)!r}, {str(files.key)!r})"
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])
    heard = b""
    with contextlib.suppress(OSError):  # the terminal is gone once the child is
        while b"bad_tls" not in heard and b"pass phrase" not in heard:
            heard += os.read(terminal, 4096)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"bad_tls" in heard
    assert b"pass phrase" not in heard


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    _, files = pki(tmp_path / "pki")
    files.key.chmod(mode)
    with pytest.raises(Rejected) as caught:
        tls_files(files.certificate, files.key)
    assert caught.value.code == "open_secret"


@pytest.mark.parametrize("host", ["", "*.example", "exämple", "a..b", "a b", "http://localhost", "-"])
def test_host_that_is_no_name_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(Rejected) as caught:
        pki(tmp_path / "pki", (host,))
    assert caught.value.code == "bad_host"
    assert list((tmp_path / "pki").iterdir()) == []


def test_limits_of_days_and_hosts(tmp_path: Path) -> None:
    pki(tmp_path / "most", tuple(f"h{n}.example" for n in range(MAX_HOSTS)), days=MAX_DAYS)
    for hosts, days, code in (
        (tuple(f"h{n}.example" for n in range(MAX_HOSTS + 1)), 1, "bad_host"),
        ((), 1, "bad_host"),
        (LOCAL, MAX_DAYS + 1, "bad_days"),
        (LOCAL, 0, "bad_days"),
    ):
        with pytest.raises(Rejected) as caught:
            pki(tmp_path / "more", hosts, days=days)
        assert caught.value.code == code


SCRIPT = """
import click
from service.command import command, tls_of, tls_options
from service.serve import serve
@click.command()
@tls_options
@command
def run(ctx, home):
    serve("tests.service.sample_app:create", home.path, tls=tls_of(ctx))
run.main(prog_name="run")
"""


def test_role_serves_tls(tmp_path: Path) -> None:
    made = CliRunner().invoke(root, ["tls", "new", str(tmp_path / "pki")])
    assert made.exit_code == 0
    folder, home = tmp_path / "pki", tmp_path / "home"
    home.mkdir()
    options = ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / KEY)]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "--home", str(home), *options],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        assert url.startswith("https://127.0.0.1:")
        ca = folder / CA
        assert get(ca, f"{url}/healthz") == 200
        assert get(ca, f"{url.replace('127.0.0.1', 'localhost')}/healthz") == 200
        for bad in (lambda: get(None, f"{url}/healthz"), lambda: get(ca, f"http{url[5:]}/healthz")):
            with pytest.raises(Unavailable):
                bad()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_server_with_a_key_of_another_certificate_does_not_start(tmp_path: Path) -> None:
    _, first = pki(tmp_path / "first")
    _, second = pki(tmp_path / "second")
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            "--home",
            str(home),
            "--tls-cert",
            first.certificate,
            "--tls-key",
            second.key,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )
    assert done.returncode == 1
    assert "(bad_tls)" in done.stderr
    assert "Traceback" not in done.stderr
