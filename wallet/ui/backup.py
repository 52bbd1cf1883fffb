"""A backup as a download: sealed, read back, and only then handed over."""

from datetime import UTC, datetime

from flask import Blueprint, Response, render_template, request
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.passphrase import PROFILES, passphrase_of
from wallet.errand_backup import make_backup
from wallet.ui.prefs import keep_preferences, preferences
from wallet.ui.session import in_use, keeper
from wallet.ui.sorry import sorry

pages = Blueprint("backup", __name__)


@pages.get("/backup")
def page() -> str:
    """What is in it, where to keep it, and the form."""
    return _show([])


@pages.post("/backup")
def download() -> Response | tuple[str, int]:
    """The file, under the passphrase of the wallet: a mistyped one would make a backup that nobody can open."""
    passphrase = passphrase_of(request.form.get("passphrase", ""))
    with in_use() as wallet:
        try:
            wallet.vault.check_passphrase(passphrase)
        except Rejected as error:
            if error.code != "wrong_passphrase":
                raise
            return _show([("passphrase", sorry(error))]), 403
        keep_preferences(wallet, replace(preferences(wallet), backed_up_at=wallet.now()))
        data = make_backup(wallet, passphrase, PROFILES[keeper().profile])
        day = datetime.fromtimestamp(wallet.now(), UTC).strftime("%Y-%m-%d")
    answer = Response(data, content_type="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="regie-{day}.backup"'
    return answer


def _show(errors: list[tuple[str, str]]) -> str:
    with in_use() as wallet:
        last = preferences(wallet).backed_up_at
    return render_template("wallet/backup.html", errors=errors, by_field=dict(errors), last=last)
