"""What `regie verifier serve` runs: the endpoints for wallets and, when staff can sign in, the desk at `/desk/`.

An operator who wants the desk on the inside only closes `/desk/` at the proxy (docs/desk.md).
"""

from pathlib import Path

from service.edge import WsgiApp
from service.home import Home
from service.ui.front import Front
from verifier import web
from verifier.config import DESK, VerifierConfig
from verifier.ui import app


def create(home: Path) -> WsgiApp:
    """Raises `Rejected`: `no_home` and those of a bad home."""
    api = web.create(home)
    if Home(home).config(VerifierConfig).staff is None:
        return api
    return Front(api, {DESK: app.create(home)})
