"""Named points at which a test may kill the process, so that every durable step is tried with a crash beside it.

The name comes from the environment that the operator starts the log in; nothing that a peer sends reaches it.
`REGIE_CRASH_AT=after_commit` kills at the first pass of that point, `REGIE_CRASH_AT=after_commit:3` at the third.
"""

import os
import signal

POINTS = (
    "before_begin",  # nothing is decided yet
    "after_check",  # an operation is admitted, no leaf made
    "after_leaf",  # its leaf and rows are in the transaction
    "before_commit",  # all rows and the head are in the transaction
    "after_commit",  # durable, nobody knows
    "before_lock",  # the publisher is about to move the global lock
    "after_lock",  # it says which tree is signed next; nothing is signed
    "after_sign",  # signed, no witness has seen it
    "after_cosign",  # cosigned by a quorum, not published
    "before_release",  # published; the release is decided, nothing sealed
    "after_release",  # sealed, not answered
)
_VARIABLE = "REGIE_CRASH_AT"
_name, _, _count = os.environ.get(_VARIABLE, "").partition(":")
if _name and _name not in POINTS:
    raise ValueError(f"{_VARIABLE} names no crash point")
_passes_left = int(_count or 1)


def point(name: str) -> None:
    """Die here by SIGKILL when the operator said so; nothing is flushed and nothing is undone."""
    global _passes_left
    if name != _name:
        return
    _passes_left -= 1
    if _passes_left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
