"""regie verifier alarms: which readings deserve a question, and what came of asking it."""

import getpass
from datetime import datetime
from typing import Any, cast

import click

from protocol.working_days import AMSTERDAM
from service.command import command, emit, read_input
from service.home import Home
from verifier.alarm.files import MAX_FILE_BYTES
from verifier.alarm.words import rule_name, sentence
from verifier.alarm_store import MAX_NOTE_CHARACTERS, OUTCOMES, KeptAlert, Outcome
from verifier.desk import Desk


@click.group("alarms")
def alarms() -> None:
    """Readings that deserve a question: an alert is a reason to look, no verdict."""


@alarms.command("list")
@click.option("--all", "all_", is_flag=True, help="Also what was looked into.")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True)
@command
def list_(ctx: click.Context, home: Home, all_: bool, page: int) -> None:
    """Ring all rules over the readings of this agency, and list the alerts, the newest first."""
    desk = Desk(home)
    new = desk.bell.ring(desk.now())
    place, found = desk.bell.store.page(page, all_=all_)
    lines = [_line(each) for each in found] or ["No alerts."]
    if place.count > 1:
        lines.append(f"Page {place.number} of {place.count}.")
    loaded = desk.bell.store.loaded()
    if missing := [kind for kind in ("cases", "officers") if kind not in loaded]:
        lines.append(f"Not loaded: {', '.join(missing)}. The rules that need it stay silent.")
    data = {"new": new, "total": place.total, "alerts": [_data(each) for each in found], "loaded": loaded}
    emit(ctx, "\n".join(lines), data)


@alarms.command("show")
@click.argument("alert", type=click.IntRange(1))
@command
def show(ctx: click.Context, home: Home, alert: int) -> None:
    """One alert with its entries in the log; the desk's book says who and for which case."""
    store = Desk(home).bell.store
    found = store.get(alert)
    entries = list(store.entries(found.alert.reads))
    human = f"{_line(found)}\nEntries: {', '.join(map(str, entries)) or 'forgotten'}"
    emit(ctx, human, {**_data(found), "entries": entries})


@alarms.command("looked")
@click.argument("alert", type=click.IntRange(1))
@click.argument("outcome", type=click.Choice(OUTCOMES))
@click.option("--note", default="", help="What came of it; write about no resident here.")
@command
def looked(ctx: click.Context, home: Home, alert: int, outcome: str, note: str) -> None:
    """Write down that an alert was looked into. It opens again when it grows."""
    if len(note) > MAX_NOTE_CHARACTERS:
        raise click.UsageError(f"a note has at most {MAX_NOTE_CHARACTERS} characters")
    desk = Desk(home)
    who = desk.officers.known_as(getpass.getuser())
    desk.bell.store.look(alert, who, cast(Outcome, outcome), note.strip(), desk.now())
    emit(ctx, f"Alert {alert} was looked into: {outcome}.", {"id": alert, "outcome": outcome})


@alarms.command("cases")
@click.argument("file")
@command
def cases(ctx: click.Context, home: Home, file: str) -> None:
    """Load the register of cases from FILE (JSON Lines; - is stdin), in the place of the one before."""
    desk = Desk(home)
    count = desk.bell.load_cases(read_input(file, max_bytes=MAX_FILE_BYTES), desk.now())
    emit(ctx, f"{count} cases.", {"cases": count})


@alarms.command("officers")
@click.argument("file")
@command
def officers(ctx: click.Context, home: Home, file: str) -> None:
    """Load what officers told of their street and relatives from FILE (JSON Lines); only marks are kept."""
    desk = Desk(home)
    count = desk.bell.load_officers(read_input(file, max_bytes=MAX_FILE_BYTES), desk.now())
    emit(ctx, f"{count} officers.", {"officers": count})


def _line(kept: KeptAlert) -> str:
    alert = kept.alert
    day = datetime.fromtimestamp(alert.until, AMSTERDAM).strftime("%Y-%m-%d")
    state = "open" if kept.is_open else f"looked into: {kept.outcome}"
    return f"{kept.id}  {day}  {rule_name(alert.rule, 'en')}: {sentence(alert, 'en')} ({state})"


def _data(kept: KeptAlert) -> dict[str, Any]:
    alert = kept.alert
    return {
        "id": kept.id,
        "rule": alert.rule,
        "reason": {"nl": sentence(alert, "nl"), "en": sentence(alert, "en")},
        "officer": alert.officer,
        "reads": len(alert.reads),
        "since": alert.since,
        "until": alert.until,
        "open": kept.is_open,
        "outcome": kept.outcome,
        "note": kept.note,
    }
