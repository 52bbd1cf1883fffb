"""Search: by the reference on paper, or by what a camera reads from it. Never by who somebody is.

Sent by POST, so that nothing of it stands in an address: a receipt's code stops the agreement.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.errors import Rejected
from protocol.openid4vp import parse_authorization_url
from service.paper_stop import is_paper, stop_by_paper
from service.ui.headers import allow_camera
from service.ui.staff import needs
from service.ui.words import _
from verifier.lists import Lists
from verifier.stop import find_own, is_receipt, stop_by_receipt
from verifier.ui.room import desk

pages = Blueprint("finding", __name__, url_prefix="/search")
MAX_TEXT = 4096


@pages.get("/")
def index() -> str:
    """The field, and the camera."""
    allow_camera()
    return render_template("verifier/search.html", errors=[])


@pages.post("/")
def find() -> AnyResponse | tuple[str, int]:
    """To the page of what was found."""
    text = request.form.get("text", "").strip()[:MAX_TEXT]
    if is_receipt(text):
        return _receipt(text)
    found = find_request(desk().store.lists, text)
    if found is None:
        return _missing(_("Nothing has this reference. Fill in at least eight letters and digits of it."))
    if desk().store.lists.is_grant(found):
        return redirect(url_for("agreements.show", grant_id=found), 303)
    return redirect(url_for("requests.show", request_id=found), 303)


def _missing(error: Any) -> tuple[str, int]:
    allow_camera()
    return render_template("verifier/search.html", errors=[("text", error)]), 404


def _receipt(text: str) -> tuple[str, int]:
    """The agreement of a receipt, and the way to end it. Its code stays in the form: it is in no address."""
    if not is_paper(text):
        return _missing(_("A digit of this code is wrong. Scan it, or type all digits again."))
    found = find_own(desk(), text)
    if found is None:
        return render_template("verifier/paper.html", text=text), 200
    has_ended = desk().store.lists.has_ended(found, desk().now())
    return render_template("verifier/receipt.html", grant_id=found, text=text, has_ended=has_ended), 200


@pages.post("/stop")
@needs("clerk", "manager")
def stop() -> AnyResponse:
    """End what a paper is for, for who brought it: an agreement of ours, or anybody's."""
    text = request.form.get("text", "").strip()[:MAX_TEXT]
    if find_own(desk(), text) is None:
        done = stop_by_paper(desk().parts.fetcher, desk().trust(desk().now()), text)
        then = (_("Search"), url_for(".index"))
        return make_response(render_template("ui/paper_stopped.html", done=done, next=then))
    found = stop_by_receipt(desk(), text)
    flash(_("Stopped. Nothing is read any more, from this moment."))
    return redirect(url_for("agreements.show", grant_id=found), 303)


def find_request(lists: Lists, text: str) -> str | None:
    """The id behind a reference, a wallet's link or the address on a form."""
    if "://" in text:
        text = _last_part(text)
    return lists.find(re.sub(r"[\s-]", "", text))


def _last_part(link: str) -> str:
    """The id at the end of a request's address, in the link for a wallet or by itself."""
    try:
        address = parse_authorization_url(link).request_uri
    except Rejected:
        address = link
    try:
        return urlsplit(address).path.rpartition("/")[2]
    except ValueError:
        return ""
