"""Agreements: the list, the page of one, and whether it still stands.

The page asks the log by itself while somebody looks at it, so that a stop is seen within seconds.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for

from protocol.errors import RegieError
from service.ui.staff import has_role
from verifier.assisted import waits_for_second
from verifier.book import REASONS
from verifier.currency import outdated_types
from verifier.grants import StoredGrant
from verifier.lists import GRANT_STATES, GrantLineState
from verifier.ui.requests import listed_service
from verifier.ui.room import desk, new_token, page_number, room
from verifier.ui.standing import ShownGrant, shown_grant
from verifier.ui.watch import Watched

pages = Blueprint("agreements", __name__, url_prefix="/agreements")


@pages.get("/")
def index() -> str:
    """Those that stand, unless another state is asked for; a page at a time."""
    state = _state(request.args.get("state", "active"))
    page, lines = desk().store.lists.grants(state, page_number(), desk().now())
    return render_template(
        "verifier/agreements.html", page=page, lines=lines, state=state or "all", now=desk().now()
    )


def _state(text: str) -> GrantLineState | None:
    return next((state for state in GRANT_STATES if state == text), None)


@pages.get("/<grant_id>")
def show(grant_id: str) -> str:
    """What was agreed, whether it stands, the last looks, and the form to look. `?asked=1`: by the log."""
    return page_of(grant_id, asks="asked" in request.args)


def page_of(grant_id: str, *, filled: Any = None, errors: Any = (), asks: bool = False) -> str:
    """The page, with the form as it was filled in; `asks`: with what the log says now, instead of what it said
    last. Raises `Rejected`: `unknown_grant`.
    """
    grant = desk().store.grants.get(grant_id)
    shown = shown_grant(grant, desk().now())
    if asks:
        shown = replace(shown, state=watch(grant))
    return render_template(
        "verifier/agreement.html",
        **_view(shown),
        outdated=_outdated(grant) if shown.can_be_read else (),
        looks=desk().store.book.looks_of(grant_id),
        helped=(helped := desk().store.book.helped(grant_id)),
        awaits_second=waits_for_second(helped),
        may_read=has_role("clerk", "manager"),
        answers_only=_answers_only(grant),
        may_oversee=has_role("manager", "privacy"),
        reason_codes=REASONS,
        token=new_token(),
        filled=filled,
        errors=list(errors),
    )


def _answers_only(grant: StoredGrant) -> bool:
    """Whether its service answers a question, so that nobody reads it here."""
    terms, now = grant.answer.terms, desk().now()
    try:
        listed = desk().trust(now).service(terms.recipient, terms.service, terms.service_version)
    except RegieError:
        return False
    return listed.answers != "values"


def _outdated(grant: StoredGrant) -> tuple[str, ...]:
    """Types of cards that are out of date; none while nobody can tell."""
    try:
        return outdated_types(desk(), grant)
    except RegieError:
        return ()


def _view(shown: ShownGrant) -> dict[str, Any]:
    return {
        "grant": shown,
        "service": listed_service(shown.service, shown.service_version),
        "reads": desk().store.lists.count_reads(shown.id),
        "now": desk().now(),
    }


@pages.get("/<grant_id>/state")
def state(grant_id: str) -> Response | str:
    """What the log says now; nothing while the page says the same."""
    grant = desk().store.grants.get(grant_id)
    watched = watch(grant)
    if watched == request.args.get("shown"):
        return Response(status=204)
    return render_template("verifier/agreement_state.html", watched=watched, grant_id=grant_id)


@pages.post("/<grant_id>/check")
def check(grant_id: str) -> Response:
    """The same by hand: the page afterwards shows what was found."""
    watch(desk().store.grants.get(grant_id))
    return redirect(url_for("agreements.show", grant_id=grant_id, asked=1), 303)  # type: ignore[return-value]


def watch(grant: StoredGrant) -> Watched:
    """Whether a grant stands, by the log."""
    return room().watch.state(grant)
