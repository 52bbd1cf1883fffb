"""Does a grant stand now? The light check of protocol section 6 as a call, without making a READ."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from protocol.errors import Rejected
from verifier.desk import Desk
from verifier.grants import StoredGrant

StandingState: TypeAlias = Literal["stands", "revoked", "not_yet", "expired"]


@dataclass(frozen=True)
class Standing:
    """`time`: when a quorum saw the checkpoint of `size` leaves that shows it; both only if it stands."""

    id: str
    slot: int
    state: StandingState
    size: int | None = None
    time: int | None = None


def check_standing(desk: Desk, grant: StoredGrant) -> Standing:
    """What the log's newest checkpoint says of a grant; a revoked one is ended in the store.

    1. what no log is needed for: it has ended here, its dates; 2. the light check.
    Raises `Rejected` as `verify_light_check` (but not `revoked`): the log does not prove what it should;
    `Unavailable` when it cannot be reached.
    """
    now, terms = desk.now(), grant.answer.terms
    if grant.state != "active":  # 1.
        return Standing(grant.id, grant.slot, "revoked")
    if now < terms.not_before:
        return Standing(grant.id, grant.slot, "not_yet")
    if now >= terms.not_after:
        return Standing(grant.id, grant.slot, "expired")
    log = desk.log_trust(desk.trust(now), grant.log)
    try:
        seen = desk.current_standing(grant.answer, grant.grant_index, log, now)  # 2.
    except Rejected as error:
        if error.code != "revoked":
            raise
        desk.store.grants.end(grant.lock, now)
        return Standing(grant.id, grant.slot, "revoked")
    desk.store.seen.keep_checkpoint(seen.checkpoint)
    return Standing(grant.id, grant.slot, "stands", seen.checkpoint.size, seen.time)
