"""regie verifier batch | batches: reads of an agency's automation, resumable, with values to a pipe only."""

import getpass
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from protocol.canonical import to_builtins
from protocol.errors import Rejected
from protocol.terms import Zone
from service.command import command, emit, progress, read_input
from service.home import Home
from service.trace import VARIABLE
from verifier.batch import Result, line_of, parse_rows
from verifier.batches import StoredBatch
from verifier.desk import Desk
from verifier.machine import Agency
from verifier.machine_batch import MAX_PARALLEL, PARALLEL, Progress

TELL_SECONDS = 2.0
"""Between two lines of progress."""


@click.command("batch")
@click.argument("file")
@click.option("--resume", is_flag=True, help="Go on with these rows where an earlier run was cut off.")
@click.option("--officer", help="The system that reads; default: the name of this account.")
@click.option("--zone", type=click.Choice(["office", "remote"]), default="office", show_default=True)
@click.option("--parallel", type=click.IntRange(1, MAX_PARALLEL), default=PARALLEL, show_default=True)
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), help="A named pipe for the values; else stdout."
)
@command
def batch(
    ctx: click.Context,
    home: Home,
    file: str,
    resume: bool,
    officer: str | None,
    zone: Zone,
    parallel: int,
    to: Path | None,
) -> None:
    """Read every row of FILE (- for stdin): JSON lines {"grant", "case", "only"?}.

    Each row is an entry of its own in the log. Values come as JSON lines on stdout or into the pipe, and are never
    written to disk here. After a kill `--resume` with the same rows goes on: a row that was handed over is not
    read again, one that was cut off goes on with the same entry.
    """
    rows = parse_rows(read_input(file))
    agency = Agency(home.path, officer=officer or getpass.getuser(), zone=zone)
    with _output(to) as (stream, words):
        end = agency.batch(
            rows,
            _writer(stream),
            resume=resume,
            parallel=parallel,
            traceparent=os.environ.get(VARIABLE),
            told=_teller(ctx, words),
        )
    summary = (
        f"Batch {end.batch}: {end.read} read, {end.refused} refused, {end.before} before; {end.rate:.0f} a second"
    )
    if to is None:
        progress(ctx, summary)  # stdout holds the rows and nothing else
    else:
        told = {"read": end.read, "refused": end.refused, "before": end.before, "seconds": round(end.seconds, 1)}
        emit(ctx, summary, {"batch": end.batch, **told})


@contextmanager
def _output(to: Path | None) -> Iterator[tuple[TextIO, bool]]:
    """Where values go, and whether progress may be told beside them. Raises `Rejected`: `not_a_pipe`."""
    if to is None:
        yield sys.stdout, not sys.stderr.isatty() or not sys.stdout.isatty()
        return
    if not stat.S_ISFIFO(os.stat(to).st_mode):
        raise Rejected("not_a_pipe", "values go to a named pipe (mkfifo), never into a file")
    with to.open("w", encoding="utf-8") as stream:
        # Between the look and the opening somebody could have put a file there.
        if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            raise Rejected("not_a_pipe", "values go to a named pipe (mkfifo), never into a file")
        yield stream, True


def _writer(stream: TextIO) -> Callable[[Sequence[Result]], None]:
    def write(results: Sequence[Result]) -> None:
        stream.write("".join(line_of(result) + "\n" for result in results))
        stream.flush()  # a row is closed only when the reader's side has it

    return write


def _teller(ctx: click.Context, words: bool) -> Callable[[Progress], None]:
    next_time = [time.monotonic() + TELL_SECONDS]

    def tell(at: Progress) -> None:
        if not words or (time.monotonic() < next_time[0] and at.left):
            return
        next_time[0] = time.monotonic() + TELL_SECONDS
        done = at.size - at.left
        progress(ctx, f"{done} of {at.size} rows, {at.refused} refused, {at.rate:.0f} a second")

    return tell


@click.command("batches")
@command
def batches(ctx: click.Context, home: Home) -> None:
    """List batches, the newest first, and how far each is."""
    found = Desk(home).store.batches.all()
    lines = [_line(item) for item in found]
    emit(ctx, "\n".join(lines) or "No batches yet.", {"batches": to_builtins(found)})


def _line(item: StoredBatch) -> str:
    state = "finished" if item.finished is not None else f"{item.left} to go"
    return f"{item.id}  {item.size} rows  {item.done} read  {item.refused} refused  {state}"
