"""Stopping for who brings a paper: a receipt of any organisation, or the stop paper of a whole wallet."""

from flask import Blueprint, render_template, request, url_for

from issuer.ui.desk import desk
from protocol.errors import Rejected
from service.journal import log_event
from service.paper_stop import is_paper, stop_by_paper
from service.ui.headers import allow_camera
from service.ui.staff import needs
from service.ui.words import _

pages = Blueprint("stopping", __name__, url_prefix="/stop")
MAX_TEXT = 4096
_TYPED_WRONG = frozenset({"bad_code", "unknown_code", "unknown_log"})


@pages.get("/")
@needs("clerk", "manager")
def page() -> str:
    """The field, and the camera."""
    return _show([])


def _show(errors: list[tuple[str, str]]) -> str:
    allow_camera()
    return render_template("counter/stop.html", errors=errors)


@pages.post("/")
@needs("clerk", "manager")
def stop() -> str | tuple[str, int]:
    """End what the paper is for; whoever has it may. Nobody is asked who he is, and nothing of him is kept."""
    text = request.form.get("text", "").strip()[:MAX_TEXT]
    if not is_paper(text):
        return _show([("text", _("A digit is wrong. Scan the paper, or type all digits again."))]), 422
    try:
        done = stop_by_paper(desk().fetcher, desk().trust_list(), text)
    except Rejected as error:
        if error.code not in _TYPED_WRONG:
            raise
        return _show([("text", _("No agreement has this code. Compare the digits with the paper."))]), 422
    log_event("counter", "stopped_by_paper", count=done.count)
    return render_template("ui/paper_stopped.html", done=done, next=(_("Another paper"), url_for(".page")))
