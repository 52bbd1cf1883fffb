"""Keeping up with a log: each step looks at what it publishes now and at what its witnesses saw.

A step ends in a state. `ok`: the tree is fresh, consistent with all that was seen, and obeys the rules. `waiting`:
the log cannot be reached, or shows what nobody would believe (no quorum, an old one): that is no lie. `alarm`:
what honest software does not do, with a fraud proof where signatures show it. What passed is stored before the
step is told, so a follower can be killed at any point and goes on where it was.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from auditor.client import LogReader
from auditor.convict import fraud_file
from auditor.findings import Finding
from auditor.follow_store import LAST, Archive, FollowStore
from auditor.integrity import check_leaves
from auditor.openings import AgencyAt, GrantSource, OpeningsAudit
from auditor.prove import Case, prove, prove_ahead, prove_two
from auditor.proving_tree import ProvingTree
from auditor.tally import Look
from auditor.tally_store import note_step
from protocol.checkpoint import VerifiedCheckpoint, verify_checkpoint
from protocol.consent_api import Opening
from protocol.errors import RegieError, Rejected, Unavailable
from protocol.fraud import Accused
from protocol.fraud_form import FraudEvidence
from protocol.log_keys import LogKeys
from protocol.policy import Policy, satisfied, verify_kept_checkpoint
from service.replica import Replica

WITHHELD_SECONDS = 120
"""How long the log may show us less than a witness saw, while it shows us fresh trees."""
State = Literal["ok", "waiting", "alarm"]


@dataclass(frozen=True)
class Alarm:
    """A finding, and the file that shows it to anybody (canonical JSON), if there can be one."""

    finding: Finding
    proof: bytes | None


@dataclass(frozen=True)
class Step:
    """What one look at the log gave. `size`: entries that passed so far, `new` of them in this step.

    `code` and `text` say why it is waiting; `remarks`: what could not be looked at besides.
    """

    state: State
    size: int
    new: int = 0
    code: str = ""
    text: str = ""
    alarms: tuple[Alarm, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Followed:
    """The log as the trust list has it now, and where to read it and its witnesses.

    `witnesses`: (name, where its latest checkpoint of this log stands). `token`: of the auditor, for openings.
    """

    keys: LogKeys
    policy: Policy
    agency_at: AgencyAt
    reader: LogReader
    witnesses: Sequence[tuple[str, Callable[[], str]]] = ()
    token: str | None = None


@dataclass
class Follower:
    """Follows one log into `store`, for one thread. `seen`: notes of trees that this auditor verified before."""

    store: FollowStore
    seen: Sequence[str] = ()
    _fetched: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._replica = Replica(self.store.engine, self._leaves, in_save=self.store.keep_step)
        self._book, self._tally = self.store.book()
        self._has_compared_seen = False
        self._proving: ProvingTree | None = None

    @property
    def size(self) -> int:
        """Entries that passed."""
        return self._replica.size

    def step(self, log: Followed, now: int) -> Step:
        """1. fetch and verify the checkpoint; 2. hold it against what was seen; 3. replay what is new; 4. its
        quorum is fresh; 5. openings of what is new; 6. the same with what witnesses saw. Never raises `Rejected`.

        A tree without a quorum is taken in too: the log signed it, so it is bound by it, and a lie that witnesses
        refused is still a lie.
        """
        before, remarks = self.size, list[str]()
        try:
            alarms = self._look(log, now)
            if not alarms:
                alarms = self._open(log, now, remarks) + self._compare_seen(log, now)  # 5.
            found = Step("ok", self.size, self.size - before)
        except RegieError as error:
            alarms, text = [], error.detail or error.code
            found = Step("waiting", self.size, self.size - before, code=error.code, text=text)
        alarms += self._ask_witnesses(log, now, remarks, is_fresh=found.state == "ok")  # 6.
        self.store.add_alarms([(now, alarm.finding, alarm.proof) for alarm in alarms])
        state: State = "alarm" if alarms else found.state
        looked = Look(now, now, state, found.code, self.size, self._book.opened_to, tuple(remarks))
        note_step(self.store.engine, now, looked)
        return replace(found, state=state, alarms=tuple(alarms), remarks=tuple(remarks))

    def _look(self, log: Followed, now: int) -> list[Alarm]:
        """Steps 1 to 4. Raises `Rejected`, `Unavailable` for what is to be waited for."""
        checkpoint = verify_checkpoint(log.reader.checkpoint(), log.keys)  # 1.
        alarms = [*self._differs(log, checkpoint, "the log", now)]  # 2.
        if alarms:
            return alarms
        if checkpoint.size >= self.size:
            alarms = self._advance(log, checkpoint, list(log.reader.leaves(self.size, checkpoint.size)), now)  # 3.
        if not alarms:
            time = satisfied(log.policy, checkpoint.note, now, log_keys=(log.keys,)).time or now  # 4.
            if checkpoint.size < self.size:
                return self._smaller(checkpoint, time)
            self.store.keep_note(LAST, checkpoint.note, time)
        return alarms

    def _leaves(self, start: int, size: int) -> Iterator[bytes]:
        return iter(self._fetched)

    # -- what was seen -----------------------------------------------------------------------------------------

    def _differs(self, log: Followed, theirs: VerifiedCheckpoint, who: str, now: int) -> Iterator[Alarm]:
        """A signed tree against our own history, as far as that reaches."""
        if theirs.size > self.size or self._root(theirs.size) == theirs.root:
            return
        code = "forked" if who == "the log" else "split_view"
        text = f"{who} shows a signed tree of {theirs.size} entries that is not a beginning of what was seen here"
        mine = self._kept(log, LAST, now)
        yield _alarm(log, code, text, None if mine is None else prove_two(theirs, mine, self._tree()), now)

    def _root(self, size: int) -> bytes:
        known = self._replica.root_at(size)
        return known if known is not None else self._tree().root(size)

    def _tree(self) -> ProvingTree:
        """Hashes every leaf: only for what the recent heads do not tell, and once for a size."""
        if self._proving is None or len(self._proving.leaves) != self.size:
            self._proving = ProvingTree(Archive(self.store.engine, self.size))
        return self._proving

    def _kept(self, log: Followed, name: str, now: int) -> VerifiedCheckpoint | None:
        """A note of our own store, if it is the log's by the keys that it has or had."""
        kept = self.store.notes().get(name)
        return None if kept is None else _verified(log, kept[0], now)

    def _smaller(self, checkpoint: VerifiedCheckpoint, time: int) -> list[Alarm]:
        """A beginning of what was seen: an older copy, unless witnesses have vouched for it since."""
        _, last = self.store.notes().get(LAST, ("", 0))
        if time <= last:
            raise Unavailable("older_copy", "the log shows an older checkpoint")
        text = f"{self.size} entries were published before, now there are {checkpoint.size}"
        return [Alarm(Finding("integrity", "shrunk", text), None)]

    def _compare_seen(self, log: Followed, now: int) -> list[Alarm]:
        """Trees that `regie auditor verify` has verified in this home; once for each run."""
        alarms: list[Alarm] = []
        for note in () if self._has_compared_seen else self.seen:
            before = _verified(log, note, now)
            if before is not None:
                alarms += self._differs(log, before, "an earlier verification", now)
        self._has_compared_seen = True
        return alarms

    # -- what is new -------------------------------------------------------------------------------------------

    def _advance(
        self, log: Followed, checkpoint: VerifiedCheckpoint, leaves: list[bytes], now: int
    ) -> list[Alarm]:
        self._fetched = leaves
        try:
            self._replica.advance(checkpoint)
        except Rejected as error:
            return [*self._broken(log, checkpoint, leaves, error, now)]
        finally:
            self._fetched = []
        return []

    def _broken(
        self, log: Followed, checkpoint: VerifiedCheckpoint, leaves: Sequence[bytes], error: Rejected, now: int
    ) -> Iterator[Alarm]:
        """The rule that was broken, at its entry; where the leaves are not the signed ones, another history."""
        everything = [*Archive(self.store.engine, self.size), *leaves]
        case = Case.of(checkpoint, everything, chunks=log.reader.status_chunk)
        if case is None:
            forked = self._forked_ahead(log, checkpoint, now)
            code = "bad_root" if forked is None else "forked"
            text = "the signed tree is not what follows from the entries that were seen"
            yield _alarm(log, code, text, forked, now)
            return
        for finding in check_leaves(checkpoint, everything, []) or [
            Finding("integrity", error.code, error.detail)
        ]:
            yield Alarm(finding, _file(log, prove(case, finding), now))

    def _forked_ahead(self, log: Followed, theirs: VerifiedCheckpoint, now: int) -> FraudEvidence | None:
        """The log's own tiles, where they have the root that it signed, show that its tree begins otherwise."""
        mine = self._kept(log, LAST, now)
        if mine is None:
            return None
        try:
            return prove_ahead(mine, theirs, log.reader.nodes(theirs.size))
        except RegieError:
            return None

    def _open(self, log: Followed, now: int, remarks: list[str]) -> list[Alarm]:
        """Openings of what is new, when there is a token; what the log does not tell now it is asked next time."""
        start, size = self._book.opened_to, self.size
        if log.token is None or start == size:
            self._settle(now)
            return []
        token, leaves = log.token, Archive(self.store.engine, size)

        def grant_of(index: int) -> tuple[bytes, Opening | None]:
            return leaves[index], log.reader.openings(index + 1, token, start=index).get(index)

        try:
            openings = log.reader.openings(size, token, start=start)
            findings = [*self._audit(log, grant_of).check(leaves[start:], openings)]
        except RegieError as error:
            self._book, self._tally = self.store.book()  # what was half taken in
            remarks.append(f"openings: {error.code}")
            return []
        alarms = self._prove_openings(log, leaves, openings, findings, now) if findings else []
        self._tally.settle(now)
        self.store.save_book(self._book, self._tally, [(now, alarm.finding, alarm.proof) for alarm in alarms])
        return alarms

    def _audit(self, log: Followed, grant_of: GrantSource) -> OpeningsAudit:
        return OpeningsAudit(self._book, log.agency_at, grant_of, self._tally)

    def _settle(self, now: int) -> None:
        """Grants end by the clock also while nothing is new."""
        self._tally.settle(now)
        if self._tally.changed_slots:
            self.store.save_book(self._book, self._tally)

    def _prove_openings(
        self,
        log: Followed,
        leaves: Archive,
        openings: dict[int, Opening],
        findings: Sequence[Finding],
        now: int,
    ) -> list[Alarm]:
        """Proofs need the grants' openings too: they are asked for again. Findings stand without them."""
        with contextlib.suppress(RegieError):
            openings = {**log.reader.openings(len(leaves), log.token or ""), **openings}
        tree = self._kept(log, LAST, now)
        case = Case.of(tree, leaves, openings) if tree is not None else None
        return [Alarm(finding, _file(log, prove(case, finding), now) if case else None) for finding in findings]

    # -- what witnesses saw ------------------------------------------------------------------------------------

    def _ask_witnesses(self, log: Followed, now: int, remarks: list[str], *, is_fresh: bool) -> Iterator[Alarm]:
        for name, latest in log.witnesses:
            theirs: VerifiedCheckpoint | None
            try:
                theirs = verify_checkpoint(latest(), log.keys)
            except RegieError as error:
                remarks.append(f"{name}: {error.code}")
                theirs = self._kept(log, name, now)
            if theirs is not None:
                yield from self._witnessed(log, name, theirs, now, is_fresh=is_fresh)

    def _witnessed(
        self, log: Followed, name: str, theirs: VerifiedCheckpoint, now: int, *, is_fresh: bool
    ) -> Iterator[Alarm]:
        """Smaller or equal: it must be a beginning of ours. Larger: the log must show us as much before long."""
        before, kept = self._kept(log, name, now), self.store.notes().get(name)
        if before is not None and before.size <= self.size:
            if before.note != theirs.note:
                yield from self._differs(log, before, f"the witness {name}", now)
            self.store.drop_note(name)
            before = None
        if theirs.size <= self.size:
            yield from self._differs(log, theirs, f"the witness {name}", now)
        elif before is None or kept is None:
            self.store.keep_note(name, theirs.note, now)
        elif is_fresh and now - kept[1] > WITHHELD_SECONDS:
            text = f"{name} saw a tree of {before.size} entries, and only {self.size} are shown here"
            yield _alarm(log, "withheld", text, None, now)


def _alarm(log: Followed, code: str, text: str, evidence: FraudEvidence | None, now: int) -> Alarm:
    return Alarm(Finding("integrity", code, text), _file(log, evidence, now))


def _file(log: Followed, evidence: FraudEvidence | None, now: int) -> bytes | None:
    return fraud_file(evidence, Accused(log.keys, log.policy), now)


def _verified(log: Followed, note: str, now: int) -> VerifiedCheckpoint | None:
    try:
        return verify_kept_checkpoint(log.policy, note, now, log.keys)
    except Rejected:
        return None
