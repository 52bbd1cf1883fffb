"""Finding somebody: by BSN, or by surname and date of birth. What was searched for stands in no address."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from issuer.brp import parse_bsn
from issuer.finding import Found
from issuer.ui.desk import desk, sentence
from issuer.ui.person import Visit
from issuer.ui.show import found_rows
from protocol.errors import Rejected
from service.ui.staff import member, needs
from service.ui.words import _

pages = Blueprint("find", __name__)


@dataclass(frozen=True)
class Search:
    """People who were found, to choose from."""

    found: tuple[Found, ...]


@pages.get("/")
@needs("clerk", "manager")
def start() -> str:
    """Two ways to find somebody."""
    return render_template("counter/find.html", errors=[], typed={})


@pages.post("/find")
@needs("clerk", "manager")
def search() -> Response | tuple[str, int]:
    """One is opened at once, several are listed."""
    typed = {name: request.form.get(name, "").strip() for name in ("bsn", "surname", "birth")}
    try:
        found = _search(**typed)
    except Rejected as error:
        return _again(typed, error.code)
    if not found:
        return _again(typed, "nobody_found")
    if len(found) == 1:
        return open_visit(found[0])
    return redirect(url_for("find.several", id_=desk().put(Search(tuple(found)))), 303)


def _search(bsn: str, surname: str, birth: str) -> list[Found]:
    """Raises `Rejected`, also `nothing_typed`."""
    counter = desk().counter
    if bsn:
        return [counter.find_by_bsn(parse_bsn(bsn.replace(" ", "").replace(".", "")))]
    if not surname and not birth:
        raise Rejected("nothing_typed", "neither a BSN nor a name")
    return counter.find_by_name(surname, birth)


def _again(typed: dict[str, str], code: str) -> tuple[str, int]:
    """The same page with what is wrong, and what was typed, which a browser does not keep."""
    field = {"bad_date": "birth", "bad_name": "surname", "nobody_found": "surname", "too_many": "surname"}
    name = "bsn" if typed["bsn"] else field.get(code, "bsn")
    return render_template("counter/find.html", errors=[(name, sentence(code))], typed=typed), 422


@pages.get("/found/<id_>")
@needs("clerk", "manager")
def several(id_: str) -> str:
    """Who of them is it?"""
    return render_template("counter/several.html", found=found_rows(desk().get(id_, Search).found), id_=id_)


@pages.post("/found/<id_>")
@needs("clerk", "manager")
def choose(id_: str) -> Response:
    """The one who stands here."""
    found = desk().get(id_, Search).found
    choice = request.form.get("choice", "")
    if not (choice.isascii() and choice.isdigit()) or int(choice) >= len(found):
        raise Rejected("bad_request", _("choose one of them"))
    return open_visit(found[int(choice)])


def open_visit(found: Found) -> Response:
    """Open the page of somebody, which is written down."""
    desk().counter.open(member().id, found.bsn)
    return redirect(url_for("person.page", id_=desk().put(Visit(found.bsn))), 303)
