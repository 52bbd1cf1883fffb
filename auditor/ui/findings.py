"""What was found: each lie in words, with the proof that shows it to anybody."""

from dataclasses import dataclass

from flask import Blueprint, Response, render_template

from auditor.findings import Finding
from auditor.ui.desk import desk
from protocol.errors import Rejected
from protocol.fraud_form import parse_fraud_proof

pages = Blueprint("findings", __name__, url_prefix="/findings")


@dataclass(frozen=True)
class Alarm:
    """A finding, when it was made, and what its proof convicts the log of; "" without a proof."""

    number: int
    time: int
    finding: Finding
    convicts: str


@pages.get("/")
def page() -> str:
    """All findings, the newest first."""
    found = [
        Alarm(number, time, finding, _kind(proof))
        for number, (time, finding, proof) in enumerate(desk().alarms(), 1)
    ]
    return render_template("auditor/findings.html", alarms=found[::-1], health=desk().health())


@pages.get("/<int:number>/proof.json")
def proof(number: int) -> Response:
    """The fraud proof of a finding: verified offline with `regie auditor verify --proof`."""
    alarms = desk().alarms()
    data = alarms[number - 1][2] if 0 < number <= len(alarms) else None
    if data is None:
        raise Rejected("not_found", "no such proof", status=404)
    response = Response(data, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="fraud-{number}.json"'
    return response


def _kind(proof: bytes | None) -> str:
    if proof is None:
        return ""
    return str(parse_fraud_proof(proof).evidence.__struct_config__.tag)
