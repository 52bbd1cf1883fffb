"""regie verifier inbox | answer: who asked to erase, until when, and what we say."""

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from protocol.errors import Rejected
from protocol.reading import one_month_after, parse_message
from service.command import command, emit
from service.home import Home
from verifier.desk import Desk
from verifier.inbox import AnswerKind, answer_erasure
from verifier.seen import Erasure

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@click.command("inbox")
@command
def inbox(ctx: click.Context, home: Home) -> None:
    """List who asked to erase, the oldest first, and until when an answer is due."""
    found = [_erasure(each) for each in Desk(home).store.seen.erasures()]
    lines = [f"{item['id']}  agreement {item['grant'][:8]}  {_state(item)}" for item in found]
    emit(ctx, "\n".join(lines) or "Nobody asked to erase anything.", {"messages": found})


def _erasure(erasure: Erasure) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": erasure.jti,
        "grant": erasure.request,
        "received": erasure.received,
        "due": one_month_after(erasure.received),
    }
    if erasure.answer is None:
        return item
    said = parse_message(erasure.answer)
    kept = {"law": said.law, "until": said.until} if said.kind == "kept" else {}
    return item | {"answer": said.kind, "answered": erasure.answered, **kept}


def _state(item: dict[str, Any]) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(item["due"]))
    return str(item["answer"]) if "answer" in item else f"answer before {day}"


@click.command("answer")
@click.argument("grant_id", metavar="ID")
@click.argument("kind", type=click.Choice(["erased", "kept"]))
@click.option("--law", help="Of what is kept: the law, e.g. 'AWR artikel 52'.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Of what is kept: until the start of this day (Amsterdam)."
)
@command
def answer(
    ctx: click.Context, home: Home, grant_id: str, kind: AnswerKind, law: str | None, until: datetime | None
) -> None:
    """Say in the log what became of the data of grant ID: erased, or kept under a law and until when."""
    desk = Desk(home)
    asked = [each for each in desk.store.seen.erasures() if each.request == grant_id and each.answer is None]
    if not asked:
        raise Rejected("unknown_message", "nobody asked this, or it has been answered", status=404)
    day = None if until is None else int(until.replace(tzinfo=_AMSTERDAM).timestamp())
    answer_erasure(desk, asked[0].jti, kind, law=law, until=day)
    emit(ctx, f"Answered: {kind}", {"id": asked[0].jti, "grant": grant_id, "answer": kind})
