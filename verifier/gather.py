"""Asking the operators of a grant for their pieces: all at once, and no longer than it takes (section 8).

The first answers that make the shares of the terms are enough; who gave others, or nothing, is noted by name.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeAlias, get_args

from protocol.consent_api import ReleaseAnswer
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.reading import Reason
from protocol.standing import VerifiedReading
from verifier.gate import ENDED

LATE_SECONDS = 0.2
"""How long the others are waited for once enough have answered: who lies among them is worth knowing, not more."""
FINAL: frozenset[str] = frozenset({*get_args(Reason), "stale", "not_recipient", "read_number"})
"""An operator that says so will say it again: the READ is over for it."""
Ask: TypeAlias = Callable[[str], ReleaseAnswer]
Open: TypeAlias = Callable[[Mapping[str, str]], VerifiedReading]


@dataclass
class Gathered:
    """What came of each operator: `sealed` pieces by name, or the code with which it gave none."""

    sealed: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Rejected] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, future: "Future[ReleaseAnswer]") -> None:
        """The outcome of one request."""
        error = future.exception()
        if error is None:
            self.sealed[name] = future.result().sealed
        elif isinstance(error, Rejected) and error.code in FINAL:
            self.refused[name] = error
        elif isinstance(error, RegieError):
            self.silent[name] = error.code
        else:
            raise error

    def outcomes(self, reading: VerifiedReading | None) -> dict[str, str]:
        """By operator: `agreed`, `lied`, `odd` (gave other pieces, but who lies is not certain), `gave` (without
        effect), or the code of its refusal or silence.
        """
        found = dict.fromkeys(self.sealed, "gave")
        found |= {name: error.code for name, error in self.refused.items()} | self.silent
        combined = None if reading is None else reading.combined
        if combined is not None:
            found |= dict.fromkeys(combined.agreed, "agreed") | dict.fromkeys(combined.odd, "odd")
            found |= dict.fromkeys(combined.liars, "lied")
        return found

    def failure(self, members: int, needed: int) -> RegieError:
        """Why there are no values, when nobody is waited for any more."""
        if members - len(self.refused) < needed:
            over = [error for error in self.refused.values() if error.code in ENDED]
            # One operator that never got its pieces must not end the grant because another is late today.
            is_over = members - len(over) < needed
            told = over if is_over else [error for error in self.refused.values() if error not in over]
            code, _ = Counter(error.code for error in told).most_common(1)[0]
            return next(error for error in told if error.code == code)
        if len(self.sealed) == members:
            return Rejected("share_mismatch", "no set of operators released the shares that the terms name")
        return Unavailable("no_operators", "too few operators of this log release", retry_after=2)


def gather(
    members: Sequence[str], needed: int, ask: Ask, open_with: Open
) -> tuple[VerifiedReading | None, Gathered]:
    """Ask all `members`; as soon as any `needed` of them fit, the reading. None when they never do.

    `open_with`: opens with the pieces so far; refuses with `share_mismatch` when more are wanted.
    Raises what `open_with` raises otherwise.
    """
    gathered, reading = Gathered(), None
    pool = ThreadPoolExecutor(max_workers=len(members), thread_name_prefix="operators")
    try:
        waiting = {pool.submit(ask, name): name for name in members}
        while waiting:
            done, _ = wait(waiting, LATE_SECONDS if reading else None, FIRST_COMPLETED)
            if not done:
                break
            before = len(gathered.sealed)
            for future in done:
                gathered.take(waiting.pop(future), future)
            if needed <= len(gathered.sealed) != before:
                reading = _try(open_with, gathered.sealed) or reading
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an operator that hangs is not waited for
    return reading, gathered


def _try(open_with: Open, sealed: Mapping[str, str]) -> VerifiedReading | None:
    try:
        return open_with(sealed)
    except Rejected as error:
        if error.code != "share_mismatch":
            raise
    return None
