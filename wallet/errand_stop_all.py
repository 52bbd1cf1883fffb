"""Stopping everything with one paper, from any wallet or none: no passphrase, no vault, only the trust list.

The stop seed on the paper makes the codes 0, 1, 2 ... of its wallet, over all logs together. Nobody knows how many
were used, so each is tried at every log until `LOOK_AHEAD` in a row are of nothing at any: as far as a restored
wallet looks for its own. What was given under a mandate has codes of its own, and ends with that.
While a log is away only secrets that end grants are left behind, never the stop seed, which would tell who looked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from protocol.errors import Rejected
from protocol.revocation_code import LOOK_AHEAD, Met, code_from_seed, walk_codes
from protocol.trust_list import TrustedLog, TrustList
from wallet.errand_paper import AtLog, is_confirmed, post_code, queue
from wallet.errand_remove import running_grants
from wallet.errand_revoke import stop_grant
from wallet.opened import OpenWallet, Surroundings
from wallet.revoke import auditing_cosigners, versions

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
    """What the logs have of a paper, by number of the code. `is_whole`: all answered to the end and took all."""

    found: Mapping[int, Sequence[AtLog]]
    is_whole: bool


def stop_by_paper(around: Surroundings, stop_seed: bytes) -> StopAll:
    """Every grant that the wallet of this paper ever gave, at every log of the trust list.

    Raises `Rejected`: `unknown_stop_paper` when every log answered and none has anything of it; `Unavailable`:
    `trust_list`.
    """
    walk = _walk(around, around.trust_list(), stop_seed)
    waiting = not walk.is_whole
    if not walk.found and not waiting:
        raise Rejected("unknown_stop_paper", "no agreement belongs to this paper; nothing was stopped", status=404)
    if waiting:
        wanted = max(QUEUED, max(walk.found, default=-1) + 1 + LOOK_AHEAD)
        queue(around.home, [versions(code_from_seed(stop_seed, number)) for number in range(wanted)])
    confirmed = 0 if waiting else _confirmed(around, walk, stop_seed)
    took = {name for each in walk.found.values() for at in each for one in at.took for name in one.cosigners}
    return StopAll(len(walk.found), confirmed, tuple(sorted(took)), waiting)


def _walk(around: Surroundings, trust: TrustList, stop_seed: bytes) -> _Walk:
    cosigners = auditing_cosigners(trust)
    found: dict[int, list[AtLog]] = {}
    unsure: set[str] = set()

    def show(log: TrustedLog, number: int) -> Met:
        outcome = post_code(around, log, cosigners, versions(code_from_seed(stop_seed, number)))
        if not outcome.is_elsewhere and not outcome.is_done:
            unsure.add(log.url)
        if outcome.took:
            found.setdefault(number, []).append(outcome)
            return "taken"
        return "unknown" if outcome.is_elsewhere else "away"

    walk_codes(trust.logs, count(), show)
    return _Walk(found, not unsure)


def _confirmed(around: Surroundings, walk: _Walk, stop_seed: bytes) -> int:
    """How many are in a checkpoint. Only the first that is not gets the seconds that witnesses need."""
    confirmed = 0
    tries = None
    for number, outcomes in walk.found.items():
        code = code_from_seed(stop_seed, number)
        is_in = all(is_confirmed(around, at.log, code, one, tries=tries) for at in outcomes for one in at.took)
        confirmed += is_in
        tries = tries if is_in else 1
    return confirmed


def stop_everything(wallet: OpenWallet) -> list[str]:
    """All agreements of an open wallet that run, by their numbers. What cannot be delivered now waits."""
    running = running_grants(wallet)
    for number in running:
        stop_grant(wallet, number)
    return running
