"""The state of a running log as Prometheus asks for it: see docs/metrics.md."""

from collections.abc import Callable

from consentlog import queries
from consentlog.meters import Reading, Slow, State
from consentlog.node import Node
from protocol.errors import Unavailable


def register_gauges(node: Node) -> None:
    """Have the node's registry read its state at every question."""
    node.metrics.registry.register(State(_readings(node)))


def _readings(node: Node) -> list[Reading]:
    published, room, publisher, time = node.published, node.writer.room, node.publisher, node.writer.log_time
    shares = Slow(lambda: queries.count_shares(node.engine))
    return [
        Reading("regie_log_leaves", "Committed leaves.", lambda: node.tree.size),
        Reading("regie_log_published_leaves", "Leaves under the checkpoint.", lambda: published.size),
        Reading(
            "regie_log_unpublished_leaves",
            "Committed and not yet under a checkpoint.",
            lambda: node.tree.size - published.size,
        ),
        Reading(
            "regie_log_seconds_since_quorum",
            "Age of the published checkpoint.",
            lambda: published.age(time.now()),
        ),
        Reading("regie_log_waiting_revocations", "Before the writer.", lambda: room.counts()[0]),
        Reading("regie_log_waiting_operations", "Others before the writer.", lambda: room.counts()[1]),
        Reading("regie_log_waiting_checkpoint", "Written, not yet covered.", lambda: room.counts()[2]),
        Reading("regie_log_only_revocations", "1: the disk is full.", lambda: room.only_revocations),
        Reading("regie_log_takes_reads", "1: a quorum was heard.", lambda: publisher.is_ready),
        Reading(
            "regie_log_stopped",
            "1: stopped for good.",
            lambda: not (publisher.is_alive() and node.writer.is_alive()),
        ),
        Reading("regie_log_epoch_age_seconds", "Of the key that wraps new shares.", _epoch_age(node)),
        Reading("regie_log_shares", "Shares held; counted once a minute.", shares),
        Reading("regie_log_clock_off_seconds", "Clock less what witnesses vouch for.", lambda: time.off),
        Reading(
            "regie_log_time_ahead_seconds",
            "The log's time less its clock: more than a few is a clock that was wrong.",
            lambda: time.now() - time.clock(),
        ),
    ]


def _epoch_age(node: Node) -> Callable[[], float]:
    def age() -> float:
        try:
            return node.writer.time() - node.epochs.began()
        except Unavailable:
            return float("nan")

    return age
