"""A counter in memory: one issuer with our persons, a clock that tests move, and a small wallet beside it.

The wallet is written here and not taken from `wallet/`, so that the issuer is read by something that does not
share its mistakes: it makes proofs with `cryptography` and json alone.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from issuer import store
from issuer.brp import Bsn
from issuer.config import IssuerConfig
from issuer.office import Office
from issuer.signing import load_codes_key, load_signer, make_keys
from issuer.tables import metadata
from issuer.web import make_web
from protocol.trust_list import TrustedIssuer, TrustList
from service.database import engine_for, snapshot
from service.home import Home

NOW = 1_795_305_600 + 10 * 3600
"""2026-11-22T10:00:00Z."""
URL = "https://issuer.voorbeeld.example"
PERSONS = Path(__file__).parents[2] / "examples" / "persons.jsonl"
NOOR, KARIM, KLAAS = Bsn("999100002"), Bsn("999108669"), Bsn("999119072")
PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


class FakeClock:
    """Shows what it is told."""

    def __init__(self, now: int = NOW) -> None:
        self.time = now

    def now(self) -> int:
        return self.time


@dataclass
class Desk:
    """The issuer, what a registrar would list of it, and an HTTP client."""

    office: Office
    entry: TrustedIssuer
    clock: FakeClock
    client: FlaskClient
    url: str

    @property
    def trust(self) -> TrustList:
        """A trust list of this issuer alone."""
        return TrustList(version=1, iat=NOW, exp=NOW + 86400 * 3650, issuers=[self.entry])

    def another(self) -> "Desk":
        """The same desk with an HTTP client of its own: one for each thread."""
        return replace(self, client=self.client.application.test_client())

    def offer(self, *names: str, bsn: Bsn = NOOR) -> tuple[str, str]:
        """The pre-authorized code, as a wallet finds it at the offer's address, and the transaction code."""
        made, tx_code = self.office.offer(bsn, names or ("persoon",))
        answer = self.client.get(f"{urlsplit(self.url).path}/offers/{made.id}")
        return answer.json["grants"][PRE_AUTHORIZED]["pre-authorized_code"], tx_code

    def post_token(self, code: str, tx_code: str | None) -> TestResponse:
        """A token request."""
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code}
        return self.client.post("/token", data=form if tx_code is None else {**form, "tx_code": tx_code})

    def token(self, *names: str, bsn: Bsn = NOOR) -> str:
        """An access token for an offer of these credentials."""
        return str(self.post_token(*self.offer(*names, bsn=bsn)).json["access_token"])

    def nonce(self) -> str:
        """A fresh c_nonce."""
        return str(self.client.post("/nonce").json["c_nonce"])

    def proofs(self, count: int, nonce: str | None = None, **changes: Any) -> list[str]:
        """`count` proofs by fresh keys over one nonce."""
        nonce = nonce or self.nonce()
        return [HolderKey().proof(self.url, nonce, self.clock.now(), **changes) for _ in range(count)]

    def post_credential(self, token: str, name: str, proofs: list[str], **members: Any) -> TestResponse:
        """A credential request."""
        body = {"credential_configuration_id": name, "proofs": {"jwt": proofs}, **members}
        return self.client.post("/credential", json=body, headers={"Authorization": f"Bearer {token}"})

    def fetch(self, token: str, name: str, count: int = 1) -> list[str]:
        """`count` copies of a credential."""
        answer = self.post_credential(token, name, self.proofs(count))
        assert answer.status_code == 200, answer.text
        return [item["credential"] for item in answer.json["credentials"]]

    def rows(self) -> dict[str, int]:
        """How many rows each table has: what an attack test compares."""
        with snapshot(self.office.engine) as connection:
            return {
                name: connection.execute(select(func.count()).select_from(table)).scalar() or 0
                for name, table in metadata.tables.items()
            }


def b64u(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    """The bytes of it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwt_parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, unverified."""
    header, payload, _ = token.split(".")
    return json.loads(unb64u(header)), json.loads(unb64u(payload))


@dataclass
class HolderKey:
    """One key of a wallet."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def jwk(self) -> dict[str, str]:
        """The public key."""
        numbers = self.key.public_key().public_numbers()
        x, y = (b64u(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def proof(self, audience: str, nonce: str, iat: int, **changes: Any) -> str:
        """A key proof; `changes` replace claims."""
        header = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": self.jwk}
        claims = {"aud": audience, "iat": iat, "nonce": nonce, **changes}
        signed = ".".join(b64u(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64u(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


_filled: list[bytes] = []
"""A register with our persons, made once in a process by the program itself: the rest of the tests copy it."""


def fill(office: Office) -> None:
    """Make the tables, and take our persons in."""
    engine = office.engine
    is_memory = str(engine.url) == "sqlite://"
    if is_memory and _filled:
        engine.raw_connection().driver_connection.deserialize(_filled[0])  # type: ignore[union-attr]
        return
    store.create_tables(engine)
    _, refused = office.import_persons(PERSONS.read_bytes().splitlines())
    assert not refused
    if is_memory:
        _filled.append(engine.raw_connection().driver_connection.serialize())  # type: ignore[union-attr]


def open_desk(
    home: Path,
    *,
    url: str = URL,
    clock: FakeClock | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
    database: str = "sqlite://",
) -> Desk:
    """A desk with a fresh home and our persons in the register."""
    clock = clock or FakeClock()
    place = Home(home).create()
    config = IssuerConfig(role="issuer", url=url, name="Gemeente Lindehaven")
    entry = make_keys(place, config, now=clock.now(), random=random)
    engine = engine_for(database)
    office = Office(engine, load_signer(place, config, clock.now()), load_codes_key(place), clock, random)
    fill(office)
    return Desk(office, entry, clock, make_web(config, office).test_client(), url)


def offer_of_link(link: str) -> str:
    """The address in a link by reference."""
    return parse_qs(urlsplit(link).query)["credential_offer_uri"][0]
