"""The first page: is the log whole, what happens in it, and what a stop does."""

from dataclasses import dataclass

from flask import Blueprint, render_template, request

from auditor.tally import DAY, UNKNOWN
from auditor.ui import attention, figures
from auditor.ui.desk import desk
from auditor.ui.told import REASONS, SPANS

pages = Blueprint("overview", __name__)
_FAMILIES = ("week", "reason", "unread")


@dataclass(frozen=True)
class Overview:
    """What the page shows of a period. Rows are in the order of `weeks`."""

    weeks: tuple[str, ...]
    numbers: figures.Numbers
    agencies: list[figures.AgencyRow]
    given: list[int]
    stopped: list[int]
    ended: list[int]
    reasons: list[tuple[str, int]]
    unread: list[tuple[str, int]]
    unknown_stops: int

    @property
    def pictured(self) -> list[figures.AgencyRow]:
        """Agencies with a picture of their own."""
        return [row for row in self.agencies if row.reads][: figures.LARGEST]


def chosen_weeks() -> int:
    """`?weeks=`: one of the choices, else the shortest."""
    wanted = request.args.get("weeks", "")
    return int(wanted) if wanted in {str(count) for count in figures.WEEKS} else figures.WEEKS[0]


def make_overview(count: int) -> Overview:
    """From what the home has counted; once a minute at most."""
    return desk().once("overview", (count,), lambda now: _overview(count, now))


def _overview(count: int, now: int) -> Overview:
    kept = desk()
    cells, weeks = kept.cells(*_FAMILIES), figures.last_weeks(now, count)
    running, over = kept.running()
    refused = figures.by_name(cells, "reason", weeks)
    unread = figures.by_name(cells, "unread", weeks)
    return Overview(
        weeks,
        figures.numbers(cells, weeks, running, over),
        figures.agencies(cells, weeks, running),
        figures.per_week(cells, "grants", weeks),
        figures.per_week(cells, "stops", weeks),
        figures.per_week(cells, "ended", weeks),
        [(reason, refused[reason]) for reason in REASONS if refused[reason]],
        [(span, unread[span]) for span in SPANS],
        figures.by_name(cells, "week", weeks, UNKNOWN)["stops"],
    )


@pages.get("/")
def page() -> str:
    """The overview."""
    kept, count = desk(), chosen_weeks()
    shown = make_overview(count)
    return render_template(
        "auditor/overview.html",
        shown=shown,
        count=count,
        choices=figures.WEEKS,
        health=kept.health(),
        tree=kept.tree(),
        alarms=len(kept.alarms()),
    )


@pages.get("/attention")
def standing_out() -> str:
    """READs at odd hours, and many at once: a list to think about, no verdict."""
    kept, count = desk(), chosen_weeks()
    found = kept.once("attention", (count,), lambda now: _standing_out(now - count * 7 * DAY))
    return render_template(
        "auditor/attention.html",
        found=found,
        count=count,
        choices=figures.WEEKS,
        health=kept.health(),
        usual=attention,
    )


def _standing_out(since: int) -> attention.StandingOut:
    return attention.standing_out(desk().view.cells("desk_hour"), since)
