"""Visits: the list, the page of one by its step, the scanned sheets, and the receipt."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from protocol.errors import Rejected, Unavailable
from protocol.names import visible
from protocol.revocation_code import format_code, format_paper_qr
from service.ui.errors import find
from service.ui.staff import member, needs
from service.ui.words import _, language
from wallet import visit as rules
from wallet.paper_scan import row_picture
from wallet.paper_ticks import Answer, Doubt
from wallet.ui.counter_room import counter
from wallet.ui.counter_words import ANSWERS, DOUBTS, STEPS
from wallet.ui.names import card_label, in_language, label
from wallet.ui.paper import view_paper
from wallet.visit import Visit

pages = Blueprint("visits", __name__)
FIRST_CHECKS = ("signed", "compared")
SECOND_CHECKS = ("document", "understood", "free")
"""What each officer has looked at or asked, and ticks."""
MAX_FILES = 6
MAX_LINK, MAX_TX_CODE = 4096, 64


@dataclass(frozen=True)
class RowView:
    """One row of the form. `place` from 0; `told`: not the paper, but the resident said so."""

    place: int
    label: str
    card: str
    needed: bool
    answer: Answer | None
    doubt: Doubt | None
    told: bool


@pages.get("/")
@needs("clerk", "manager")
def index() -> str:
    """What is open here."""
    return render_template("counter/visits.html", visits=counter().visits.all(), steps=STEPS, me=member().id)


@pages.post("/visits")
@needs("clerk", "manager")
def begin() -> AnyResponse:
    """A new visit, with a wallet of its own."""
    made = counter().visits.begin(member().id)
    return redirect(url_for("visits.page", visit_id=made.id), 303)


@pages.get("/visits/<visit_id>")
@needs("clerk", "manager")
def page(visit_id: str) -> str:
    """Where it stands, and what comes next."""
    return _page(counter().visits.find(visit_id), [])


def _page(visit: Visit, errors: list[tuple[str, str]]) -> str:
    paper, step = visit.paper, visit.step
    about = paper.request.service if paper else None
    return render_template(
        "counter/visit.html",
        visit=visit,
        step=step,
        state=STEPS[step],
        rows=rows_of(visit),
        asker=visible(paper.request.asker.name) if paper else "",
        service=in_language(about.name, language()) if about else "",
        purpose=in_language(about.purpose, language()) if about else "",
        until=paper.form.until if paper else 0,
        is_first=member().id == visit.first,
        doubts=DOUBTS,
        answers=ANSWERS,
        errors=errors,
        ticked=set(request.form.getlist("done")),
    )


def rows_of(visit: Visit) -> list[RowView]:
    """The rows as the paper and the resident say them."""
    if visit.paper is None:
        return []
    found = []
    for place, read in enumerate(visit.paper.rows):
        answer = visit.answers[place] if visit.answers else read.answer
        row, shown = read.row, label(read.row.vct, (read.row.name,), language())
        card = card_label(row.vct, "", language())
        found.append(RowView(place, shown, card, row.needed, answer, read.doubt, place in visit.told))
    return found


@pages.post("/visits/<visit_id>/scan")
@needs("clerk", "manager")
def scanned(visit_id: str) -> AnyResponse | tuple[str, int]:
    """The sheets of the form, as pictures."""
    visit = counter().visits.find(visit_id)
    files = [file for file in request.files.getlist("sheet") if file.filename][:MAX_FILES]
    if not files:
        return _page(visit, [("sheet", _("Choose the scans of all sheets."))]), 422
    try:
        rules.scan(visit, member().id, [file.read() for file in files])
    except Rejected as error:
        if error.code in ("not_this_step", "first_officer"):
            raise
        words = find(error.code)
        title = str(words.title)
        return _page(visit, [("sheet", f"{title[:1].upper()}{title[1:]}. {words.advice}")]), 422
    return _back(visit)


@pages.post("/visits/<visit_id>/told")
@needs("clerk", "manager")
def told(visit_id: str) -> AnyResponse | tuple[str, int]:
    """What the resident said about rows in doubt, and that the rest was compared with the paper."""
    visit = counter().visits.find(visit_id)
    said: dict[int, Answer] = {}
    for name, value in request.form.items():
        place = name.removeprefix("row-")
        if name.startswith("row-") and place.isascii() and place.isdecimal() and value in ("yes", "no"):
            said[int(place)] = "yes" if value == "yes" else "no"
    try:
        rules.tell(visit, member().id, said)
    except Rejected as error:
        if error.code != "still_in_doubt":
            raise
        first = next(row.place for row in rows_of(visit) if row.answer is None and row.place not in said)
        return _page(visit, [(f"row-{first}", _("Ask the resident about each row in doubt."))]), 422
    return _back(visit)


@pages.post("/visits/<visit_id>/cards")
@needs("clerk", "manager")
def cards(visit_id: str) -> AnyResponse | tuple[str, int]:
    """The offer of the issuer's counter, and its code."""
    visit = counter().visits.find(visit_id)
    link = request.form.get("link", "").strip()[:MAX_LINK]
    code = "".join(request.form.get("code", "").split())[:MAX_TX_CODE]
    errors = []
    if set(request.form.getlist("done")) != set(FIRST_CHECKS):
        errors.append(("done-signed", _("Check both, and tick each.")))
    if not link:
        errors.append(("link", _("Scan or paste the offer.")))
    if not code:
        errors.append(("code", _("Fill in the code of the offer.")))
    if errors:
        return _page(visit, errors), 422
    rules.take_cards(visit, member().id, link, code)
    return _back(visit)


@pages.post("/visits/<visit_id>/no")
@needs("clerk", "manager")
def no(visit_id: str) -> AnyResponse:
    """Pass on the no of the resident."""
    visit = counter().visits.find(visit_id)
    rules.say_no(visit, member().id)
    return _back(visit)


@pages.post("/visits/<visit_id>/confirm")
@needs("clerk", "manager")
def confirmed(visit_id: str) -> AnyResponse | tuple[str, int]:
    """The second officer: four eyes, never those of the first."""
    visit = counter().visits.find(visit_id)
    if visit.first != member().id and set(request.form.getlist("done")) != set(SECOND_CHECKS):
        return _page(visit, [("done-document", _("Check all three, and tick each."))]), 422
    try:
        rules.confirm(visit, member().id)
    except Unavailable:
        if visit.step != "begun":
            raise
        flash(_("It was begun, but somebody does not answer. Try again in a moment."))
    return _back(visit)


@pages.post("/visits/<visit_id>/again")
@needs("clerk", "manager")
def again(visit_id: str) -> AnyResponse:
    """What was begun and is not certain yet."""
    visit = counter().visits.find(visit_id)
    rules.go_on(visit)
    return _back(visit)


@pages.post("/visits/<visit_id>/finish")
@needs("clerk", "manager")
def finish(visit_id: str) -> AnyResponse:
    """Destroy the wallet of the visit; without a receipt nothing of it goes on."""
    visit = counter().visits.find(visit_id)
    has_receipt = visit.has_receipt or visit.refused
    counter().visits.finish(visit)
    flash(_("Done. The wallet of this visit was destroyed.") if has_receipt else _("Ended. Nothing is shared."))
    return redirect(url_for("visits.index"), 303)


@pages.get("/visits/<visit_id>/receipt")
@needs("clerk", "manager")
def receipt(visit_id: str) -> str:
    """For the printer, and for the resident to keep: what was agreed and the code that stops it."""
    visit = counter().visits.find(visit_id)
    with visit.lock:
        record = rules.hand_over(visit)
        wallet = visit.wallet
        code, log = wallet.code(record), wallet.known_log(record.body.terms.log).log
        qr = format_paper_qr(log.url, code)
        number = visit.grant_id or ""
        paper = view_paper(number, record, format_code(code), qr, wallet.now(), language())
    return render_template("counter/receipt.html", visit=visit, paper=paper, name=counter().config.name)


@pages.get("/visits/<visit_id>/sheet/<int:number>.png")
@needs("clerk", "manager")
def sheet(visit_id: str, number: int) -> Response:
    """A scanned sheet, laid straight."""
    visit = counter().visits.find(visit_id)
    if visit.paper is None or not 1 <= number <= len(visit.paper.scans):
        raise Rejected("not_found", "no such sheet", status=404)
    return Response(visit.paper.scans[number - 1].picture, content_type="image/png")


@pages.get("/visits/<visit_id>/row/<int:place>.png")
@needs("clerk", "manager")
def row(visit_id: str, place: int) -> Response:
    """One row as the paper has it, to compare with what was read."""
    visit = counter().visits.find(visit_id)
    if visit.paper is None or not 0 <= place < len(visit.paper.rows):
        raise Rejected("not_found", "no such row", status=404)
    return Response(row_picture([scan.picture for scan in visit.paper.scans], place), content_type="image/png")


def _back(visit: Visit) -> AnyResponse:
    return redirect(url_for("visits.page", visit_id=visit.id), 303)
