"""What tests of a face with a staff door need: a provider of staff over real HTTP, and a browser that signs in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from examples.identity_provider import STAFF, Client, Provider, make_provider
from protocol.canonical import b64u_encode
from service.staff import Member
from service.ui.staff import StaffDoor

ROLES = {"balie": "clerk", "chef": "manager", "privacy": "privacy"}
ORIGIN = "http://localhost"
"""Of Flask's test client."""


@contextmanager
def staff_provider(client: Client | None = None) -> Iterator[Provider]:
    """A provider that listens; its client may be filled in later."""
    made = Provider("", client or Client("desk", f"{ORIGIN}/sign-in/callback", secret="geheim"), {}, staff=STAFF)
    made.app = make_provider(made)  # type: ignore[attr-defined]
    server = make_server("localhost", 0, made.app, threaded=True)  # type: ignore[attr-defined]
    made.url = f"http://localhost:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def choose(provider: Provider, address: str, who: str) -> str:
    """The person at the provider's page chooses; where the browser is sent then. An empty `who` cancels."""
    browser = provider.app.test_client()  # type: ignore[attr-defined]
    page = browser.get(address).get_data(as_text=True)
    login = page.partition('name="login" value="')[2].partition('"')[0]
    return str(browser.post("/login", data={"login": login, "bsn": who, "level": ""}).headers["Location"])


def sign_in(browser: FlaskClient, provider: Provider, who: str = "b.bakker", *, mount: str = "") -> TestResponse:
    """The whole way; the answer of the callback."""
    away = browser.get(f"{mount}/sign-in/go").headers["Location"]
    return browser.get(choose(provider, away, who))


def enter(
    app: Flask, door: StaffDoor, *roles: str, name: str = "Bente Bakker", now: int | None = None
) -> FlaskClient:
    """A browser that is signed in with these roles, without the way."""
    browser = app.test_client()
    member = Member(name.lower().replace(" ", "."), name, frozenset(roles))
    token = door.sessions.start(member, door.clock.now() if now is None else now)
    browser.set_cookie(door.cookie, b64u_encode(token))
    return browser


class _Tokens(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.token = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        if fields.get("name") == "csrf_token":
            self.token = fields["value"] or ""


@dataclass(frozen=True)
class Page:
    """A page that was got, and its forms."""

    browser: FlaskClient
    answer: TestResponse

    @property
    def text(self) -> str:
        return self.answer.get_data(as_text=True)

    def post(self, path: str, **fields: Any) -> "Page":
        """Send a form of this page as a browser does."""
        found = _Tokens()
        found.feed(self.text)
        headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
        return Page(
            self.browser, self.browser.post(path, data={"csrf_token": found.token, **fields}, headers=headers)
        )


def get(browser: FlaskClient, path: str) -> Page:
    """A page."""
    return Page(browser, browser.get(path, headers={"Accept": "text/html"}))
