"""Key shares on their way, sealed to the one READ that was logged. At rest: `protocol.share_at_rest`.

A share leaves only by `seal_claim_shares`, which the sequencer calls after `admit.admit_release` inside the
transaction that still holds the grant.
"""

from consentlog.operations import ReleaseOperation
from protocol.canonical import b64u_fixed
from protocol.presentation import claim_shares
from protocol.reading import seal_release
from protocol.terms import Claim, Terms


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
