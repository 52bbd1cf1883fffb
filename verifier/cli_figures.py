"""`regie verifier figures`: figures of a month as they may leave this agency, and those of others."""

import importlib
from pathlib import Path
from typing import Any

import click

from protocol.canonical import to_builtins
from protocol.figures import MAX_FIGURES_BYTES, Figures, parse_figures
from service.command import command, emit, read_input
from service.home import Home
from service.spreadsheet import to_csv
from verifier.desk import Desk
from verifier.figures import Noise
from verifier.figures_release import all_figures, release_month, take_figures
from verifier.figures_store import FiguresStore
from verifier.figures_summary import csv_rows, summarise


@click.group("figures")
def figures() -> None:
    """Figures of a month, signed and noised, and those of other agencies."""


@figures.command("release")
@click.argument("month")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write the signed file.")
@command
def release(ctx: click.Context, home: Home, month: str, out: Path | None) -> None:
    """Release MONTH (2026-10) once it is over. A month is released once: again gives the same file.

    Needs the extra `figures` (OpenDP).
    """
    released = release_month(Desk(home), FiguresStore(home), month, _noise())
    if out is not None:
        out.write_text(released.token + "\n", encoding="ascii")
    made = parse_figures(released.token)
    shown = summarise(made)
    epsilon = released.epsilon / 1000
    human = f"{month}: {len(made.cells) - shown.left_out} figures, {shown.left_out} left out, epsilon {epsilon:g}"
    emit(ctx, human, {"month": month, "epsilon": epsilon, "left_out": shown.left_out, "file": released.token})


@figures.command("import")
@click.argument("file")
@command
def take(ctx: click.Context, home: Home, file: str) -> None:
    """Take in the signed FILE (or `-`) of another agency of the trust list."""
    token = read_input(file, max_bytes=MAX_FIGURES_BYTES).decode("ascii", "replace")
    taken = take_figures(Desk(home), FiguresStore(home), token)
    emit(ctx, f"{taken.agency}, {taken.month}", {"agency": taken.iss, "month": taken.month})


@figures.command("show")
@click.option("--month", help="Only this month.")
@click.option("--csv", "as_csv", is_flag=True, help="All cells, for a spreadsheet.")
@command
def show(ctx: click.Context, home: Home, month: str | None, as_csv: bool) -> None:
    """Show all months that were released or taken in."""
    found = [each for each in all_figures(FiguresStore(home)) if month in (None, each.month)]
    if as_csv:
        text = to_csv(*csv_rows(found))
        emit(ctx, text.rstrip(), {"csv": text})
        return
    lines = [_line(each) for each in found]
    emit(ctx, "\n".join(lines) or "No figures yet.", {"figures": [to_builtins(each) for each in found]})


def _line(found: Figures) -> str:
    shown = summarise(found)
    return (
        f"{found.month}  {found.agency}: {shown.running} running, {shown.given} given, {shown.refused} refused,"
        f" {shown.stopped} stopped, {shown.read} readings"
    )


def _noise() -> Noise:
    """OpenDP is optional, and takes long to load: only who releases needs it."""
    found: Any = importlib.import_module("verifier.noise")
    return lambda counts, bound, epsilon: list(found.laplace(counts, bound=bound, epsilon=epsilon))
