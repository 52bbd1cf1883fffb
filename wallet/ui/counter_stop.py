"""Stopping for who brings a paper: a receipt of any organisation, or the stop paper of a whole wallet."""

from flask import Blueprint, render_template, request

from protocol.errors import Rejected
from protocol.revocation_code import PAPER_QR_PREFIX, parse_code, parse_paper_qr, parse_stop_paper
from service.ui.headers import allow_camera
from service.ui.staff import needs
from service.ui.words import _
from wallet.errand_paper import stop_by_code
from wallet.errand_stop_all import stop_by_paper
from wallet.ui.counter_room import counter

pages = Blueprint("stopping", __name__, url_prefix="/stop")
MAX_TEXT = 4096
_TYPED_WRONG = frozenset({"bad_code", "bad_stop_paper", "unknown_code", "unknown_stop_paper", "unknown_log"})


@pages.get("/")
@needs("clerk", "manager")
def page() -> str:
    """The field, and the camera."""
    return _show("", [])


def _show(text: str, errors: list[tuple[str, str]]) -> str:
    allow_camera()
    return render_template("counter/stop.html", text=text, errors=errors)


@pages.post("/")
@needs("clerk", "manager")
def stop() -> str | tuple[str, int]:
    """End what the paper is for; whoever has it may. Nobody is asked who he is, and nothing of him is kept."""
    text = request.form.get("text", "").strip()[:MAX_TEXT]
    around = counter().visits.around
    try:
        if text.startswith(PAPER_QR_PREFIX):
            log_url, code = parse_paper_qr(text)
            return render_template(
                "counter/stopped.html", one=stop_by_code(around, code, log_url=log_url), all=None
            )
        if _is_stop_paper(text):
            return render_template(
                "counter/stopped.html", one=None, all=stop_by_paper(around, parse_stop_paper(text))
            )
        return render_template("counter/stopped.html", one=stop_by_code(around, parse_code(text)), all=None)
    except Rejected as error:
        if error.code not in _TYPED_WRONG:
            raise
        return _show(
            "", [("text", _("A digit is wrong, or no agreement has this code. Scan it, or type it again."))]
        ), 422


def _is_stop_paper(text: str) -> bool:
    try:
        parse_stop_paper(text)
    except Rejected:
        return False
    return True
