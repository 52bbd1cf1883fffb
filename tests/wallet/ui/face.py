"""The wallet's web app as a browser meets it, in this process: through its door, with cookies and tokens."""

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from service.clock import Clock
from service.fetch import Fetcher
from service.ui.door import LocalDoor
from wallet.ui.app import create
from wallet.ui.session import KEEPER, Keeper

PASSPHRASE = "vier gele fietsen"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class _Compiled(BytecodeCache):
    """Templates that were compiled for one app serve all others: half of the time of these tests was that."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


class Face:
    """The app of a home, and one browser that came in by the launch address."""

    def __init__(
        self, home: Path, *, fetcher: Fetcher | None = None, clock: Clock | None = None, language: str = "en"
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.launch = LocalDoor(home, "wallet").launch(5080)
        self.app: Flask = create(home, fetcher=fetcher, clock=clock, profile="small")
        self.app.jinja_env.bytecode_cache = _COMPILED
        self.keeper: Keeper = self.app.extensions[KEEPER]
        self.keeper.catches_up = False  # in a thread of its own: tests that want it ask for it
        self.client: FlaskClient = self.app.test_client()
        self.client.get(urlsplit(self.launch.url).path, base_url=self.launch.origin)
        host = urlsplit(self.launch.origin).hostname or ""
        self.client.set_cookie("regie-wallet-view", f"{language}.100.auto", domain=host)

    def get(self, path: str, **options: Any) -> TestResponse:
        """A page, as a link leads to it."""
        return self.client.get(path, base_url=self.launch.origin, **options)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, page: str = "/lost", **options: Any
    ) -> TestResponse:
        """A form of a page of ours: with its token, from our own origin."""
        fields = {"csrf_token": self.token(page), **(data or {})}
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": self.launch.origin, **options.pop("headers", {})}
        return self.client.post(path, base_url=self.launch.origin, data=fields, headers=headers, **options)

    def token(self, page: str = "/lost") -> str:
        """The token of the forms of a page."""
        found = _TOKEN.search(self.get(page).text)
        assert found is not None
        return html.unescape(found[1])

    def unlock(self) -> None:
        """By passphrase."""
        assert self.post("/unlock", {"passphrase": PASSPHRASE}).status_code == 303
