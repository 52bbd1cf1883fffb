"""Key shares: at rest under the epoch key, and on their way sealed to the one READ that was logged.

A share leaves only by `seal_claim_shares`, which the sequencer calls after `admit.admit_release` inside the
transaction that still holds the grant.
"""

from consentlog.operations import ReleaseOperation
from protocol.canonical import b64u_fixed
from protocol.errors import Rejected
from protocol.leaf import MAX_SLOTS
from protocol.presentation import claim_shares
from protocol.reading import seal_release
from protocol.seal import NONCE_BYTES, aead_open, aead_seal
from protocol.terms import Claim, Terms


def _context(slot: int, lock: bytes) -> bytes:
    """aad of a wrapped share: a row put under another slot does not open."""
    if not 0 <= slot < MAX_SLOTS or len(lock) != 32:
        raise ValueError("a slot is u40 and a lock 32 bytes")
    return b"regie/share-at-rest/v1" + slot.to_bytes(5, "big") + lock


def wrap_share(epoch_key: bytes, slot: int, lock: bytes, b: bytes, nonce: bytes) -> bytes:
    """nonce (24) || XChaCha20-Poly1305 of b under the epoch key (32): 72 bytes."""
    return nonce + aead_seal(epoch_key, nonce, b, _context(slot, lock))


def unwrap_share(epoch_key: bytes, slot: int, lock: bytes, wrapped: bytes) -> bytes:
    """b, 32 bytes. Raises `Rejected`: `no_share` 410 when the row was not wrapped for this slot under this key."""
    try:
        return aead_open(epoch_key, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _context(slot, lock))
    except Rejected as error:
        raise Rejected("no_share", "the share of this grant is damaged", status=410) from error


def seal_claim_shares(operation: ReleaseOperation, b: bytes, body_hash: bytes) -> bytes:
    """All claim shares of a READ in its order, sealed to its reply key under one checkpoint (section 8.3).

    `body_hash` = H(note body of the answer's checkpoint), 32 bytes. Raises `Rejected`: `bad_key`.
    """
    request = operation.request
    read = request.read.read
    return seal_release(
        request.reply_key,
        claim_shares(_claims_in_order(request.terms, read.claims), b),
        lock=b64u_fixed(read.lock, 32),
        read_id=b64u_fixed(read.read_id, 16),
        index=operation.admitted.index,
        body_hash=body_hash,
    )


def _claims_in_order(terms: Terms, digests: list[str]) -> list[Claim]:
    by_digest = {claim.digest: claim for claim in terms.claims}
    return [by_digest[digest] for digest in digests]
