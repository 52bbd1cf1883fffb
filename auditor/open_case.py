"""Opening the file of one agreement from a home: only after the look was written down, and only what is its own.

The leaves are the home's own; the openings are asked of the log one by one, so that nobody else's come along.
Nothing of them is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.book import EVENTS, grant_row, numbers_row
from auditor.case import CaseFile, make_case, tags_of
from auditor.follow import Followed
from auditor.follow_store import LAST, Archive, FollowStore
from auditor.looks import CaseLook
from auditor.openings import terms_in
from auditor.proving_tree import ProvingTree
from auditor.watch import Progress, kept_token, source_of
from protocol.canonical import b64u_fixed
from protocol.checkpoint import VerifiedCheckpoint
from protocol.consent_api import Opening
from protocol.errors import Rejected
from protocol.leaf import Grant, LeafType, Revocation, parse_leaf
from protocol.policy import verify_kept_checkpoint
from protocol.terms import Terms
from service.fetch import Fetcher
from service.home import Home

MAX_EVENTS = 1000
"""Entries of one agreement that are opened: a read a day for three years."""
MAX_VERSIONS = 64
_TELL = 4096


@dataclass
class CaseOpener:
    """Opens cases of one home; keeps the tree that it proves from until the log has grown."""

    home: Home
    store: FollowStore
    fetcher: Fetcher | None = None
    _tree: ProvingTree | None = None

    def open(self, look: CaseLook, now: int, progress: Progress) -> CaseFile:
        """The file of the agreement that `look` was written down for.

        1. the last tree that passed, by keys and policy of the trust list; 2. its grant, and versions before and
        after it; 3. its entries, known by their tags; 4. their openings, one by one; 5. proofs from the home's own
        leaves, whose root must be the signed one. Raises `Rejected`: `no_token`, `never_looked`, `unknown_slot`,
        `bad_root`; `Unavailable` and `Rejected` of fetching.
        """
        token = kept_token(self.home)
        if token is None:
            raise Rejected("no_token", "this home has no token for openings")
        log = source_of(self.home, token=token, fetcher=self.fetcher).log(now)
        checkpoint = self._checkpoint(log, now)  # 1.
        search = _Search(self.store, Archive(self.store.engine, checkpoint.size), log, token, progress)
        search.versions(self._grant_index(look.slot, checkpoint.size))  # 2.
        search.events()  # 3., 4.
        return make_case(
            look.slot,
            checkpoint,
            search.leaves,
            search.openings,
            self._proving(checkpoint).node,  # 5.
            log.agency_at,
            is_whole=search.is_whole,
        )

    def _checkpoint(self, log: Followed, now: int) -> VerifiedCheckpoint:
        kept = self.store.notes().get(LAST)
        if kept is None:
            raise Rejected("never_looked", "nobody has looked at the log from this home yet")
        return verify_kept_checkpoint(log.policy, kept[0], now, log.keys)

    def _grant_index(self, slot: int, size: int) -> int:
        index = self.store.book_of([grant_row(slot)]).grants.get(slot)
        if index is None or index >= size:
            raise Rejected("unknown_slot", "the log has no agreement with this number", status=404)
        return index

    def _proving(self, checkpoint: VerifiedCheckpoint) -> ProvingTree:
        tree = self._tree
        if tree is None or len(tree.leaves) != checkpoint.size:
            tree = ProvingTree(Archive(self.store.engine, checkpoint.size))
        if tree.root(checkpoint.size) != checkpoint.root:
            raise Rejected("bad_root", "the leaves kept here do not have the signed root", status=500)
        self._tree = tree
        return tree


def slot_at(opener: CaseOpener, index: int, now: int) -> int | None:
    """The agreement of an entry: a grant and a stop name it, of an event only the opening does."""
    kept = opener.store.notes().get(LAST)
    size = 0 if kept is None else int(kept[0].split("\n")[1])
    if not 0 <= index < size:
        return None
    leaf = parse_leaf(Archive(opener.store.engine, size)[index])
    if isinstance(leaf, Grant | Revocation):
        return leaf.slot
    token = kept_token(opener.home)
    if token is None:
        return None
    opening = (
        source_of(opener.home, token=token, fetcher=opener.fetcher)
        .log(now)
        .reader.openings(index + 1, token, start=index)
        .get(index)
    )
    return None if opening is None else opening.slot


class _Search:
    """Finds the entries of one agreement and asks for their openings."""

    def __init__(
        self, store: FollowStore, archive: Archive, log: Followed, token: str, progress: Progress
    ) -> None:
        self._store, self._archive, self._log, self._token, self._tell = store, archive, log, token, progress
        self.leaves: dict[int, bytes] = {}
        self.openings: dict[int, Opening] = {}
        self.is_whole = True
        self._terms: Terms | None = None

    def versions(self, index: int) -> None:
        """The grant at `index`, and along its revocations to the versions before and after it."""
        self._terms = self._grant(index)
        if self._terms is None:
            self._stop_of(index)
            return
        at, terms = index, self._terms
        for _ in range(MAX_VERSIONS):
            if terms.version == 1 or not self._is_revocation(at - 1):
                break
            stop = parse_leaf(self._archive[at - 1])
            self.leaves[at - 1] = self._archive[at - 1]
            at = stop.grant_index if isinstance(stop, Revocation) else at
            before = self._grant(at)
            if before is None:
                break
            terms = before
        at = index
        for _ in range(MAX_VERSIONS):
            stopped = self._stop_of(at)
            if stopped is None or not self._is_next_version(stopped + 1):
                return
            at = stopped + 1

    def events(self) -> None:
        """Reads, refusals and messages, by tags that follow from T."""
        if self._terms is None:
            return
        wanted = tags_of(self._terms, self._numbers(self._terms))
        first = min(self.leaves)
        for index, data in self._archive.after(first):
            if index % _TELL == 0:
                self._tell("search", index - first, len(self._archive) - first)
            if not wanted or len(self.leaves) >= MAX_EVENTS:
                break
            if data[0] in EVENTS and wanted.pop(data[1:17], None) is not None:
                self.leaves[index] = data
        self.is_whole = len(self.leaves) < MAX_EVENTS
        missing = sorted(self.leaves.keys() - self.openings.keys())
        for done, index in enumerate(missing):
            self._tell("openings", done, len(missing))
            if not self._is_revocation(index):
                self._ask(index)

    def _numbers(self, terms: Terms) -> Mapping[LeafType, int]:
        key = b64u_fixed(terms.tag_key, 32)
        book = self._store.book_of([numbers_row(key)])
        return book.numbers(key).next if book.is_open(key) else dict.fromkeys(EVENTS, MAX_EVENTS)

    def _grant(self, index: int) -> Terms | None:
        """T of the grant at `index`, which is one of this agreement; None when its opening was erased."""
        leaf = parse_leaf(self._archive[index])
        self.leaves[index] = self._archive[index]
        self._ask(index)
        opening = self.openings.get(index)
        if opening is None or not isinstance(leaf, Grant):
            return None
        try:
            return terms_in(leaf, opening)
        except Rejected:
            return None  # the audit of the case says so

    def _is_next_version(self, index: int) -> bool:
        if index >= len(self._archive) or not isinstance(parse_leaf(self._archive[index]), Grant):
            return False
        terms = self._grant(index)
        if terms is not None and self._terms is not None and terms.tag_key == self._terms.tag_key:
            return True
        self.leaves.pop(index)
        self.openings.pop(index, None)
        return False

    def _stop_of(self, index: int) -> int | None:
        """The revocation of the grant at `index`, which is then one of this agreement."""
        leaf = parse_leaf(self._archive[index])
        if not isinstance(leaf, Grant):
            return None
        ended = self._store.book_of([grant_row(leaf.slot)]).ended.get(leaf.slot)
        if ended is None or ended >= len(self._archive):
            return None
        self.leaves[ended] = self._archive[ended]
        return ended

    def _is_revocation(self, index: int) -> bool:
        return index >= 0 and isinstance(parse_leaf(self._archive[index]), Revocation)

    def _ask(self, index: int) -> None:
        found = self._log.reader.openings(index + 1, self._token, start=index).get(index)
        if found is not None:
            self.openings[index] = found
