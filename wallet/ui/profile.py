"""The profile: four named sets of defaults, what each of them does, and every default by itself.

Changing one changes what is proposed from now on. Nothing here says yes to anything, and nothing that was agreed
before changes.
"""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import Rejected
from service.ui.words import _
from service.ui.words import lazy as _l
from wallet.errand_profile import keep_profile, profile_of
from wallet.profile import TERMS, change, choose, is_changed
from wallet.ui.session import in_use

pages = Blueprint("profile", __name__, url_prefix="/settings/profile")


@dataclass(frozen=True)
class Named:
    """One profile as it is offered: its name, whom it is for, and what it does."""

    key: str
    title: object
    about: object


NAMED = (
    Named(
        "zelfredzaam",
        _l("Self-reliant"),
        _l("You decide each time yourself. Your wallet reports everything and proposes nothing."),
    ),
    Named(
        "ontzorgd",
        _l("Less to think about"),
        _l("Your wallet reports what is important. When you move, new agreements get your new address."),
    ),
    Named(
        "veiligheid",
        _l("Safety first"),
        _l("Your wallet proposes 30 days at most. You would rather give a copy once. It reports everything."),
    ),
    Named(
        "ultra-mobiel",
        _l("Always on the move"),
        _l("Your wallet proposes half a year at most. It reports what is important, and keeps data up to date."),
    ),
)


@pages.get("")
def page() -> str:
    """Which profile this is, the four to choose from, and the defaults."""
    return _show([])


@pages.post("")
def take() -> Response | tuple[str, int]:
    """Choose one of the four: all defaults become those of that profile."""
    try:
        chosen = choose(request.form.get("profile", ""))
    except Rejected:
        return _show([("profile", _("Choose one of the four."))]), 422
    with in_use() as wallet:
        keep_profile(wallet, chosen)
    return _saved()


@pages.post("/defaults")
def keep() -> Response:
    """Change defaults one by one. Raises `Rejected`: `bad_profile` for what the form does not offer."""
    days = request.form.get("longest_days", "")
    if days not in ("", *(str(each) for each in TERMS if each)):
        raise Rejected("bad_profile", "there is no such default")
    with in_use() as wallet:
        changed = change(
            profile_of(wallet),
            longest_days=int(days) if days else None,
            prefers=request.form.get("prefers", ""),
            news=request.form.get("news", ""),
            may_help=request.form.get("may_help", ""),
            follow=request.form.get("follow") == "1",
        )
        keep_profile(wallet, changed)
    return _saved()


def _saved() -> Response:
    flash(_("Saved. From now on your wallet proposes this. You still say yes or no yourself."))
    return redirect(url_for("profile.page"), 303)  # type: ignore[return-value]


def _show(errors: list[tuple[str, str]]) -> str:
    with in_use() as wallet:
        chosen = profile_of(wallet)
    return render_template(
        "wallet/profile.html",
        errors=errors,
        by_field=dict(errors),
        chosen=chosen,
        named=NAMED,
        changed=is_changed(chosen),
        terms=[each for each in TERMS if each],
    )
