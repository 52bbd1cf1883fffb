"""Stopping a grant (protocol section 9): who shows r revokes. The wallet does its own part first, always."""

from collections.abc import Sequence

from protocol.canonical import b64u_decode, b64u_encode
from protocol.consent_api import CosignerRevocationAnswer, RevocationAnswer
from protocol.errors import Rejected
from protocol.note import parse_vkey
from protocol.receipt import RevocationReceipt, verify_revocation_receipt
from protocol.revocation_code import revocation_secret
from protocol.trust_list import TrustedLog, TrustedWitness, TrustList
from wallet.records import GrantRecord, Stop

MAX_VERSIONS = 64
"""Versions that one paper code is tried for: a refresh a month for five years."""
TICKET_MARGIN = 60
"""Seconds after the ticket's end in which a grant request that is under way may still reach the log."""


def auditing_cosigners(trust: TrustList) -> list[TrustedWitness]:
    """Who keeps revocations for the log while it is down."""
    return [witness for witness in trust.witnesses if witness.auditing]


def begin_stop(record: GrantRecord, now: int) -> Stop:
    """What is kept before anything is sent: from here on the wallet presents nothing more under this grant."""
    unlogged = record.index is None
    return Stop(asked_at=now, moot_after=record.ticket_exp + TICKET_MARGIN if unlogged else None)


def is_presentable(record: GrantRecord) -> bool:
    """Whether the agency may still be answered under this grant: never once a stop was asked for."""
    return record.stop is None and record.state in ("logged", "delivering")


def versions(code: bytes) -> list[bytes]:
    """r_1, r_2 ...: posted one after the other until the log knows no further lock."""
    return [revocation_secret(code, version) for version in range(1, MAX_VERSIONS + 1)]


def verify_log_promise(answer: RevocationAnswer, log: TrustedLog, lock: bytes) -> RevocationReceipt:
    """The log's signed promise to include the revocation of `lock` within a minute. Raises `Rejected`."""
    key = parse_vkey(log.receipt_vkey)
    return verify_revocation_receipt(answer.receipt, key, origin=log.origin, lock=lock)


def verify_cosigner_promise(
    answer: CosignerRevocationAnswer, witness: TrustedWitness, origin: str, lock: bytes
) -> RevocationReceipt:
    """The cosigner's signed promise to cosign nothing without it. Raises `Rejected`: `no_receipt_key` and more."""
    if witness.receipt_vkey is None:
        raise Rejected("no_receipt_key", "the trust list names no receipt key of this cosigner")
    return verify_revocation_receipt(answer.receipt, parse_vkey(witness.receipt_vkey), origin=origin, lock=lock)


def queue_text(secrets: Sequence[bytes]) -> list[str]:
    """What a paper code leaves behind while nobody can be reached: secrets that end grants and open nothing."""
    return [b64u_encode(r) for r in secrets]


def queue_secrets(texts: Sequence[str]) -> list[bytes]:
    """Inverse of `queue_text`. Raises `Rejected`: `bad_base64`."""
    return [b64u_decode(text, max_bytes=32) for text in texts]
