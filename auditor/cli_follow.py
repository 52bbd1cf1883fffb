"""`regie auditor follow`: keep up with a log, one line a step, and stop with an alarm at the first divergence."""

import json
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import click

from auditor.cli_token import token_from
from auditor.findings import Finding
from auditor.follow import Alarm, Follower, Step
from auditor.follow_store import FollowStore
from auditor.proofs import write_proof
from auditor.store import Store
from auditor.watch import LOCK, LogSource, one_step, source_of
from protocol.errors import Unavailable
from service.clock import SystemClock
from service.command import command, wants_json
from service.home import Home


@click.command("follow")
@click.argument("url", required=False)
@click.option("--every", type=click.FloatRange(0.1, 3600), default=5, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="One step, for cron.")
@click.option(
    "--token", help="File with the auditor's token (else the kept one): also check reads against grants."
)
@click.option("--proofs", type=click.Path(file_okay=False, path_type=Path), help="Else the home.")
@click.option("--go-on", is_flag=True, help="Follow on although an earlier run ended in an alarm.")
@command
def follow(
    ctx: click.Context,
    home: Home,
    url: str | None,
    every: float,
    once: bool,
    token: str | None,
    proofs: Path | None,
    go_on: bool,
) -> None:
    """Keep up with the log at URL (else where the trust list says); stop at the first divergence."""
    source = source_of(home, url=url, token=token_from(home, token))
    with home.lock(LOCK):
        follower = Follower(FollowStore(home), Store(home).seen_notes())
        teller = _Teller(ctx, proofs or home.path)
        if not go_on and (earlier := follower.store.alarms()):
            teller.alarms([Alarm(finding, proof) for _, finding, proof in earlier], "earlier alarm")
            ctx.exit(1)
        state = _run(follower, source, teller, None if once else every)
    if state == "alarm":
        ctx.exit(1)
    if once and state == "waiting":
        raise Unavailable(teller.code, teller.text)


class _Teller:
    """One line, or one JSON object, for each step and each alarm."""

    def __init__(self, ctx: click.Context, folder: Path) -> None:
        self._json, self._folder = wants_json(ctx), folder
        self._since: int | None = None
        self.code = self.text = ""

    def step(self, step: Step, now: int) -> None:
        """Also remembers since when it has been waiting."""
        self._since = (self._since or now) if step.state == "waiting" else None
        self.code, self.text = step.code, step.text
        members: dict[str, object] = {"time": now, "state": step.state, "size": step.size, "new": step.new}
        if step.state == "waiting":
            members |= {"code": step.code, "since": self._since or now}
        told = f"{_clock(now)} {step.state:8} {step.size} entries, {step.new} new"
        if step.state == "waiting":
            told += f"; {step.code} since {_clock(self._since or now)}: {step.text}"
        for remark in step.remarks:
            told += f"; {remark}"
        self._say(told, {**members, "remarks": list(step.remarks)})
        self.alarms(step.alarms, "alarm")

    def alarms(self, alarms: "list[Alarm] | tuple[Alarm, ...]", word: str) -> None:
        """Each with the file that was written for it."""
        for alarm in alarms:
            found, path = alarm.finding, None
            if alarm.proof is not None:
                path = write_proof(self._folder, alarm.proof)
            place = "" if found.index is None else f" at entry {found.index}"
            shown = f"; proof: {path}" if path else "; nothing signed shows it to others"
            self._say(f"{word.upper()} {found.code}{place}: {found.text}{shown}", _members(word, found, path))

    def _say(self, told: str, members: dict[str, object]) -> None:
        click.echo(json.dumps(members) if self._json else told)


def _members(word: str, found: Finding, path: Path | None) -> dict[str, object]:
    return {
        "state": word.replace(" ", "_"),
        "kind": found.kind,
        "code": found.code,
        "index": found.index,
        "text": found.text,
        "proof": None if path is None else str(path),
    }


def _clock(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _run(follower: Follower, source: LogSource, teller: _Teller, every: float | None) -> str:
    """Step after step until an alarm, a signal, or after one step (None); the last state."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    clock = SystemClock()
    while True:
        now = clock.now()
        step = one_step(follower, source, now)
        teller.step(step, now)
        if step.state == "alarm" or every is None or stop.wait(every):
            return step.state
