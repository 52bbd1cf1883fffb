"""The report to print: the figures of a period with a hash, so that paper and file can be compared."""

import json
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, render_template

from auditor import exports
from auditor.ui import figures
from auditor.ui.cases import download
from auditor.ui.desk import desk
from auditor.ui.overview import chosen_weeks, make_overview
from auditor.ui.services import service_cards
from protocol.canonical import b64u_encode, canonical_bytes, sha256
from service.spreadsheet import to_csv

pages = Blueprint("report", __name__, url_prefix="/report")
FORMAT = "regie/report/v1"
_FAMILIES = ("week", "reason", "where", "hour", "desk_hour", "unread", "right", "service", "given", "read")


@pages.get("/")
def page() -> str:
    """The report as a page for A4. Its hash is that of `report.json`, byte for byte."""
    kept, count, cards = desk(), chosen_weeks(), service_cards()
    tree = kept.tree()
    return render_template(
        "auditor/report.html",
        shown=make_overview(count),
        count=count,
        choices=figures.WEEKS,
        health=kept.health(),
        tree=tree,
        root="" if tree is None else b64u_encode(tree.root),
        origin=kept.config.log,
        cards=cards,
        grounds=figures.grounds([card.row for card in cards]),
        rights=figures.rights(kept.cells("right"), kept.view.asked(), kept.now()),
        alarms=kept.alarms(),
        looks=kept.looks.count(),
        digest=sha256(_content(count)).hex(),
    )


@pages.get("/report.json")
def content() -> Response:
    """What the report says, as canonical JSON (RFC 8785): SHA-256 of these bytes stands on the paper."""
    return download(_content(chosen_weeks()).decode("utf-8"), "application/json", "report.json")


@pages.get("/figures.csv")
def table() -> Response:
    """All that was counted, for a spreadsheet."""
    cells = desk().cells(*_FAMILIES)
    return download(to_csv(*exports.figures_rows(cells)), "text/csv; charset=utf-8", "figures.csv")


@pages.get("/figures.jsonld")
def linked() -> Response:
    """The same as a data set of observations (W3C RDF Data Cube)."""
    cells = desk().cells(*_FAMILIES)
    text = json.dumps(exports.figures_jsonld(cells, desk().config.log), indent=1)
    return download(text, "application/ld+json", "figures.jsonld")


def _content(count: int) -> bytes:
    """Of one state of the home: nothing in it changes until the log is looked at again or a minute has passed."""
    kept, shown = desk(), make_overview(count)
    health, tree = kept.health(), kept.tree()
    value: dict[str, Any] = {
        "format": FORMAT,
        "log": kept.config.log,
        "weeks": list(shown.weeks),
        "tree": None if tree is None else {"size": tree.size, "root": b64u_encode(tree.root), "time": tree.time},
        "verdict": health.verdict,
        "checked": dict(health.checked),
        "counted": health.counted,
        "numbers": asdict(shown.numbers),
        "agencies": [{**asdict(row), "weekly": list(row.weekly)} for row in shown.agencies],
        "given": shown.given,
        "stopped": shown.stopped,
        "ended": shown.ended,
        "refusals": dict(shown.reasons),
        "findings": [
            {"time": time, "kind": found.kind, "code": found.code, "entry": found.index}
            for time, found, _ in kept.alarms()
        ],
    }
    return canonical_bytes(value)
