"""At the counter: a form on paper, and help for a resident who decides, under four eyes."""

import textwrap
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _
from verifier.assisted import confirm_help, note_help
from verifier.paper import form_of_request, sheets_of
from verifier.ui.requests import view_of
from verifier.ui.room import desk
from verifier.ui.sheet import draw
from verifier.ui.words import text_of

pages = Blueprint("counter", __name__, url_prefix="/requests")
TITLE_CHARACTERS = 46
"""Of the name of a service in one line beside the QR code of a sheet."""
HELP_STEPS = ("who", "what", "no", "self", "paper")
"""What an officer has done before he writes down that he helped; all of it."""
SECOND_STEPS = ("understood", "free")
"""What the second officer has asked the resident."""


@pages.get("/<request_id>/form")
@needs("clerk", "manager")
def form(request_id: str) -> str:
    """For the resident: all there is to read, the QR code, and how to stop. Only while it can be answered."""
    found = view_of(request_id)
    if found["link"] is None or found["service"] is None:
        raise Rejected("request_ended", "this request has ended", status=410)
    office = {"agency": desk().config.name, "oin": desk().config.oin}
    return render_template("verifier/form.html", **office, **_sheets(request_id, found), **found)


def _sheets(request_id: str, found: dict[str, Any]) -> dict[str, Any]:
    """The sheets to tick; none for a copy."""
    if found["is_copy"]:
        return {"sheets": []}
    form = form_of_request(desk().store.requests.get(request_id).request, found["link"])
    return {
        "sheets": [draw(sheet) for sheet in sheets_of(form, found["link"])],
        "title_lines": textwrap.wrap(text_of(found["service"].name), TITLE_CHARACTERS)[:2],
        "until": form.until,
        "reads": form.reads,
    }


@pages.get("/<request_id>/help")
@needs("clerk", "manager")
def help_page(request_id: str) -> str:
    """What to do with the resident, in its order."""
    return _help(request_id, set(), [])


def _help(request_id: str, ticked: set[str], errors: list[tuple[str, Any]]) -> str:
    return render_template("verifier/help.html", ticked=ticked, errors=errors, **view_of(request_id))


@pages.post("/<request_id>/help")
@needs("clerk", "manager")
def helped(request_id: str) -> AnyResponse | tuple[str, int]:
    """From now on nothing counts before a second officer confirms."""
    ticked = set(request.form.getlist("done"))
    if ticked != set(HELP_STEPS):
        return _help(request_id, ticked, [("done-who", _("Do all of it first, and tick each."))]), 400
    note_help(desk(), request_id, member().id)
    flash(_("Written down. Now a second officer talks with the resident."))
    return redirect(url_for("requests.show", request_id=request_id), 303)


@pages.get("/<request_id>/confirm")
@needs("clerk", "manager")
def confirm_page(request_id: str) -> str:
    """For the second officer."""
    return _confirm(request_id, set(), [])


def _confirm(request_id: str, ticked: set[str], errors: list[tuple[str, Any]]) -> str:
    found = view_of(request_id)
    mine = (desk().officers.known_as(member().id), member().id)
    is_own = found["helped"] is not None and found["helped"].officer in mine
    return render_template("verifier/confirm.html", ticked=ticked, errors=errors, is_own=is_own, **found)


@pages.post("/<request_id>/confirm")
@needs("clerk", "manager")
def confirmed(request_id: str) -> AnyResponse | tuple[str, int]:
    """Four eyes: never those of who helped."""
    ticked = set(request.form.getlist("done"))
    if ticked != set(SECOND_STEPS):
        return _confirm(request_id, ticked, [("done-understood", _("Ask the resident both, and tick each."))]), 400
    confirm_help(desk(), request_id, member().id)
    flash(_("Confirmed. From now on it may be read."))
    return redirect(url_for("requests.show", request_id=request_id), 303)
