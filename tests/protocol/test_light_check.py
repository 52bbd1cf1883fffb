"""The light check: each of its steps refuses alone, and what it accepts, all steps agree on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.canonical import canonical_bytes, parse_struct
from protocol.checkpoint import ChunkProof, Evidence, LeafProof, VerifiedStanding
from protocol.errors import Rejected
from protocol.leaf import Head
from protocol.light_check import KeptCheckpoint, VerifiedStatus, verify_light_check, verify_slot_status
from protocol.policy import parse_policy
from tests.oracle_tree import NaiveTree, status_chunks
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, POLICY, PaperLog, attempt, secret, signer


def history() -> PaperLog:
    """Six grants with a read between, the third revoked; ends in a head."""
    log = PaperLog()
    for _ in range(3):
        log.grant()
    log.head()
    log.read(0)
    log.revoke(2)
    for _ in range(3):
        log.grant()
    log.head()
    return log


TOWN = history()
EVIDENCE = {slot: TOWN.evidence(slot) for slot in range(6)}


def check(evidence: Evidence, slot: int = 4, **changes: Any) -> VerifiedStanding:
    trust: Any = {"log_key": LOG.key, "policy": POLICY, "now": NOW, **changes}
    grant = trust.pop("grant", TOWN.opening(slot))
    return verify_light_check(evidence, grant, **trust)


def refusal_of(evidence: Evidence, slot: int = 4, **changes: Any) -> str:
    # Twice: what is remembered of the first time must not help the second.
    codes = set()
    for _ in range(2):
        with pytest.raises(Rejected) as refusal:
            check(evidence, slot, **changes)
        codes.add(refusal.value.code)
    (code,) = codes
    return code


def changed(evidence: Evidence, **fields: Any) -> Evidence:
    return msgspec.structs.replace(evidence, **fields)


@pytest.mark.parametrize("slot", [0, 1, 3, 4, 5])
def test_a_standing_grant_stands(slot: int) -> None:
    standing = check(EVIDENCE[slot], slot)
    assert (standing.slot, standing.lock) == (slot, TOWN.opening(slot).lock)
    assert (standing.grant_index, standing.slots, standing.time) == (TOWN.grant_indexes[slot], 6, NOW)
    assert (standing.checkpoint.size, standing.checkpoint.root) == (len(TOWN.leaves), TOWN.root())
    assert check(parse_struct(canonical_bytes(EVIDENCE[slot]), Evidence), slot) == standing


def test_step_1_a_grant_in_another_log_is_refused() -> None:
    grant = replace(TOWN.opening(4), log="log.elders.example")
    assert refusal_of(EVIDENCE[4], grant=grant) == "wrong_log"
    assert refusal_of(EVIDENCE[4], log_key=signer("log.elders.example").key) == "wrong_log"


def test_step_2_a_checkpoint_that_the_log_did_not_sign_is_refused() -> None:
    note = EVIDENCE[4].checkpoint
    body, _, lines = note.partition("\n\n")
    without = f"{body}\n\n" + "".join(f"{line}\n" for line in lines.splitlines() if ORIGIN not in line)
    assert refusal_of(changed(EVIDENCE[4], checkpoint=without)) == "unknown_key"
    forged = note.replace(f"\n{len(TOWN.leaves)}\n", f"\n{len(TOWN.leaves) + 1}\n")
    assert refusal_of(changed(EVIDENCE[4], checkpoint=forged)) == "bad_signature"
    assert refusal_of(changed(EVIDENCE[4], checkpoint=note[:-1])) == "bad_note"
    assert refusal_of(changed(EVIDENCE[4], checkpoint=note.replace(ORIGIN, "x", 1))) == "wrong_origin"


def test_step_3_a_checkpoint_without_a_fresh_quorum_is_refused() -> None:
    assert refusal_of(TOWN.evidence(4, (NOW, None, None))) == "no_quorum"
    assert refusal_of(TOWN.evidence(4, (None, None, None))) == "no_quorum"
    assert check(EVIDENCE[4], now=NOW + 60).time == NOW
    assert refusal_of(EVIDENCE[4], now=NOW + 61) == "stale_checkpoint"
    assert check(EVIDENCE[4], now=NOW + 61, max_age=61).time == NOW
    assert refusal_of(EVIDENCE[4], now=NOW - 31) == "no_quorum"


def test_step_3_a_policy_without_witnesses_supports_no_light_check() -> None:
    policy = parse_policy(f"log {LOG.key}\nquorum none\n")
    assert refusal_of(EVIDENCE[4], policy=policy) == "no_quorum"


def test_step_4_a_head_that_is_not_the_last_leaf_is_refused() -> None:
    assert refusal_of(changed(EVIDENCE[4], head=TOWN.leaf_proof(3))) == "bad_head"
    forged = msgspec.structs.replace(TOWN.leaf_proof(3), index=len(TOWN.leaves) - 1)
    assert refusal_of(changed(EVIDENCE[4], head=forged)) == "bad_inclusion"


def test_step_4_a_checkpoint_that_ends_in_no_head_is_refused() -> None:
    log = history()
    log.read(4)
    assert refusal_of(log.evidence(4)) == "bad_head"
    log = history()
    tree = log.status_tree()
    log.append(Head(len(log.leaves) - 1, 6, tree.root(1)))
    assert refusal_of(log.evidence(4)) == "bad_head"


def test_step_5_another_grant_leaf_is_refused() -> None:
    assert refusal_of(changed(EVIDENCE[4], grant=EVIDENCE[3].grant)) == "bad_grant"
    assert refusal_of(changed(EVIDENCE[4], grant=TOWN.leaf_proof(4))) == "bad_grant"
    assert refusal_of(changed(EVIDENCE[4], grant=EVIDENCE[4].head)) == "bad_grant"


def test_step_5_a_grant_that_opens_to_other_terms_is_refused() -> None:
    own = TOWN.opening(4)
    for grant in (
        replace(own, lock=TOWN.opening(3).lock),
        replace(own, terms=own.terms + b" "),
        replace(own, opening_key=secret("another")),
    ):
        assert refusal_of(EVIDENCE[4], grant=grant) == "bad_grant"


def test_step_5_a_grant_leaf_that_is_not_in_the_tree_is_refused() -> None:
    proof = EVIDENCE[4].grant
    for moved in (
        msgspec.structs.replace(proof, index=proof.index + 1),
        msgspec.structs.replace(proof, index=-1),
        msgspec.structs.replace(proof, index=len(TOWN.leaves)),
        msgspec.structs.replace(proof, hashes=""),
        LeafProof.make(proof.index, proof.leaf_bytes(), proof.proof()[:-1]),
    ):
        assert refusal_of(changed(EVIDENCE[4], grant=moved)) == "bad_inclusion"


def test_step_6_a_slot_that_the_head_does_not_count_is_refused() -> None:
    log = history()
    slot = log.grant()
    log.append(Head(len(log.leaves), slot, log.status_tree().root(1)))
    assert refusal_of(log.evidence(slot), slot) == "bad_status"


def test_step_7_a_revoked_grant_is_refused_with_410() -> None:
    assert refusal_of(EVIDENCE[2], 2) == "revoked"
    with pytest.raises(Rejected) as refusal:
        check(EVIDENCE[2], 2)
    assert refusal.value.status == 410


def test_step_7_a_status_chunk_that_hides_the_revocation_is_refused() -> None:
    clean = status_chunks([False] * 6)
    hidden = changed(EVIDENCE[2], status=ChunkProof.make(clean[0], []))
    assert refusal_of(hidden, 2) == "bad_inclusion"
    before = PaperLog()
    for _ in range(3):
        before.grant()
    assert refusal_of(changed(EVIDENCE[2], status=before.chunk_proof(2)), 2) == "bad_inclusion"


def test_step_7_the_chunk_of_another_slot_is_refused() -> None:
    log = PaperLog()
    for _ in range(2049):
        log.grant()
    log.revoke(2048)
    log.head()
    evidence = log.evidence(2048)
    assert refusal_of(evidence, 2048) == "revoked"
    assert refusal_of(changed(evidence, status=log.chunk_proof(0)), 2048) == "bad_inclusion"
    assert check(log.evidence(2047), 2047).slots == 2049


def kept(size: int, proof: list[bytes] | None = None) -> KeptCheckpoint:
    small, large = sorted((size, len(TOWN.leaves)))
    tree = NaiveTree([*TOWN.leaves, b"later", b"still later"])
    return KeptCheckpoint(size, tree.root(size), tree.proof(small, large) if proof is None else proof)


@pytest.mark.parametrize("size", [0, 1, 4, len(TOWN.leaves), len(TOWN.leaves) + 1, len(TOWN.leaves) + 2])
def test_step_8_a_checkpoint_consistent_with_the_kept_one_is_accepted(size: int) -> None:
    assert check(EVIDENCE[4], kept=kept(size)).slot == 4


@pytest.mark.parametrize("size", [1, 4, len(TOWN.leaves), len(TOWN.leaves) + 2])
def test_step_8_a_split_view_is_refused(size: int) -> None:
    assert refusal_of(EVIDENCE[4], kept=replace(kept(size), root=secret("another history"))) == "bad_consistency"


def test_step_8_a_missing_or_foreign_consistency_proof_is_refused() -> None:
    for proof in ([], kept(5).proof, [*kept(4).proof, bytes(32)]):
        assert refusal_of(EVIDENCE[4], kept=kept(4, list(proof))) == "bad_consistency"


def status(slot: int, **changes: Any) -> VerifiedStatus:
    evidence = EVIDENCE[slot]
    trust: Any = {"log_key": LOG.key, "policy": POLICY, "now": NOW, **changes}
    return verify_slot_status(evidence.checkpoint, evidence.head, evidence.status, slot, **trust)


def test_a_wallet_sees_its_own_bit_revoked_or_not() -> None:
    assert [status(slot).is_revoked for slot in range(6)] == [False, False, True, False, False, False]
    seen = status(2, kept=kept(4))
    assert (seen.slot, seen.slots, seen.time, seen.checkpoint.size) == (2, 6, NOW, len(TOWN.leaves))


def test_a_wallet_refuses_a_status_that_is_stale_unwitnessed_or_of_another_history() -> None:
    assert attempt(lambda: status(2, now=NOW + 61)) == "stale_checkpoint"
    assert attempt(lambda: status(2, log_key=signer("log.elders.example").key)) == "wrong_origin"
    assert attempt(lambda: status(2, kept=replace(kept(4), root=bytes(32)))) == "bad_consistency"
    own = EVIDENCE[2]
    trust: Any = {"log_key": LOG.key, "policy": POLICY, "now": NOW}
    for head, slot, code in [
        (own.grant, 2, "bad_head"),
        (own.head, 6, "bad_status"),
        (own.head, -1, "bad_status"),
    ]:
        with pytest.raises(Rejected) as refusal:
            verify_slot_status(own.checkpoint, head, own.status, slot, **trust)
        assert refusal.value.code == code


TEXT = canonical_bytes(EVIDENCE[4]).decode()


def _mutations() -> st.SearchStrategy[Callable[[str], str]]:
    place = st.integers(0, len(TEXT) - 1)
    swap = st.tuples(place, st.sampled_from('AZaz09-_=+/\n {}[]":,\u2014\0'))
    return st.one_of(
        swap.map(lambda c: lambda text: text[: c[0]] + c[1] + text[c[0] + 1 :]),
        st.tuples(place, place).map(lambda c: lambda text: text[: min(c)] + text[max(c) :]),
        st.tuples(place, place).map(lambda c: lambda text: text[: max(c)] + text[min(c) :]),
    )


@settings(max_examples=300)
@given(_mutations())
def test_changed_evidence_is_refused_or_says_the_same(mutate: Callable[[str], str]) -> None:
    text = mutate(TEXT)
    answer = attempt(lambda: check(parse_struct(text, Evidence)))
    if not isinstance(answer, str):
        # Only a cosignature that is not needed can differ: its witness then counts for nothing.
        told = parse_struct(text, Evidence)
        assert changed(told, checkpoint="") == changed(EVIDENCE[4], checkpoint="")
        assert (answer.checkpoint.root, answer.time) == (TOWN.root(), NOW)


@given(st.text(max_size=40), st.integers(-1, 2**64), st.text(max_size=60))
def test_evidence_from_anywhere_is_refused(note: str, index: int, anything: str) -> None:
    leaf = LeafProof(index, anything, anything)
    evidence = Evidence(note, leaf, leaf, ChunkProof(anything, anything))
    assert isinstance(attempt(lambda: check(evidence)), str)
    with_note = changed(evidence, checkpoint=EVIDENCE[4].checkpoint)
    assert isinstance(attempt(lambda: check(with_note)), str)
