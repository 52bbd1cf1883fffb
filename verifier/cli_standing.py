"""regie verifier check | follow: which grants still stand, asked of the log or found in its public leaves."""

import time
from typing import Any

import click

from protocol.attributes import short_name
from protocol.errors import Unavailable
from service.command import command, emit
from service.home import Home
from verifier.currency import outdated_types
from verifier.desk import Desk
from verifier.follow import Followed, Follower
from verifier.standing import Standing, check_standing


@click.command("check")
@click.argument("grant_ids", metavar="[ID]...", nargs=-1)
@command
def check(ctx: click.Context, home: Home, grant_ids: tuple[str, ...]) -> None:
    """Look whether grants stand, without reading: the light check on the log's newest checkpoint.

    Without ID: all grants that were active so far. No entry is made, since nothing becomes readable.
    """
    desk = Desk(home)
    stored = [desk.store.grants.get(each) for each in grant_ids] or [
        grant for grant in desk.store.grants.all() if grant.state == "active"
    ]
    found = [(each, _outdated(desk, each)) for each in (check_standing(desk, grant) for grant in stored)]
    lines = [f"{each.id}  slot {each.slot}  {each.state}  {_seen(each)}{_old(old)}" for each, old in found]
    data = [_standing(each) | {"out_of_date": old} for each, old in found]
    emit(ctx, "\n".join(lines) or "No grants to look at.", {"grants": data})


def _outdated(desk: Desk, standing: Standing) -> list[str]:
    """Of a grant that stands, the cards of which the register has a newer one."""
    if standing.state != "stands":
        return []
    return [short_name(vct) for vct in outdated_types(desk, desk.store.grants.get(standing.id))]


def _old(names: list[str]) -> str:
    return f"  out of date: {', '.join(names)}" if names else ""


def _seen(standing: Standing) -> str:
    return "" if standing.time is None else f"witnessed {_clock(standing.time)} at {standing.size} entries"


def _standing(standing: Standing) -> dict[str, Any]:
    data: dict[str, Any] = {"id": standing.id, "slot": standing.slot, "state": standing.state}
    return data if standing.time is None else data | {"size": standing.size, "time": standing.time}


def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


@click.command("follow")
@click.option("--once", is_flag=True, help="One step, for a timer.")
@click.option("--every", type=click.IntRange(1, 3600), default=5, show_default=True, help="Seconds between steps.")
@command
def follow(ctx: click.Context, home: Home, once: bool, every: int) -> None:
    """Keep up with the logs of all grants, by their public leaves, and end grants that were revoked.

    Ends with exit status 1 when a log breaks a rule or shows another history; while one cannot be reached, waits.
    """
    desk = Desk(home)
    followers: dict[str, Follower] = {}
    while True:
        for origin in _logs(desk):
            follower = followers.setdefault(origin, Follower(desk, origin))
            try:
                _tell(ctx, origin, follower.step())
            except Unavailable as error:
                if once:
                    raise
                click.echo(f"waiting for {origin}: {error.code}", err=True)
        if once:
            return
        time.sleep(every)


def _logs(desk: Desk) -> list[str]:
    grants = (grant.answer.terms.log for grant in desk.store.grants.all() if grant.state == "active")
    return sorted({desk.config.log, *grants})


def _tell(ctx: click.Context, origin: str, step: Followed) -> None:
    ended = "".join(f"\nended: {each}" for each in step.ended)
    emit(
        ctx,
        f"{origin}: {step.size} entries, witnessed {_clock(step.time)}{ended}",
        {"log": origin, "size": step.size, "time": step.time, "ended": list(step.ended)},
    )
