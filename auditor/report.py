"""What a council or a supervisor wants to know of a log: how much is given, read, refused, stopped, and by whom.

Counts of entries need only the leaves; weeks and agencies come from the openings. Weeks are those of what the
parties signed (T's first day, a READ's `iat`): an entry bears no time of its own. A revocation bears none at all,
so a stop is counted, and reads that came after it, but never in seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from auditor.findings import KINDS, Verdict
from auditor.integrity import readable
from protocol.canonical import parse_object
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.fraud_reads import refused_read
from protocol.leaf import Grant, Message, Read, Refusal, Revocation
from protocol.reading import parse_read
from protocol.terms import Terms, parse_terms

_COUNTED = (
    ("grants", Grant),
    ("reads", Read),
    ("refusals", Refusal),
    ("stops", Revocation),
    ("messages", Message),
)


@dataclass(frozen=True)
class Report:
    """`totals`, `weeks` (ISO, `2026-W48`) and `agencies` (by OIN): counts by name. `verdict`: of the same entries.

    `ended`: grants whose term is over and that nobody stopped; `erased`: grants without an opening.
    """

    verdict: Verdict
    totals: Mapping[str, int]
    weeks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    agencies: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def make_report(verdict: Verdict, leaves: Sequence[bytes], openings: Mapping[int, Opening], now: int) -> Report:
    """Counts what `verdict` was made of; an opening that says nothing readable counts only as an entry."""
    found = readable(leaves)
    totals = Counter({name: sum(isinstance(leaf, kind) for leaf in found) for name, kind in _COUNTED})
    totals["reads_after_stop"] = sum(finding.code == "read_after_revocation" for finding in verdict.findings)
    weeks: dict[str, Counter[str]] = defaultdict(Counter)
    agencies: dict[str, Counter[str]] = defaultdict(Counter)
    terms: dict[int, Terms] = {}
    stopped = {leaf.slot for leaf in found if isinstance(leaf, Revocation)}
    for opening in (openings[index] for index in sorted(openings)):
        said = _said(opening, terms)
        if said is not None:
            oin, name, time = said
            weeks[_week(time)][name] += 1
            agencies[oin][name] += 1
    if openings:
        totals["erased"] = totals["grants"] - len(terms)
        totals["ended"] = sum(t.not_after <= now and slot not in stopped for slot, t in terms.items())
    return Report(verdict, dict(totals), _plain(weeks), _plain(agencies))


def _said(opening: Opening, terms: dict[int, Terms]) -> tuple[str, str, int] | None:
    """(agency, what, when) of an opening; grants are kept in `terms` by slot."""
    try:
        if opening.type == "grant" and opening.slot is not None:
            granted = terms[opening.slot] = parse_terms(parse_object(opening.opening))
            return granted.recipient, "grants", granted.not_before
        if opening.slot not in terms or opening.type not in ("read", "refusal"):
            return None
        is_read = opening.type == "read"
        read = parse_read(opening.opening).read if is_read else refused_read(opening.opening)[1]
        return terms[opening.slot].recipient, "reads" if is_read else "refusals", read.iat
    except Rejected:
        return None


def _week(time: int) -> str:
    year, week, _ = datetime.fromtimestamp(time, UTC).isocalendar()
    return f"{year}-W{week:02d}"


def _plain(counts: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {name: dict(sorted(counts[name].items())) for name in sorted(counts)}


def report_lines(report: Report) -> list[str]:
    """For people, in plain text."""
    lines = [f"{report.verdict.size} entries"]
    lines += [f"{kind:13} {report.verdict.state(kind).replace('_', ' ')}" for kind in KINDS]
    lines += [f"{name.replace('_', ' '):17} {count}" for name, count in report.totals.items()]
    for title, rows in (("week", report.weeks), ("agency", report.agencies)):
        for name, counts in rows.items():
            lines.append(f"{title} {name}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return lines + [f"finding {found.code}: {found.text}" for found in report.verdict.findings]


def report_html(report: Report, origin: str, day: str) -> str:
    """One page to print: no script, nothing fetched."""
    title = f"Report on {escape(origin)}, {escape(day)}"
    verdicts: dict[str, dict[str, str]] = {
        kind: {"verdict": report.verdict.state(kind).replace("_", " ")} for kind in KINDS
    }
    findings = {
        f"{number}. {found.code}": {"entry": "" if found.index is None else found.index, "what": found.text}
        for number, found in enumerate(report.verdict.findings, 1)
    }
    parts = [
        _table("Verdicts", verdicts),
        _table("Entries", {name.replace("_", " "): {"number": n} for name, n in report.totals.items()}),
        _table("Weeks", report.weeks),
        _table("Agencies", report.agencies),
        _table("Findings", findings),
    ]
    style = "body{font-family:sans-serif;margin:2em}th,td{text-align:left;padding:.2em 1em}"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
    return f"{head}<h1>{title}</h1>{''.join(parts)}</html>\n"


def _table(title: str, rows: Mapping[str, Mapping[str, object]]) -> str:
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in ["", *names])
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(str(row.get(column, 0)))}</td>" for column in names)
        + "</tr>"
        for name, row in rows.items()
    )
    return f"<h2>{escape(title)}</h2><table><tr>{top}</tr>{body}</table>"
