"""The generated parts of docs/scale.md, in Markdown."""

import math
import re
from collections.abc import Sequence

from bench.model import (
    CORES,
    COSIGNERS,
    HASH_BYTES,
    HEADROOM,
    HOUR,
    LEAF_BYTES,
    LOAD,
    PLACES,
    SIZES,
    WITNESSES,
    Constants,
    Point,
    Results,
    Year,
    extrapolated,
    logs_needed,
    shares,
)

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(document: str, results: Results) -> str:
    """docs/scale.md with its tables made from `results` (docs/results/bench.json)."""
    found = tables(results)
    return _PART.sub(lambda part: f"{part[1]}\n{found[part[2]]}\n{part[3]}", document)


def tables(results: Results) -> dict[str, str]:
    """By name."""
    known = Constants.of(results)
    return {
        "assumptions": _assumptions(),
        "sizes": _sizes(results["scale"]["points"]),
        "years": _years(known),
        "limits": _limits(known, results["scale"]["points"]),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _assumptions() -> str:
    rows = [
        ("grants of a resident in a year", f"{LOAD.grants:g}"),
        ("reads", f"{LOAD.reads:g}"),
        ("refusals, revocations, messages", f"{LOAD.refusals:g}, {LOAD.revocations:g}, {LOAD.messages:g}"),
    ]
    words = ("the busiest hour of 250 working days", "the other eight of them", "all other hours")
    for (hours, share), word in zip(LOAD.levels, words, strict=True):
        rows.append((word, f"{hours:,.0f} hours with {share:.0%} of the events"))
    rows.append(("auditing cosigners and witnesses of a log", f"{COSIGNERS} and {WITNESSES}"))
    rows.append(("a log is planned for", f"{HEADROOM:.0%} of what one did at most"))
    rows.append(("a machine", f"{CORES} cores, half of them used at the peak"))
    return _table(("assumed", ""), rows)


def _sizes(points: Sequence[Point]) -> str:
    measured = {p["leaves"]: p for p in points}
    head = ("leaves", "", "log: CPU of a READ, 64 clients", "1 client", "start, s", "log, MB", "new cosigner, s",
            "cosigner, MB", "proof, bytes")  # fmt: skip
    rows = []
    for size in SIZES:
        point = measured.get(size) or extrapolated(points, size)
        rows.append((
            f"10^{round(math.log10(size))}",
            "measured" if size in measured else "extrapolated",
            *(f"{point[c]['log_cpu_ms'] / point[c]['bare_cpu_ms']:.1f}" for c in ("clients_64", "clients_1")),
            f"{point['start_seconds']:.1f}",
            f"{point['rss_mb']['log']:,.0f}",
            f"{point['catch_up_seconds']:,.1f}",
            f"{point['rss_mb']['cosigner']:,.0f}",
            f"{point['proof_bytes']:,.0f}",
        ))  # fmt: skip
    return _table(head, rows)


def _years(known: Constants) -> str:
    years = [Year(residents, logs_needed(residents, known), known) for _, residents in PLACES]

    def row(name: str, cells: Sequence[str]) -> tuple[str, ...]:
        return (name, *cells)

    gb = [y.events * known.bytes_a_leaf / 1e9 for y in years]
    public = [y.leaves * (LEAF_BYTES + HASH_BYTES) / 1e9 for y in years]
    slots = [y.residents * LOAD.grants / y.logs for y in years]
    cores = [[y.cores(name) for name in ("log", "cosigner", "witness")] for y in years]
    fetched = [y.leaves * known.catch_up_seconds_a_leaf for y in years]
    rounds = [y.logs * y.rounds(y.peak / y.logs) for y in years]
    every = [log + COSIGNERS * cosigner + WITNESSES * witness for log, cosigner, witness in cores]
    return _table(
        ("in a year", *(name for name, _ in PLACES)),
        [
            row("events", [f"{y.events / 1e6:,.1f} million" for y in years]),
            row("events a second in the busiest hours", [f"{y.peak:,.1f}" for y in years]),
            row("logs (shards of that year)", [f"{y.logs:,}" for y in years]),
            row("leaves of one log", [f"{y.leaves / 1e6:,.1f} million" for y in years]),
            row("hashes of an inclusion proof", [f"{math.ceil(math.log2(y.leaves))}" for y in years]),
            row("checkpoints of one log", [f"{y.checkpoints / y.logs / 1e6:,.1f} million" for y in years]),
            row("stored, all logs, GB", [f"{value:,.0f}" for value in gb]),
            row("public part of one log, GB", [f"{value:,.1f}" for value in public]),
            row("status array of one log, MB", [f"{value / 8e6:,.2f}" for value in slots]),
            row("an auditor replays one log in", [_time(y.leaves * known.replay_seconds_a_leaf) for y in years]),
            row("... and fetches and replays it in", [_time(value) for value in fetched]),
            row("checkpoints a second at a witness of all", [f"{value:,.1f}" for value in rounds]),
            row("cores at the peak: logs", [f"{log:,.2f}" for log, _, _ in cores]),
            row("cores: each cosigner of all", [f"{cosigner:,.2f}" for _, cosigner, _ in cores]),
            row("cores: each witness of all", [f"{witness:,.2f}" for _, _, witness in cores]),
            row("machines", [f"{math.ceil(cores / (CORES / 2)):,}" for cores in every]),
        ],
    )  # fmt: skip


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.1f} h"


def _limits(known: Constants, points: Sequence[Point]) -> str:
    by_place = [dict(shares(residents, known, points)) for _, residents in PLACES]
    order = [name for name, _ in shares(PLACES[1][1], known, points)]
    rows = [(name, *(f"{place[name]:,.2f}" for place in by_place)) for name in order]
    return _table(("one log for all: share of the limit used", *(name for name, _ in PLACES)), rows)
