"""`regie auditor report`: counts, agencies, weeks and findings, for a council or a supervisor."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from auditor.cli_check import Audit
from auditor.cli_token import token_from
from auditor.openings import check_openings
from auditor.report import make_report, report_html, report_lines
from protocol.consent_api import Opening
from service.command import command, emit, progress
from service.home import Home


@click.command("report")
@click.argument("url", required=False)
@click.option(
    "--token",
    help="File with the auditor's token (else the kept one): also weeks and agencies, from the openings.",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page to print.")
@command
def report(ctx: click.Context, home: Home, url: str | None, token: str | None, html: Path | None) -> None:
    """Report on the log at URL (else where the trust list says)."""
    audit = Audit(home, url)
    progress(ctx, "Fetching and replaying the log ...")
    verdict = audit.history()
    openings: Mapping[int, Opening] = {}
    secret = token_from(home, token)
    if secret is not None:
        openings = audit.reader.openings(verdict.size, secret)
        findings = check_openings(audit.leaves, openings, audit.agency_at)
        verdict = verdict.with_findings(findings, "completeness", "policy")
    made = make_report(verdict, audit.leaves, openings, audit.now)
    if html is not None:
        day = datetime.fromtimestamp(audit.now, UTC).date().isoformat()
        html.write_text(report_html(made, audit.keys.name, day), encoding="utf-8")
    states: dict[str, str] = {kind: verdict.state(kind) for kind in ("integrity", "completeness", "policy")}
    counts = {"totals": made.totals, "weeks": made.weeks, "agencies": made.agencies}
    found = [
        {"kind": finding.kind, "code": finding.code, "index": finding.index, "text": finding.text}
        for finding in verdict.findings
    ]
    emit(ctx, "\n".join(report_lines(made)), {"size": verdict.size, **states, **counts, "findings": found})
    if not verdict.is_clean:
        ctx.exit(1)
