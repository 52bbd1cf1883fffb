"""regie verifier stop-paper: an agreement of this agency ends here too, that of another one in its log."""

from protocol.trust_list import TrustList
from service.cli_paper import stop_paper_command
from service.home import Home
from verifier.desk import Desk
from verifier.stop import find_own, stop_by_receipt


def _trust(home: Home) -> TrustList:
    desk = Desk(home)
    return desk.trust(desk.now())


def _own(home: Home, text: str) -> bool:
    desk = Desk(home)
    if find_own(desk, text) is None:
        return False
    stop_by_receipt(desk, text)
    return True


stop_paper = stop_paper_command(_trust, _own)
