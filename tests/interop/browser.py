"""A resident's browser: it keeps cookies, goes where it is sent, and fills in the form of the OpenID provider."""

import re
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

from tests.interop.ours import NOOR

_HIDDEN = re.compile(r'name="login" value="([\w-]+)"')
_HOPS = 10


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def visit(url: str, *, until: str | None = None, bsn: str = NOOR, level: str = "substantial") -> str:
    """Where it ends: at an address beginning with `until`, which is not opened, or at the last page.

    Where it is asked to log in, it is `bsn`, identified as `level` says; an empty `bsn` is a no.
    """
    opener = urllib.request.build_opener(_Stay, urllib.request.HTTPCookieProcessor(CookieJar()))
    form: bytes | None = None
    for _ in range(_HOPS):
        if until is not None and url.startswith(until):
            return url
        try:
            with opener.open(url, form, timeout=10) as page:
                found, form = _HIDDEN.search(page.read().decode()), None
        except urllib.error.HTTPError as error:
            if error.code not in (302, 303):
                raise
            url, form = urljoin(url, error.headers["Location"]), None
            continue
        if found is None:
            return url
        url = urljoin(url, "/login")
        form = urlencode({"login": found[1], "bsn": bsn, "level": f"urn:example:login:{level}"}).encode()
    raise AssertionError("sent round in circles")
