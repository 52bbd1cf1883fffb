"""Getting cards: by an offer and its code, by logging in at the issuer, or later when the issuer is not ready."""

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.attributes import CREDENTIAL_TYPES
from protocol.errors import Rejected
from protocol.names import visible
from service.ui.words import language
from wallet.receive import find_source
from wallet.ui.names import card_label
from wallet.ui.offered import view_offer, view_received
from wallet.ui.receiving import Came, Offered, Waiting, begin, begin_without_offer, finish, take_up
from wallet.ui.session import Listed, in_use, keeper, stay_open

pages = Blueprint("receive", __name__)
WRONG_CODE = frozenset({"invalid_grant", "need_tx_code", "invalid_tx_code"})
"""Refusals after which the resident may type the code once more."""
MAX_CODE = 64
_CAME = "receive.came."


@pages.get("/offer/<kept_id>")
def offer(kept_id: str) -> str:
    """Who offers what, and the field for the code or the way to log in. A locked wallet does not tell."""
    with in_use():
        return _show_offer(kept_id, keeper().kept(kept_id, Offered), None)


@pages.post("/offer/<kept_id>")
def accept(kept_id: str) -> Response | tuple[str, int]:
    """Take it up with the code. A wrong one is said on the page."""
    code = "".join(request.form.get("code", "").split())[:MAX_CODE]
    with in_use() as wallet:
        if (result := _came_before(kept_id)) is not None:
            return result  # a button that was pressed twice takes it up once
        offered = keeper().kept(kept_id, Offered)
        try:
            return _came(kept_id, take_up(wallet, offered, code or None))
        except Rejected as error:
            if error.code not in WRONG_CODE:
                raise
            return _show_offer(kept_id, offered, error.code), error.status


@pages.post("/offer/<kept_id>/drop")
def drop(kept_id: str) -> Response:
    """The resident does not want it."""
    keeper().drop(kept_id)
    return redirect(url_for("cards.index"), 303)  # type: ignore[return-value]


@pages.post("/offer/<kept_id>/login")
def log_in(kept_id: str) -> Response:
    """Begin a login for an offer."""
    offered = keeper().kept(kept_id, Offered)
    with in_use() as wallet:
        waiting = begin(wallet, offered, kept_id)
    return _wait(waiting)


@pages.get("/get")
def choose() -> str:
    """Issuers of the trust list, and the cards that they may issue."""
    with in_use() as wallet:
        issuers = wallet.trust_list().issuers
    found = [
        (issuer.id, visible(issuer.name), [kind for vct, kind in CREDENTIAL_TYPES.items() if vct in issuer.vcts])
        for issuer in issuers
    ]
    shown = [
        (id_, name, [(kind.configuration_id, card_label(kind.vct, "", language())) for kind in kinds])
        for id_, name, kinds in found
        if kinds
    ]
    return render_template("wallet/get.html", issuers=shown, error=request.args.get("error") == "choose")


@pages.post("/get")
def get() -> Response:
    """Begin a login at the issuer that was chosen."""
    names = [name for name in request.form.getlist("card") if name]
    if not names:
        return redirect(url_for("receive.choose", error="choose"), 303)  # type: ignore[return-value]
    with in_use() as wallet:
        source = find_source(request.form.get("issuer", ""), wallet.trust_list())
        waiting = begin_without_offer(wallet, source, names)
    return _wait(waiting)


@pages.get("/login/<kept_id>")
def login(kept_id: str) -> str:
    """Where to log in, and whether the browser has come back."""
    stay_open()
    with in_use():
        waiting = keeper().kept(kept_id, Waiting)
    return render_template("wallet/login.html", kept_id=kept_id, waiting=waiting)


@pages.get("/login/<kept_id>/state")
def login_state(kept_id: str) -> str:
    """The part of that page which changes."""
    return render_template("wallet/login_state.html", kept_id=kept_id, waiting=keeper().kept(kept_id, Waiting))


@pages.post("/login/<kept_id>")
def fetch(kept_id: str) -> Response:
    """The resident is back: fetch the cards."""
    with in_use() as wallet:
        if (result := _came_before(kept_id)) is not None:
            return result
        waiting = keeper().kept(kept_id, Waiting)
        came = finish(wallet, waiting)
        if waiting.offer_id is not None:
            keeper().drop(waiting.offer_id)
        return _came(kept_id, came)


@pages.get("/received/<kept_id>")
def received(kept_id: str) -> str:
    """What came."""
    came = keeper().kept(kept_id, Came)
    return render_template(
        "wallet/received.html", came=[view_received(item, language()) for item in came.received]
    )


def _show_offer(kept_id: str, offered: Offered, error: str | None) -> str:
    stay_open()
    return render_template(
        "wallet/offer.html",
        kept_id=kept_id,
        offered=view_offer(offered.offer, offered.source, language()),
        error=error,
    )


def _wait(waiting: Waiting) -> Response:
    kept_id = keeper().keep(waiting, Listed(visible(waiting.issuer), "receive.login", kind="login"))
    return redirect(url_for("receive.login", kept_id=kept_id), 303)  # type: ignore[return-value]


def _came(kept_id: str, came: Came) -> Response:
    keeper().drop(kept_id)
    received_id = keeper().keep(came, lasting=False)
    keeper().memory[f"{_CAME}{kept_id}"] = received_id
    return redirect(url_for("receive.received", kept_id=received_id), 303)  # type: ignore[return-value]


def _came_before(kept_id: str) -> Response | None:
    """Where to go with what was taken up before, while the wallet is open."""
    received_id: str | None = keeper().memory.get(f"{_CAME}{kept_id}")
    return redirect(url_for("receive.received", kept_id=received_id), 303) if received_id else None  # type: ignore[return-value]
