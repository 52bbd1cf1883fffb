"""A desk at which residents log in: an OpenID provider over real HTTP, a wallet provider, and a wallet of our own.

The wallet makes every JWT with `cryptography` and json alone, as the one of `desk` does.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from examples.identity_provider import LEVELS, Client, Provider, known_persons, make_provider
from issuer.client import Login
from issuer.config import IssuerConfig, LoginConfig
from issuer.office import Office
from issuer.signing import load_codes_key, load_signer, make_keys
from issuer.web import make_web
from protocol import x509
from protocol.keys import Es256Private
from protocol.trust_list import TrustList, WalletProvider
from service.database import engine_for
from service.fetch import Fetcher
from service.home import Home
from service.openid import ClientCredentials
from tests.issuer.desk import NOOR, NOW, URL, Desk, FakeClock, HolderKey, b64u, fill

CALLBACK = "http://127.0.0.1:4711/callback"
WALLET = "https://wallet.voorbeeld.example"
LOW, SUBSTANTIAL, HIGH = LEVELS
CHALLENGE = "OAuth-Client-Attestation-Challenge"


def sign(key: ec.EllipticCurvePrivateKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A compact JWS by ES256, whatever the header says."""
    signed = ".".join(b64u(json.dumps(part).encode()) for part in (header, claims))
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64u(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def spoil(token: str) -> str:
    """The same token with another signature."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64u(hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


@dataclass
class WalletMaker:
    """A wallet provider with a root and a leaf of its own."""

    root_key: Es256Private = field(default_factory=lambda: Es256Private.from_secret(secrets.token_bytes(48)))
    leaf_key: Es256Private = field(default_factory=lambda: Es256Private.from_secret(secrets.token_bytes(48)))

    def __post_init__(self) -> None:
        dates = {"not_before": NOW - 86400, "not_after": NOW + 86400 * 800}
        self.root = x509.make_root(self.root_key, "Wallet provider (root)", serial=1, **dates)
        self.leaf = x509.make_leaf(
            self.leaf_key.public, "Wallet provider", self.root_key, self.root, san_uri=WALLET, serial=2, **dates
        )

    @property
    def entry(self) -> WalletProvider:
        """As the trust list names it."""
        return WalletProvider(id=WALLET, name="Wallet van Voorbeeld", roots=x509.x5c([self.root]))

    def sign(self, typ: str, claims: dict[str, Any]) -> str:
        """Something that it says."""
        return sign(self.leaf_key.key, {"typ": typ, "alg": "ES256", "x5c": x509.x5c([self.leaf])}, claims)


@dataclass
class LoginDesk(Desk):
    """A `Desk` with its provider, and who makes wallets."""

    provider: Provider
    provider_client: FlaskClient
    maker: WalletMaker

    def wallet(self, **options: Any) -> "Wallet":
        """A new instance of an attested wallet."""
        return Wallet(self, **options)


@contextmanager
def login_desk(home: Path, *, url: str = URL, database: str = "sqlite://", **options: Any) -> Iterator[LoginDesk]:
    """A desk with login. `options`: `algorithm`, `bsn_in_userinfo` and `secret` of the provider; others of
    `LoginConfig`."""
    clock, place = FakeClock(), Home(home).create()
    key = Es256Private.from_secret(secrets.token_bytes(48))
    secret = options.pop("secret", None)
    known = Client("issuer", f"{url}/login/callback", None if secret else key.public.jwk(), secret)
    provider = Provider("", known, known_persons(), now=clock.now)
    for name in ("algorithm", "bsn_in_userinfo"):
        setattr(provider, name, options.pop(name, getattr(provider, name)))
    provider.__post_init__()
    app = make_provider(provider)
    server = make_server("localhost", 0, app, threaded=True)
    provider.url = f"http://localhost:{server.port}"
    levels = {LOW: "low", SUBSTANTIAL: "substantial", HIGH: "high"}
    login = LoginConfig(
        **{
            "provider": provider.url,
            "client_id": "issuer",
            "levels": levels,
            "signing_alg": provider.algorithm,
            **options,
        }
    )
    config = IssuerConfig(role="issuer", url=url, name="Gemeente Lindehaven", login=login)
    entry = make_keys(place, config, now=clock.now(), random=secrets.token_bytes)
    engine = engine_for(database)
    signer = load_signer(place, config, clock.now())
    office = Office(engine, signer, load_codes_key(place), clock, secrets.token_bytes, has_login=True)
    fill(office)
    maker = WalletMaker()
    trust = TrustList(version=1, iat=NOW, exp=NOW + 86400 * 3650, wallet_providers=[maker.entry])
    client = make_web(
        config,
        office,
        trust=lambda now: trust,
        login=Login(
            login,
            known.redirect_uri,
            ClientCredentials(None if secret else key, secret),
            Fetcher(loopback=True),
            clock,  # type: ignore[arg-type]
            secrets.token_bytes,
        ),
    ).test_client()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield LoginDesk(office, entry, clock, client, url, provider, app.test_client(), maker)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Wallet:
    """One instance: an attested key, a DPoP key, and what the server told it last."""

    desk: LoginDesk
    client_id: str = "voorbeeld-wallet"
    redirect_uri: str = CALLBACK
    key: HolderKey = field(default_factory=HolderKey)
    dpop_key: HolderKey = field(default_factory=HolderKey)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def _now(self) -> int:
        return self.desk.clock.now()

    # ---- proofs

    def attestation(self, **changes: Any) -> str:
        """What the wallet provider says; a change of None leaves a claim out."""
        claims = {
            "iss": WALLET,
            "sub": self.client_id,
            "iat": self._now(),
            "exp": self._now() + 3600,
            "cnf": {"jwk": self.key.jwk},
            **changes,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        return self.desk.maker.sign("oauth-client-attestation+jwt", present)

    def challenge(self) -> str:
        """From the challenge endpoint."""
        return str(self.desk.client.post("/challenge").json["attestation_challenge"])

    def pop(self, key: HolderKey | None = None, **changes: Any) -> str:
        """The proof of the attested key."""
        claims = {
            "iss": self.client_id,
            "aud": self.desk.url,
            "iat": self._now(),
            "jti": secrets.token_urlsafe(12),
            "challenge": self.challenge() if "challenge" not in changes else None,
            **changes,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        header = {"typ": "oauth-client-attestation-pop+jwt", "alg": "ES256"}
        return sign((key or self.key).key, header, present)

    def dpop_nonce(self) -> str:
        """From the nonce endpoint."""
        return str(self.desk.client.post("/nonce").headers["DPoP-Nonce"])

    def dpop(self, path: str, token: str | None = None, key: HolderKey | None = None, **changes: Any) -> str:
        """A DPoP proof for a POST to `path`."""
        key = key or self.dpop_key
        claims = {
            "jti": secrets.token_urlsafe(12),
            "htm": "POST",
            "htu": self.desk.url + path,
            "iat": self._now(),
            "nonce": self.dpop_nonce() if "nonce" not in changes else None,
            "ath": None if token is None else b64u(hashlib.sha256(token.encode()).digest()),
            **changes,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        return sign(key.key, {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.jwk}, present)

    def headers(self, path: str, **changes: str) -> dict[str, str]:
        """All three proofs for the authorization server."""
        made = {
            "OAuth-Client-Attestation": lambda: self.attestation(),
            "OAuth-Client-Attestation-PoP": lambda: self.pop(),
            "DPoP": lambda: self.dpop(path),
        }
        found = {name: changes.get(name) if name in changes else make() for name, make in made.items()}
        return {name: value for name, value in found.items() if value}

    # ---- the flow

    def form(self, **changes: Any) -> dict[str, str]:
        """What is pushed; a change of None leaves a parameter out."""
        form = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "persoon",
            "state": self.state,
            "code_challenge": b64u(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in form.items() if value is not None}

    def push(self, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        """POST /par."""
        shown = self.headers("/par") if headers is None else headers
        return self.desk.client.post("/par", data=self.form(**changes), headers=shown)

    def depart(self, request_uri: str, browser: FlaskClient) -> str:
        """The browser opens the request; where it is sent to log in."""
        query = {"client_id": self.client_id, "request_uri": request_uri}
        answer = browser.get("/authorize", query_string=query)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def log_in(self, url: str, bsn: str = NOOR, level: str = SUBSTANTIAL) -> str:
        """What happens at the provider; where the browser is sent back to, below the issuer's address."""
        page = self.desk.provider_client.get(url.removeprefix(self.desk.provider.url))
        login = page.text.partition('name="login" value="')[2].partition('"')[0]
        answer = self.desk.provider_client.post("/login", data={"login": login, "bsn": bsn, "level": level})
        return answer.headers["Location"].removeprefix(self.desk.url)

    def browse(self, request_uri: str, bsn: str = NOOR, level: str = SUBSTANTIAL) -> dict[str, str]:
        """A browser of its own from the link to the wallet: what it brings there."""
        browser = self.desk.client.application.test_client()
        back = self.log_in(self.depart(request_uri, browser), bsn, level)
        answer = browser.get(back)
        assert answer.status_code == 303, answer.text
        return self.arrive(answer.headers["Location"])

    def arrive(self, url: str) -> dict[str, str]:
        """The parameters at the wallet's redirect URI."""
        assert url.startswith(self.redirect_uri + "?")
        return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}

    def code(self, bsn: str = NOOR, level: str = SUBSTANTIAL, **changes: Any) -> str:
        """An authorization code for this resident."""
        pushed = self.push(**changes)
        assert pushed.status_code == 201, pushed.text
        return self.browse(pushed.json["request_uri"], bsn, level)["code"]

    def post_token(self, headers: dict[str, str] | None = None, **form: Any) -> TestResponse:
        """POST /token."""
        shown = self.headers("/token") if headers is None else headers
        present = {name: value for name, value in form.items() if value is not None}
        return self.desk.client.post("/token", data=present, headers=shown)

    def redeem(self, code: str, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        """The code against tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.post_token(headers, **form)

    def tokens(self, **changes: Any) -> Any:
        """The whole flow: the token response."""
        answer = self.redeem(self.code(**changes))
        assert answer.status_code == 200, answer.text
        return answer.json

    def refresh(self, refresh_token: str, headers: dict[str, str] | None = None) -> TestResponse:
        """A refresh token against the next ones."""
        return self.post_token(headers, grant_type="refresh_token", refresh_token=refresh_token)

    # ---- credentials

    def proofs(self, count: int, nonce: str | None = None, **changes: Any) -> list[str]:
        """Key proofs of this client."""
        return self.desk.proofs(count, nonce, **{"iss": self.client_id, **changes})

    def resource(self, path: str, token: str, **changes: Any) -> dict[str, str]:
        """Headers of a request with a token."""
        return {"Authorization": f"DPoP {token}", "DPoP": self.dpop(path, token, **changes)}

    def post_credential(
        self, token: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> TestResponse:
        """POST /credential."""
        shown = self.resource("/credential", token) if headers is None else headers
        return self.desk.client.post("/credential", json=body, headers=shown)

    def fetch(self, token: str, name: str = "persoon", count: int = 1) -> list[str]:
        """`count` copies; `name` is a configuration or, with a colon, an identifier."""
        member = "credential_identifier" if ":" in name else "credential_configuration_id"
        answer = self.post_credential(token, {member: name, "proofs": {"jwt": self.proofs(count)}})
        assert answer.status_code == 200, answer.text
        return [item["credential"] for item in answer.json["credentials"]]
