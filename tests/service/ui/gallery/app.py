"""The app of the gallery: `create()`; its words are English only, as it has no catalogue."""

from flask import Flask, Response, current_app, flash, redirect, render_template, request
from markupsafe import escape
from werkzeug.wrappers import Response as Answer

from protocol.errors import Rejected, Unavailable
from service.ui.app import NavItem, make_ui
from service.ui.headers import allow_camera
from service.ui.problems import Problem
from tests.service.ui.payloads import payloads

BEGIN = 1_779_400_000
DAY = 86_400
NAME = "<Onbekend> & </Onbemind>"


def create(layout: str = "phone") -> Flask:
    """A face of five places; `layout` as of `make_ui`."""
    nav = [
        NavItem("parts", "Start", "home", key="s"),
        NavItem("pictures", "Kaarten", "card", key="k"),
        NavItem("fields", "Afspraken", "agreement", key="a"),
        NavItem("text", "Activiteiten", "activity"),
        NavItem("secret", "Beheer", "settings", roles=frozenset({"manager"})),
    ]
    problems = {"known": Problem("deze afspraak is gestopt", "Vraag de inwoner om een nieuwe afspraak.")}
    app = make_ui("gallery", __name__, name="Mijn gegevens", nav=nav, problems=problems, layout=layout)
    app.add_url_rule("/", "parts", lambda: render_template("gallery/parts.html", now=BEGIN, day=DAY, name=NAME))
    app.add_url_rule("/pictures", "pictures", lambda: render_template("gallery/pictures.html", now=BEGIN, day=DAY))
    app.add_url_rule("/fields", "fields", _fields, methods=["GET", "POST"])
    app.add_url_rule(
        "/text", "text", lambda: render_template("gallery/text.html", now=BEGIN, day=DAY, name=NAME, address=_page)
    )
    app.add_url_rule("/secret", "secret", lambda: "secret")
    app.add_url_rule("/broken/<how>", "broken", _broken)
    app.add_url_rule("/show", "show", _show)
    app.add_url_rule("/scan", "scan", _scan)
    app.add_url_rule("/live", "live", lambda: render_template("gallery/live.html", lost=request.args.get("lost")))
    app.add_url_rule("/news", "news", _news)
    return app


def _fields() -> str | Answer:
    if request.method == "GET":
        return render_template("gallery/fields.html", errors=(), value="")
    if not request.form.get("name"):
        errors = [("name", "Vul een naam in"), ("code", "Vul de code in")]
        return render_template("gallery/fields.html", errors=errors, value="")
    flash("Bewaard")
    return redirect("/fields", 303)


def _show() -> str:
    """For attacks by text: a part of the payloads, through every part that shows text, also in attributes."""
    first = int(request.args.get("from", 0))
    return render_template("gallery/show.html", texts=payloads()[first : first + int(request.args.get("n", 100))])


def _scan() -> str:
    allow_camera()
    return render_template("gallery/fields.html", errors=(), value="")


def _news() -> str | Response:
    """What the part that changes is told next; `app.extensions["news"]` is a list of statuses and texts."""
    told = current_app.extensions.setdefault("news", [])
    news = told.pop(0) if told else 204
    if isinstance(news, int):
        return Response("", news)
    return render_template("gallery/news.html", news=news)


def _broken(how: str) -> str:
    if how == "known":
        raise Rejected("known", f"a detail with {escape('secrets')}", status=409)
    if how == "unable":
        raise Unavailable("unreachable", "the other side", retry_after=7)
    if how == "new":
        raise Rejected("never_heard", "something of 999990019")
    raise RuntimeError("999990019 is a number that nobody may see")


def _page(number: int) -> str:
    return f"/text?page={number}"
