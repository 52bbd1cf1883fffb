"""Another phone or wallet: which way fits, the file for a wallet of another maker, and taking in such a file."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.attributes import CREDENTIAL_TYPES
from protocol.errors import RegieError, Rejected
from protocol.names import visible
from protocol.passphrase import passphrase_of
from service.ui.words import _, language, ngettext
from wallet.errand_migrate import export_migration, import_migration, imported_transactions, missing_cards
from wallet.migration import spoken
from wallet.opened import OpenWallet
from wallet.receive import find_source
from wallet.ui.begin import MAX_UPLOAD_BYTES
from wallet.ui.names import card_label
from wallet.ui.session import in_use
from wallet.ui.sorry import sorry

pages = Blueprint("migrate", __name__)
TAKE_IN = "/settings/move/in"
SHOWN = 50
"""Of the log of a former wallet, the latest."""


@dataclass(frozen=True)
class MissingCard:
    """A card to ask for anew. `configuration`: what to ask a listed issuer for; None: ask elsewhere."""

    title: str
    issuer_name: str
    issuer: str
    configuration: str | None


@dataclass(frozen=True)
class OldLine:
    """One transaction of a former wallet, as that wallet told it. `time`: ISO 8601."""

    time: str
    party: str
    is_done: bool


@pages.get("/settings/move")
def page() -> str:
    """The three ways, and what came of an import."""
    return _show([])


@pages.post("/settings/move/out")
def give_out() -> Response | tuple[str, int]:
    """The file, under a password of its own."""
    password = passphrase_of(request.form.get("password", ""))
    errors: list[tuple[str, str]] = []
    if passphrase_of(request.form.get("again", "")) != password:
        errors.append(("again", _("The two passphrases are not the same.")))
    with in_use() as wallet:
        try:
            token = "" if errors else export_migration(wallet, password)
        except Rejected as error:
            if error.code != "weak_passphrase":
                raise
            errors.append(("password", sorry(error)))
        day = datetime.fromtimestamp(wallet.now(), UTC).strftime("%Y-%m-%d")
    if errors:
        return _show(errors), 422
    answer = Response(token, content_type="application/jose")
    answer.headers["Content-Disposition"] = f'attachment; filename="wallet-{day}.jwe"'
    return answer


@pages.post(TAKE_IN)
def take_in() -> Response | tuple[str, int]:
    """What another wallet wrote: its log, and which cards to ask for."""
    file = request.files.get("file")
    data = file.stream.read(MAX_UPLOAD_BYTES + 1) if file else b""
    try:
        with in_use() as wallet:
            token = data.decode("ascii", "replace").strip()
            moved = import_migration(wallet, token, passphrase_of(request.form.get("file_password", "")))
    except Rejected as error:
        if error.code not in ("bad_migration", "too_large", "wrong_passphrase"):
            raise
        return _show([("file_password" if error.code == "wrong_passphrase" else "file", sorry(error))]), 422
    flash(
        ngettext("%(num)d activity came along.", "%(num)d activities came along.", moved.transactions)
        + (f" {_('Some cards could not be taken. Ask for them anew.')}" if moved.refused else "")
    )
    return redirect(url_for("migrate.page"), 303)  # type: ignore[return-value]


def _show(errors: list[tuple[str, str]]) -> str:
    with in_use() as wallet:
        missing, old = _missing(wallet), imported_transactions(wallet)
    return render_template(
        "wallet/move.html",
        errors=errors,
        by_field=dict(errors),
        missing=missing,
        old=[_line(each) for each in reversed(old[-SHOWN:])],
        count=len(old),
    )


def _missing(wallet: OpenWallet) -> list[MissingCard]:
    wanted = missing_cards(wallet)
    if not wanted:
        return []
    try:
        trust = wallet.trust_list()
    except RegieError:
        trust = None
    rows = []
    for card in wanted:
        known = CREDENTIAL_TYPES.get(card.vct)
        name, configuration = card.issuer_name, None
        try:
            if (
                trust is not None
                and known is not None
                and (source := find_source(card.supply_point, trust)).is_listed
            ):
                name, configuration = visible(source.name), known.configuration_id
        except Rejected:
            pass  # the resident asks for it where they had it from
        rows.append(MissingCard(card_label(card.vct, "", language()), name, card.supply_point, configuration))
    return rows


def _line(transaction: object) -> OldLine:
    """Whatever another wallet wrote: texts are shown as a stranger's."""
    entry = transaction if isinstance(transaction, dict) else {}
    inner = next((each for each in (entry.get("presentation"), entry) if isinstance(each, dict)), {})
    party = spoken(inner.get("interactingPartyName")) or visible(str(entry.get("transactionType", "")), 64)
    return OldLine(visible(str(entry.get("time", "")), 32), party, entry.get("transactionResult") == "Completed")
