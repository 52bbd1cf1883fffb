"""A registrar with one listed agency, its app, and a clock that tests set."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from protocol.canonical import b64u_decode
from protocol.jws import parse_jws, verify_jws
from protocol.trust_list import TrustList
from registrar import register
from registrar.draft import new_draft
from registrar.published import Published
from registrar.store import RegistrarStore
from registrar.web import make_web
from service.home import Home
from tests.protocol import builders as b
from tests.protocol.builders import NOW

URL = "https://registrar.voorbeeld.example"
SECOND = b.party("second agency", san_dns="second.example")
SECOND_ID = "00000099000000002000"
USE = f"{b.AGENCY_ID}:{b.SERVICE_ID}:1"


class FixedClock:
    """Says what it is set to."""

    def __init__(self, time: int = NOW) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


class OpenRegistrar:
    """Home, store and app. `sign()` signs the draft at the clock's time."""

    def __init__(self, tmp_path: Path, url: str = URL) -> None:
        self.home = Home(tmp_path / "registrar")
        self.clock = FixedClock()
        self.store = RegistrarStore(self.home)
        self.store.create(new_draft("Registrar van Voorbeeldland"))
        self.store.publish_at(url, NOW)
        self.store.change(lambda draft: register.add_agency(draft, b.agency(), NOW))

    def sign(self, days: int = 30) -> TrustList:
        return self.store.sign(self.clock.now(), days)

    def app(self) -> Any:
        return make_web(Published(self.home), self.clock)

    def client(self) -> FlaskClient:
        client: FlaskClient = self.app().test_client()
        return client

    def jwk(self) -> Any:
        return json.loads(self.store.jwk_path.read_text())

    def add_second(self) -> None:
        entry = b.agency(id=SECOND_ID, name="Waterschap", roots=SECOND.roots, services=[b.service(id="heffing")])
        self.store.change(lambda draft: register.add_agency(draft, entry, NOW))

    def remove(self, agency: str = b.AGENCY_ID) -> None:
        self.store.change(lambda draft: register.remove(draft, "agency", agency))

    def statement(self, response: TestResponse, now: int = NOW) -> Any:
        """What a signed answer of the register says, once its signature leads to the listed root."""
        assert response.status_code == 200, response.text
        assert response.mimetype == "application/jwt"
        jws = parse_jws(response.text, typ="JWT")
        signer = Published(self.home).registrations(now)
        assert jws.header["x5c"] == signer.x5c
        said = json.loads(verify_jws(jws, signer.key.public))
        assert said["iss"] == URL
        assert said["iat"] == self.clock.now()
        return said


def refused(response: TestResponse, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["code"] == code


def claims_of(token: str) -> Any:
    return json.loads(b64u_decode(token.split(".")[1]))


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        pass


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The app behind real HTTP on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
