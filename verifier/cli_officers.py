"""regie verifier officers: the sealed account of who read; two people open it together."""

import re
import sys
from dataclasses import asdict
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

import click

from protocol.passphrase import PROFILES, passphrase_of
from service.command import command, emit, read_input
from service.home import Home
from verifier.account import OpeningReason
from verifier.desk import Desk

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_DAY = click.DateTime(["%Y-%m-%d"])
_ANCHOR = re.compile(r"([0-9]{1,15}):([0-9a-f]{64})")


@click.group("officers")
def officers() -> None:
    """Who reads here: a pseudonym on screens, a name only in an account that two people open together."""


def _person(text: str, *, is_new: bool) -> tuple[str, bytes]:
    """NAME=FILE, or a name whose passphrase is typed on a terminal."""
    name, _, path = text.partition("=")
    if path:
        said = read_input(path, max_bytes=64 * 1024).decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")
    elif sys.stdin.isatty():
        said = click.prompt(f"Passphrase of {name}", hide_input=True, confirmation_prompt=is_new, err=True)
    else:
        raise click.UsageError("say --person NAME=FILE, a file that holds the passphrase")
    return name, passphrase_of(said)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, _AMSTERDAM).strftime("%Y-%m-%d %H:%M")


def _midnight(day: datetime) -> int:
    return int(day.replace(tzinfo=_AMSTERDAM).timestamp())


@officers.command("init")
@click.option(
    "--person", "persons", multiple=True, required=True, metavar="NAME[=FILE]",
    help="Two to six people, each with a passphrase of the own; any two of them open the account.",
)  # fmt: skip
@click.option("--profile", type=click.Choice(list(PROFILES)), default="standard", show_default=True)
@command
def init(ctx: click.Context, home: Home, persons: tuple[str, ...], profile: str) -> None:
    """Begin the account. From then on nobody reads without an entry in it, and screens show pseudonyms.

    The names that stand in the book of the desk are taken into the account. The key is never dealt again: who
    forgets a passphrase is needed no more than one of the others.
    """
    desk = Desk(home)
    count = desk.officers.begin(
        dict(_person(each, is_new=True) for each in persons), PROFILES[profile], desk.now()
    )
    names = [holder.name for holder in desk.officers.ring.holders]
    emit(
        ctx,
        f"The account is begun; any two of these open it: {', '.join(names)}. Restart the server.\n"
        f"Officers taken over from the book: {count}",
        {"persons": names, "taken_over": count},
    )


def _anchor(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, bytes] | None:
    """`7:` and 64 hexadecimal digits, as `check` prints them."""
    if value is None:
        return None
    found = _ANCHOR.fullmatch(value)
    if found is None:
        raise click.BadParameter("write it as an earlier check printed it: NUMBER:HEAD", ctx, param)
    return int(found[1]), bytes.fromhex(found[2])


@officers.command("check")
@click.option("--anchor", metavar="NUMBER:HEAD", callback=_anchor, help="Of an earlier check or evidence file.")
@command
def check(ctx: click.Context, home: Home, anchor: tuple[int, bytes] | None) -> None:
    """Is every entry still there, and does every READ have one? Exit status 1 when not. Nobody's name is shown.

    Who has this home could cut off the last entries, an opening among them, or write all of them anew. So keep
    what this prints elsewhere, and give it next time: the account has to go through it.
    """
    found = Desk(home).officers.check(anchor)
    data = {
        "entries": found.count,
        "head": found.head.hex(),
        "reads_without_entry": list(found.without_entry),
        "entries_without_read": found.without_read,
    }
    text = f"{found.count} entries, none missing or changed. Anchor {found.count}:{found.head.hex()}"
    if found.without_entry:
        text += f"\nREADS WITHOUT AN ENTRY: {len(found.without_entry)}. Entries were cut off: call the auditor."
    emit(ctx, text, data)
    if found.without_entry:
        ctx.exit(1)


@officers.command("open")
@click.option(
    "--person", "persons", multiple=True, required=True, metavar="NAME[=FILE]", help="The two who look together."
)
@click.option("--reason", type=click.Choice(get_args(OpeningReason)), required=True)
@click.option("--since", type=_DAY, required=True, help="From the start of this day (Amsterdam).")
@click.option("--until", type=_DAY, required=True, help="To the start of this day (Amsterdam).")
@command
def open_account(
    ctx: click.Context,
    home: Home,
    persons: tuple[str, ...],
    reason: OpeningReason,
    since: datetime,
    until: datetime,
) -> None:
    """Show who read what in a period. That you looked is entered first, for everybody to see.

    A wrong passphrase is entered too; after five within a quarter of an hour nobody opens it for the rest of that.
    """
    desk = Desk(home)
    passphrases = dict(_person(each, is_new=False) for each in persons)
    found = desk.officers.open(passphrases, reason, _midnight(since), _midnight(until), desk.now())
    lines = [
        f"{_moment(one.at)}  {one.kind:5}  {one.officer}  {one.pseudonym}  {one.case or '-'}  "
        f"{'as in the log' if one.is_proven else 'NOT AS IN THE LOG' if one.is_proven is False else '-'}"
        for one in found
    ]
    emit(ctx, "\n".join(lines) or "Nobody read anything then.", {"entries": [asdict(one) for one in found]})


@officers.command("openings")
@command
def openings(ctx: click.Context, home: Home) -> None:
    """Who opened the account or tried to, when, and why; anybody with this home may see it."""
    found = Desk(home).officers.openings()
    lines = [
        f"{_moment(one.at)}  {' and '.join(one.asked.persons)}: {one.asked.reason}, "
        f"{_moment(one.asked.since)} to {_moment(one.asked.until)}"
        f"{'  REFUSED: A WRONG PASSPHRASE' if one.is_refused else ''}"
        for one in found
    ]
    data = [
        {
            "at": one.at,
            "is_refused": one.is_refused,
            "persons": one.asked.persons,
            "reason": one.asked.reason,
            "since": one.asked.since,
            "until": one.asked.until,
        }
        for one in found
    ]
    emit(ctx, "\n".join(lines) or "Nobody has opened it.", {"openings": data})
