"""`regie ROLE stop-paper`: the twin of the page *Stop* at a counter, the same for every role that has one."""

from collections.abc import Callable

import click

from protocol.trust_list import TrustList
from service.command import command, emit, read_secret
from service.fetch import Fetcher
from service.home import Home
from service.paper_stop import stop_by_paper

Before = Callable[[Home, str], bool]
"""What the role ends by itself; whether that was all."""


def stop_paper_command(trust_of: Callable[[Home], TrustList], before: Before | None = None) -> click.Command:
    """The command of a role. `trust_of`: the list in force for a home."""

    @click.command("stop-paper")
    @click.argument("code")
    @command
    def stop_paper(ctx: click.Context, home: Home, code: str) -> None:
        """End what the CODE of a receipt or a stop paper can end; - reads it from stdin. Keeps nothing of it."""
        text = read_secret(code, name="code").strip()
        if before is not None and before(home, text):
            emit(ctx, "Stopped: nothing is read any more.", {"stopped": 1, "state": "promised"})
            return
        done = stop_by_paper(Fetcher(), trust_of(home), text)
        state = "promised" if done.at_log else "kept by cosigners"
        emit(ctx, f"{done.count} agreements have ended ({state}).", {"stopped": done.count, "state": state})

    return stop_paper
