"""A fresh look at the log, and a proof from the leaves that are kept here: as jobs with progress."""

from flask import Blueprint, Response, redirect, render_template, url_for

from auditor.prove_kept import prove_kept
from auditor.ui.desk import desk
from auditor.ui.jobs import Job
from auditor.watch import look_now
from protocol.errors import Rejected

pages = Blueprint("check", __name__, url_prefix="/check")


@pages.post("/look")
def look() -> Response:
    """One step of following, as `regie auditor follow --once` takes it."""
    kept = desk()
    job = kept.jobs.start("look", lambda progress: look_now(kept.home, kept.now(), progress, kept.fetcher))
    return redirect(url_for("check.page", job_id=job.id), 303)  # type: ignore[return-value]


@pages.post("/proof")
def proof() -> Response:
    """Every leaf that is kept here, once more: rules, root, witnesses."""
    kept = desk()
    job = kept.jobs.start("proof", lambda progress: prove_kept(kept.home, kept.store, kept.now(), progress))
    return redirect(url_for("check.page", job_id=job.id), 303)  # type: ignore[return-value]


@pages.get("/<job_id>")
def page(job_id: str) -> str:
    """How far it is, and what came of it; `live.js` asks for the same page and takes its live part."""
    return render_template("auditor/check.html", job=_found(job_id), health=desk().health())


def _found(job_id: str) -> Job:
    job = desk().jobs.find(job_id)
    if job is None or job.kind == "case":
        raise Rejected("not_found", "no such check", status=404)
    return job
