"""An agency that follows its log: it knows of every grant whether it stands, and asks nobody about a single one.

The replica holds what the public leaves say of each lock. A revocation is seen here within one step, also by an
agency that reads nothing; and the log does not learn which grant somebody looks at.
"""

from dataclasses import dataclass
from hashlib import sha256

from protocol.canonical import b64u_decode
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.policy import satisfied
from service.database import engine_for, sqlite_url
from service.log_files import LogFiles
from service.replica import Replica
from verifier.desk import Desk
from verifier.grants import StoredGrant
from verifier.verify import log_trust

OTHER_HISTORY = frozenset({"checkpoint_root", "checkpoint_size", "bad_consistency"})
"""Codes with which a signed checkpoint turns out not to continue the one kept."""


@dataclass(frozen=True)
class Followed:
    """A step: `size` leaves under a checkpoint that a quorum saw at `time`, and the grants that ended by then."""

    size: int
    time: int
    ended: tuple[str, ...]


class Follower:
    """The replica of one log, in a database of its own in the agency's home."""

    def __init__(self, desk: Desk, origin: str) -> None:
        self._desk = desk
        self._origin = origin
        self._files = LogFiles(desk.trust(desk.now()).log(origin).url, desk.parts.fetcher)
        name = sha256(origin.encode()).hexdigest()[:16]
        self._replica = Replica(engine_for(sqlite_url(desk.home.file(f"followed-{name}.db"))), self._files.leaves)

    def step(self) -> Followed:
        """Take in what is new, then look at every grant of this agency.

        1. the published checkpoint has a fresh quorum; 2. its leaves obey the rules and give its root, and what
        was kept from readings is of the same history; 3. each grant stands where its receipt said, or has ended.
        Raises `Rejected`: those of `satisfied` and `Replica.advance`, `bad_consistency`, `grant_missing`: the log
        lies, and what it signed is kept as evidence; `Unavailable` when it cannot be reached.
        """
        now = self._desk.now()
        log = log_trust(self._desk.trust(now).log(self._origin))
        quorum = satisfied(log.policy, self._files.checkpoint(), now, log_keys=(log.key,))  # 1.
        checkpoint = quorum.checkpoint
        try:
            if not self._replica.is_known(checkpoint):
                self._replica.advance(checkpoint)  # 2.
            self._compare_kept()
        except Rejected as error:
            if error.code in OTHER_HISTORY:
                self._keep_evidence(checkpoint)
            raise
        self._desk.store.seen.keep_checkpoint(checkpoint)
        grants = [grant for grant in self._desk.store.grants.all() if grant.answer.terms.log == self._origin]
        ended = tuple(grant.id for grant in grants if grant.state == "active" and self._has_ended(grant))  # 3.
        return Followed(checkpoint.size, quorum.time or 0, ended)

    def is_standing(self, grant: StoredGrant) -> bool:
        """Whether a grant is unrevoked in the tree followed last. Raises `Rejected`: `grant_missing`."""
        state = self._replica.lock(b64u_decode(grant.answer.terms.lock))
        if state is None or (state.slot, state.grant_index) != (grant.slot, grant.grant_index):
            raise Rejected("grant_missing", "the log's leaves do not hold a grant that it gave a receipt for")
        return not state.revoked

    def _has_ended(self, grant: StoredGrant) -> bool:
        if self._replica.size <= grant.grant_index or self.is_standing(grant):
            return False
        self._desk.store.grants.end(grant.lock, self._desk.now())
        return True

    def _compare_kept(self) -> None:
        kept = self._desk.store.seen.kept_checkpoint(self._origin)
        root = self._replica.root_at(kept.size) if kept is not None else None
        if kept is not None and root is not None and root != kept.root:
            raise Rejected("bad_consistency", "the log showed another history to an earlier reading")

    def _keep_evidence(self, checkpoint: VerifiedCheckpoint) -> None:
        kept = self._desk.store.seen.kept_checkpoint(self._origin)
        if kept is not None:
            self._desk.store.seen.add_contradiction(self._origin, kept.note, checkpoint.note, self._desk.now())
