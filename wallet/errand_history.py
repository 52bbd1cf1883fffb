"""The errand of looking back: ask the log for a grant's events, verify them, keep what they prove."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode, canonical_bytes
from protocol.checkpoint import VerifiedCheckpoint, parse_checkpoint_body
from protocol.consent_api import EventsAnswer
from protocol.errors import RegieError, Rejected
from protocol.light_check import KeptCheckpoint
from protocol.merkle import consistency_proof
from protocol.note import parse_note
from protocol.presentation import grant_leaf
from protocol.revocation_code import view_key
from protocol.tiles import node_from_tiles
from protocol.trust_list import Agency
from wallet.errand_versions import earlier_versions
from wallet.history import HistoryPage, OwnGrant, VerifiedHistory
from wallet.history_versions import verify_versions
from wallet.kept_history import HistoryPart, changed_parts, history_of, merge_events, parts_of
from wallet.opened import OpenWallet, Surroundings
from wallet.records import Evidence, GrantRecord, KnownLog, Stop
from wallet.records_refresh import EarlierVersion, RefreshIntent
from wallet.seed import key_of

PATIENCE = frozenset({"stale_checkpoint", "no_quorum", "busy"})
"""What a log says, or what is wrong with its checkpoint, while its witnesses are still at work."""
MAX_EVIDENCE_CHARS = 512 * 1024
"""A record of the vault takes 1 MiB; of a longer answer its checkpoint, head and status are kept."""


@dataclass(frozen=True)
class GrantHistory:
    """A grant with everything that the log has on it."""

    id: str
    record: GrantRecord
    history: VerifiedHistory


def look_back(wallet: OpenWallet, grant_id: str, *, slot: int | None = None) -> GrantHistory:
    """Fetch and verify the events of a grant, of all its versions; keep the checkpoint, the counts, and a stop
    that is confirmed. The end of a version is no stop while a newer one may be under way: a refresh was begun or,
    after a restore, the log was not searched yet.

    `slot`: for a grant whose own receipt never came. Raises `Rejected`: `not_logged`, those of `verify_history`;
    `Unavailable`.
    """
    record = wallet.grant(grant_id)
    known = wallet.known_log(record.body.terms.log)
    slot = record.slot if slot is None else slot
    if slot is None:
        raise Rejected("not_logged", "this grant has not reached the log yet; try `regie wallet sync`", status=409)
    view = view_key(wallet.code(record))
    earlier = earlier_versions(wallet, grant_id)
    pages = _Pages(history_pages(wallet, known, slot, view))
    first = next(pages)
    own = _own_grant(wallet, record, slot, first.answer)
    before = [
        (_own_earlier(wallet, record, each), _Pages(history_pages(wallet, known, each.slot, view)))
        for each in earlier
    ]
    try:
        history = verify_versions([*before, (own, chain((first,), pages))], known.log, seen=record.seen)
    except Rejected as error:
        asked = [*(each for _, each in before), pages]
        if all(each.failure is not error for each in asked) and error.code not in PATIENCE:
            keep_evidence(wallet, grant_id, known, _signed_text(pages.last), error)
        raise
    stop = record.stop
    is_end = history.revocation is not None and not _may_go_on(wallet, grant_id)
    if is_end and (stop is None or stop.confirmed is None):
        stop = replace(stop or Stop(asked_at=wallet.now()), confirmed=history.revocation)
    with wallet.vault.transaction():
        keep_checkpoint(wallet, known, history.status.checkpoint)
        keep_history(wallet, grant_id, history)
        record = wallet.update_grant(grant_id, seen=history.seen, stop=stop, slot=slot, index=own.index)
    return GrantHistory(grant_id, record, history)


def _may_go_on(wallet: OpenWallet, grant_id: str) -> bool:
    """Whether a newer version may have taken the place of the one that is over."""
    return wallet.must_search or wallet.vault.get("refreshes", grant_id, RefreshIntent) is not None


class _Pages:
    """Pages as they are asked for; remembers the last one, and whether it was the fetching that failed."""

    def __init__(self, pages: Iterator[HistoryPage]) -> None:
        self._pages = pages
        self.last: EventsAnswer | None = None
        self.failure: RegieError | None = None

    def __iter__(self) -> Iterator[HistoryPage]:
        return self

    def __next__(self) -> HistoryPage:
        try:
            page = next(self._pages)
        except RegieError as error:
            self.failure = error
            raise
        self.last = page.answer
        return page


def history_pages(around: Surroundings, known: KnownLog, slot: int, view: bytes) -> Iterator[HistoryPage]:
    """The events of a grant page by page, for `verify_history`: at least one page, each when it is asked for.

    Each comes with a proof from the largest checkpoint so far: the one in `known`, or that of a page before, which
    `verify_history` has verified by then.
    """
    start: int | None = 0
    while start is not None:
        answer = around.peers.events(known.log.url, slot, view, start)
        yield HistoryPage(answer, around.now(), kept_checkpoint(around, known, answer.checkpoint))
        shown = parse_checkpoint_body(parse_note(answer.checkpoint).body)
        if shown.size > known.size:
            known = replace(known, size=shown.size, root=b64u_encode(shown.root))
        start = answer.next


def keep_history(wallet: OpenWallet, grant_id: str, history: VerifiedHistory) -> None:
    """Put what was verified beside the grant, so that it can be shown without the log. Inside a transaction."""
    before = kept_parts(wallet, grant_id)
    known = history_of(before)
    events = merge_events(known.events if known else (), history.events)
    for part in changed_parts(before, parts_of(grant_id, events, wallet.now(), history.status.checkpoint.size)):
        wallet.vault.put("histories", part.name, part)


def kept_parts(wallet: OpenWallet, grant_id: str) -> list[HistoryPart]:
    """What is kept of one grant, in order."""
    parts: list[HistoryPart] = []
    while (part := wallet.vault.get("histories", f"{grant_id}/{len(parts)}", HistoryPart)) is not None:
        parts.append(part)
    return parts


def keep_evidence(wallet: OpenWallet, grant_id: str, known: KnownLog, signed: str, error: Rejected) -> None:
    """What the log signed, as JSON, and what is wrong with it; the first of its kind is kept."""
    name = f"{grant_id}/{error.code}"
    if wallet.vault.get("evidence", name, Evidence) is not None:
        return
    found = Evidence(
        grant_id, error.code, error.detail, wallet.now(), known.log.origin, signed, known.size, known.root
    )
    with wallet.vault.transaction():
        wallet.vault.put("evidence", name, found)


def _signed_text(answer: EventsAnswer | None) -> str:
    if answer is None:
        return ""
    text = canonical_bytes(answer).decode()
    return text if len(text) <= MAX_EVIDENCE_CHARS else canonical_bytes(replace(answer, events=[])).decode()


def _own_grant(wallet: OpenWallet, record: GrantRecord, slot: int, answer: EventsAnswer) -> OwnGrant:
    terms, opening_key = record.body.terms, b64u_decode(record.body.opening_key)
    index = record.index
    if index is None:
        # Our leaf cannot be anybody else's: it commits to terms and a key that only we have. Proven below.
        leaf = b64u_encode(grant_leaf(terms, slot, opening_key).to_bytes())
        index = next((event.index for event in answer.events if event.leaf == leaf), -1)
    secrets, copies = wallet.secrets(), wallet.copies()
    holders = [key_of(secrets, copies[name]).public for name in record.copies.values() if name in copies]
    return OwnGrant(terms, slot, index, opening_key, _agency(wallet, record), tuple(holders))


def _own_earlier(wallet: OpenWallet, record: GrantRecord, earlier: EarlierVersion) -> OwnGrant:
    secrets, copies = wallet.secrets(), wallet.copies()
    holders = [key_of(secrets, copies[name]).public for name in earlier.copies.values() if name in copies]
    index = -1 if earlier.index is None else earlier.index
    opening_key = b64u_decode(earlier.opening_key)
    return OwnGrant(earlier.terms, earlier.slot, index, opening_key, _agency(wallet, record), tuple(holders))


def _agency(wallet: OpenWallet, record: GrantRecord) -> Agency:
    """As listed now, with the roots it had when the grant was made: old reads stay verifiable."""
    try:
        listed = wallet.trust_list().agency(record.agency.id)
    except Rejected:
        return record.agency
    roots = list(dict.fromkeys([*listed.roots, *record.agency.roots]))
    return replace(record.agency, name=listed.name, roots=roots)


def kept_checkpoint(around: Surroundings, known: KnownLog, note: str) -> KeptCheckpoint | None:
    """The checkpoint kept from before and, from the log's tiles, the proof between it and the one in `note`.

    Nothing fetched here is believed: `verify_kept` recomputes both roots. Raises `Rejected`, `Unavailable`.
    """
    if not known.size:
        return None
    shown = parse_checkpoint_body(parse_note(note).body)
    small, large = sorted((known.size, shown.size))
    node = node_from_tiles(lambda level, n, width: around.peers.tile(known.log.url, level, n, width), large)
    return KeptCheckpoint(known.size, b64u_decode(known.root), consistency_proof(small, large, node))


def keep_checkpoint(wallet: OpenWallet, known: KnownLog, checkpoint: VerifiedCheckpoint) -> None:
    """Keep the larger one, for the next time."""
    if checkpoint.size > known.size:
        wallet.keep_log(replace(known, size=checkpoint.size, root=b64u_encode(checkpoint.root)))
