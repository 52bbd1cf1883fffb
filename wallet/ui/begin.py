"""The first use: make a wallet in the browser, or put a backup back."""

from pathlib import Path

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage

from protocol.canonical import parse_object, parse_struct
from protocol.errors import RegieError, Rejected
from protocol.keys import parse_jwk
from protocol.passphrase import check_passphrase, passphrase_of
from service.home import Home
from service.ui.words import _
from wallet import errand_backup
from wallet.config import WalletConfig
from wallet.errand_backup import MAX_BACKUP_BYTES
from wallet.opened import create_wallet
from wallet.ui.session import keeper
from wallet.ui.sorry import sorry
from wallet.ui.work import begin_sync

pages = Blueprint("begin", __name__)
TRUST = "begin.json"
"""Whom a wallet that is made here is to trust, as `regie wallet serve --trust-list --registrar` was told."""
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
"""Of a backup through the browser; a larger one is put back by `regie wallet restore`."""
UPLOAD = "/begin/restore"
_MAX_KEY_BYTES = 8 * 1024
_LAST_MOMENT = 253_370_764_800
"""The first of January 9999, POSIX seconds: later ones cannot be shown."""
Errors = list[tuple[str, str]]


@pages.get("/begin")
def page() -> Response | str:
    """Choose: a new wallet, or the one in a backup."""
    return _to_start() if keeper().exists else render_template("wallet/begin.html")


@pages.get("/begin/new")
def new() -> Response | str:
    """The form for a new wallet."""
    return _to_start() if keeper().exists else _show_new([])


@pages.post("/begin/new")
def make() -> Response | tuple[str, int]:
    """Make it and open it."""
    kept = keeper()
    if kept.exists:
        raise Rejected("exists", "there is a wallet here already", status=409)
    errors: Errors = []
    passphrase = new_passphrase(errors)
    config = _trust(kept.home, errors)
    if errors or config is None:
        return _show_new(errors), 422
    create_wallet(kept.home, config, passphrase, kept.profile)
    kept.unlock(passphrase)
    flash(_("Your wallet is ready."))
    return _to_start()


@pages.get(UPLOAD)
def restore() -> Response | str:
    """The form for a backup."""
    return _to_start() if keeper().exists else _show_restore([])


@pages.post(UPLOAD)
def put_back() -> Response | tuple[str, int]:
    """Put it back and open it. What was given since shows once the wallet has caught up."""
    kept = keeper()
    if kept.exists:
        raise Rejected("exists", "there is a wallet here already", status=409)
    errors: Errors = []
    data = _uploaded("file", MAX_UPLOAD_BYTES)
    if not data:
        errors.append(("file", _("Choose the file of your backup.")))
    old = passphrase_of(request.form.get("backup_passphrase", ""))
    passphrase = new_passphrase(errors) if request.form.get("passphrase") else old
    if errors:
        return _show_restore(errors), 422
    try:
        contents = errand_backup.restore(kept.home, data, old, passphrase, kept.profile)
    except Rejected as error:
        if error.code not in ("bad_backup", "too_large", "wrong_passphrase", "weak_passphrase"):
            raise
        field = "backup_passphrase" if error.code == "wrong_passphrase" else "file"
        return _show_restore([(field, sorry(error))]), 422
    kept.unlock(passphrase)
    if kept.catches_up:
        begin_sync(kept)
    return redirect(url_for("begin.restored", made_at=contents.made_at), 303)  # type: ignore[return-value]


@pages.get("/begin/restored/<int:made_at>")
def restored(made_at: int) -> str:
    """What a backup does not know, and what to do about it."""
    if made_at > _LAST_MOMENT:
        raise Rejected("not_found", "no backup was made then", status=404)
    return render_template("wallet/restored.html", made_at=made_at)


def new_passphrase(errors: Errors) -> bytes:
    """The two fields of a new passphrase."""
    text = request.form.get("passphrase", "")
    passphrase = passphrase_of(text)
    try:
        check_passphrase(passphrase)
    except Rejected as error:
        errors.append(("passphrase", sorry(error)))
    if passphrase_of(request.form.get("again", "")) != passphrase:
        errors.append(("again", _("The two passphrases are not the same.")))
    return passphrase


def _trust(home: Home, errors: Errors) -> WalletConfig | None:
    """As the command line was told, else as the form says: the list and the key that signs it."""
    told = trust_told(home)
    if told is not None:
        return told
    place = request.form.get("trust_list", "").strip()
    if not place.startswith(("https://", "http://")) and not Path(place).is_absolute():
        errors.append(("trust_list", _("Fill in the address of the list. It begins with https://.")))
    data = _uploaded("registrar", _MAX_KEY_BYTES)
    try:
        key = parse_object(data)
        parse_jwk(key)
        return WalletConfig("wallet", place, key)
    except RegieError:
        errors.append(("registrar", _("Choose the file with the key of the registrar.")))
        return None


def trust_told(home: Home) -> WalletConfig | None:
    """What `regie wallet serve` was told to trust, if anything."""
    return parse_struct(home.read(TRUST), WalletConfig) if home.has(TRUST) else None


def _uploaded(name: str, max_bytes: int) -> bytes:
    """Empty when nothing was chosen. Raises `Rejected`: `too_large`."""
    file: FileStorage | None = request.files.get(name)
    data = file.stream.read(max_bytes + 1) if file else b""
    if len(data) > min(max_bytes, MAX_BACKUP_BYTES):
        raise Rejected("too_large", f"the file is larger than {max_bytes} bytes", status=413)
    return data


def _show_new(errors: Errors) -> str:
    told = trust_told(keeper().home)
    return render_template("wallet/begin_new.html", errors=errors, by_field=dict(errors), asks_trust=told is None)


def _show_restore(errors: Errors) -> str:
    return render_template("wallet/begin_restore.html", errors=errors, by_field=dict(errors))


def _to_start() -> Response:
    return redirect(url_for("start.page"), 303)  # type: ignore[return-value]
