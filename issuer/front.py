"""What `regie issuer serve` runs: the endpoints for wallets and, when staff can sign in, the counter.

An operator who wants the counter on the inside only closes `/counter/` at the proxy (docs/counter.md).
"""

from pathlib import Path
from urllib.parse import urlsplit

from issuer import web
from issuer.config import COUNTER, IssuerConfig
from issuer.ui import app
from service.edge import WsgiApp
from service.home import Home
from service.ui.front import Front


def create(home: Path) -> WsgiApp:
    """Raises `Rejected`: `no_home` and those of a bad home."""
    api = web.create(home)
    config = Home(home).config(IssuerConfig)
    if config.staff is None:
        return api
    return Front(api, {urlsplit(config.url).path + COUNTER: app.create(home)})
