"""`regie auditor case` and `looks`: the file of one agreement after a reason, and who opened what."""

import getpass
import json
from datetime import UTC, datetime

import click

from auditor.case import CaseEvent
from auditor.exports import case_json, case_jsonld, case_ldv, case_rows
from auditor.follow_store import FollowStore
from auditor.looks import REASONS, Looks, check_look
from auditor.open_case import CaseOpener
from protocol.errors import Rejected
from service.clock import SystemClock
from service.command import command, emit, wants_json
from service.home import Home
from service.spreadsheet import to_csv

FORMS = ("text", "json", "csv", "jsonld", "ldv")
SHOWN = 100


@click.command("case")
@click.argument("number", type=click.IntRange(0, 2**40 - 1))
@click.option("--reason", type=click.Choice(REASONS), required=True, help="Why it is opened.")
@click.option("--note", required=True, help="File number or a few words; no names.")
@click.option("--form", type=click.Choice(FORMS), default="text", show_default=True)
@command
def case(ctx: click.Context, home: Home, number: int, reason: str, note: str, form: str) -> None:
    """Open the file of agreement NUMBER: every entry of it, with its proof. Who, when and why is written down."""
    why, words = check_look(reason, note)
    store, now = FollowStore(home), SystemClock().now()
    if not store.has_agreement(number):
        raise Rejected("unknown_slot", "the log has no agreement with this number", status=404)
    look = Looks(home).add(now, getpass.getuser(), number, why, words)
    found = CaseOpener(home, store).open(look, now, lambda what, done, of: None)
    if form == "csv":
        click.echo(to_csv(*case_rows(found)), nl=False)
    elif form in ("jsonld", "ldv"):
        click.echo(json.dumps(case_jsonld(found, now) if form == "jsonld" else case_ldv(found)))
    elif form == "json" or wants_json(ctx):
        click.echo(json.dumps(case_json(found)))
    else:
        click.echo("\n".join(_line(event) for event in found.events))
    if found.findings:
        ctx.exit(1)


def _line(event: CaseEvent) -> str:
    when = "no time" if event.time is None else _clock(event.time)
    names = " ".join(name for _, name in event.attributes)
    about = [event.reason, event.message.kind if event.message else "", names]
    about += [f"FINDING {finding.code}" for finding in event.findings]
    return f"entry {event.index} {event.kind:8} {when} " + "; ".join(part for part in about if part)


@click.command("looks")
@command
def looks(ctx: click.Context, home: Home) -> None:
    """Who opened which agreement and why, the newest first; whether the register is whole."""
    register = Looks(home)
    broken = register.first_broken()
    rows = register.page(0, SHOWN)
    lines = [
        f"{row.id} {_clock(row.time)} {row.who}: agreement {row.slot}, {row.reason}: {row.note}" for row in rows
    ]
    lines += ["The register is whole." if broken is None else f"The register was changed from row {broken} on."]
    emit(ctx, "\n".join(lines), {"looks": [vars(row) for row in rows], "first_broken": broken})
    if broken is not None:
        ctx.exit(1)


def _clock(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
