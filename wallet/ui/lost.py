"""A lost phone, a forgotten passphrase: everything can be stopped with the paper. And the paper itself.

Stopping by code needs no passphrase and no vault, here as on the command line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import RegieError, Rejected
from protocol.names import visible
from protocol.revocation_code import (
    PAPER_QR_PREFIX,
    format_code,
    format_paper_qr,
    format_stop_digits,
    format_stop_qr,
    parse_code,
    parse_paper_qr,
    parse_stop_paper,
)
from service.ui.errors import find
from service.ui.words import ngettext
from wallet import errand_stop_all
from wallet.errand_paper import PaperStop, stop_by_code
from wallet.errand_remove import running_grants
from wallet.opened import OpenWallet
from wallet.records import GrantRecord
from wallet.seed import STOP_CODES, stop_seed
from wallet.ui.session import in_use, keeper
from wallet.ui.sorry import sorry

pages = Blueprint("lost", __name__)
MAX_CODES = 50
"""In one go: each is asked of every log."""
_DIGITS = 40
_BETWEEN = re.compile(r"[\s.\u2010-\u2015-]")
"""What people put between groups of digits, as `parse_code` forgives it."""
SHEET_ROWS = 30
"""Agreements on one sheet: five pages of A4."""


@dataclass(frozen=True)
class CodeOutcome:
    """What came of one code; `number`: its place among those typed, from 1. `problem`: title and advice."""

    number: int
    stop: PaperStop | None
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class SheetRow:
    """One agreement on the recovery sheet. `code`: 40 digits in groups; `qr`: its text."""

    number: str
    agency_name: str
    until: int
    code: str
    qr: str


@pages.get("/lost")
def page() -> str:
    """What to do first, and the forms: for the stop paper, and for codes."""
    return _show([])


def filled(text: str) -> str:
    """The same with what was scanned in the form that it belongs to."""
    return _show([], **{"paper" if _is_stop_paper(text) else "codes": text})


def _show(errors: list[tuple[str, str]], *, paper: str = "", codes: str = "") -> str:
    can_stop = bool(errors) or keeper().exists
    return render_template(
        "wallet/lost.html", errors=errors, by_field=dict(errors), can_stop=can_stop, paper=paper, codes=codes
    )


@pages.post("/lost/paper")
def stop_all() -> tuple[str, int] | str:
    """Stop everything that was given by the wallet of a stop paper: this one, or anybody's."""
    return _stop_all("paper", request.form.get("paper", ""))


def _stop_all(field: str, text: str) -> tuple[str, int] | str:
    try:
        done = errand_stop_all.stop_by_paper(keeper().around(), parse_stop_paper(text))
    except Rejected as error:
        if error.code not in ("bad_stop_paper", "unknown_stop_paper"):
            raise
        return _show([(field, sorry(error))]), 422
    return render_template("wallet/lost_all_done.html", done=done)


def _is_stop_paper(text: str) -> bool:
    """Somebody typed the one paper where the codes of single agreements belong."""
    try:
        parse_stop_paper(text)
    except Rejected:
        return False
    return True


@pages.post("/lost")
def stop() -> tuple[str, int] | str:
    """Stop what the codes on the paper can stop."""
    text = request.form.get("codes", "")
    if _is_stop_paper(text):
        return _stop_all("codes", text)
    codes = split_codes(text)
    if not codes or len(codes) > MAX_CODES:
        return _show([("codes", sorry(Rejected("bad_code")))]), 422
    outcomes = [_stop(number, code) for number, code in enumerate(codes, 1)]
    return render_template("wallet/lost_done.html", outcomes=outcomes)


def split_codes(text: str) -> list[str]:
    """One for each line; codes whose 40 digits stand on several lines are put together.

    A line that is neither digits nor the text of a QR code is a code by itself, and will be refused as one.
    """
    codes: list[str] = []
    digits = ""
    for line in text.splitlines():
        plain = _BETWEEN.sub("", line)
        if plain.isdecimal() and plain.isascii():
            digits += plain
            while len(digits) >= _DIGITS:
                codes.append(digits[:_DIGITS])
                digits = digits[_DIGITS:]
        elif plain:
            codes.append(line.strip())
    return [*codes, digits] if digits else codes


def _stop(number: int, text: str) -> CodeOutcome:
    try:
        log_url, secret = parse_paper_qr(text) if text.startswith(PAPER_QR_PREFIX) else (None, parse_code(text))
        return CodeOutcome(number, stop_by_code(keeper().around(), secret, log_url=log_url))
    except RegieError as error:
        words = find(error.code, is_ours=not isinstance(error, Rejected))
        return CodeOutcome(number, None, (str(words.title), str(words.advice)))


@pages.get("/lost/everything")
def ask_everything() -> str:
    """Before everything is stopped: how much that is."""
    with in_use() as wallet:
        running = running_grants(wallet)
    return render_template("wallet/lost_everything.html", count=len(running))


@pages.post("/lost/everything")
def stop_everything() -> Response:
    """Stop every agreement of this wallet. What cannot be delivered now waits, and counts here at once."""
    with in_use() as wallet:
        running = errand_stop_all.stop_everything(wallet)
    flash(ngettext("You stopped %(num)d agreement.", "You stopped %(num)d agreements.", len(running)))
    return redirect(url_for("start.page"), 303)  # type: ignore[return-value]


@pages.get("/stop-paper")
def stop_paper() -> str:
    """To print once: what stops everything, now and later. A wallet of before has none, and says so."""
    with in_use() as wallet:
        paper = stop_seed(wallet.secrets()) if wallet.secrets().codes == STOP_CODES else None
    return render_template(
        "wallet/stop_paper.html",
        digits=format_stop_digits(paper) if paper else "",
        qr_text=format_stop_qr(paper) if paper else "",
    )


@pages.get("/recovery-sheet")
def sheet() -> str:
    """To print: the codes of all agreements that run, and how to use them."""
    with in_use() as wallet:
        grants, made_at = wallet.grants(), wallet.now()
        running = sorted(running_grants(wallet), key=lambda number: -grants[number].body.terms.not_after)
        pages_of = max(1, -(-len(running) // SHEET_ROWS))
        number = min(max(1, request.args.get("page", 1, int)), pages_of)
        rows = _rows(wallet, running[(number - 1) * SHEET_ROWS : number * SHEET_ROWS])
    return render_template(
        "wallet/sheet.html",
        rows=rows,
        made_at=made_at,
        page=number,
        pages=pages_of,
        total=len(running),
        sheet_address=lambda wanted: url_for("lost.sheet", page=wanted),
    )


def _rows(wallet: OpenWallet, numbers: list[str]) -> list[SheetRow]:
    records = {number: wallet.grant(number) for number in numbers}
    origins = {record.body.terms.log for record in records.values()}
    addresses = {origin: wallet.known_log(origin).log.url for origin in origins}
    return [_row(wallet, number, record, addresses) for number, record in records.items()]


def _row(wallet: OpenWallet, number: str, record: GrantRecord, addresses: Mapping[str, str]) -> SheetRow:
    code, terms = wallet.code(record), record.body.terms
    qr = format_paper_qr(addresses[terms.log], code)
    return SheetRow(number, visible(record.agency.name), terms.not_after, format_code(code), qr)
