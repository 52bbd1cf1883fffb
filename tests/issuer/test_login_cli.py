"""`regie issuer login` and the clerk's commands, and the app that a home with login makes: the parts as they are
wired, a signed trust list and a provider over HTTP."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from werkzeug.serving import make_server

from examples.identity_provider import Client, Provider, known_persons, make_provider
from issuer.web import create
from protocol.openid4vci import parse_offer_link
from protocol.trust_list import TrustList, sign_trust_list
from service.clock import SystemClock
from service.home import Home
from tests.issuer.desk import NOOR, PERSONS
from tests.issuer.login import SUBSTANTIAL, LoginDesk, WalletMaker
from tests.issuer.test_cli import Shell
from tests.protocol.builders import REGISTRAR

URL = "http://localhost:18000"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A home that knows a trust list with one wallet provider."""
    made, now, maker = Shell(tmp_path / "issuer"), SystemClock().now(), WalletMaker()
    trust = TrustList(version=1, iat=now, exp=now + 86400, wallet_providers=[maker.entry])
    (tmp_path / "list.jwt").write_text(sign_trust_list(trust, REGISTRAR))
    (tmp_path / "registrar.jwk").write_text(json.dumps(REGISTRAR.public.jwk()))
    made.maker = maker  # type: ignore[attr-defined]
    trusted = ("--trust-list", str(tmp_path / "list.jwt"), "--registrar", str(tmp_path / "registrar.jwk"))
    made.answer("init", "--url", URL, "--name", "Gemeente Lindehaven", *trusted)
    made.answer("import", str(PERSONS))
    return made


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A provider at an address of its own; its client is filled in later."""
    monkeypatch.setenv("REGIE_LOOPBACK", "1")
    made = Provider("", Client("issuer", f"{URL}/login/callback"), known_persons())
    app = make_provider(made)
    server = make_server("localhost", 0, app, threaded=True)
    made.url = f"http://localhost:{server.port}"
    made.app = app  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def level(acr: str = SUBSTANTIAL, loa: str = "substantial") -> tuple[str, str]:
    return "--level", f"{acr}={loa}"


def desk_of(shell: Shell, provider: Provider) -> LoginDesk:
    """What `regie issuer serve` would serve, with the wallet of the other tests before it."""
    app: Any = create(shell.home)
    maker: WalletMaker = shell.maker  # type: ignore[attr-defined]
    clock: Any = SystemClock()
    office: Any = None  # the desk is another process: only its commands are used
    browser: Any = provider.app.test_client()  # type: ignore[attr-defined]
    return LoginDesk(office, None, clock, app.test_client(), URL, provider, browser, maker)  # type: ignore[arg-type]


def test_home_with_login_lets_a_resident_log_in(shell: Shell, provider: Provider) -> None:
    told = shell.answer("login", "--provider", provider.url, "--client-id", "issuer", *level())
    assert (told["redirect_uri"], told["auth"]) == (f"{URL}/login/callback", "private_key_jwt")
    provider.client = Client("issuer", told["redirect_uri"], told["jwk"])
    desk = desk_of(shell, provider)
    about = desk.client.get("/.well-known/oauth-authorization-server").json
    assert about["pushed_authorization_request_endpoint"] == f"{URL}/par"
    wallet = desk.wallet()
    tokens = wallet.tokens()
    assert len(wallet.fetch(tokens["access_token"], count=2)) == 2
    assert wallet.refresh(tokens["refresh_token"]).status_code == 200


def test_wallet_maker_may_be_an_anchor_of_the_home(shell: Shell, provider: Provider) -> None:
    """A stranger's wallet, by configuration."""
    told = shell.answer("login", "--provider", provider.url, "--client-id", "issuer", *level())
    provider.client = Client("issuer", told["redirect_uri"], told["jwk"])
    stranger = WalletMaker()
    entry = {"id": "https://stranger.example", "name": "Vreemde wallet", "roots": stranger.entry.roots}
    Home(shell.home).write_json("anchors.json", {"wallet_providers": [entry]})
    desk = desk_of(shell, provider)
    desk.maker = stranger
    wallet = desk.wallet()
    headers = {**wallet.headers("/par"), "OAuth-Client-Attestation": wallet.attestation(iss=entry["id"])}
    assert wallet.push(headers).status_code == 201
    assert wallet.push().json["error"] == "invalid_client_attestation"  # and only under its own name


def test_login_by_a_secret_is_kept_out_of_sight(shell: Shell) -> None:
    told = shell.answer(
        "login",
        "--provider",
        "https://login.example",
        "--client-id",
        "x",
        "--client-secret",
        "-",
        *level(),
        stdin="geheim\n",
    )
    assert set(told) == {"client_id", "redirect_uri", "auth"}
    assert (shell.home / "login-secret").stat().st_mode & 0o077 == 0
    config = json.loads((shell.home / "config.json").read_text())["login"]
    assert config["client_auth"] == "client_secret_basic"
    assert "geheim" not in json.dumps(config)


@pytest.mark.parametrize("pair", ["substantial", "=low", "acr=", "acr=hoog"])
def test_level_has_its_form(shell: Shell, pair: str) -> None:
    line = ("login", "--provider", "https://login.example", "--client-id", "x", "--level", pair)
    assert shell.run(*line).exit_code == 2
    assert "login" not in json.loads((shell.home / "config.json").read_text())


def test_login_needs_a_trust_list_and_an_address(shell: Shell, tmp_path: Path) -> None:
    bare = Shell(tmp_path / "bare")
    bare.answer("init", "--url", URL, "--name", "Gemeente Lindehaven")
    line = ("login", "--provider", "https://login.example", "--client-id", "x", *level())
    assert bare.refusal(*line) == "no_trust_list"
    assert shell.refusal("login", "--provider", "login.example", "--client-id", "x", *level()) == "bad_url"
    assert bare.refusal("invite") == "no_login"


def test_invitation_names_nobody(shell: Shell) -> None:
    shell.answer("login", "--provider", "https://login.example", "--client-id", "x", *level())
    offer = parse_offer_link(shell.answer("invite", "--credential", "adres")["offer"]).offer
    assert offer is not None
    assert offer.credential_configuration_ids == ["adres"]
    assert offer.grants is not None
    assert offer.grants.pre_authorized is None
    assert offer.grants.authorization_code is not None
    assert offer.grants.authorization_code.issuer_state is None
    assert shell.refusal("invite", "--credential", "woz") == "unknown_credential_configuration"


def test_offer_of_an_issuer_with_login_may_be_taken_up_by_logging_in(shell: Shell) -> None:
    shell.answer("login", "--provider", "https://login.example", "--client-id", "x", *level())
    link = shell.answer("offer", "--bsn", "-", "--by-value", stdin=f"{NOOR}\n")["offer"]
    offer = parse_offer_link(link).offer
    assert offer is not None
    assert offer.grants is not None
    assert offer.grants.authorization_code is not None
    assert offer.grants.authorization_code.issuer_state
    assert NOOR not in link


def test_clerk_holds_looks_and_approves(shell: Shell, provider: Provider) -> None:
    told = shell.answer("login", "--provider", provider.url, "--client-id", "issuer", *level())
    provider.client = Client("issuer", told["redirect_uri"], told["jwk"])
    assert shell.answer("waiting") == {"waiting": []}
    assert shell.answer("hold", "--bsn", "-", "--reason", "adres in onderzoek", stdin=f"{NOOR}\n") == {
        "held": True
    }
    wallet = desk_of(shell, provider).wallet()
    token = wallet.tokens()["access_token"]
    body = {"credential_configuration_id": "persoon", "proofs": {"jwt": wallet.proofs(1)}}
    transaction = wallet.post_credential(token, body).json["transaction_id"]
    (one,) = shell.answer("waiting")["waiting"]
    assert one["credentials"] == ["persoon"]
    assert NOOR not in json.dumps(one)
    assert shell.answer("approve", one["id"]) == {"approved": one["id"]}
    headers = wallet.resource("/deferred-credential", token)
    answer = wallet.desk.client.post("/deferred-credential", json={"transaction_id": transaction}, headers=headers)
    assert len(answer.json["credentials"]) == 1
    assert shell.refusal("approve", one["id"]) == "unknown_id"
    assert shell.refusal("deny", one["id"], "--reason", "klopt niet") == "unknown_id"
    assert shell.answer("release", "--bsn", NOOR) == {"released": False}
    assert shell.run("hold", "--bsn", NOOR, "--reason", "x" * 201).exit_code == 2
    assert shell.refusal("hold", "--bsn", "999993653", "--reason", "x") == "unknown_person"
    assert shell.refusal("hold", "--bsn", "123456789", "--reason", "x") == "bad_bsn"


def test_encryption_key_of_a_home_stays(shell: Shell) -> None:
    def key() -> Any:
        client = create(shell.home).test_client()
        about = client.get("/.well-known/openid-credential-issuer").json
        return about["credential_request_encryption"]["jwks"]["keys"][0]["kid"]

    assert key() == key()
    assert (shell.home / "encryption-key.pem").stat().st_mode & 0o077 == 0


def test_provider_of_the_examples_serves_by_itself() -> None:
    line = [sys.executable, "-m", "examples.identity_provider", "--port", "0", "--client-id", "issuer"]
    arguments = [*line, "--redirect-uri", f"{URL}/login/callback", "--client-secret", "x"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            about = urllib3.request("GET", f"{url}/.well-known/openid-configuration", timeout=10).json()
            assert (about["issuer"], about["code_challenge_methods_supported"]) == (url, ["S256"])
        finally:
            server.terminate()
