"""regie verifier request, verdict: a copy asked by DCQL, and why an answer was taken or refused."""

import io
from typing import Any

import click
from msgspec import to_builtins

from protocol.canonical import parse_json
from protocol.dcql import Query, parse_query
from service.command import command, emit, read_input
from service.home import Home
from verifier.ask import Wish
from verifier.desk import Desk
from verifier.sessions import StoredSession
from verifier.transaction import MAX_ITEM_BYTES, parse_item
from verifier.verdict import WORDS, Step, Verdict
from verifier.verdicts import StoredVerdict

QR_MASK = 3
"""Fixed: choosing the best of eight masks is three quarters of the work of drawing a QR (and any mask decodes)."""
MAX_QUERY_BYTES = 32 * 1024
"""A request object has 64 KiB in all."""
_MARKS = {"passed": "✓", "failed": "✗", "undetermined": "?", "not_reached": "·"}


@click.command("request")
@click.argument("service")
@click.option("--dcql", metavar="FILE", help="A DCQL query within what SERVICE registers; - is stdin.")
@click.option("--transaction", "transactions", multiple=True, metavar="FILE", help="JSON to be signed besides.")
@click.option("--same-device", is_flag=True, help="For a browser on the wallet's device, which it comes back to.")
@command
def request(
    ctx: click.Context,
    home: Home,
    service: str,
    dcql: str | None,
    transactions: tuple[str, ...],
    same_device: bool,
) -> None:
    """Ask for a copy: everything that SERVICE registers, or what a DCQL query of your own asks of it."""
    query = None if dcql is None else read_query(dcql)
    items = [parse_item(read_input(name, max_bytes=MAX_ITEM_BYTES)) for name in transactions]
    wish = Wish(once=True, query=query, transactions=items, same_device=same_device)
    emit_request(ctx, *Desk(home).ask(service, wish), same_device=same_device)


def read_query(source: str) -> Query:
    """The `dcql_query` of a file, or a JSON object that has one. Raises `Rejected`: of parsing, `bad_query`."""
    value = parse_json(read_input(source, max_bytes=MAX_QUERY_BYTES))
    return parse_query(value.get("dcql_query", value) if isinstance(value, dict) else value)


def emit_request(ctx: click.Context, request_id: str, link: str, *, same_device: bool) -> None:
    """What to hand out: a link for a wallet, or an address for the browser of the resident."""
    if same_device:
        told = f"{link}\n\nFor the browser of the resident alone: the first to open it is the session.\n"
        emit(ctx, f"{told}\nRequest {request_id}", {"start": link, "id": request_id})
    else:
        emit(ctx, f"{_qr(link)}\n{link}\n\nRequest {request_id}", {"request": link, "id": request_id})


def _qr(link: str) -> str:
    from qrcode.constants import ERROR_CORRECT_L
    from qrcode.main import QRCode

    code: Any = QRCode(error_correction=ERROR_CORRECT_L, border=2, mask_pattern=QR_MASK)
    code.add_data(link)
    code.make()
    drawn = io.StringIO()
    code.print_ascii(out=drawn, invert=True)
    return drawn.getvalue()


@click.command("verdict")
@click.argument("request_id", metavar="ID")
@click.option("--lang", type=click.Choice(["nl", "en"]), default="en", show_default=True)
@command
def verdict(ctx: click.Context, home: Home, request_id: str, lang: str) -> None:
    """Say of each answer to request ID which steps it passed, and at which it was refused."""
    desk = Desk(home)
    stored = desk.store.requests.get(request_id)
    session = desk.store.sessions.of(request_id)
    found = [_told(one, session) for one in desk.store.verdicts.of(request_id)]
    human = "\n\n".join(_lines(one, lang) for one in found) or "Nothing has been answered yet."
    emit(ctx, human, {"id": request_id, "state": stored.state, "verdicts": found})


def _told(stored: StoredVerdict, session: StoredSession | None) -> dict[str, Any]:
    """A verdict with its words; on one device the wallet's way back is a step of it."""
    judged = stored.verdict
    if session is not None and judged.accepted:
        judged = _with_return(judged, session)
    steps = [{**to_builtins(step), **_words(step)} for step in judged.steps]
    code = {"code": judged.code} if judged.code else {}
    return {"at": stored.at, "accepted": judged.accepted, **code, "steps": steps}


def _with_return(judged: Verdict, session: StoredSession) -> Verdict:
    if session.state == "returned":
        return Verdict(True, [*judged.steps, Step("return", "passed")])
    broken = session.state == "broken"
    code = "other_session" if broken else "not_returned"
    return Verdict(False, [*judged.steps, Step("return", "failed" if broken else "not_reached", code=code)], code)


def _words(step: Step) -> dict[str, str]:
    words = WORDS[step.name]
    return {"nl": words.nl, "en": words.en, "clause": words.clause}


def _lines(told: dict[str, Any], lang: str) -> str:
    lines = ["accepted" if told["accepted"] else f"refused: {told['code']}"]
    for step in told["steps"]:
        about = f" [{step['credential']}]" if "credential" in step else ""
        why = f" ({step['code']})" if "code" in step else ""
        lines.append(f"  {_MARKS[step['outcome']]} {step[lang]}{about}{why}  {step['clause']}")
    return "\n".join(lines)
