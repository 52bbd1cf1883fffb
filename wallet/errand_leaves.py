"""The errand of reading the log's public leaves, window by window, each proven to be in the witnessed tree."""

from collections.abc import Iterator
from itertools import islice

from protocol.checkpoint import VerifiedCheckpoint
from protocol.errors import Rejected
from protocol.tiles import node_from_tiles
from wallet.errand_history import GrantHistory, look_back
from wallet.opened import OpenWallet
from wallet.search import event_tags, find_events, verify_leaves

WINDOW_BUNDLES = 64
"""Bundles of 256 leaves that are fetched and proven together: 16,384 leaves, about 1 MB."""


def proven_leaves(
    wallet: OpenWallet, log_url: str, checkpoint: VerifiedCheckpoint, first: int
) -> Iterator[tuple[int, list[bytes]]]:
    """(index of the first, leaves) of each window from the bundle with leaf `first` to the end of the tree.

    Raises `Rejected`: `bad_entries`; `Unavailable`.
    """
    bundles = wallet.peers.entries(log_url, first, checkpoint.size)

    def tile(level: int, n: int, width: int) -> bytes:
        return wallet.peers.tile(log_url, level, n, width)

    while window := list(islice(bundles, WINDOW_BUNDLES)):
        start, leaves = window[0][0], [leaf for _, bundle in window for leaf in bundle]
        verify_leaves(start, leaves, checkpoint, node_from_tiles(tile, checkpoint.size))
        yield start, leaves


def search_hidden(wallet: OpenWallet, grant_id: str) -> GrantHistory:
    """Look back, and then through every leaf since the grant: no entry of ours may be missing from the answer.

    Raises `Rejected`: `hidden_event` and those of `look_back`; `Unavailable`.
    """
    found = look_back(wallet, grant_id)
    terms = found.record.body.terms
    log_url = wallet.known_log(terms.log).log.url
    tags = event_tags(terms, found.record.seen)
    shown = {event.index for event in found.history.events}
    index = found.record.index or 0
    for start, leaves in proven_leaves(wallet, log_url, found.history.status.checkpoint, index):
        if not set(find_events(start, leaves, tags)) <= shown:
            raise Rejected(
                "hidden_event",
                "the log holds an entry about this grant that it does not show; report this to the auditor",
            )
    return found
