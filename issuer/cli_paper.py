"""regie issuer stop-paper: for who brings a receipt or a stop paper to the counter."""

from issuer.config import IssuerConfig
from protocol.errors import Rejected
from protocol.trust_list import TrustList
from service.cli_paper import stop_paper_command
from service.clock import SystemClock
from service.home import Home
from service.trust import TrustSource


def _trust(home: Home) -> TrustList:
    config = home.config(IssuerConfig)
    if config.trust_list is None or config.registrar is None:
        raise Rejected("no_trust_list", "config.json names no trust list", status=409)
    return TrustSource(home, config.trust_list, config.registrar).current(SystemClock().now())


stop_paper = stop_paper_command(_trust)
