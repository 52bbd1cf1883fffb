"""What happened to each agreement in a month: rows of the store to contributions of a family. Only counts go on.

An agreement (a request with all its versions) is the unit: each family counts it at most `bound` times. The SQL
groups by it, so that nobody's many readings make a large number by themselves.
"""

from collections.abc import Sequence

from protocol.reading import one_month_after
from verifier.figures import Contribution, Period
from verifier.seen import Asked
from verifier.tables import StoreFile

HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400
_SPEEDS = ((HOUR, "given_hour"), (DAY, "given_day"), (WEEK, "given_week"))


class FigureRows:
    """Each method is one read; nothing is written."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def decided(self, period: Period, lifetime: int) -> list[Contribution]:
        """Requests that ended in the period: given within a time, refused, or never answered (`lifetime` seconds
        after they were made).
        """
        rows = self._file.rows(
            "SELECT id, service, state, created, answered FROM requests"
            " WHERE (state IN ('answered', 'declined') AND answered >= :start AND answered < :end)"
            " OR (state = 'open' AND created + :lifetime >= :start AND created + :lifetime < :end)",
            start=period.start,
            end=period.end,
            lifetime=lifetime,
        )
        return [Contribution(row["id"], row["service"], _outcome(*tuple(row)[2:]), 1) for row in rows]

    def running(self, at: int) -> list[Contribution]:
        """Agreements that ran at a moment: received by then, not over, and not known to be stopped."""
        rows = self._file.rows(
            "SELECT current.request, service FROM grants AS current JOIN requests ON requests.id = current.request"
            " WHERE current.state <> 'replaced' AND not_after > :at AND (current.state = 'active' OR ended >= :at)"
            " AND (SELECT min(received) FROM grants AS first WHERE first.request = current.request) < :at",
            at=at,
        )
        return [Contribution(row["request"], row["service"], "running", 1) for row in rows]

    def stopped(self, period: Period) -> list[Contribution]:
        """Agreements of which this agency heard in the period that the resident had stopped them."""
        rows = self._file.rows(
            "SELECT DISTINCT grants.request, service FROM grants JOIN requests ON requests.id = grants.request"
            " WHERE grants.state = 'revoked' AND ended >= :start AND ended < :end",
            start=period.start,
            end=period.end,
        )
        return [Contribution(row["request"], row["service"], "stopped", 1) for row in rows]

    def read(self, period: Period) -> list[Contribution]:
        """READs that gave values, of each agreement."""
        rows = self._file.rows(
            "SELECT owner.request AS request, service, count(*) AS n FROM reads"
            " JOIN (SELECT DISTINCT tag_key, request FROM grants) AS owner ON owner.tag_key = reads.tag_key"
            " JOIN requests ON requests.id = owner.request"
            " WHERE reads.state = 'done' AND reads.created >= :start AND reads.created < :end"
            " GROUP BY owner.request",
            start=period.start,
            end=period.end,
        )
        return [Contribution(row["request"], row["service"], "read", int(row["n"])) for row in rows]

    def service_of(self, request_id: str) -> str:
        """The service of a request that is there."""
        return str(self._file.rows("SELECT service FROM requests WHERE id = ?", request_id)[0]["service"])


def _outcome(state: str, created: int, answered: int | None) -> str:
    if state == "declined":
        return "refused"
    if answered is None or state == "open":
        return "unanswered"
    took = answered - created
    return next((name for seconds, name in _SPEEDS if took < seconds), "given_later")


def rights_of(asked: Sequence[Asked], period: Period) -> list[tuple[str, str]]:
    """(agreement, `on_time` or `late`) of requests about rights that were answered in the period; of an agreement
    that has several, the worst.
    """
    found: dict[str, str] = {}
    for each in asked:
        if each.answered is None or not period.start <= each.answered < period.end:
            continue
        is_late = each.answered > one_month_after(each.received)
        if is_late or each.request not in found:
            found[each.request] = "late" if is_late else "on_time"
    return sorted(found.items())
