"""Somebody's request, and the resident's answer: three kinds of page, two buttons of one size."""

from dataclasses import replace

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from protocol.errors import Rejected
from service.ui.words import _, language
from wallet.errand_profile import profile_of
from wallet.errand_request import read_request
from wallet.mandated import held_mandate
from wallet.opened import OpenWallet
from wallet.secrecy import needs_second_yes
from wallet.ui.counted import listed
from wallet.ui.counting import counting_of
from wallet.ui.giving import Asking, Done, begin, decline, give, look
from wallet.ui.mandate_view import for_whom, is_joint
from wallet.ui.session import in_use, keeper, stay_open
from wallet.ui.wish import FIELDS, only_needed, read_wish

pages = Blueprint("request", __name__)
TEMPLATES = {
    "consent": "wallet/request_consent.html",
    "task": "wallet/request_task.html",
    "copy": "wallet/request_copy.html",
}
_ANSWERED = "request.answered."
_FOR = "for:"
EXPIRED = frozenset({"expired", "request_expired"})


@pages.get("/request/<kept_id>")
def page(kept_id: str) -> Response | str:
    """Who asks what, and everything that the resident needs to decide; once answered, what came of it."""
    stay_open()
    with in_use() as wallet:
        if (result := _result_of(kept_id)) is not None:
            return result
        asking = keeper().kept(kept_id, Asking)
        view = look(wallet, asking, language())
        must_search = wallet.must_search
        profile = profile_of(wallet)
        others = for_whom(asking.request, wallet.mandates(), wallet.now())
        acting = wallet.mandate(asking.mandate)[1] if asking.mandate is not None else None
        together = acting is not None and is_joint(held_mandate(acting), acting.party)
        counted = counting_of(asking.request.service, listed(wallet), language())
        is_secret = needs_second_yes(asking.request, wallet.copies().values())
    error = asking.error or (view.answer.error if asking.shows or not asking.wish.is_empty else None)
    return render_template(
        TEMPLATES[view.kind],
        kept_id=kept_id,
        asked=view,
        asking=asking,
        error=error,
        field_of=FIELDS,
        must_search=must_search,
        profile=profile,
        others=others,
        acting=acting,
        together=together,
        is_secret=is_secret,
        counted=counted,
    )


@pages.post("/request/<kept_id>")
def answer(kept_id: str) -> Response:
    """One of the buttons: `give`, `only_needed`, `refuse`, `show` to see first what the asker would see, or
    `for:N` to answer in somebody else's name.
    """
    pressed = request.form.get("answer", "")
    wish = read_wish(list(request.form), request.form.getlist)
    with in_use() as wallet:
        if (result := _result_of(kept_id)) is not None:
            return result  # a button that was pressed twice says yes once
        asking = keeper().kept(kept_id, Asking)
        if pressed.startswith(_FOR):
            return _switch(wallet, kept_id, asking, pressed.removeprefix(_FOR))
        if pressed == "refuse":
            return _done(kept_id, decline(wallet, asking, look(wallet, asking, language()).kind))
        if pressed in ("give", "only_needed"):
            wish = only_needed(wish) if pressed == "only_needed" else wish
            return _give(wallet, kept_id, replace(asking, wish=wish, error=None, shows=False))
    keeper().replace(kept_id, replace(asking, wish=wish, error=None, shows=True))
    return redirect(url_for("request.page", kept_id=kept_id, _anchor="preview"), 303)  # type: ignore[return-value]


def _switch(wallet: OpenWallet, kept_id: str, asking: Asking, number: str) -> Response:
    """In whose name from now on; what was ticked is forgotten, for it was about somebody else's data."""
    fits = {str(one.number) for one in for_whom(asking.request, wallet.mandates(), wallet.now())}
    chosen = number if number in fits else None
    keeper().replace(kept_id, begin(wallet, asking.link, asking.request, language(), chosen))
    return redirect(url_for("request.page", kept_id=kept_id), 303)  # type: ignore[return-value]


def _give(wallet: OpenWallet, kept_id: str, asking: Asking) -> Response:
    """To the result; or back to the page with what the resident has to put right or to look at again."""
    try:
        done = give(wallet, asking, look(wallet, asking, language()).kind)
    except Rejected as error:
        if error.code in EXPIRED:
            asking = _renewed(wallet, asking)
        elif error.code in FIELDS:
            asking = replace(asking, error=error.code)
        else:
            raise
    else:
        return _done(kept_id, done)
    keeper().replace(kept_id, asking)
    return redirect(url_for("request.page", kept_id=kept_id), 303)  # type: ignore[return-value]


def _renewed(wallet: OpenWallet, asking: Asking) -> Asking:
    """Who reads slowly loses nothing: the same link once more, to be looked at again. Raises `Rejected`: `expired`
    when the asker has nothing there any more.
    """
    fresh = read_request(wallet, asking.link)
    is_same = (fresh.asker, fresh.query, fresh.service) == (
        asking.request.asker,
        asking.request.query,
        asking.request.service,
    )
    flash(_("You took your time, and that is fine. We fetched the request again. Please check it once more."))
    begun = begin(wallet, asking.link, fresh, language(), asking.mandate)
    return replace(begun, wish=asking.wish) if is_same else begun


def _done(kept_id: str, done: Done) -> Response:
    keeper().drop(kept_id)
    result_id = keeper().keep(done, lasting=False)
    keeper().memory[f"{_ANSWERED}{kept_id}"] = result_id
    return redirect(url_for("result.page", kept_id=result_id), 303)  # type: ignore[return-value]


def _result_of(kept_id: str) -> Response | None:
    """Where to go with a request that was answered before, while the wallet is open."""
    result_id: str | None = keeper().memory.get(f"{_ANSWERED}{kept_id}")
    return redirect(url_for("result.page", kept_id=result_id), 303) if result_id else None  # type: ignore[return-value]
