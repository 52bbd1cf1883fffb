"""`regie auditor`: verify a log, check an agency's evidence against it, cosign."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from auditor.client import LogReader
from auditor.config import Config, log_keys, make_cosigner, read_config, trust_of
from auditor.evidence import check_evidence
from auditor.evidence_file import read_evidence
from auditor.findings import KINDS, Verdict
from auditor.integrity import Seen, check_history
from auditor.openings import check_openings
from auditor.store import Store
from protocol.canonical import b64u_encode, parse_object, to_builtins
from protocol.checkpoint import verify_checkpoint
from protocol.errors import Rejected
from protocol.trust_list import TrustList
from service.clock import SystemClock
from service.command import command, emit, home_option, progress, read_input
from service.fetch import Fetcher
from service.home import Home
from service.serve import serve


@click.group()
@home_option
def group() -> None:
    """Check the whole log, cosign and report."""


@group.command("init")
@click.option("--trust-list", required=True, help="Path or URL of the trust list.")
@click.option("--registrar", required=True, type=click.Path(path_type=Path), help="File with the registrar's key.")
@click.option("--log", "origin", required=True, help="Origin of the log that is audited.")
@click.option("--url", help="Where this auditor cosigns; without it, it does not.")
@click.option("--name", help="Name of the cosigning key.")
@click.option("--shares", is_flag=True, help="Also hold shares, as one of the log's operators.")
@command
def init(
    ctx: click.Context,
    home: Home,
    trust_list: str,
    registrar: Path,
    origin: str,
    url: str | None,
    name: str | None,
    shares: bool,
) -> None:
    """Make this home; with --url and --name also a cosigning key for the trust list."""
    if (url is None) != (name is None):
        raise click.UsageError("a cosigner has both --url and --name")
    if shares and url is None:
        raise click.UsageError("who holds shares cosigns too: --shares needs --url and --name")
    home.create()
    if home.has("config.json"):
        raise Rejected("home_exists", "this home was initialised before")
    entry = {}
    if url is not None and name is not None:
        entry = to_builtins(make_cosigner(home, url, name, SystemClock().now(), shares=shares))
        home.write_json("entry.json", entry)
    key = parse_object(read_input(str(registrar)))
    home.write_config(Config("auditor", trust_list, key, origin, url, name))
    emit(ctx, "Initialised. Give entry.json to the registrar." if entry else "Initialised.", {"entry": entry})


class _Audit:
    """What every check starts from: the log as the trust list names it, and its history."""

    def __init__(self, home: Home, url: str | None) -> None:
        config = read_config(home)
        self.now = SystemClock().now()
        self.trust: TrustList = trust_of(home, config).current(self.now)
        listed, self.key, self.policy = log_keys(self.trust, config.log)
        self.reader = LogReader(url or listed.url, Fetcher())
        self.store = Store(home)
        self.leaves: list[bytes] = []

    def history(self) -> Verdict:
        """Integrity of what the log publishes now; remembers a clean tree."""
        checkpoint = verify_checkpoint(self.reader.checkpoint(), self.key)
        self.leaves = list(self.reader.leaves(0, checkpoint.size))
        verdict = check_history(checkpoint, self.leaves, self.policy, self.store.seen(), self.now)
        if verdict.is_clean:
            self.store.remember(Seen(checkpoint.size, checkpoint.root), checkpoint.note)
        return verdict


@group.command("verify")
@click.argument("url", required=False)
@click.option("--openings", is_flag=True, help="Also check reads against grants; needs --token.")
@click.option("--token", help="File with the auditor's token, or - for stdin.")
@command
def verify(ctx: click.Context, home: Home, url: str | None, openings: bool, token: str | None) -> None:
    """Verify the whole log at URL (else where the trust list says) from its public files."""
    if openings and token is None:
        raise click.UsageError("--openings needs --token FILE")
    audit = _Audit(home, url)
    progress(ctx, "Fetching and replaying the log ...")
    verdict = audit.history()
    if openings and token is not None:
        secret = read_input(token, max_bytes=1024).decode("ascii", "replace").strip()
        found = audit.reader.openings(verdict.size, secret)
        findings = check_openings(audit.leaves, found, audit.trust)
        verdict = verdict.with_findings(findings, "completeness", "policy")
    _tell(ctx, verdict)


@group.command("check")
@click.argument("evidence", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@command
def check(ctx: click.Context, home: Home, evidence: Path) -> None:
    """Check an agency's evidence file against the log."""
    audit = _Audit(home, None)
    verdict = audit.history()
    shown = read_evidence(evidence)
    if shown.log != audit.key.name:
        raise Rejected("wrong_log", "this evidence is about another log")
    findings = check_evidence(shown, audit.leaves, audit.trust)
    _tell(ctx, verdict.with_findings(findings, "completeness"))


@group.command("cosign")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, help="Else the port of the URL given at init.")
@command
def cosign(ctx: click.Context, home: Home, host: str, port: int | None) -> None:
    """Serve the auditing cosigner; also what an operator serves, if it was made with --shares."""
    config = read_config(home)
    if config.url is None:
        raise Rejected("no_cosigner", "this auditor was initialised without --url: it does not cosign")
    serve("auditor.web:create", home.path, host, port or urlsplit(config.url).port or 443)


def _tell(ctx: click.Context, verdict: Verdict) -> None:
    lines = [f"{kind:13} {verdict.state(kind).replace('_', ' ')}" for kind in KINDS]
    for finding in verdict.findings:
        place = "" if finding.index is None else f" at entry {finding.index}"
        lines.append(f"  {finding.kind}: {finding.code}{place}: {finding.text}")
    findings = [
        {"kind": found.kind, "code": found.code, "index": found.index, "text": found.text}
        for found in verdict.findings
    ]
    states: dict[str, str] = {kind: verdict.state(kind) for kind in KINDS}
    tree = {"size": verdict.size, "root": b64u_encode(verdict.root)}
    emit(ctx, f"{verdict.size} entries\n" + "\n".join(lines), {**states, **tree, "findings": findings})
    if not verdict.is_clean:
        ctx.exit(1)
