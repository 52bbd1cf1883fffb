"""When a rule rings. The defaults were fixed on a simulated year (docs/alarms.md); `alarms.json` changes them."""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from protocol.canonical import convert, parse_object
from protocol.errors import Rejected

FILE = "alarms.json"
MAX_FILE_BYTES = 64 * 1024
Count: TypeAlias = Annotated[int, Meta(ge=1, le=100_000)]
Days: TypeAlias = Annotated[int, Meta(ge=1, le=366)]
Hour: TypeAlias = Annotated[int, Meta(ge=0, le=24)]
Factor: TypeAlias = Annotated[float, Meta(ge=1, le=1_000)]
Span: TypeAlias = tuple[Hour, Hour]


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All hours are those of Europe/Amsterdam; `..._days` is how far back a rule looks for what belongs together.

    `usual_hours`: [from, to). `late_days`: by service, the hour until which it works on an ISO weekday.
    `round_the_clock`: services that work at night and from home. `off`: rules that do not ring. `usual_days`,
    `usual_stretches`: on how many other days, and in how many stretches of `many_days`, somebody must have worked
    before `mass` and `many_residents` know what is usual for them.
    """

    usual_hours: Span = (7, 19)
    night_hours: Span = (22, 6)
    late_days: dict[str, dict[str, Hour]] = {}
    round_the_clock: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    outside_reads: Count = 3
    night_reads: Count = 2
    outside_days: Days = 28
    weekend_reads: Count = 1
    weekend_days: Days = 28
    usual_days: Count = 5
    usual_stretches: Count = 3
    mass_residents: Count = 60
    mass_factor: Factor = 4.0
    many_residents: Count = 100
    many_factor: Factor = 2.25
    many_days: Days = 28
    many_day_cap: Count = 40
    burst_residents: Count = 12
    burst_minutes: Annotated[int, Meta(ge=1, le=1_440)] = 15
    curious_officers: Count = 5
    curious_days: Days = 8
    same_reads: Count = 6
    same_cases: Count = 4
    same_days: Days = 180
    neighbours: Count = 2
    neighbour_days: Days = 60
    relative_reads: Count = 1
    relative_days: Days = 60
    caseless_reads: Count = 2
    caseless_days: Days = 30
    caseless_grace_hours: Annotated[int, Meta(ge=0, le=720)] = 24
    closed_reads: Count = 2
    closed_days: Days = 30
    closed_grace_days: Annotated[int, Meta(ge=0, le=366)] = 28
    idle_reads: Count = 10
    idle_factor: Factor = 3.0
    idle_days: Days = 30
    idle_wait_days: Days = 30
    idle_before_days: Annotated[int, Meta(ge=0, le=366)] = 7


def parse_thresholds(data: bytes) -> Thresholds:
    """The file of an agency; what it leaves out keeps its default. Raises `Rejected`: `bad_thresholds`."""
    try:
        return convert(parse_object(data, max_bytes=MAX_FILE_BYTES, floats=True), Thresholds)
    except Rejected as error:
        raise Rejected("bad_thresholds", f"{FILE}: {error.detail}") from error
