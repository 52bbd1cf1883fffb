"""A browser for in-process tests of faces: keeps cookies, names its origin, sends the token of the last page."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_TITLE = re.compile(r'<h1[^>]*id="title"[^>]*>(.*?)</h1>', re.S)


class Browser:
    """`page` is the text of the last page; redirects within the site are followed, as browsers do."""

    def __init__(self, app: Flask, origin: str = "http://localhost") -> None:
        self._client = app.test_client()
        self.origin = origin
        self.page = ""
        self.token = ""
        self.path = "/"

    def get(self, path: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Open a path."""
        return self._send("GET", path, follow, headers=headers)

    def post(
        self,
        path: str,
        fields: Mapping[str, Any] | None = None,
        *,
        follow: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Send a form as a page of ours does: with its token, and the browser's word on where it comes from."""
        sent = {"csrf_token": self.token, **(fields or {})}
        own = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return self._send("POST", path, follow, data=sent, headers=own)

    @property
    def title(self) -> str:
        """The text of the h1."""
        found = _TITLE.search(self.page)
        return unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""

    def _send(self, method: str, path: str, follow: bool, **more: Any) -> TestResponse:
        headers = {"Accept": "text/html,*/*;q=0.8", **(more.pop("headers", None) or {})}
        answer = self._client.open(
            path, method=method, base_url=self.origin, headers=headers, follow_redirects=follow, **more
        )
        self.page = answer.get_data(as_text=True) if answer.mimetype == "text/html" else self.page
        found = _TOKEN.search(self.page)
        self.token = unescape(found[1]) if found else self.token
        self.path = answer.request.path
        return answer
