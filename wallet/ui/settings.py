"""Settings: when the wallet locks, what opens it, backups, the paper, the phone, and taking it off this device."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.passphrase import PROFILES, passphrase_of
from service.ui.words import _
from wallet.errand_remove import running_grants
from wallet.passkey import PasskeyRecord
from wallet.ui import lan
from wallet.ui.begin import new_passphrase
from wallet.ui.passkey_door import add_passkey, answer_of, new_options
from wallet.ui.prefs import IDLE_MINUTES, keep_preferences, preferences
from wallet.ui.session import in_use, keeper
from wallet.ui.sorry import sorry

pages = Blueprint("settings", __name__)


@dataclass(frozen=True)
class PasskeyRow:
    """One passkey in the list. `made_at`: POSIX seconds."""

    credential: str
    name: str
    made_at: int


@pages.get("/settings")
def page() -> str:
    """Everything that can be set, each on a page of its own."""
    with in_use() as wallet:
        chosen = preferences(wallet)
        count = len(wallet.vault.all("passkeys", PasskeyRecord))
    return render_template(
        "wallet/settings.html", chosen=chosen, minutes=IDLE_MINUTES, passkeys=count, phone=lan.read(keeper().home)
    )


@pages.post("/settings/idle")
def idle() -> Response:
    """After how long the wallet locks itself."""
    minutes = request.form.get("idle_minutes", "")
    if minutes not in map(str, IDLE_MINUTES):
        raise Rejected("bad_request", "no such time")
    with in_use() as wallet:
        keep_preferences(wallet, replace(preferences(wallet), idle_minutes=int(minutes)))
    keeper().set_idle(int(minutes))
    flash(_("Saved."))
    return redirect(url_for("settings.page"), 303)  # type: ignore[return-value]


@pages.get("/settings/passphrase")
def passphrase() -> str:
    """The form for another passphrase."""
    with in_use():
        return _show_passphrase([])


@pages.post("/settings/passphrase")
def change_passphrase() -> Response | tuple[str, int]:
    """From now on the new one opens this wallet; backups keep the old one."""
    errors: list[tuple[str, str]] = []
    new = new_passphrase(errors)
    with in_use() as wallet:
        if not errors:
            old = passphrase_of(request.form.get("old", ""))
            try:
                wallet.vault.change_passphrase(old, new, PROFILES[keeper().profile], wallet.random)
            except Rejected as error:
                errors.append(("old", sorry(error)))
        if errors:
            return _show_passphrase(errors), 422
    flash(_("From now on your new passphrase opens this wallet."))
    return redirect(url_for("settings.page"), 303)  # type: ignore[return-value]


@pages.get("/settings/passkeys")
def passkeys() -> str:
    """The list, and the form for another one."""
    return _show_passkeys([])


@pages.post("/settings/passkeys")
def add() -> Response | tuple[str, int]:
    """Another way in, on the passphrase."""
    given = passphrase_of(request.form.get("passphrase", ""))
    name = request.form.get("name", "").strip() or _("Passkey")
    ceremony = request.form.get("ceremony", "")
    try:
        with in_use() as wallet:
            add_passkey(keeper(), wallet, given, name, answer_of(request.form), ceremony)
    except Rejected as error:
        field = "passphrase" if error.code == "wrong_passphrase" else "name"
        return _show_passkeys([(field, sorry(error))]), error.status
    flash(_("Your passkey opens this wallet now too."))
    return redirect(url_for("settings.passkeys"), 303)  # type: ignore[return-value]


@pages.post("/settings/passkeys/remove")
def remove() -> Response:
    """It opens nothing any more."""
    with in_use() as wallet:
        wallet.vault.drop_passkey(request.form.get("credential", ""))
    flash(_("The passkey opens nothing any more."))
    return redirect(url_for("settings.passkeys"), 303)  # type: ignore[return-value]


@pages.get("/settings/remove")
def ask_removal() -> str:
    """What goes, and what goes on."""
    return _show_removal([])


@pages.post("/settings/remove")
def take_off() -> Response | tuple[str, int]:
    """Take the wallet off this device, on the passphrase."""
    try:
        with in_use() as wallet:
            wallet.vault.check_passphrase(passphrase_of(request.form.get("passphrase", "")))
    except Rejected as error:
        return _show_removal([("passphrase", sorry(error))]), error.status
    if request.form.get("sure") != "1":
        return _show_removal([("sure", _("Tick that you want this."))]), 422
    keeper().remove()
    flash(_("Your wallet is no longer on this device."))
    return redirect(url_for("begin.page"), 303)  # type: ignore[return-value]


def _show_removal(errors: list[tuple[str, str]]) -> str:
    with in_use() as wallet:
        count, last = len(running_grants(wallet)), preferences(wallet).backed_up_at
    return render_template("wallet/remove.html", count=count, last=last, errors=errors, by_field=dict(errors))


def _show_passphrase(errors: list[tuple[str, str]]) -> str:
    return render_template("wallet/passphrase.html", errors=errors, by_field=dict(errors))


def _show_passkeys(errors: list[tuple[str, str]]) -> str:
    with in_use() as wallet:
        found = wallet.vault.all("passkeys", PasskeyRecord)
        options = new_options(keeper(), wallet)
    rows = [PasskeyRow(name, record.name, record.made_at) for name, record in found.items()]
    rows.sort(key=lambda row: row.made_at)
    return render_template(
        "wallet/passkeys.html", rows=rows, options=options, errors=errors, by_field=dict(errors)
    )
