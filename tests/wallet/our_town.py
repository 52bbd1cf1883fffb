"""Our own issuer with a login, our registrar as wallet provider, and the OpenID provider of the examples.

Their real apps behind real HTTP on loopback, around one clock. The resident's browser logs in as whom it is told.
"""

import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from examples.identity_provider import LEVELS, Client, Provider, known_persons, make_provider
from issuer.client import Login
from issuer.config import IssuerConfig, LoginConfig
from issuer.signing import load_login_credentials, make_keys, make_login_key
from issuer.web import make_web, open_office
from protocol.trust_list import TrustList
from registrar.register import add_issuer
from service.fetch import Fetcher
from service.home import Home
from tests.protocol.builders import NOW
from tests.registrar.open_registrar import OpenRegistrar, served
from wallet.config import WalletConfig
from wallet.opened import OpenWallet, create_wallet, open_wallet, surroundings

PASSPHRASE = b"vier gele fietsen"
PERSONS = Path(__file__).parents[2] / "examples" / "persons.jsonl"
NOOR = "999100002"


class Later:
    """A WSGI app that is set once its address is known."""

    def __init__(self) -> None:
        self.app: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


class OurTown:
    """`issuer_url`, `office` (the desk's side of the issuer) and `open()` for the wallet."""

    def __init__(self, folder: Path, urls: dict[str, str], apps: dict[str, Later]) -> None:
        self.folder, self.issuer_url = folder, urls["issuer"]
        self.registrar = OpenRegistrar(folder, urls["registrar"])
        self.clock = self.registrar.clock
        apps["registrar"].app = self.registrar.app
        self._add_issuer(urls, apps)
        self.trust = self.registrar.sign()
        apps["registrar"].app = self.registrar.app()
        self.home = Home(folder / "wallet")
        self.config = WalletConfig("wallet", f"{urls['registrar']}/v1/trust-list", self.registrar.jwk())
        self.level, self.bsn = LEVELS[2], NOOR

    def _add_issuer(self, urls: dict[str, str], apps: dict[str, Later]) -> None:
        levels = dict(zip(LEVELS, ("low", "substantial", "high"), strict=True))
        login = LoginConfig(provider=urls["provider"], client_id="issuer", levels=levels)
        config = IssuerConfig(role="issuer", url=self.issuer_url, name="Gemeente Lindehaven", login=login)
        home = Home(self.folder / "issuer").create()
        entry = make_keys(home, config, now=NOW, random=secrets.token_bytes)
        key = make_login_key(home, secrets.token_bytes)
        self.office = open_office(home, config, clock=self.clock)
        self.office.import_persons(PERSONS.read_bytes().splitlines())
        callback = f"{self.issuer_url}/login/callback"
        credentials = load_login_credentials(home, login)
        fetcher = Fetcher(loopback=True)
        desk = Login(login, callback, credentials, fetcher, self.clock, secrets.token_bytes)
        apps["issuer"].app = make_web(config, self.office, trust=self._trust, login=desk)
        client = Client("issuer", callback, key.jwk())
        apps["provider"].app = make_provider(
            Provider(urls["provider"], client, known_persons(), now=self.clock.now)
        )
        self.registrar.store.change(lambda draft: add_issuer(draft, entry, NOW))

    def _trust(self, now: int) -> TrustList:
        return self.trust

    @contextmanager
    def open(self) -> Iterator[OpenWallet]:
        """The wallet, made when it is not there."""
        if not self.home.has("config.json"):
            create_wallet(self.home, self.config, PASSPHRASE, "small")
        around = surroundings(self.home, fetcher=Fetcher(loopback=True), clock=self.clock)
        with open_wallet(around, PASSPHRASE) as wallet:
            yield wallet

    def browse(self, url: str) -> None:
        """The resident logs in at the provider as `bsn` with `level`."""
        threading.Thread(target=self._log_in, args=(url,), daemon=True).start()

    def _log_in(self, url: str) -> None:
        opener: OpenerDirector = build_opener(HTTPCookieProcessor())
        with opener.open(url, timeout=60) as page:
            text, address = page.read().decode(), page.url
        login = re.search(r'name="login" value="([^"]+)"', text)
        assert login is not None
        form = urlencode({"login": login[1], "bsn": self.bsn, "level": self.level}).encode()
        origin = "/".join(address.split("/")[:3])
        with opener.open(f"{origin}/login", form, timeout=60) as answer:
            answer.read()


@contextmanager
def our_town(folder: Path) -> Iterator[OurTown]:
    """Everything up and running until the end of the block."""
    apps = {name: Later() for name in ("issuer", "registrar", "provider")}
    with ExitStack() as stack:
        urls = {
            name: stack.enter_context(served(app)).replace("127.0.0.1", "localhost") for name, app in apps.items()
        }
        yield OurTown(folder, urls, apps)
