"""regie wallet serve and open: where it listens, what it prints, what it refuses."""

import json
import ssl
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from protocol.errors import Rejected, Unavailable
from service.command import root
from service.home import Home
from tests.protocol import builders
from wallet import serving
from wallet.config import WalletConfig
from wallet.ui import lan
from wallet.ui.app import create
from wallet.ui.begin import TRUST

NOW = 1_795_305_600
Places = list[tuple[str, int]]
LIST = "https://trust.example/list.jwt"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Places:
    """Where `serve` would listen: it comes back at once here, as if the resident had stopped it."""
    places: Places = []

    def serve(target: str, home: Path, host: str, port: int, *, tls: object, ready: object) -> None:
        assert target == "wallet.ui.app:create"
        places.append((host, port))
        ready()  # type: ignore[operator]

    monkeypatch.setattr(serving, "serve", serve)
    return places


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(root, ["wallet", *arguments, "--home", str(home), "--json"])


def test_serve_prints_the_address_that_opens_and_keeps_its_port(tmp_path: Path, served: Places) -> None:
    first, second = (json.loads(run(tmp_path / "w", "serve").stdout)["open"] for _ in range(2))
    assert served[0] == served[1]
    assert served[0][0] == "127.0.0.1"
    assert f".localhost:{served[0][1]}/open/" in first
    assert first.partition("/open/")[0] == second.partition("/open/")[0]
    assert first != second


def test_open_prints_another_address_for_the_same_place(tmp_path: Path, served: Places) -> None:
    first = json.loads(run(tmp_path / "w", "serve").stdout)["open"]
    again = json.loads(run(tmp_path / "w", "open").stdout)["open"]
    assert again != first
    assert again.partition("/open/")[0] == first.partition("/open/")[0]


def test_open_of_a_wallet_that_was_never_served_is_refused(tmp_path: Path) -> None:
    Home(tmp_path / "w").create()
    result = run(tmp_path / "w", "open")
    assert result.exit_code == 1
    assert "no_home" in result.stdout


def test_serve_keeps_whom_a_new_wallet_trusts(tmp_path: Path, served: Places) -> None:
    key = tmp_path / "registrar.jwk"
    key.write_text(json.dumps(builders.REGISTRAR.public.jwk()))
    run(tmp_path / "w", "serve", "--trust-list", LIST, "--registrar", str(key))
    told = json.loads(Home(tmp_path / "w").read(TRUST))
    assert told == {"role": "wallet", "trust_list": LIST, "registrar": json.loads(key.read_text())}
    assert WalletConfig(**told)
    key.write_text('{"kty": "oct", "k": "AAAA"}')
    refused = run(tmp_path / "w", "serve", "--trust-list", LIST, "--registrar", str(key))
    assert refused.exit_code == 1


@pytest.mark.parametrize("wrong", [("--trust-list", "x"), ("--registrar", "x"), ("--address", "192.168.1.2")])
def test_half_an_option_is_wrong_use(tmp_path: Path, wrong: tuple[str, ...], served: Places) -> None:
    assert run(tmp_path / "w", "serve", *wrong).exit_code == 2
    assert not served


def test_house_gets_tls_on_the_address_of_this_machine(tmp_path: Path, served: Places) -> None:
    home = tmp_path / "w"
    told = json.loads(run(home, "serve", "--lan", "--address", "192.168.1.20").stdout)
    assert served[0][0] == "192.168.1.20"
    assert told["open"].startswith(f"https://192.168.1.20:{served[0][1]}/open/")
    assert len(told["fingerprint"].split(":")) == 32
    key = home / lan.FOLDER / "server-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(key.with_name("server.pem"), key)
    again = json.loads(run(home, "open").stdout)
    assert again["fingerprint"] == told["fingerprint"]
    client = create(home, profile="small").test_client()
    token = again["open"].partition("/open/")[2]
    place = f"https://192.168.1.20:{served[0][1]}"
    answer = client.get(f"/open/{token}", base_url=place)
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]
    assert client.get("/begin", base_url=place).status_code == 200
    assert client.get("/begin", base_url=place.replace("20:", "21:")).status_code == 421
    run(home, "serve")
    assert lan.read(Home(home)) is None


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "0.0.0.0", "example.org", ""])
def test_attack_wallet_is_offered_to_the_whole_internet(tmp_path: Path, address: str) -> None:
    home = Home(tmp_path / "w").create()
    with pytest.raises(Rejected) as refusal:
        lan.prepare(home, address, 5000, "wallet-x.localhost", NOW)
    assert refusal.value.code == "bad_host"
    assert not home.has(lan.FILE)


def test_own_address_is_found_without_sending_anything() -> None:
    with suppress(Unavailable):  # a machine without any network
        assert lan.own_address().count(".") == 3
