"""The library for an agency's own programs: list grants, read under one, read many.

    agency = Agency(Path("/var/lib/regie/agency"), officer="permits-renewal")
    for grant in agency.standing("parkeervergunning"):
        opened = agency.read(grant.id, "123456782/ZAAK-2026-42", only=["postcode"])

There is one way to a value, `verifier.reader`, which the desk and the command line take too: every read is an
entry in the log, made before the value exists here, and what the log refuses is refused. `officer`: name of the
system that reads; the log gets a salted hash of it. One `Agency` serves all threads of a process.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from protocol.case_reference import parse_case_reference
from protocol.errors import Rejected
from protocol.reading import Channel
from protocol.terms import Zone
from service.home import Home
from service.trace import callers_span, within
from verifier.batch import Result, Row
from verifier.desk import Desk, Parts
from verifier.gate import Purpose
from verifier.lists import GrantLine
from verifier.machine_batch import PARALLEL, Batch, Progress, run_batch
from verifier.reader import Opened, read_grant

Deliver = Callable[[Sequence[Result]], None]


class Agency:
    """The agency in `home`. Raises `Rejected`: `no_home` and those of a bad home."""

    def __init__(
        self, home: Path | str, *, officer: str, zone: Zone = "office", parts: Parts | None = None
    ) -> None:
        self.desk = Desk(Home(home), parts)
        self._officer = officer
        self._zone = zone

    def standing(self, service: str | None = None) -> Sequence[GrantLine]:
        """Grants that stand as far as this agency knows, of one service or of all; the newest first."""
        return self.desk.store.lists.standing(service, self.desk.now())

    def read(self, grant: str, case: str, only: Sequence[str] = (), *, traceparent: str | None = None) -> Opened:
        """Read under one grant for a case: `only` these attributes, or all. `traceparent`: of who asked for it.

        After `Unavailable` the same call goes on with the same READ. Raises `Rejected` with the log's refusal or
        the rule that failed, `bad_case`, `unknown_grant`.
        """
        purpose = self._purpose(parse_case_reference(case).text, "api")
        with within(callers_span(traceparent)):
            return read_grant(self.desk, grant, only, purpose)

    def batch(
        self,
        rows: Sequence[Row],
        deliver: Deliver,
        *,
        resume: bool = False,
        parallel: int = PARALLEL,
        traceparent: str | None = None,
        told: Callable[[Progress], None] = lambda progress: None,
    ) -> Progress:
        """Read many, each row with an entry of its own; `deliver` gets results as they come and must return only
        when the caller has them. After a crash or `Unavailable`: the same rows with `resume`.

        Raises `Rejected`: `batch_under_way`, `unknown_batch`, `empty_batch`; `Unavailable` when the log cannot be
        reached or another process runs this batch.
        """
        if not rows:
            raise Rejected("empty_batch", "there is no row in it")
        batch = Batch(self.desk, tuple(rows), self._purpose("", "batch"), parallel)
        with within(callers_span(traceparent)):
            return run_batch(batch, deliver, resume=resume, told=told)

    def _purpose(self, case: str, channel: Channel) -> Purpose:
        return Purpose(case, self._officer, channel, self._zone)
