"""A READ as a processing of personal data (pure): which, when, how it ended; no proofs, no officer, no value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Processing:
    """One READ with an outcome. `grant` is the agency's own name of the agreement, `lock` of its version.

    `at`: POSIX seconds; `refusal`: its code, None when it was read; `entry`: in the log; `trace` (`traceparent`),
    `parent` (span) and `took` (milliseconds): None for READs of before traces.
    """

    read: str
    grant: str
    lock: str
    service: str
    version: int
    at: int
    refusal: str | None
    entry: int | None
    trace: str | None
    parent: str | None
    took: int | None
    token: str
