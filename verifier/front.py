"""What `regie verifier serve` runs: the endpoints for wallets and, when staff can sign in, the desk at `/desk/`;
where the home has a token for it, the read API of GovStack at `/govstack/`.

An operator who wants the desk on the inside only closes `/desk/` at the proxy (docs/desk.md).
"""

from pathlib import Path

from service.edge import WsgiApp
from service.home import Home
from service.ui.front import Front
from verifier import govstack_web, web
from verifier.config import DESK, VerifierConfig
from verifier.desk import Desk
from verifier.ui import app


def create(home: Path) -> WsgiApp:
    """Raises `Rejected`: `no_home` and those of a bad home."""
    place = Home(home)
    api = web.create(home)
    beside = {}
    if place.config(VerifierConfig).staff is not None:
        beside[DESK] = app.create(home)
    if govstack_web.has_token(place):
        beside[govstack_web.PREFIX] = govstack_web.create(Desk(place))
    return Front(api, beside) if beside else api
