"""A resident's browser: it keeps cookies, goes where it is sent, and fills in the form of the OpenID provider."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

from examples.processes import REGIE, environment
from tests.interop.ours import NOOR, Place, Refused

_HIDDEN = re.compile(r'name="login" value="([\w-]+)"')
_HOPS = 10


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Browser:
    """One browser of one resident."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, url: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Status, and the page or the address to go on to. With `form` it is posted."""
        data = None if form is None else urlencode(form).encode()
        try:
            with self._opener.open(url, data, timeout=60) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, urljoin(url, error.headers.get("Location", ""))

    def visit(self, url: str, *, until: str | None = None, bsn: str = NOOR, level: str = "substantial") -> str:
        """Where it ends: at an address beginning with `until`, which is not opened, or at the last page.

        Where it is asked to log in, it is `bsn`, identified as `level` says; an empty `bsn` is a no.
        """
        form: dict[str, str] | None = None
        for _ in range(_HOPS):
            if until is not None and url.startswith(until):
                return url
            status, found = self.open(url, form)
            form = None
            if status in (302, 303):
                url = found
            elif hidden := _HIDDEN.search(found):
                url = urljoin(url, "/login")
                form = {"login": hidden[1], "bsn": bsn, "level": f"urn:example:login:{level}"}
            else:
                return url
        raise AssertionError("sent round in circles")


def visit(url: str, **options: Any) -> str:
    """Where a new browser ends: see `Browser.visit`."""
    return Browser().visit(url, **options)


def log_in_with_our_wallet(place: Place, name: str, *arguments: str, **login: str) -> Any:
    """A command of our wallet that sends the resident to log in: what it answers. Raises `Refused`.

    In a process of its own, which says where to go while it waits for the browser to come back.
    """
    line = [str(REGIE), "wallet", *arguments, "--json", "--passphrase-file", str(place.folder / "passphrase")]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environ = {**os.environ, **environment(place.at(name))}
    with subprocess.Popen([*line, "--wait", "30"], env=environ, **pipes) as process:
        assert process.stderr is not None
        said = []
        for text in process.stderr:
            said.append(text)
            if text.startswith("http"):
                visit(text.strip(), **login)
                break
        out, rest = process.communicate(timeout=60)
    answers = [json.loads(text) for text in out.splitlines() if text.startswith("{")]
    if process.returncode and answers:
        raise Refused(f"{answers[-1]['error']['code']}: {answers[-1]['error'].get('detail', '')}")
    assert process.returncode == 0, "".join([*said, rest])
    return answers[-1]
