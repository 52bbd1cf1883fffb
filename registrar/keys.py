"""The note keys of logs and witnesses: what may be listed, and what becomes of keys and policies that go.

A key or a policy that a new list no longer has moves to `retired` or `former` by itself, so that what was believed
while it was in force can be believed for ever. What is listed there never changes again.
"""

from collections.abc import Sequence

import msgspec

from protocol.errors import Rejected
from protocol.note import SignatureType, VerifierKey, parse_vkey
from protocol.trust_list import (
    MAX_FORMER_POLICIES,
    MAX_RETIRED_KEYS,
    FormerPolicy,
    RetiredKey,
    TrustedLog,
    TrustedWitness,
)

OVERLAP_SECONDS = 120
"""The list of before is still believed by some: how long what it named may yet be cosigned."""
RESERVED_NAMES = frozenset({"none", "quorum", "witnesses", "auditors"})
"""Words that a policy of ours uses for itself."""
_SIGNS_CHECKPOINTS = (SignatureType.ED25519, SignatureType.MLDSA44_COSIGNATURE)


def check_log_keys(log: TrustedLog) -> None:
    """1. the log's own keys are named by its origin, the first of Ed25519, the second of ML-DSA-44; 2. so are
    those that rotate; 3. no key twice; 4. receipts have a key of their own, under a name of their own.

    Raises `Rejected`: `bad_vkey`, `wrong_origin`, `same_key`.
    """
    keys = [check_key(log.vkey, SignatureType.ED25519)]  # 1.
    if log.pq_vkey is not None:
        keys.append(check_key(log.pq_vkey, SignatureType.MLDSA44_COSIGNATURE))
    keys += [check_key(vkey, *_SIGNS_CHECKPOINTS) for vkey in log.also]  # 2.
    if any(key.name != log.origin for key in keys):
        raise Rejected("wrong_origin", "a key of the log does not carry its origin as name")
    receipt = check_key(log.receipt_vkey, SignatureType.ED25519)
    if len({key.public for key in (*keys, receipt)}) != len(keys) + 1:  # 3., 4.
        raise Rejected("same_key", "a key is listed twice; receipts are signed by a key of their own")
    if receipt.name == log.origin:
        raise Rejected("same_key", "the receipt key carries the name of the log's own key")


def check_witness_keys(witness: TrustedWitness, others: Sequence[TrustedWitness]) -> None:
    """1. cosignature keys under the witness's name, 2. which no policy uses for itself; 3. an auditing one has a
    receipt key; 4. no key twice, and none of another witness: each counts once.

    Raises `Rejected`: `bad_vkey`, `wrong_name`, `reserved_name`, `receipt_key_missing`, `same_key`.
    """
    keys = cosigner_keys(witness)
    if any(key.type is SignatureType.ED25519 for key in keys):  # 1.
        raise Rejected("bad_vkey", "a witness needs a key of a cosignature type")
    if any(key.name != witness.name for key in keys):
        raise Rejected("wrong_name", "the witness's key does not carry its name")
    if witness.name in RESERVED_NAMES:  # 2.
        raise Rejected("reserved_name", f"a policy uses {', '.join(sorted(RESERVED_NAMES))} for itself")
    if witness.auditing and witness.receipt_vkey is None:  # 3.
        raise Rejected("receipt_key_missing", "an auditing cosigner signs receipts for revocations")
    if witness.receipt_vkey is not None:
        check_key(witness.receipt_vkey, SignatureType.ED25519)
    public = [key.public for key in keys]
    if len(set(public)) != len(public):  # 4.
        raise Rejected("same_key", "a key is listed twice")
    if any(key.public in public for other in others for key in cosigner_keys(other)):
        raise Rejected("same_key", "another witness has this key: each counts once")


def check_key(vkey: str, *types: SignatureType) -> VerifierKey:
    """A key of one of these types. Raises `Rejected`: `bad_vkey`."""
    key = parse_vkey(vkey)
    if key.type not in types:
        allowed = " or ".join(f"{kind:#04x}" for kind in types)
        raise Rejected("bad_vkey", f"this key must be of signature type {allowed}")
    return key


def cosigner_keys(witness: TrustedWitness) -> list[VerifierKey]:
    """All keys of a witness. Raises `Rejected`: `bad_vkey`."""
    return [parse_vkey(vkey) for vkey in (witness.vkey, *witness.also)]


def log_vkeys(log: TrustedLog) -> list[str]:
    """All keys that sign a log's checkpoints now."""
    return [log.vkey, *([log.pq_vkey] if log.pq_vkey else []), *log.also]


def with_history(log: TrustedLog, before: TrustedLog | None, now: int) -> TrustedLog:
    """`log` with what it and the list `before` say of earlier keys and policies.

    What was listed as retired stays as it was; a key that goes counts `OVERLAP_SECONDS` longer, whatever the log
    says: one that could end it in the past would deny what it signed while everybody took it for its own.
    """
    end = now + OVERLAP_SECONDS
    in_use = {*log_vkeys(log), log.receipt_vkey}
    gone = {entry.vkey: min(entry.until, end) for entry in log.retired}
    former: list[FormerPolicy] = []
    if before is not None:
        # Only what was listed ever counted: keys that the log alone names would push those out of a full list.
        gone = dict.fromkeys((*log_vkeys(before), before.receipt_vkey), end)
        gone |= {entry.vkey: entry.until for entry in before.retired}
        former = list(before.former)
        if before.policy and before.policy != log.policy:
            former.insert(0, FormerPolicy(policy=before.policy, until=end))
    retired = [RetiredKey(vkey=vkey, until=until) for vkey, until in gone.items() if vkey not in in_use]
    retired = sorted(retired, key=lambda entry: entry.until, reverse=True)[:MAX_RETIRED_KEYS]
    return msgspec.structs.replace(log, retired=retired, former=former[:MAX_FORMER_POLICIES])
