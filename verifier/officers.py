"""Who reads at this agency: a pseudonym on screens, a name only in the sealed account, opened by two people.

An agency that has not begun an account keeps the names in its book, as before; the desk says which it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from protocol.canonical import b64u_encode, canonical_bytes, parse_struct
from protocol.errors import Rejected, Unavailable
from protocol.passphrase import Profile
from protocol.seal import KemPrivate
from service.home import Home
from verifier.account import (
    SEALED,
    Act,
    Kind,
    Opening,
    OpeningReason,
    check_attempts,
    is_of,
    is_pseudonym,
    open_act,
    pseudonym,
    seal_act,
)
from verifier.account_key import KeyRing, make_ring, open_ring
from verifier.account_store import FILE, AccountStore
from verifier.gate import PendingRead, Purpose
from verifier.store import Store

RING = "officers.json"
"""The ring of keys in the home: public key, and the wrapped pieces of each person."""
PSEUDONYMS = "officers-key"
MAX_OPENED = 2_000
"""Entries that two people see at once: a shorter period shows the rest."""
LOCK, LOCK_SECONDS = "officers.lock", 60.0
"""One pair of passphrases at a time: of many that came at once each would else find no refusal yet."""


@dataclass(frozen=True)
class Opened:
    """One entry in clear words. `is_proven`: the READ in the log names this officer; None for what is no READ."""

    n: int
    at: int
    kind: str
    act: str
    officer: str
    pseudonym: str
    case: str
    is_proven: bool | None


@dataclass(frozen=True)
class Attempt:
    """Two people who looked, or, `is_refused`, gave a wrong passphrase. `at`: POSIX seconds."""

    at: int
    is_refused: bool
    asked: Opening


@dataclass(frozen=True)
class Checked:
    """`count` entries, the chain whole. `without_entry`: READs of since the account began that are not in it;
    `without_read`: entries of READs that were never sent, after a crash between the two.
    """

    count: int
    head: bytes
    without_entry: tuple[str, ...]
    without_read: int


class Officers:
    """The officers of one home. Thread-safe."""

    def __init__(self, home: Home, store: Store, random: Callable[[int], bytes]) -> None:
        self._home = home
        self._store = store
        self._random = random

    @property
    def is_sealed(self) -> bool:
        """Whether an account was begun here. Raises `Unavailable`: `account`, where its key was lost since: else
        reading would go on with no entry, and with names in the open.
        """
        has_ring = self._home.has(RING)
        if not has_ring and self._home.has(FILE):
            raise Unavailable("account", f"{RING} is missing beside {FILE}: put it back from a backup")
        return has_ring

    @cached_property
    def ring(self) -> KeyRing:
        """Raises `Rejected`: `no_account` 404."""
        if not self.is_sealed:
            raise Rejected("no_account", "begin first: `regie verifier officers init`", status=404)
        return parse_struct(self._home.read(RING), KeyRing)

    @cached_property
    def account(self) -> AccountStore:
        """Raises as `ring`; `Unavailable`: `database`."""
        return AccountStore(self._home.file(FILE), self.ring.key)

    @cached_property
    def _key(self) -> bytes:
        return self._home.read_secret(PSEUDONYMS)

    def known_as(self, officer: str) -> str:
        """What the book writes: a pseudonym, or without an account the name."""
        return pseudonym(self._key, officer) if self.is_sealed else officer

    def note_read(self, pending: PendingRead, purpose: Purpose) -> None:
        """Before a READ is sent. Raises `Unavailable`: `database`, and nothing is read."""
        if self.is_sealed:
            salt = b64u_encode(pending.officer_salt)
            self._seal("read", pending.read.iat, pending.read_id, Act(purpose.officer, purpose.case, salt))

    def note_copy(self, request_id: str, purpose: Purpose, now: int) -> None:
        """Before what was shared once is taken. Raises as `note_read`."""
        if self.is_sealed:
            self._seal("copy", now, request_id, Act(purpose.officer, purpose.case))

    def _seal(self, kind: Kind, at: int, act_id: str, act: Act) -> None:
        self.account.append(kind, at, act_id, lambda n: seal_act(self.ring.key, n, act))

    def begin(self, passphrases: Mapping[str, bytes], profile: Profile, now: int) -> int:
        """Begin the account, and take the names that lie open in the book into it; how many officers those were.

        Killed in the middle it is called again: names are sealed before they go, with their pseudonym beside.
        Raises `Rejected`: `account_exists` 409 and those of `make_ring`.
        """
        is_new = not self.is_sealed
        if is_new:
            ring = make_ring(passphrases, profile, self._random)
            self._home.create_secret(PSEUDONYMS, self._random(32))
            # Of two people who begin at once one deals the key: entries for another one could be opened by nobody.
            is_new = self._home.create_secret(RING, canonical_bytes(ring))
        if not self.account.of_kind("begun"):  # also where it was cut off here
            self.account.append("begun", now, "", lambda _: b"{}")
        # Who came after the beginning stands there under a pseudonym, which is never given another one.
        in_clear = [officer for officer in self._store.book.officers() if not is_pseudonym(officer)]
        names = {officer: self.known_as(officer) for officer in in_clear}
        if not is_new and not names:
            raise Rejected("account_exists", "an account was begun here: its key is never dealt again", status=409)
        for officer, shown in names.items():
            self._seal("known", now, shown, Act(officer, ""))
        self._store.book.rename_officers(names)
        return len(names)

    def open(
        self, passphrases: Mapping[str, bytes], reason: OpeningReason, since: int, until: int, now: int
    ) -> list[Opened]:
        """What two people may see. That they looked is an entry before they see it; a wrong passphrase is one too.

        Raises `Rejected`: those of `open_ring` and `check_attempts`, `bad_period`, `broken_account`;
        `Unavailable`: `in_use` while others are opening it, `database` when nothing can be written down.
        """
        if not since < until:
            raise Rejected("bad_period", "the period ends before it begins")
        asked = canonical_bytes(Opening(sorted(passphrases), reason, since, until))
        private = self._private(passphrases, asked, now)
        self.account.check()
        entries = [entry for entry in self.account.between(since, until) if entry.kind in SEALED]
        if len(entries) > MAX_OPENED:
            raise Rejected("bad_period", f"these are more than {MAX_OPENED} entries: take a shorter period")
        self.account.append("opened", now, "", lambda _: asked)
        tokens = self._store.reads.tokens(since - 1, until)
        found = []
        for entry in entries:
            act = open_act(private, entry.n, entry.body)
            token = tokens.get(entry.act)
            proven = None if token is None else is_of(act, token)
            name = pseudonym(self._key, act.officer)
            found.append(Opened(entry.n, entry.at, entry.kind, entry.act, act.officer, name, act.case, proven))
        return found

    def _private(self, passphrases: Mapping[str, bytes], asked: bytes, now: int) -> KemPrivate:
        """The key of the account; whoever tries is seen by all, and cannot go on trying."""
        with self._home.lock(LOCK, wait_seconds=LOCK_SECONDS):
            check_attempts([entry.at for entry in self.account.of_kind("refused")], now)
            try:
                return open_ring(self.ring, passphrases)
            except Rejected as error:
                if error.code == "wrong_passphrase":
                    self.account.append("refused", now, "", lambda _: asked)
                raise

    def openings(self) -> list[Attempt]:
        """When two people looked or tried to, the newest first."""
        entries = self.account.of_kind("opened", "refused")[::-1]
        return [Attempt(each.at, each.kind == "refused", parse_struct(each.body, Opening)) for each in entries]

    def last(self) -> tuple[int, bytes] | None:
        """Number and head of the newest entry, to be kept elsewhere as an anchor; None without an account."""
        return self.account.last() if self.is_sealed else None

    def check(self, anchor: tuple[int, bytes] | None = None) -> Checked:
        """Is every entry there, and every READ in it? `anchor`: what `last` was once.

        Raises `Rejected`: `broken_account`.
        """
        count, head = self.account.check(anchor)
        begun = self.account.of_kind("begun")
        acts, reads = self.account.acts(), self._store.reads.ids()
        if not begun:
            return Checked(count, head, tuple(reads), 0)
        missing = tuple(read for read, created in reads.items() if created > begun[0].at and read not in acts)
        entries = {entry.act for entry in self.account.of_kind("read")}
        return Checked(count, head, missing, len(entries - set(reads)))
