"""No other site changes anything: a request that changes something must come from a page of ours.

Three walls, each of which suffices: the session cookie is SameSite=Strict, the form has a token bound to the
session (Flask-WTF), and the browser itself says where the request comes from, which is checked here.
"""

from urllib.parse import urlsplit

from flask import Flask, request
from flask_wtf import CSRFProtect

from protocol.errors import Rejected

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def check_same_site(host: str, origin: str | None, fetch_site: str | None) -> None:
    """That an unsafe request to `host` (with its port) was sent by a page of that very host.

    1. `Sec-Fetch-Site`, when the browser sends it, is same-origin; 2. so is `Origin`; 3. one of them is there.
    Only the authority of `Origin` is compared: a proxy that ends TLS changes the scheme that we see.
    Raises `Rejected`: `other_site` (403).
    """
    if fetch_site is not None and fetch_site != "same-origin":  # 1
        raise Rejected("other_site", "the request comes from another site", status=403)
    if origin is not None and (
        urlsplit(origin).scheme not in ("http", "https") or urlsplit(origin).netloc != host
    ):  # 2
        raise Rejected("other_site", "the request comes from another site", status=403)
    if origin is None and fetch_site is None:  # 3
        raise Rejected("other_site", "the request does not say which site it comes from", status=403)


def install(app: Flask) -> None:
    """Check every unsafe request of `app`; its form must hold `csrf_token` besides."""

    @app.before_request
    def from_our_page() -> None:
        if request.method not in SAFE:
            check_same_site(request.host, request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"))

    # No end to a token besides the session's: nobody loses a form for having read slowly (WCAG 2.2.1).
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    # `from_our_page` checked more than the Referer that this would ask for, which a proxy may drop.
    app.config["WTF_CSRF_SSL_STRICT"] = False
    CSRFProtect(app)
