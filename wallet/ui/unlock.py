"""Opening and closing the wallet: by passphrase or passkey, by hand or because nobody is there any more."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for

from protocol.errors import Rejected
from protocol.passphrase import passphrase_of
from service.ui.errors import find
from service.ui.view import own_path
from wallet.ui.passkey_door import answer_of, login_options, unlock_by_passkey
from wallet.ui.session import WARN_SECONDS, keeper
from wallet.ui.work import begin_sync

pages = Blueprint("unlock", __name__)
IN_THE_FORM = frozenset({"wrong_passphrase", "vault_rolled_back"})
"""Refusals that the resident can do something about on the page itself."""


@dataclass(frozen=True)
class Awake:
    """How long the wallet stays open. `minutes` left, rounded up; `asks`: time to say that somebody is there."""

    is_open: bool
    minutes: int
    asks: bool


def awake_now(*, is_open: bool, seconds_left: float) -> Awake:
    """From what the keeper says."""
    left = max(0.0, seconds_left)
    return Awake(is_open and left > 0, int(-(-left // 60)), left <= WARN_SECONDS)


@pages.get("/unlock")
def page() -> Response | str:
    """Ask for the passphrase or a passkey; on to where the resident was going when it is open already."""
    kept = keeper()
    if not kept.exists:
        return redirect(url_for("begin.page"), 303)  # type: ignore[return-value]
    if kept.is_open:
        return _onward(request.args.get("next", "/"))
    return _show(None)


@pages.post("/unlock")
def unlock() -> Response | tuple[str, int]:
    """By passphrase. A wrong one is said on the page; anything else is a page of its own."""
    is_real = request.form.get("accept_older") == "1"
    try:
        keeper().unlock(passphrase_of(request.form.get("passphrase", "")), accept_older=is_real)
    except Rejected as error:
        if error.code not in IN_THE_FORM:
            raise
        return _show(error.code), error.status
    return _opened()


@pages.post("/unlock/passkey")
def by_passkey() -> Response | tuple[str, int]:
    """By what the browser's authenticator made of the salt that the page gave it."""
    try:
        unlock_by_passkey(keeper(), answer_of(request.form), request.form.get("ceremony", ""))
    except Rejected as error:
        return _show(error.code), error.status
    return _opened()


@pages.post("/lock")
def lock() -> Response:
    """Close the wallet."""
    keeper().lock()
    return redirect(url_for("unlock.page"), 303)  # type: ignore[return-value]


@pages.get("/awake")
def awake() -> str:
    """The part of a page that warns before the wallet locks itself. Asking does not keep it open."""
    kept = keeper()
    kept.lock_if_idle()
    return render_template(
        "wallet/awake.html", awake=awake_now(is_open=kept.is_open, seconds_left=kept.seconds_left())
    )


@pages.post("/awake")
def stay() -> Response:
    """Somebody is there: on with the page they were on."""
    return _onward(request.form.get("back", "/"))


def _opened() -> Response:
    """The wallet catches up meanwhile: what happened since stands on the pages without anybody asking for it."""
    kept = keeper()
    if kept.catches_up:
        begin_sync(kept)
    return _onward(request.form.get("next", "/"))


def _onward(path: str) -> Response:
    return redirect(own_path(path), 303)  # type: ignore[return-value]


def _show(code: str | None) -> str:
    words = find(code) if code else None
    passkeys: Any = login_options(keeper())
    wanted = request.form.get("next") or request.args.get("next", "/")
    return render_template(
        "wallet/unlock.html",
        words=words,
        is_older=code == "vault_rolled_back",
        is_passphrase=code in IN_THE_FORM,
        passkeys=passkeys,
        next=own_path(wanted),
    )


@pages.app_context_processor
def _awake_for_pages() -> dict[str, Any]:
    """Every page can say when the wallet locks; a page with a decision to make warns also without JavaScript."""
    kept = keeper()
    return {
        "awake": awake_now(is_open=kept.is_open, seconds_left=kept.seconds_left()),
        "holds": g.get("holds", False),
    }
