"""One place for every QR code and link: scanned by the camera, read from a picture, or pasted."""

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import Rejected
from protocol.names import visible
from service.ui.headers import allow_camera
from service.ui.words import language
from wallet.errand_receive import find_offer
from wallet.errand_request import read_request
from wallet.errand_sync import deliver_stops
from wallet.ui import lost, mandates
from wallet.ui.giving import begin
from wallet.ui.links import kind_of, read_text
from wallet.ui.receiving import Offered
from wallet.ui.session import Listed, in_use, keeper

pages = Blueprint("scan", __name__)
IN_THE_FORM = frozenset({"not_a_link", "too_large"})


@pages.get("/scan")
def page() -> str:
    """Where to point the camera, and where to paste."""
    return _show(None)


@pages.post("/scan")
def read() -> Response | str | tuple[str, int]:
    """What was scanned or pasted: on to its page. The link itself never stands in an address; nor do the code of
    a paper, which fills the form that stops, and an invitation, which fills the form of a wish.
    """
    try:
        link = read_text(request.form.get("link", ""))
        kind = kind_of(link)
    except Rejected as error:
        if error.code not in IN_THE_FORM:
            raise
        return _show(error.code), error.status
    if kind == "paper":
        return lost.filled(link)
    if kind == "invitation":
        return mandates.invited(link)
    target = _offer(link) if kind == "offer" else _request(link)
    return redirect(target, 303)  # type: ignore[return-value]


def _offer(link: str) -> str:
    with in_use() as wallet:
        deliver_stops(wallet)
        offer, source = find_offer(wallet, link)
    name = visible(source.name)
    kept_id = keeper().keep(Offered(offer, source), Listed(name, "receive.offer", kind="offer"))
    return url_for("receive.offer", kept_id=kept_id)


def _request(link: str) -> str:
    with in_use() as wallet:
        deliver_stops(wallet)
        asked = read_request(wallet, link)
        asking = begin(wallet, link, asked, language())
    kept_id = keeper().keep(asking, Listed(visible(asked.asker.name), "request.page"))
    return url_for("request.page", kept_id=kept_id)


def _show(error: str | None) -> str:
    allow_camera()
    return render_template("wallet/scan.html", error=error)
