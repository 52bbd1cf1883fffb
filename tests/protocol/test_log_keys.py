"""A log with several keys: one of each kind signs, two overlap, retired ones count for their time only."""

from collections.abc import Sequence

import msgspec
import pytest

from protocol.checkpoint import verify_checkpoint
from protocol.errors import Rejected
from protocol.keys import Ed25519Private, MlDsa44Private
from protocol.log_keys import LogKeys, log_keys
from protocol.note import NoteSigner, SignatureType
from protocol.policy import parse_policy, satisfied, verify_kept_checkpoint
from protocol.receipt import make_revocation_receipt, verify_revocation_receipt
from protocol.trust_list import FormerPolicy, RetiredKey, TrustedLog
from protocol.witness import decide, encode_add_checkpoint, parse_add_checkpoint
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, POLICY, WITNESSES, PaperLog, attempt, secret, signer

DAY = 86_400
PAPER = PaperLog()
PAPER.grant()
PAPER.head()
NEW = NoteSigner(ORIGIN, Ed25519Private(secret("new key")))
PQ = NoteSigner(ORIGIN, MlDsa44Private(secret("pq")), SignatureType.MLDSA44_COSIGNATURE)
NEW_PQ = NoteSigner(ORIGIN, MlDsa44Private(secret("new pq")), SignatureType.MLDSA44_COSIGNATURE)
STRANGER = NoteSigner(ORIGIN, Ed25519Private(secret("stranger")))
RECEIPTS = signer(f"{ORIGIN}/receipts")
OTHERS = [signer(f"other.example/{i}", SignatureType.COSIGNATURE) for i in range(3)]


def note(signers: Sequence[NoteSigner], time: int = NOW, witnesses: Sequence[NoteSigner] = WITNESSES) -> str:
    body = PAPER.body()
    lines = [one.sign(body) for one in signers] + [one.sign(body, time=time) for one in witnesses]
    return f"{body}\n" + "".join(lines)


def policy_text(signers: Sequence[NoteSigner], witnesses: Sequence[NoteSigner] = WITNESSES) -> str:
    lines = [f"log {one.key}" for one in signers]
    lines += [f"witness w{i} {one.key}" for i, one in enumerate(witnesses)]
    return "\n".join([*lines, "group g 2 w0 w1 w2", "quorum g\n"])


def listed(vkey: NoteSigner = LOG, pq: NoteSigner | None = None, **changes: object) -> TrustedLog:
    entry = TrustedLog(
        origin=ORIGIN,
        url="https://log.example",
        vkey=str(vkey.key),
        receipt_vkey=str(RECEIPTS.key),
        deposit_key="AA",
        policy=POLICY.text,
        pq_vkey=None if pq is None else str(pq.key),
    )
    return msgspec.structs.replace(entry, **changes)


def judge(text: str, entry: TrustedLog, now: int = NOW, max_age: int | None = 60) -> object:
    """The time of the quorum, or the code of the refusal."""
    policy, keys = parse_policy(entry.policy), log_keys(entry)
    return attempt(lambda: satisfied(policy, text, now, max_age, log_keys=[keys]).time)


def test_a_log_without_a_second_key_signs_once_as_before() -> None:
    assert judge(note([LOG]), listed()) == NOW
    assert judge(note([LOG, PQ]), listed()) == NOW


def test_where_a_post_quantum_key_is_listed_its_signature_is_demanded() -> None:
    entry = listed(pq=PQ)
    assert judge(note([LOG, PQ]), entry) == NOW
    assert judge(note([PQ, LOG]), entry) == NOW
    assert judge(note([LOG]), entry) == "one_kind_missing"
    assert judge(note([PQ]), entry) == "one_kind_missing"
    assert judge(note([LOG, NEW_PQ]), entry) == "one_kind_missing"
    assert judge(note([]), entry) == "unknown_key"


def test_quantum_forger_of_the_ed25519_key_cannot_speak_for_the_log() -> None:
    keys = log_keys(listed(pq=PQ))
    forged = note([LOG], witnesses=[])
    assert attempt(lambda: verify_checkpoint(forged, keys)) == "one_kind_missing"
    assert verify_checkpoint(note([LOG, PQ]), keys).size == 2
    request = parse_add_checkpoint(encode_add_checkpoint(0, [], forged))
    with pytest.raises(Rejected) as refusal:
        decide(None, request, keys)
    assert refusal.value.status == 403


def test_a_bad_post_quantum_signature_condemns_the_note() -> None:
    other = PaperLog()
    other.head()
    text = note([LOG]) + PQ.sign(other.body())
    assert judge(text, listed(pq=PQ)) == "bad_signature"


def test_both_keys_count_while_they_rotate_and_one_is_enough() -> None:
    entry = listed(also=[str(NEW.key)])
    for signers in ([LOG], [NEW], [LOG, NEW]):
        assert judge(note(signers), entry) == NOW
    assert judge(note([STRANGER]), entry) == "unknown_key"
    both = listed(pq=PQ, also=[str(NEW_PQ.key)])
    assert judge(note([LOG, PQ]), both) == NOW
    assert judge(note([LOG, NEW_PQ]), both) == NOW
    assert judge(note([LOG]), both) == "one_kind_missing"


def test_a_retired_key_counts_no_more_for_what_is_fresh() -> None:
    entry = listed(NEW, retired=[RetiredKey(vkey=str(LOG.key), until=NOW + DAY)])
    assert judge(note([LOG]), entry) == "unknown_key"
    assert judge(note([NEW]), entry) == NOW


def test_a_retired_key_counts_looking_back_until_it_was_retired() -> None:
    entry = listed(NEW, retired=[RetiredKey(vkey=str(LOG.key), until=NOW)])
    assert judge(note([LOG]), entry, NOW + 9 * DAY, None) == NOW
    assert judge(note([LOG], NOW + 1), entry, NOW + 9 * DAY, None) == "unknown_key"
    assert judge(note([LOG], witnesses=WITNESSES[:1]), entry, NOW, None) == "unknown_key"


def test_thief_of_a_retired_key_cannot_pass_off_a_checkpoint_cosigned_later() -> None:
    entry = listed(NEW, retired=[RetiredKey(vkey=str(LOG.key), until=NOW - 1)])
    assert judge(note([LOG]), entry, NOW, None) == "unknown_key"
    kept = attempt(lambda: verify_kept_checkpoint(POLICY, note([LOG]), NOW, log_keys(entry)))
    assert kept == "unknown_key"


def test_a_checkpoint_from_before_the_second_key_is_believed_looking_back_only() -> None:
    former = [FormerPolicy(policy=policy_text([LOG]), until=NOW)]
    entry = listed(pq=PQ, policy=policy_text([LOG, PQ]), former=former)
    assert judge(note([LOG]), entry) == "one_kind_missing"
    assert judge(note([LOG]), entry, NOW + DAY, None) == NOW
    assert judge(note([LOG], NOW + 1), entry, NOW + DAY, None) == "one_kind_missing"


def test_witnesses_of_a_former_policy_count_until_it_ended() -> None:
    entry = listed(policy=policy_text([LOG], OTHERS), former=[FormerPolicy(policy=POLICY.text, until=NOW)])
    old = note([LOG], NOW)
    assert judge(old, entry) == "no_quorum"
    assert judge(old, entry, NOW + DAY, None) == NOW
    assert judge(note([LOG], NOW + 1), entry, NOW + DAY, None) == "no_quorum"
    mixed = note([LOG], NOW, [WITNESSES[0], OTHERS[0]])
    assert judge(mixed, entry, NOW + DAY, None) == "no_quorum"
    assert judge(note([LOG], NOW, OTHERS), entry) == NOW


def test_log_and_witnesses_rotated_one_after_the_other_are_found_again() -> None:
    entry = listed(
        NEW,
        policy=policy_text([NEW], OTHERS),
        retired=[RetiredKey(vkey=str(LOG.key), until=NOW)],
        former=[
            FormerPolicy(policy=policy_text([NEW], WITNESSES), until=NOW + DAY),
            FormerPolicy(policy=policy_text([LOG], WITNESSES), until=NOW),
        ],
    )
    assert judge(note([LOG], NOW), entry, NOW + 9 * DAY, None) == NOW
    assert judge(note([NEW], NOW + DAY), entry, NOW + 9 * DAY, None) == NOW + DAY
    assert judge(note([LOG], NOW + DAY), entry, NOW + 9 * DAY, None) == "unknown_key"


def test_a_kept_checkpoint_is_evidence_by_the_present_keys_or_by_a_quorum_of_its_time() -> None:
    entry = listed(NEW, retired=[RetiredKey(vkey=str(LOG.key), until=NOW)])
    keys = log_keys(entry)
    for text in (note([NEW], witnesses=[]), note([LOG])):
        assert verify_kept_checkpoint(POLICY, text, NOW + DAY, keys).size == 2
    assert attempt(lambda: verify_kept_checkpoint(POLICY, note([LOG], witnesses=[]), NOW, keys)) == "unknown_key"


def test_a_receipt_under_a_retired_key_counts_for_nothing() -> None:
    old = NoteSigner(f"{ORIGIN}/receipts", Ed25519Private(secret("old receipts")))
    lock = bytes(32)
    text = make_revocation_receipt(ORIGIN, lock, NOW - DAY, old)
    assert (
        attempt(lambda: verify_revocation_receipt(text, RECEIPTS.key, origin=ORIGIN, lock=lock)) == "unknown_key"
    )


def test_a_key_that_signs_no_checkpoints_or_under_another_name_is_refused() -> None:
    for wrong in (WITNESSES[0], signer("log.elders.example")):
        assert attempt(lambda wrong=wrong: log_keys(listed(wrong))) == "bad_vkey"
        entry = listed(also=[str(wrong.key)])
        assert attempt(lambda entry=entry: log_keys(entry)) == "bad_vkey"


def test_any_of_several_logs_may_have_signed_each_by_its_own_rule() -> None:
    other = LogKeys("log.elders.example", (signer("log.elders.example").key,))
    strict = log_keys(listed(pq=PQ))
    assert satisfied(POLICY, note([LOG, PQ]), NOW, log_keys=[other, strict]).checkpoint.origin == ORIGIN
    assert attempt(lambda: satisfied(POLICY, note([LOG]), NOW, log_keys=[other, strict])) == "one_kind_missing"
    assert attempt(lambda: satisfied(POLICY, note([LOG]), NOW, log_keys=[other])) == "wrong_origin"
