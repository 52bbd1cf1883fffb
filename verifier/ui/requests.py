"""Requests: the list, and the page of one with its QR code, what became of it and why."""

from typing import Any

from flask import Blueprint, Response, render_template

from protocol.errors import Rejected
from service.ui.staff import has_role
from verifier.assisted import waits_for_second
from verifier.requests import StoredRequest
from verifier.ui.room import desk, new_token, page_number
from verifier.ui.shown import ShownService, shown_service
from verifier.ui.standing import Known, shown_verdict, state_of_request

pages = Blueprint("requests", __name__, url_prefix="/requests")


@pages.get("/")
def index() -> str:
    """The newest first, a page at a time."""
    page, lines = desk().store.lists.requests(page_number(), desk().now())
    return render_template("verifier/requests.html", page=page, lines=lines)


@pages.get("/<request_id>")
def show(request_id: str) -> str:
    """While it is open: the QR code. After that: what the resident decided, and the verdict on each answer."""
    return render_template("verifier/request.html", **view_of(request_id))


@pages.get("/<request_id>/state")
def state(request_id: str) -> Response | str:
    """What changes of that page; nothing while the resident has not answered."""
    found = view_of(request_id)
    if found["state"] in ("waiting", "elsewhere"):
        return Response(status=204)
    return render_template("verifier/request_state.html", **found)


def view_of(request_id: str) -> dict[str, Any]:
    """What the templates of one request show. Raises `Rejected`: `unknown_request`."""
    stored, now = desk().store.requests.get(request_id), desk().now()
    helped = desk().store.book.helped(request_id)
    known = Known(
        desk().store.sessions.of(request_id),
        desk().store.lists.has_copy(request_id),
        waits_for_second(helped),
        desk().store.lists.has_ended(request_id, now),
    )
    at = state_of_request(stored, known, now)
    return {
        "request_id": request_id,
        "state": at,
        "service": service_of(stored),
        "is_copy": stored.request.kind == "copy",
        "has_case": stored.request.case_salt is not None,
        "link": desk().link(stored.request) if at == "waiting" else None,
        "exp": stored.request.exp,
        "created": stored.request.created,
        "helped": helped,
        "token": new_token(),
        "may_act": has_role("clerk", "manager"),
        "verdicts": [shown_verdict(each.verdict, each.at) for each in desk().store.verdicts.of(request_id)][::-1],
    }


def service_of(stored: StoredRequest) -> ShownService | None:
    """The version that was asked; None when the trust list has dropped it."""
    request = stored.request
    return listed_service(request.service, request.service_version)


def listed_service(service: str, version: int) -> ShownService | None:
    """A version of a service of ours, as it is listed now."""
    trust = desk().trust(desk().now())
    try:
        return shown_service(trust.service(desk().config.oin, service, version))
    except Rejected:
        return None
