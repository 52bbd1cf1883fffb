"""regie verifier inbox | answer | access: what residents ask of their rights, until when, and what we say."""

import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from protocol.canonical import canonical_bytes
from protocol.errors import Rejected
from protocol.reading import one_month_after, parse_message
from protocol.rights import REFUSALS, RIGHTS, MessageKind, right_of
from service.command import command, emit
from service.home import Home
from verifier.access import access_answer, document_hash, keep_answer
from verifier.desk import Desk
from verifier.inbox import answer_request
from verifier.seen import Asked

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_ANSWERS = [kind for kinds in RIGHTS.values() for kind in kinds.final]


@click.command("inbox")
@command
def inbox(ctx: click.Context, home: Home) -> None:
    """List what residents ask of their rights, the oldest first, and until when an answer is due."""
    found = [_asked(each) for each in Desk(home).store.seen.asked()]
    lines = [f"{item['id']}  {item['right']}  agreement {item['grant'][:8]}  {_state(item)}" for item in found]
    emit(ctx, "\n".join(lines) or "Nobody asked anything.", {"messages": found})


def _asked(asked: Asked) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": asked.jti,
        "right": asked.right,
        "grant": asked.request,
        "received": asked.received,
        "due": one_month_after(asked.received),
    }
    if asked.answer is None:
        return item
    said = parse_message(asked.answer)
    more = {"law": said.law, "until": said.until, "document": said.document}
    return item | {"answer": said.kind, "answered": asked.answered} | {k: v for k, v in more.items() if v}


def _state(item: dict[str, Any]) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(item["due"]))
    return str(item["answer"]) if "answer" in item else f"answer before {day}"


def _open(desk: Desk, grant_id: str, right: str | None) -> Asked:
    asked = [each for each in desk.store.seen.asked() if each.request == grant_id and each.right == right]
    waiting = [each for each in asked if each.answer is None]
    if not waiting:
        raise Rejected("unknown_message", "nobody asked this, or it has been answered", status=404)
    return waiting[0]


@click.command("answer")
@click.argument("grant_id", metavar="ID")
@click.argument("kind", type=click.Choice(_ANSWERS))
@click.option("--law", help="Of a refusal: the law, e.g. 'AWR artikel 52'.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Of what is kept: until the start of this day (Amsterdam)."
)
@command
def answer(
    ctx: click.Context, home: Home, grant_id: str, kind: MessageKind, law: str | None, until: datetime | None
) -> None:
    """Say in the log what became of a request about grant ID: done, or refused under a law.

    What is shown is the document of `regie verifier access`, whose hash goes into the log.
    """
    desk = Desk(home)
    asked = _open(desk, grant_id, right_of(kind))
    day = None if until is None else int(until.replace(tzinfo=_AMSTERDAM).timestamp())
    shows = kind not in REFUSALS and asked.right == "access"
    document = keep_answer(desk, asked) if shows else None
    answer_request(desk, asked.jti, kind, law=law, until=day, document=document)
    emit(ctx, f"Answered: {kind}", {"id": asked.jti, "grant": grant_id, "answer": kind, "document": document})


@click.command("access")
@click.argument("grant_id", metavar="ID")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@command
def access(ctx: click.Context, home: Home, grant_id: str, file: Path) -> None:
    """Write to FILE what we have under grant ID and did with it, for who asked to see it (GDPR article 15)."""
    desk = Desk(home)
    made = access_answer(desk, _open(desk, grant_id, "access"))
    Home(file.absolute().parent).write_secret(file.name, canonical_bytes(made))
    shown = document_hash(made)
    emit(ctx, f"Written to {file}: {len(made['reads'])} reads.", {"file": str(file), "document": shown})
