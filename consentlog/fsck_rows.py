"""fsck, second part: every row that says what a leaf means, against its leaf and its grant.

Rows come as the driver gives them, without SQLAlchemy's types: a damaged file holds texts where bytes should be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, TextClause, bindparam, text

from consentlog.findings import Findings
from consentlog.fsck_tree import PAGE, TreeCheck
from consentlog.rows import read_key
from protocol.canonical import b64u_decode, b64u_fixed, parse_json, sha256
from protocol.errors import Rejected, Unavailable
from protocol.leaf import Grant, LeafType, Message, Read, Refusal, commitment, event_tag, parse_leaf
from protocol.presentation import check_deposit
from protocol.reading import parse_message, parse_read
from protocol.share_at_rest import unwrap_share
from protocol.terms import Terms, parse_terms
from service.database import snapshot
from service.epochs import Epochs

CLOCK_SECONDS = 300
"""The clock of this machine and the log's time may differ, and expired shares are swept once a minute."""
READ_SECONDS = 300
"""Between what a READ says of its time and its entry: the allowed difference of clocks, and its wait."""
MAX_TERMS = 4096
"""Terms kept parsed: those of a page, and of grants that are read often."""


def _in(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("keys", expanding=True))


_OPENINGS = text(
    "SELECT idx, slot, type, n, time, opening_key, opening FROM openings"
    " WHERE idx > :after ORDER BY idx LIMIT :limit"
)
_OPENINGS_OF = _in("SELECT idx, slot, type, n, opening FROM openings WHERE idx IN :keys")
_LEAVES_OF = _in("SELECT idx, leaf FROM leaves WHERE idx IN :keys")
_GRANTS_OF = _in(
    "SELECT slot, idx, lock, tag_hash, version, granted_at, not_after, represented, revoked_idx, erased"
    " FROM grants WHERE slot IN :keys"
)
_SHARES_OF = _in("SELECT slot, epoch, not_after, wrapped FROM shares WHERE slot IN :keys")
_READS = text("SELECT key, read_hash, idx, n, reason FROM reads WHERE key > :after ORDER BY key LIMIT :limit")
_MESSAGES = text(
    "SELECT key, slot, message_hash, idx, n FROM messages WHERE key > :after ORDER BY key LIMIT :limit"
)
_STRAY_SHARES = text(
    "SELECT shares.slot FROM shares LEFT JOIN grants ON grants.slot = shares.slot"
    " WHERE grants.slot IS NULL OR grants.erased OR grants.revoked_idx IS NOT NULL LIMIT 100"
)


@dataclass(frozen=True)
class _Doubt:
    """A share that did not open; the epoch may have ended since the snapshot."""

    slot: int
    terms: Terms


class RowCheck:
    """`run` within the snapshot, `look_again` after it."""

    def __init__(
        self,
        findings: Findings,
        epochs: Epochs | None,
        *,
        origin: str,
        now: int,
        progress: Callable[[str], None],
    ) -> None:
        self._findings = findings
        self._epochs = epochs
        self._origin = origin
        self._now = now
        self._progress = progress
        self._terms: dict[int, Terms] = {}
        self._doubts: list[_Doubt] = []
        self._time = 0

    def run(self, connection: Connection, tree: TreeCheck) -> None:
        """Openings with their leaves and shares, then reads, messages and shares that belong nowhere."""
        self._progress("looking through the openings ...")
        after = -1
        while page := connection.execute(_OPENINGS, {"after": after, "limit": PAGE}).all():
            self._check_openings(connection, page, tree)
            after = page[-1].idx
        self._progress("looking through reads and messages ...")
        for statement, check in ((_READS, self._check_read), (_MESSAGES, self._check_message)):
            self._check_keyed(connection, statement, check)
        for row in connection.execute(_STRAY_SHARES):
            self._findings.add("share_left", f"slot {row.slot}", "has a share though its grant has ended")

    # Openings.

    def _check_openings(self, connection: Connection, page: Sequence[Row[Any]], tree: TreeCheck) -> None:
        leaves = _by(connection, _LEAVES_OF, [row.idx for row in page])
        grants = _by(connection, _GRANTS_OF, {row.slot for row in page})
        self._load_terms(connection, [row for row in grants.values() if row.slot not in self._terms])
        granted = [row.slot for row in page if row.type == LeafType.GRANT]
        shares = _by(connection, _SHARES_OF, granted)
        for row in page:
            place = f"leaf {row.idx}"
            if row.idx >= tree.size or row.idx not in leaves:
                self._findings.add("stray_opening", place, "is opened but not there")
                continue
            grant = grants.get(row.slot)
            if grant is None or grant.erased:
                self._findings.add("stray_opening", place, "is opened for a grant that is unknown or erased")
                continue
            self._findings.expect(row.time >= self._time, "time_order", place, "is older than the one before it")
            self._time = max(self._time, row.time)
            try:
                self._check_opening(row, leaves[row.idx].leaf, grant)
            except (Rejected, ValueError, TypeError):
                self._findings.add("bad_opening", place, "does not open to what its leaf commits to")
                continue
            if row.type == LeafType.GRANT:
                self._check_share(grant, shares.get(row.slot))

    def _load_terms(self, connection: Connection, grants: Sequence[Row[Any]]) -> None:
        """T of each of these grants, from the opening of its leaf."""
        if len(self._terms) + len(grants) > MAX_TERMS:
            self._terms.clear()
        slots = {row.idx: row.slot for row in grants}
        for row in connection.execute(_OPENINGS_OF, {"keys": list(slots)}) if slots else ():
            try:
                self._terms[slots[row.idx]] = parse_terms(parse_json(row.opening))
            except (Rejected, TypeError, ValueError):
                continue  # told where the opening itself is looked at

    def _check_opening(self, row: Row[Any], data: bytes, grant: Row[Any]) -> None:
        """1. the leaf's kind; 2. commitment; 3. a grant's terms make its row; 4. an event's number makes its tag,
        and its message names the grant. Raises `Rejected`, `ValueError`, `TypeError`.
        """
        leaf, terms = parse_leaf(data), self._terms.get(row.slot)
        if not isinstance(leaf, Grant | Read | Refusal | Message) or leaf.type != row.type or terms is None:  # 1.
            raise ValueError("not a leaf of this kind")
        if leaf.commit != commitment(row.opening_key, leaf.type, row.opening):  # 2.
            raise ValueError("another opening")
        if isinstance(leaf, Grant):  # 3.
            if row.n is not None or leaf.slot != row.slot:
                raise ValueError("not this grant's opening")
            self._check_grant_row(grant, terms, row)
            return
        if leaf.tag != event_tag(b64u_fixed(terms.tag_key, 32), leaf.type, row.n):  # 4.
            raise ValueError("another number or grant")
        told = _told(leaf.type, row.opening)
        if (told.slot, told.lock) != (row.slot, terms.lock):
            raise ValueError("is about another grant")
        if isinstance(leaf, Read | Refusal) and abs(told.iat - row.time) > READ_SECONDS:
            raise ValueError("another time than its READ's")

    def _check_grant_row(self, grant: Row[Any], terms: Terms, row: Row[Any]) -> None:
        derived = (
            row.idx,
            b64u_fixed(terms.lock, 32),
            sha256(b64u_fixed(terms.tag_key, 32)),
            terms.version,
            row.time,
            terms.not_after,
            terms.on_behalf_of is not None,
        )
        stored = (
            grant.idx,
            grant.lock,
            grant.tag_hash,
            grant.version,
            grant.granted_at,
            grant.not_after,
            bool(grant.represented),
        )
        is_valid = terms.log == self._origin and terms.not_before <= row.time < terms.not_after
        self._findings.expect(
            stored == derived and is_valid, "grant_row", f"slot {row.slot}", "does not say what the terms say"
        )

    # Shares.

    def _check_share(self, grant: Row[Any], share: Row[Any] | None) -> None:
        """A share is there for each grant that is live and whose shares this log holds, and for no other."""
        terms, place = self._terms[grant.slot], f"slot {grant.slot}"
        is_over = grant.revoked_idx is not None or terms.operators is not None
        if share is None:
            is_due = not is_over and self._now + CLOCK_SECONDS < terms.not_after
            self._findings.expect(not is_due, "share_missing", place, "can be read but has no share")
            return
        is_left = is_over or self._now >= terms.not_after + CLOCK_SECONDS
        self._findings.expect(not is_left, "share_left", place, "has a share that should be destroyed")
        self._findings.expect(share.not_after == terms.not_after, "bad_share", place, "has another end date")
        if self._epochs is not None and not self._opens(share, terms):
            self._doubts.append(_Doubt(grant.slot, terms))

    def _opens(self, share: Row[Any], terms: Terms) -> bool:
        if self._epochs is None:
            return True
        try:
            key = self._epochs.key(share.epoch)
            b = unwrap_share(key, share.slot, b64u_decode(terms.lock), share.wrapped)
            check_deposit(terms, b)
        except (Rejected, Unavailable, TypeError, ValueError):
            return False
        return True

    def look_again(self, engine: Engine) -> None:
        """Shares that did not open, as they are now."""
        for start in range(0, len(self._doubts), PAGE):
            doubts = self._doubts[start : start + PAGE]
            with snapshot(engine) as connection:
                shares = _by(connection, _SHARES_OF, [doubt.slot for doubt in doubts])
            for doubt in doubts:
                share = shares.get(doubt.slot)
                is_so = share is None or self._opens(share, doubt.terms)
                self._findings.expect(is_so, "bad_share", f"slot {doubt.slot}", "opens under no epoch key")

    # READs and messages.

    def _check_keyed(
        self, connection: Connection, statement: TextClause, check: Callable[[Row[Any], Row[Any]], None]
    ) -> None:
        """Rows by their key, each with the opening that it points to."""
        after: Any = b""
        while page := connection.execute(statement, {"after": after, "limit": PAGE}).all():
            openings = _by(connection, _OPENINGS_OF, [row.idx for row in page])
            for row in page:
                try:
                    check(row, openings[row.idx])
                except (Rejected, KeyError, TypeError, ValueError):
                    self._findings.add("bad_entry", f"leaf {row.idx}", "is not what its entry says")
            after = page[-1].key
            if not isinstance(after, bytes):
                self._findings.add("bad_entry", "reads and messages", "have a key that is no bytes")
                return

    def _check_read(self, row: Row[Any], opening: Row[Any]) -> None:
        """Raises `Rejected`, `ValueError`, `TypeError`."""
        kind = LeafType.READ if row.reason is None else LeafType.REFUSAL
        token, reason = _token(kind, opening.opening)
        told = parse_read(token).read
        derived = (
            kind,
            reason,
            read_key(opening.slot, b64u_fixed(told.read_id, 16)),
            sha256(token.encode("ascii")),
            opening.n,
        )
        if (opening.type, row.reason, row.key, row.read_hash, row.n) != derived:
            raise ValueError("another READ")

    def _check_message(self, row: Row[Any], opening: Row[Any]) -> None:
        """Raises `Rejected`, `ValueError`, `TypeError`."""
        told = parse_message(opening.opening.decode("ascii"))
        key = sha256(opening.slot.to_bytes(5, "big"), b64u_fixed(told.jti, 16))
        derived = (LeafType.MESSAGE, key, sha256(opening.opening), opening.slot, opening.n)
        if (opening.type, row.key, row.message_hash, row.slot, row.n) != derived:
            raise ValueError("another message")


def _by(connection: Connection, statement: TextClause, keys: Iterable[Any]) -> Mapping[Any, Row[Any]]:
    """Rows by their first column."""
    wanted = list(keys)
    return {row[0]: row for row in connection.execute(statement, {"keys": wanted})} if wanted else {}


def _token(kind: LeafType, opening: bytes) -> tuple[str, str | None]:
    """The READ of a read or refusal leaf, and why it was refused. Raises `Rejected`, `ValueError`."""
    if kind is LeafType.READ:
        return opening.decode("ascii"), None
    value = parse_json(opening)
    if not isinstance(value, dict) or not isinstance(value.get("read"), str):
        raise ValueError("not the opening of a refusal")
    return value["read"], value.get("reason")


def _told(kind: LeafType, opening: bytes) -> Any:
    """What was sent: a READ or a message, both with slot, lock and iat. Raises `Rejected`, `ValueError`."""
    if kind is LeafType.MESSAGE:
        return parse_message(opening.decode("ascii"))
    return parse_read(_token(kind, opening)[0]).read
