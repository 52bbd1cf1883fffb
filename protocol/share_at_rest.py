"""How a key share rests with its holder: wrapped under an epoch key, bound to its grant (**ours**).

Protocol section 9. The epoch key lives outside the database and its backups (`service.epochs`): with it go
all backups of the shares that were wrapped under it.
"""

from protocol.errors import Rejected
from protocol.leaf import MAX_SLOTS
from protocol.seal import NONCE_BYTES, aead_open, aead_seal


def _context(slot: int, lock: bytes) -> bytes:
    """aad of a wrapped share: a row put under another slot does not open."""
    if not 0 <= slot < MAX_SLOTS or len(lock) != 32:
        raise ValueError("a slot is u40 and a lock 32 bytes")
    return b"regie/share-at-rest/v1" + slot.to_bytes(5, "big") + lock


def wrap_share(epoch_key: bytes, slot: int, lock: bytes, share: bytes, nonce: bytes) -> bytes:
    """nonce (24) || XChaCha20-Poly1305 of the share under the epoch key (32): 40 bytes longer than `share`."""
    return nonce + aead_seal(epoch_key, nonce, share, _context(slot, lock))


def unwrap_share(epoch_key: bytes, slot: int, lock: bytes, wrapped: bytes) -> bytes:
    """The share. Raises `Rejected`: `no_share` 410 when the row was not wrapped for this slot under this key."""
    try:
        return aead_open(epoch_key, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _context(slot, lock))
    except Rejected as error:
        raise Rejected("no_share", "the share of this grant is damaged", status=410) from error
