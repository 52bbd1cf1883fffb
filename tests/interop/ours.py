"""Our side: registrar, issuer, agency and wallets as their owners set them up, on real sockets in this process.

All is done by the commands of `regie` and by the `create(home)` that `serve` runs, so that a peer meets what
everybody who installs Regie has. The log is listed and does not run: sharing once does without it. Residents
log in at the small OpenID provider of `examples`.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from flask import Flask
from werkzeug.serving import make_server

import issuer.web
import registrar.web
import verifier.web
from examples.identity_provider import Client, Provider, known_persons, make_provider
from protocol.canonical import b64u_decode
from service.command import root
from tests.interop.served import SOON, free_port

PERSONS = Path(__file__).resolve().parents[2] / "examples" / "persons.jsonl"
ORIGIN, OIN = "log.voorbeeld.example/2026", "00000099000000001000"
NOOR, KARIM = "999100002", "999108669"
PASSPHRASE = "vier gele fietsen"
LOOPBACK = {"REGIE_LOOPBACK": "1"}
SERVED = ("registrar", "issuer", "agency", "login")
LEVELS = ("low", "substantial", "high")


class Refused(Exception):
    """A command ended with a refusal; the text begins with its stable code."""


def regie(home: Path, *arguments: str, stdin: str = "", **env: str) -> Any:
    """The JSON answer of `regie ARGUMENTS` in `home`. Raises `Refused`."""
    group, command, *rest = arguments
    line = [group, command, "--home", str(home), "--json", *rest]
    done = CliRunner().invoke(root, line, input=stdin, env={**LOOPBACK, **env})
    answers = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if done.exit_code and answers:
        error = json.loads(answers[-1])["error"]
        raise Refused(f"{error['code']}: {error.get('detail', '')}")
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(answers[-1])


@dataclass
class Place:
    """Homes below one folder, and the address of what is served."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in SERVED})
    trust: tuple[str, ...] = ()

    def url(self, who: str) -> str:
        """Where it is served."""
        return f"http://localhost:{self.ports[who]}"

    def at(self, name: str) -> Path:
        return self.folder / name

    def regie(self, who: str, *arguments: str, stdin: str = "", **env: str) -> Any:
        """A command in the home of `who`."""
        return regie(self.at(who), *arguments, stdin=stdin, **env)

    def write(self, name: str, value: Any) -> str:
        """A file for a command to read."""
        path = self.folder / name
        path.write_text(json.dumps(value))
        return str(path)

    def init(self, who: str, *arguments: str) -> dict[str, Any]:
        """The entry for the trust list of a new home."""
        entry: dict[str, Any] = self.regie(who, *arguments, *self.trust)["entry"]
        return entry

    def add(self, kind: str, entry: Any) -> None:
        """Into the registrar's draft."""
        self.regie("registrar", "registrar", f"add-{kind}", self.write(f"{kind}.json", entry))

    def add_service(self, service: dict[str, Any], agency: str = OIN) -> None:
        path = self.write(f"service-{service['id']}.json", service)
        self.regie("registrar", "registrar", "add-service", "--agency", agency, path)

    def entry(self, kind: str) -> dict[str, Any]:
        """The newest entry of this kind in the trust list."""
        entry: dict[str, Any] = json.loads((self.folder / f"{kind}.json").read_text())
        return entry

    def trust_list(self) -> dict[str, Any]:
        """What the registrar signed last."""
        token = Path(self.trust[1]).read_text()
        listed: dict[str, Any] = json.loads(b64u_decode(token.split(".")[1]))
        return listed

    def offer(self, *names: str, bsn: str = NOOR, **options: Any) -> dict[str, Any]:
        """An offer of the issuer: `offer`, `tx_code`, `id`."""
        wanted = [part for name in names for part in ("--credential", name)]
        more = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is True]
        offered: dict[str, Any] = self.regie("issuer", "issuer", "offer", "--bsn", "-", *wanted, *more, stdin=bsn)
        return offered

    def wallet(self, name: str, *arguments: str, **env: str) -> Any:
        """A command of the wallet of `name`."""
        return self.regie(name, "wallet", *arguments, "--passphrase-file", str(self.folder / "passphrase"), **env)

    def new_wallet(self, name: str, anchors: dict[str, Any] | None = None) -> None:
        """An empty wallet, which may trust strangers."""
        self.wallet(name, "init", "--profile", "small", *self.trust)
        if anchors is not None:
            (self.at(name) / "anchors.json").write_text(json.dumps(anchors))

    def receive(self, name: str, *cards: str, bsn: str = NOOR) -> dict[str, Any]:
        """Cards of our issuer into a wallet; the offer."""
        offer = self.offer(*cards, bsn=bsn)
        self.wallet(name, "receive", offer["offer"], "--tx-code", offer["tx_code"])
        return offer

    def ask(self, service: str, *options: str) -> dict[str, Any]:
        """A request of the agency for a copy: `request`, `id`."""
        asked: dict[str, Any] = self.regie("agency", "verifier", "ask", service, "--once", *options)
        return asked


def service(name: str, *claims: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """A registered service that may ask these (type, attribute)."""
    words = {"nl": f"Dienst {name}", "en": f"Service {name}"}
    return {
        "id": name,
        "version": 1,
        "name": words,
        "purpose": words,
        "basis": "consent",
        "claims": [{"vct": f"urn:regie:nl:{kind}:1", "path": [attr], "needed": True} for kind, attr in claims],
        "longest_term": 365 * 86400,
        "retention": "P1Y",
        "mode": "store",
        "privacy_policy": "https://agency.voorbeeld.example/privacy",
        **changes,
    }


@contextmanager
def served(app: Any, port: int) -> Iterator[None]:
    """A Flask app on a socket of this machine."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(SOON)
        server.server_close()


@contextmanager
def founded(
    folder: Path,
    *services: dict[str, Any],
    listed: tuple[tuple[str, Any], ...] = (),
    registered: tuple[tuple[str, Any], ...] = (),
    **agency: Any,
) -> Iterator[Place]:
    """Issuer and agency at work on one trust list.

    `listed`: further entries as (kind, entry), before ours; `registered`: services of others as (OIN, service);
    `agency`: settings of our agency.
    """
    place = Place(folder)
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    named = ("--name", "Registrar van Voorbeeldland", "--url", place.url("registrar"))
    new = place.regie("registrar", "registrar", "new", *named)
    place.trust = ("--trust-list", new["trust_list"], "--registrar", new["registrar"])
    for kind, entry in listed:
        place.add(kind, entry)
    _list_ours(place)
    for oin, wanted in (*((OIN, one) for one in services), *registered):
        place.add_service(wanted, oin)
    place.regie("registrar", "registrar", "sign")
    place.regie("issuer", "issuer", "import", str(PERSONS))
    login = _let_log_in(place)
    config = place.at("agency") / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **agency}))
    with ExitStack() as stack:
        for who, app in (
            ("registrar", registrar.web.create(place.at("registrar"))),
            ("login", login),
            ("issuer", issuer.web.create(place.at("issuer"))),
            ("agency", verifier.web.create(place.at("agency"))),
        ):
            stack.enter_context(served(app, place.ports[who]))
        yield place


def _list_ours(place: Place) -> None:
    elsewhere = "http://localhost:9"
    issuing = ("issuer", "init", "--url", place.url("issuer"), "--name", "Gemeente Voorbeeldstad")
    asking = ("--url", place.url("agency"), "--oin", OIN, "--name", "Parkeerbedrijf", "--log", ORIGIN)
    watching = ("auditor", "init", "--url", elsewhere, "--name", "rekenkamer.example", "--log", ORIGIN)
    place.add("issuer", place.init("issuer", *issuing))
    place.add("agency", place.init("agency", "verifier", "init", *asking))
    place.add("log", place.init("log", "log", "init", "--url", elsewhere, "--origin", ORIGIN))
    place.add("witness", place.init("cosigner", *watching))


def _let_log_in(place: Place) -> Flask:
    """The provider at which residents of our issuer log in."""
    levels = [part for level in LEVELS for part in ("--level", f"urn:example:login:{level}={level}")]
    at = ("--provider", place.url("login"), "--client-id", "issuer")
    told = place.regie("issuer", "issuer", "login", *at, *levels)
    client = Client("issuer", told["redirect_uri"], key=told["jwk"])
    return make_provider(Provider(place.url("login"), client, known_persons()))
