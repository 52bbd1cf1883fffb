"""`regie auditor verify` and `check`: the whole log once, an agency's evidence, a fraud proof of somebody else."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from auditor.cli_token import token_from
from auditor.client import LogReader
from auditor.config import log_keys, read_config, trust_of
from auditor.convict import check_promise, convict_history, convict_log, fraud_file, kept_checkpoint
from auditor.evidence import check_evidence
from auditor.evidence_file import read_evidence
from auditor.findings import KINDS, Verdict
from auditor.integrity import Seen, check_history
from auditor.openings import check_openings
from auditor.proofs import read_proof, write_proof
from auditor.prove import Case
from auditor.roots import AgencyRoots
from auditor.store import Store
from protocol.canonical import b64u_encode
from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.fraud import Accused, VerifiedFraud, verify_fraud_proof
from protocol.fraud_form import FraudEvidence
from protocol.note import MAX_NOTE_BYTES, parse_vkey
from protocol.trust_list import TrustList
from service.clock import SystemClock
from service.command import command, command_without_home, emit, home_of, progress, read_input
from service.fetch import Fetcher
from service.home import Home


class Audit:
    """What every check starts from: the log as the trust list names it, and its history."""

    def __init__(self, home: Home, url: str | None) -> None:
        config = read_config(home)
        self.now = SystemClock().now()
        self.trust: TrustList = trust_of(home, config).current(self.now)
        listed, self.keys, self.policy = log_keys(self.trust, config.log)
        self.reader = LogReader(url or listed.url, Fetcher())
        self.store = Store(home)
        roots = AgencyRoots(home)
        roots.remember(self.trust, self.now)
        self.agency_at = functools.partial(roots.agency_at, self.trust)
        self.leaves: list[bytes] = []

    def history(self) -> Verdict:
        """Integrity of what the log publishes now; remembers a clean tree."""
        self.checkpoint = verify_checkpoint(self.reader.checkpoint(), self.keys)
        self.leaves = list(self.reader.leaves(0, self.checkpoint.size))
        verdict = check_history(self.checkpoint, self.leaves, self.policy, self.store.seen(), self.now)
        if verdict.is_clean:
            self.store.remember(Seen(self.checkpoint.size, self.checkpoint.root), self.checkpoint.note)
        return verdict

    def case(self, openings: Mapping[int, Opening]) -> Case | None:
        """What a proof is made from."""
        return Case.of(self.checkpoint, self.leaves, openings, self.reader.status_chunk)

    def seen(self) -> list[VerifiedCheckpoint]:
        """Trees that this auditor verified before."""
        kept = (kept_checkpoint(self.policy, note, self.now, self.keys) for note in self.store.seen_notes())
        return [checkpoint for checkpoint in kept if checkpoint is not None]


_proofs_option = click.option(
    "--proofs",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a fraud proof into this directory for every finding that convicts the log.",
)


@click.command("verify")
@click.argument("url", required=False)
@click.option("--openings", is_flag=True, help="Also check reads against grants; needs the token.")
@click.option("--token", help="File with the auditor's token, or - for stdin; else the kept one.")
@_proofs_option
@click.option(
    "--proof", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Verify a fraud proof."
)
@click.option("--vkey", help="With --proof: the log's key, in place of a home with a trust list.")
@command_without_home
def verify(
    ctx: click.Context,
    url: str | None,
    openings: bool,
    token: str | None,
    proofs: Path | None,
    proof: Path | None,
    vkey: str | None,
) -> None:
    """Verify the whole log at URL (else where the trust list says) from its public files, or a fraud proof."""
    if proof is not None:
        _verify_proof(ctx, proof, vkey)
        return
    if vkey is not None:
        raise click.UsageError("--vkey goes with --proof")
    secret = token_from(home_of(ctx), token) if openings else None
    if openings and secret is None:
        raise click.UsageError("--openings needs --token FILE, or a token that was kept")
    audit = Audit(home_of(ctx), url)
    progress(ctx, "Fetching and replaying the log ...")
    verdict = audit.history()
    found: Mapping[int, Opening] = {}
    if secret is not None:
        found = audit.reader.openings(verdict.size, secret)
        findings = check_openings(audit.leaves, found, audit.agency_at)
        verdict = verdict.with_findings(findings, "completeness", "policy")
    written: list[Path] = []
    if proofs is not None and not verdict.is_clean:
        written = _write(proofs, audit, convict_history(audit.case(found), verdict, audit.seen()))
    _tell(ctx, verdict, written)


@click.command("promise")
@click.argument("receipt", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_proofs_option
@command
def promise(ctx: click.Context, home: Home, receipt: Path, proofs: Path | None) -> None:
    """Check whether the log kept its signed answer to a revocation (the text that the wallet was given)."""
    audit = Audit(home, None)
    verdict = audit.history()
    case = audit.case({})
    written: list[Path] = []
    if case is not None and verdict.is_clean:
        key = parse_vkey(audit.trust.log(audit.keys.name).receipt_vkey)
        text = read_input(str(receipt), max_bytes=MAX_NOTE_BYTES).decode("utf-8", "replace")
        findings, evidence = check_promise(case, text, key, audit.now)
        verdict = verdict.with_findings(findings, "completeness")
        if proofs is not None and evidence is not None:
            written = _write(proofs, audit, [evidence])
    _tell(ctx, verdict, written)


@click.command("check")
@click.argument("evidence", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_proofs_option
@command
def check(ctx: click.Context, home: Home, evidence: Path, proofs: Path | None) -> None:
    """Check an agency's evidence file against the log."""
    audit = Audit(home, None)
    verdict = audit.history()
    shown = read_evidence(evidence)
    if shown.log != audit.keys.name:
        raise Rejected("wrong_log", "this evidence is about another log")
    verdict = verdict.with_findings(
        check_evidence(shown, audit.leaves, audit.trust, audit.agency_at), "completeness"
    )
    written: list[Path] = []
    if proofs is not None and not verdict.is_clean:
        case = audit.case({})
        found = convict_history(case, verdict, audit.seen())
        found += convict_log(case, shown, audit.policy, audit.keys, audit.now)
        written = _write(proofs, audit, found)
    _tell(ctx, verdict, written)


def _write(folder: Path, audit: Audit, found: Sequence[FraudEvidence]) -> list[Path]:
    receipts = parse_vkey(audit.trust.log(audit.keys.name).receipt_vkey)
    accused = Accused(audit.keys, audit.policy, receipts)
    files = [fraud_file(evidence, accused, audit.now) for evidence in found]
    return [write_proof(folder, data) for data in files if data is not None]


def _verify_proof(ctx: click.Context, path: Path, vkey: str | None) -> None:
    """Offline: by `vkey`, or by the trust list of the home as it was last accepted."""
    now = SystemClock().now()
    proof = read_proof(path)
    if vkey is not None:
        accused = Accused(parse_vkey(vkey))
    else:
        home = home_of(ctx)
        trust = trust_of(home, read_config(home)).current(now)
        listed, keys, policy = log_keys(trust, proof.origin)
        accused = Accused(keys, policy, parse_vkey(listed.receipt_vkey))
    _tell_fraud(ctx, verify_fraud_proof(proof, accused, now))


def _tell_fraud(ctx: click.Context, fraud: VerifiedFraud) -> None:
    lines = [f"{fraud.origin} is convicted of {fraud.kind}: {fraud.text}"]
    for size, names in fraud.trees:
        lines.append(
            f"  signed tree of {size} entries; cosigned by: {', '.join(names) or 'nobody that is known here'}"
        )
    trees = [{"size": size, "cosigned": list(names)} for size, names in fraud.trees]
    emit(ctx, "\n".join(lines), {"origin": fraud.origin, "kind": fraud.kind, "text": fraud.text, "trees": trees})


def _tell(ctx: click.Context, verdict: Verdict, proofs: Sequence[Path]) -> None:
    lines = [f"{kind:13} {verdict.state(kind).replace('_', ' ')}" for kind in KINDS]
    for finding in verdict.findings:
        place = "" if finding.index is None else f" at entry {finding.index}"
        lines.append(f"  {finding.kind}: {finding.code}{place}: {finding.text}")
    lines += [f"  proof: {path}" for path in proofs]
    findings = [
        {"kind": found.kind, "code": found.code, "index": found.index, "text": found.text}
        for found in verdict.findings
    ]
    states: dict[str, str] = {kind: verdict.state(kind) for kind in KINDS}
    tree = {"size": verdict.size, "root": b64u_encode(verdict.root)}
    told = {**states, **tree, "findings": findings, "proofs": [str(path) for path in proofs]}
    emit(ctx, f"{verdict.size} entries\n" + "\n".join(lines), told)
    if not verdict.is_clean:
        ctx.exit(1)
