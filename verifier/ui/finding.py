"""Search: by the reference on paper, or by what a camera reads from it. Never by who somebody is.

Sent by POST, so that nothing of it stands in an address: a receipt's code stops the agreement.
"""

import re
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.canonical import b64u_encode
from protocol.errors import Rejected
from protocol.openid4vp import parse_authorization_url
from protocol.revocation_code import PAPER_QR_PREFIX, lock_for, parse_paper_qr
from service.ui.headers import allow_camera
from service.ui.words import _
from verifier.lists import Lists
from verifier.ui.room import desk

pages = Blueprint("finding", __name__, url_prefix="/search")
MAX_TEXT = 4096
MAX_VERSIONS = 16
"""Of one grant that a paper receipt is held against: it is renewed when the data change."""


@pages.get("/")
def index() -> str:
    """The field, and the camera."""
    allow_camera()
    return render_template("verifier/search.html", errors=[])


@pages.post("/")
def find() -> AnyResponse | tuple[str, int]:
    """To the page of what was found."""
    text = request.form.get("text", "").strip()[:MAX_TEXT]
    found = find_request(desk().store.lists, text)
    if found is None:
        allow_camera()
        error = _("Nothing has this reference. Fill in at least eight letters and digits of it.")
        return render_template("verifier/search.html", errors=[("text", error)]), 404
    if desk().store.lists.is_grant(found):
        return redirect(url_for("agreements.show", grant_id=found), 303)
    return redirect(url_for("requests.show", request_id=found), 303)


def find_request(lists: Lists, text: str) -> str | None:
    """The id behind a reference, a wallet's link, the address on a form, or the code of a receipt."""
    if text.startswith(PAPER_QR_PREFIX):
        return _by_receipt(lists, text)
    if "://" in text:
        text = _last_part(text)
    return lists.find(re.sub(r"[\s-]", "", text))


def _by_receipt(lists: Lists, text: str) -> str | None:
    """A receipt names no grant: its code gives the lock of each version."""
    try:
        _log, code = parse_paper_qr(text)
    except Rejected:
        return None
    locks = (b64u_encode(lock_for(code, version)) for version in range(1, MAX_VERSIONS + 1))
    return next((found for lock in locks if (found := lists.by_lock(lock)) is not None), None)


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
