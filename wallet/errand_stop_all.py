"""Stopping everything with one paper, from any wallet or none: no passphrase, no vault, only the trust list.

The stop seed on the paper makes the codes 0, 1, 2 ... of its wallet. Nobody knows how many were used, so each is
tried until `LOOK_AHEAD` in a row are of nothing: as far apart as a wallet would look for its own after a restore.
While a log is away only secrets that end grants are left behind, never the stop seed, which would tell who looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import Rejected
from protocol.revocation_code import code_from_seed
from protocol.trust_list import TrustedLog, TrustedWitness
from wallet.errand_paper import AtLog, is_confirmed, post_code, queue
from wallet.errand_remove import running_grants
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet, Surroundings
from wallet.recover import LOOK_AHEAD
from wallet.revoke import auditing_cosigners, versions

AWAY_MISSES = 4
"""Codes that are still tried while the log is away and no cosigner knows them: each may take a timeout."""
QUEUED = 256
"""Codes that wait for a log that is away, at least. With more agreements than that the paper is shown again."""


@dataclass(frozen=True)
class StopAll:
    """`stopped`: agreements of this paper that have ended, those that had ended before among them; `confirmed`:
    how many of them stand as ended in a witnessed checkpoint; `cosigners` who keep a stop for a log that is away;
    `waiting`: whether a log has yet to be told.
    """

    stopped: int
    confirmed: int
    cosigners: tuple[str, ...]
    waiting: bool

    @property
    def state(self) -> str:
        """As of one agreement: `confirmed`, `promised` or `not yet confirmed`."""
        if self.waiting:
            return "not yet confirmed"
        return "confirmed" if self.confirmed == self.stopped else "promised"


@dataclass(frozen=True)
class _Walk:
    """What one log has of a paper, by number of the code. `is_whole`: it answered to the end and took all."""

    found: dict[int, AtLog]
    is_whole: bool


def stop_by_paper(around: Surroundings, stop_seed: bytes) -> StopAll:
    """Every grant that the wallet of this paper ever gave, at every log of the trust list.

    Raises `Rejected`: `unknown_stop_paper` when every log answered and none has anything of it; `Unavailable`:
    `trust_list`.
    """
    trust = around.trust_list()
    cosigners = auditing_cosigners(trust)
    walks = [_walk(around, log, cosigners, stop_seed) for log in trust.logs]
    numbers = sorted({number for walk in walks for number in walk.found})
    waiting = not all(walk.is_whole for walk in walks)
    if not numbers and not waiting:
        raise Rejected("unknown_stop_paper", "no agreement belongs to this paper; nothing was stopped", status=404)
    if waiting:
        wanted = max(QUEUED, (numbers[-1] + 1 if numbers else 0) + LOOK_AHEAD)
        queue(around.home, [versions(code_from_seed(stop_seed, number)) for number in range(wanted)])
    confirmed = 0 if waiting else _confirmed(around, walks, stop_seed)
    took = {name for walk in walks for at in walk.found.values() for one in at.took for name in one.cosigners}
    return StopAll(len(numbers), confirmed, tuple(sorted(took)), waiting)


def _walk(around: Surroundings, log: TrustedLog, cosigners: Sequence[TrustedWitness], stop_seed: bytes) -> _Walk:
    found: dict[int, AtLog] = {}
    number = misses = 0
    is_here = True
    while misses < (LOOK_AHEAD if is_here else AWAY_MISSES):
        outcome = post_code(around, log, cosigners, versions(code_from_seed(stop_seed, number)))
        is_here = is_here and (outcome.is_elsewhere or outcome.is_done)
        misses = 0 if outcome.took else misses + 1
        if outcome.took:
            found[number] = outcome
        number += 1
    return _Walk(found, is_here)


def _confirmed(around: Surroundings, walks: Sequence[_Walk], stop_seed: bytes) -> int:
    """How many are in a checkpoint. Only the first that is not gets the seconds that witnesses need."""
    seen: dict[int, bool] = {}
    tries = None
    for walk in walks:
        for number, at in walk.found.items():
            code = code_from_seed(stop_seed, number)
            is_in = all(is_confirmed(around, at.log, code, one, tries=tries) for one in at.took)
            seen[number] = seen.get(number, True) and is_in
            tries = tries if is_in else 1
    return sum(seen.values())


def stop_everything(wallet: OpenWallet) -> list[str]:
    """All agreements of an open wallet that run, by their numbers. What cannot be delivered now waits."""
    running = running_grants(wallet)
    for number in running:
        stop_grant(wallet, number)
    return running
