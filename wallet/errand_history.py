"""The errand of looking back: ask the log for a grant's events, verify them, keep what they prove."""

from dataclasses import dataclass

from msgspec.structs import replace

from protocol.canonical import b64u_decode, b64u_encode
from protocol.checkpoint import VerifiedCheckpoint, parse_checkpoint_body
from protocol.consent_api import EventsAnswer
from protocol.errors import Rejected
from protocol.light_check import KeptCheckpoint
from protocol.merkle import consistency_proof
from protocol.note import parse_note
from protocol.presentation import grant_leaf
from protocol.revocation_code import view_key
from protocol.tiles import node_from_tiles
from protocol.trust_list import Agency
from wallet.history import OwnGrant, VerifiedHistory, verify_history
from wallet.opened import OpenWallet
from wallet.records import GrantRecord, KnownLog, Stop
from wallet.seed import key_of


@dataclass(frozen=True)
class GrantHistory:
    """A grant with everything that the log has on it."""

    id: str
    record: GrantRecord
    history: VerifiedHistory


def look_back(wallet: OpenWallet, grant_id: str, *, slot: int | None = None) -> GrantHistory:
    """Fetch and verify the events of a grant; keep the checkpoint, the counts, and a stop that is confirmed.

    `slot`: for a grant whose own receipt never came. Raises `Rejected`: `not_logged`, those of `verify_history`;
    `Unavailable`.
    """
    record = wallet.grant(grant_id)
    known = wallet.known_log(record.body.terms.log)
    slot = record.slot if slot is None else slot
    if slot is None:
        raise Rejected("not_logged", "this grant has not reached the log yet; try `regie wallet sync`", status=409)
    answer = wallet.peers.events(known.log.url, slot, view_key(wallet.code(record)))
    own = _own_grant(wallet, record, slot, answer)
    kept = kept_checkpoint(wallet, known, answer.checkpoint)
    history = verify_history(answer, own, known.log, now=wallet.now(), kept=kept, seen=record.seen)
    stop = record.stop
    if history.revocation is not None and (stop is None or stop.confirmed is None):
        stop = replace(stop or Stop(asked_at=wallet.now()), confirmed=history.revocation)
    with wallet.vault.transaction():
        keep_checkpoint(wallet, known, history.status.checkpoint)
        record = wallet.update_grant(grant_id, seen=history.seen, stop=stop, slot=slot, index=own.index)
    return GrantHistory(grant_id, record, history)


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


def _agency(wallet: OpenWallet, record: GrantRecord) -> Agency:
    """As listed now, with the roots it had when the grant was made: old reads stay verifiable."""
    try:
        listed = wallet.trust_list().agency(record.agency.id)
    except Rejected:
        return record.agency
    roots = list(dict.fromkeys([*listed.roots, *record.agency.roots]))
    return replace(record.agency, name=listed.name, roots=roots)


def kept_checkpoint(wallet: OpenWallet, known: KnownLog, note: str) -> KeptCheckpoint | None:
    """The checkpoint kept from before and, from the log's tiles, the proof between it and the one in `note`.

    Nothing fetched here is believed: `verify_kept` recomputes both roots. Raises `Rejected`, `Unavailable`.
    """
    if not known.size:
        return None
    shown = parse_checkpoint_body(parse_note(note).body)
    small, large = sorted((known.size, shown.size))
    node = node_from_tiles(lambda level, n, width: wallet.peers.tile(known.log.url, level, n, width), large)
    return KeptCheckpoint(known.size, b64u_decode(known.root), consistency_proof(small, large, node))


def keep_checkpoint(wallet: OpenWallet, known: KnownLog, checkpoint: VerifiedCheckpoint) -> None:
    """Keep the larger one, for the next time."""
    if checkpoint.size > known.size:
        wallet.keep_log(replace(known, size=checkpoint.size, root=b64u_encode(checkpoint.root)))
