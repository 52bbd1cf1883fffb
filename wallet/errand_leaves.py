"""The errand of reading the log's public leaves, window by window, each proven to be in the witnessed tree."""

from collections.abc import Iterator
from itertools import islice

from protocol.canonical import canonical_bytes
from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.tiles import node_from_tiles
from wallet.errand_history import GrantHistory, keep_evidence, look_back
from wallet.opened import OpenWallet, Surroundings
from wallet.search import event_tags, find_events, verify_leaves

WINDOW_BUNDLES = 64
"""Bundles of 256 leaves that are fetched and proven together: 16,384 leaves, about 1 MB."""


def proven_leaves(
    around: Surroundings, log_url: str, checkpoint: VerifiedCheckpoint, first: int
) -> Iterator[tuple[int, list[bytes]]]:
    """(index of the first, leaves) of each window from the bundle with leaf `first` to the end of the tree.

    Raises `Rejected`: `bad_entries`; `Unavailable`.
    """
    bundles = around.peers.entries(log_url, first, checkpoint.size)

    def tile(level: int, n: int, width: int) -> bytes:
        return around.peers.tile(log_url, level, n, width)

    while window := list(islice(bundles, WINDOW_BUNDLES)):
        start, leaves = window[0][0], [leaf for _, bundle in window for leaf in bundle]
        verify_leaves(start, leaves, checkpoint, node_from_tiles(tile, checkpoint.size))
        yield start, leaves


def search_hidden(wallet: OpenWallet, grant_id: str) -> GrantHistory:
    """Look back, and then through every leaf since the grant: no entry of ours may be missing from the answer.

    Raises `Rejected`: `hidden_event` and those of `look_back`; `Unavailable`.
    """
    found = look_back(wallet, grant_id)
    try:
        for _ in search_leaves(wallet, found, wallet.known_log(found.record.body.terms.log).log.url):
            pass
    except Rejected as error:
        keep_search_evidence(wallet, found, error)
        raise
    return found


def keep_search_evidence(wallet: OpenWallet, found: GrantHistory, error: Rejected) -> None:
    """The checkpoint of the log under which it hides a leaf or shows another; nothing for other errors."""
    if error.code in ("hidden_event", "bad_entries"):
        known = wallet.known_log(found.record.body.terms.log)
        signed = canonical_bytes({"checkpoint": found.history.status.checkpoint.note}).decode()
        keep_evidence(wallet, found.id, known, signed, error)


def search_leaves(around: Surroundings, found: GrantHistory, log_url: str) -> Iterator[int]:
    """How many leaves of `found.history.status.checkpoint.size` have been looked at, window by window.

    Needs no open wallet, for it takes as long as the log is. Raises `Rejected`: `hidden_event`, `bad_entries`.
    """
    record, checkpoint = found.record, found.history.status.checkpoint
    tags = event_tags(record.body.terms, record.seen)
    shown = {event.index for event in found.history.events}
    begin = min(shown, default=record.index or 0)
    for start, leaves in proven_leaves(around, log_url, checkpoint, begin):
        if hidden := set(find_events(start, leaves, tags)) - shown:
            raise Rejected(
                "hidden_event",
                "the log holds an entry about this grant that it does not show "
                f"(number {min(hidden)}); report this to the auditor",
            )
        yield start + len(leaves)
