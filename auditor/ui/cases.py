"""Agreements: a list of numbers, the file of one after a reason was given, and the register of who opened what."""

import json

from flask import Blueprint, Response, redirect, render_template, request, url_for

from auditor import exports
from auditor.case import CaseFile
from auditor.looks import REASONS, CaseLook, check_look
from auditor.open_case import slot_at
from auditor.ui.desk import desk
from auditor.ui.jobs import Job
from auditor.ui.shown import show_case
from auditor.ui.told import attribute_name
from protocol.errors import Rejected
from service.spreadsheet import to_csv
from service.ui.words import _

pages = Blueprint("cases", __name__, url_prefix="/agreements")
PAGE = 50
LOOKS_OF_CASE = 10
MAX_DIGITS = 15
_FORMS = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "ldv": "application/json",
}


@pages.get("/")
def page() -> str:
    """Agreement numbers, the newest first: where they stand in the log, and nothing else."""
    kept, total = desk(), desk().entries().grants
    number, count = _page_of(total)
    return render_template(
        "auditor/cases.html",
        rows=kept.store.agreements((number - 1) * PAGE, PAGE),
        page_number=number,
        pages=count,
        total=total,
        looks=kept.looks.count(),
        health=kept.health(),
    )


@pages.get("/open")
def ask() -> str:
    """Why it is opened: the form. `?number=`: of the agreement; `?entry=`: of an entry that belongs to it."""
    given = {name: request.args.get(name, "") for name in ("number", "entry")}
    return render_template(
        "auditor/ask.html", given={**given, "reason": "", "note": ""}, reasons=REASONS, errors={}
    )


@pages.post("/open")
def open_case() -> Response | tuple[str, int]:
    """1. what and why, or the form again; 2. written down; 3. opened, as a job."""
    given = {name: request.form.get(name, "").strip() for name in ("number", "entry", "reason", "note")}
    kept = desk()
    errors = _errors(given)
    slot = None if errors else _slot(given)
    if not errors and slot is None:
        errors["number"] = _("There is no agreement with this number or entry.")
    if errors or slot is None:
        page = render_template("auditor/ask.html", given=given, reasons=REASONS, errors=errors)
        return page, 400
    reason, note = check_look(given["reason"], given["note"])
    who = kept.who()
    look = kept.looks.add(kept.now(), who, slot, reason, note)  # 2.
    job = kept.jobs.start(
        "case", lambda progress: (look, kept.opener.open(look, kept.now(), progress)), owner=who
    )  # 3.
    return redirect(url_for("cases.case", job_id=job.id), 303)  # type: ignore[return-value]


def _errors(given: dict[str, str]) -> dict[str, str]:
    """By field, what is missing or cannot be."""
    errors = {}
    for name in ("number", "entry"):
        if given[name] and not (
            given[name].isascii() and given[name].isdigit() and len(given[name]) <= MAX_DIGITS
        ):
            errors[name] = _("Fill in a whole number.")
    if not given["number"] and not given["entry"]:
        errors["number"] = _("Fill in the number of an agreement or of an entry.")
    try:
        check_look(given["reason"], given["note"])
    except Rejected as error:
        field = "reason" if error.code == "no_reason" else "note"
        errors[field] = {
            "no_reason": _("Choose why you open this agreement."),
            "no_note": _("Fill in a file number or a few words."),
        }.get(error.code, _("Use fewer words, on one line."))
    return errors


def _slot(given: dict[str, str]) -> int | None:
    kept = desk()
    if given["number"]:
        slot = int(given["number"])
        return slot if kept.store.has_agreement(slot) else None
    return slot_at(kept.opener, int(given["entry"]), kept.now())


@pages.get("/file/<job_id>")
def case(job_id: str) -> str:
    """The file, or how far its opening is."""
    job = _job(job_id)
    if job.state != "done":
        return render_template("auditor/opening.html", job=job)
    look, found = _opened(job)
    return render_template(
        "auditor/case.html",
        job=job,
        look=look,
        shown=show_case(found, desk().services(), attribute_name),
        looks=desk().looks.of(look.slot, LOOKS_OF_CASE),
    )


@pages.get("/file/<job_id>/progress")
def progress(job_id: str) -> str:
    """How far it is, for `live.js`, which goes on to the file when it is there."""
    return render_template("auditor/progress.html", job=_own(job_id))


@pages.get("/file/<job_id>/export.<form>")
def export(job_id: str, form: str) -> Response:
    """The same file to take along; opening it was written down already."""
    look, found = _opened(_job(job_id))
    if form not in _FORMS:
        raise Rejected("not_found", "no such form", status=404)
    if form == "csv":
        text = to_csv(*exports.case_rows(found))
    elif form == "jsonld":
        text = json.dumps(exports.case_jsonld(found, desk().now()), indent=2)
    else:
        text = json.dumps(exports.case_ldv(found) if form == "ldv" else exports.case_json(found), indent=2)
    name = f"agreement-{look.slot}" + ("-ldv.json" if form == "ldv" else f".{form}")
    return download(text, _FORMS[form], name)


@pages.get("/register")
def register() -> str:
    """Who opened what, and whether the register is whole."""
    kept = desk()
    number, count = _page_of(kept.looks.count())
    return render_template(
        "auditor/register.html",
        looks=kept.looks.page((number - 1) * PAGE, PAGE),
        page_number=number,
        pages=count,
        broken=kept.looks.first_broken(),
    )


def download(text: str, media_type: str, name: str) -> Response:
    """A file that the browser keeps and does not show."""
    response = Response(text, content_type=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _page_of(total: int) -> tuple[int, int]:
    """(page that is asked for, pages)."""
    count = max(1, -(-total // PAGE))
    wanted = request.args.get("page", "1")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= MAX_DIGITS else 1
    return min(max(1, number), count), count


def _own(job_id: str) -> Job:
    """For who opened it: a colleague gives a reason too. Raises `Rejected`: `case_gone` (410)."""
    job = desk().jobs.find(job_id)
    if job is None or job.kind != "case" or job.owner != desk().who():
        raise Rejected("case_gone", "this file is closed", status=410)
    return job


def _job(job_id: str) -> Job:
    job = _own(job_id)
    if job.state == "failed":
        raise Rejected(job.code, "the file could not be opened", status=409)
    return job


def _opened(job: Job) -> tuple[CaseLook, CaseFile]:
    if job.state != "done":
        raise Rejected("not_found", "not opened yet", status=404)
    found: tuple[CaseLook, CaseFile] = job.result
    return found
