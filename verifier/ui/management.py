"""How this agency does, and others beside it: the figures of months that were released or taken in."""

from dataclasses import dataclass

from flask import Blueprint, Response, render_template, request

from protocol.errors import Rejected
from protocol.figures import Figures
from service.spreadsheet import to_csv
from service.ui.staff import needs
from service.ui.words import language
from verifier.figures_release import all_figures
from verifier.figures_store import FiguresStore
from verifier.figures_summary import Summary, csv_rows, summarise
from verifier.ui.room import desk

pages = Blueprint("management", __name__, url_prefix="/figures")
MONTHS = 13
"""Months of a picture over time: one more than a year, so that the same month of last year is there."""


@dataclass(frozen=True)
class ServiceLine:
    """One service of a month in the language of the page; None where a figure was left out."""

    name: str
    basis: str
    running: int | None
    read: int | None
    stopped: int | None


@dataclass(frozen=True)
class Board:
    """What the page shows of `month`. `own`: our figures of it; `others`: those of other agencies; `before`: our
    months until then, the oldest first.
    """

    month: str
    months: tuple[str, ...]
    own: Summary | None
    others: tuple[Summary, ...]
    before: tuple[Summary, ...]
    services: tuple[ServiceLine, ...]

    @property
    def beside(self) -> tuple[Summary, ...]:
        """All agencies of the month, ours first."""
        return ((self.own,) if self.own else ()) + self.others


def board() -> Board | None:
    """Of the month that is asked for, else of the newest; None when there are no figures at all."""
    store = FiguresStore(desk().home)
    found = all_figures(store)
    months = tuple(dict.fromkeys(each.month for each in found))
    if not months:
        return None
    wanted = request.args.get("month", "")
    month = wanted if wanted in months else months[0]
    ours = [summarise(each) for each in found if each.iss == desk().config.oin]
    own = next((each for each in ours if each.figures.month == month), None)
    others = [summarise(each) for each in found if each.month == month and each.iss != desk().config.oin]
    before = [each for each in reversed(ours) if each.figures.month <= month][-MONTHS:]
    services = _services(own.figures) if own else ()
    return Board(month, months, own, tuple(others), tuple(before), tuple(services))


def _services(figures: Figures) -> list[ServiceLine]:
    return [
        ServiceLine(
            service.nl if language() == "nl" else service.en,
            service.basis,
            figures.count(service.id, "running"),
            figures.count(service.id, "read"),
            figures.count(service.id, "stopped"),
        )
        for service in figures.services
    ]


@pages.get("/")
@needs("manager", "privacy")
def index() -> str:
    """Pictures of a month, and agencies side by side."""
    return render_template("verifier/figures.html", board=board())


@pages.get("/report")
@needs("manager", "privacy")
def report() -> str:
    """The same month for the public, to print. Raises `Rejected`: `no_figures` 404."""
    return render_template("verifier/figures_report.html", board=_own_board(), name=desk().config.name)


@pages.get("/figures.csv")
@needs("manager", "privacy")
def table() -> Response:
    """Every cell of every month and agency, for a spreadsheet."""
    text = to_csv(*csv_rows(all_figures(FiguresStore(desk().home))))
    return _download(text, "text/csv; charset=utf-8", "figures.csv")


@pages.get("/figures.jwt")
@needs("manager", "privacy")
def signed() -> Response:
    """Our signed file of a month, for other agencies. Raises `Rejected`: `no_figures` 404."""
    shown = _own_board()
    released = FiguresStore(desk().home).find(shown.month)
    if released is None:
        raise _no_figures()
    return _download(released.token + "\n", "application/jwt", f"figures-{shown.month}.jwt")


def _own_board() -> Board:
    shown = board()
    if shown is None or shown.own is None:
        raise _no_figures()
    return shown


def _no_figures() -> Rejected:
    return Rejected("no_figures", "this agency has released no figures of this month", status=404)


def _download(text: str, media_type: str, name: str) -> Response:
    response = Response(text, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
