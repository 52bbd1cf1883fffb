"""Stopping: ask once, stop here at once, tell the log in the background. Never more steps than giving took."""

from flask import Blueprint, Response, redirect, render_template, url_for

from wallet.errand_revoke import stop_here
from wallet.opened import OpenWallet
from wallet.ui import agreement_view
from wallet.ui.agreements import find
from wallet.ui.book import Agreement
from wallet.ui.jobs import job_of
from wallet.ui.session import in_use, keeper, stay_open
from wallet.ui.shelf import book_of
from wallet.ui.work import STOP, begin_delivery

pages = Blueprint("stop", __name__, url_prefix="/agreements/<int:grant_id>")


@pages.get("/stop")
def confirm(grant_id: int) -> Response | str:
    """What stops, what they may keep; one button."""
    stay_open()
    with in_use() as wallet:
        book = book_of(wallet)
        one = find(book, grant_id)
        mandates = wallet.mandates()
    if one.is_over:
        return _to_result(grant_id)
    siblings = agreement_view.siblings_of(one, book.agreements.values())
    return render_template("wallet/stop.html", one=one, siblings=siblings, mandates=mandates)


@pages.post("/stop")
def stop(grant_id: int) -> Response:
    """Here it is durable before anything is sent, with or without a network."""
    with in_use() as wallet:
        stop_here(wallet, find(book_of(wallet), grant_id).number)
    begin_delivery(keeper())
    return _to_result(grant_id)


def _to_result(grant_id: int) -> Response:
    return redirect(url_for(".stopped", grant_id=grant_id), 303)  # type: ignore[return-value]


@pages.get("/stopped")
def stopped(grant_id: int) -> str:
    """What the stop means now, and what can be asked besides."""
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    return render_template("wallet/stopped.html", one=one, waits=_waits([one]))


@pages.get("/stopped/live")
def stopped_live(grant_id: int) -> str:
    """Whether the log has confirmed it by now."""
    with in_use() as wallet:
        one = find(book_of(wallet), grant_id)
    return render_template("wallet/stopped_live.html", one=one, waits=_waits([one]))


@pages.get("/stop-all")
def confirm_all(grant_id: int) -> str:
    """Every agreement with the organisation of this one."""
    stay_open()
    with in_use() as wallet:
        one, running = _with_siblings(wallet, grant_id)
    return render_template("wallet/stop_all.html", one=one, running=running)


@pages.post("/stop-all")
def stop_all(grant_id: int) -> Response:
    """All at once: none is stopped alone."""
    with in_use() as wallet:
        _, running = _with_siblings(wallet, grant_id)
        with wallet.vault.transaction():
            for each in running:
                stop_here(wallet, each.number)
    begin_delivery(keeper())
    return redirect(url_for(".stopped_all", grant_id=grant_id), 303)  # type: ignore[return-value]


@pages.get("/stopped-all")
def stopped_all(grant_id: int) -> str:
    """What has become of all of them."""
    return render_template("wallet/stopped_all.html", **_all_of(grant_id))


@pages.get("/stopped-all/live")
def stopped_all_live(grant_id: int) -> str:
    """The part of it that changes."""
    return render_template("wallet/stopped_all_live.html", **_all_of(grant_id))


def _all_of(grant_id: int) -> dict[str, object]:
    with in_use() as wallet:
        book = book_of(wallet)
        one = find(book, grant_id)
    over = [each for each in book.agreements.values() if each.agency == one.agency and each.record.stop]
    return {"one": one, "over": over, "done": agreement_view.confirmed(over), "waits": _waits(over)}


def _with_siblings(wallet: OpenWallet, grant_id: int) -> tuple[Agreement, list[Agreement]]:
    book = book_of(wallet)
    one = find(book, grant_id)
    return one, agreement_view.running_with(one.agency, book.agreements.values())


def _waits(stops: list[Agreement]) -> bool:
    """Whether the page should look again: a stop is on its way just now."""
    job = job_of(keeper(), STOP)
    return any(each.state == "stopping" for each in stops) and job is not None and job.is_running
