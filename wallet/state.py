"""In what state a grant is for its resident: rules of values alone."""

from typing import Literal, TypeAlias

from wallet.records import GrantRecord

State: TypeAlias = Literal[
    "intended",
    "logged",
    "delivering",
    "active",
    "renewing",
    "uncertain",
    "failed",
    "stopping",
    "stopped",
    "ended",
]
"""`GrantState`, and what comes after it: a stop not confirmed yet, one that is, and the end of the term."""
RUNNING = frozenset({"logged", "delivering", "active", "renewing", "uncertain"})


def state_of(record: GrantRecord, now: int) -> State:
    """One word for scripts and pages."""
    if record.state == "failed":
        return "failed"
    if record.stop is not None:
        return "stopped" if record.stop.confirmed is not None else "stopping"
    return "ended" if now >= record.body.terms.not_after else record.state


def state_of_stop(record: GrantRecord) -> str:
    """As the resident reads it."""
    if record.state == "failed":
        return "never made"
    return "confirmed" if record.stop and record.stop.confirmed is not None else "not yet confirmed"


def is_running(record: GrantRecord, now: int) -> bool:
    """Whether the agency can, or may be able to, read under this grant."""
    return record.slot is not None and state_of(record, now) in RUNNING


def waits_for_log(record: GrantRecord) -> bool:
    """Whether a stop was asked that the log has not confirmed."""
    return record.stop is not None and record.stop.confirmed is None and record.state != "failed"
