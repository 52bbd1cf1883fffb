"""No honest log can be convicted, whoever puts its own signed material together; a changed proof convicts nobody.

REGIE_ACCUSATIONS=20000 tries for minutes instead of seconds.
"""

import os
import random
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.book import Book
from auditor.findings import Finding
from auditor.openings import OpeningsAudit
from auditor.prove import Case, prove, prove_two
from auditor.proving_tree import ProvingTree
from protocol.canonical import b64u_encode, to_builtins
from protocol.checkpoint import ChunkProof, LeafProof, VerifiedCheckpoint, encode_hashes, verify_checkpoint
from protocol.errors import Rejected
from protocol.fraud import Accused, verify_fraud_proof
from protocol.fraud_form import (
    FraudEvidence,
    Opened,
    encode_fraud_proof,
    make_fraud_proof,
    parse_fraud_proof,
)
from protocol.merkle import consistency_proof, inclusion_proof
from protocol.receipt import make_revocation_receipt
from tests.auditor import lies
from tests.auditor.history import History, listed, lock_of_town
from tests.auditor.lies import ACCUSED, RECEIPTS, convict
from tests.protocol import granting
from tests.protocol.builders import LOG_ORIGIN, NOW
from tests.protocol.granting import OPENING_KEY
from tests.protocol.peer_input import received
from tests.protocol.spoiling import spoil

ACCUSATIONS = int(os.environ.get("REGIE_ACCUSATIONS", "600"))
KINDS = {str(kind.__struct_config__.tag): kind for kind in FraudEvidence.__args__}


class Material:
    """All that an honest log ever signed or answered, for an accuser to pick from."""

    def __init__(self) -> None:
        history = History(max_reads=3)
        self.notes: list[VerifiedCheckpoint] = []
        self.chunks: list[ChunkProof] = []
        for step in range(8):
            for _ in range(step % 3 if step < 4 else 0):
                history.read(history.log.reads)
                history.log.reads += 1
            if step == 4:
                history.refuse(0)
                history.revoke()
                self.receipt = make_revocation_receipt(LOG_ORIGIN, lock_of_town(history), NOW - 500, RECEIPTS)
            if step == 6:
                history.refuse(1, "revoked")
            self.notes.append(verify_checkpoint(history.log.publish(NOW), granting.LOG_KEY))
            self.chunks.append(ChunkProof.make(history.log.status.chunk(0), history.log.status.proof(0)))
        self.leaves = list(history.log.leaves)
        self.openings = history.openings
        self.tree = ProvingTree(self.leaves)

    def proof(self, index: int, note: VerifiedCheckpoint) -> LeafProof:
        """A leaf under a checkpoint that has it, or its last one."""
        index %= note.size
        return LeafProof.make(index, self.leaves[index], inclusion_proof(index, note.size, self.tree.node))


@cache
def material() -> Material:
    return Material()


def accusation(kind: str, choice: random.Random) -> FraudEvidence:
    """A proof of `kind` out of honest material; every part is real, and chosen at random."""
    known = material()
    note, other = choice.choice(known.notes), choice.choice(known.notes)
    values: dict[str, Any] = {"kind": kind}
    for field in msgspec.structs.fields(KINDS[kind]):
        values[field.name] = _part(field.name, field.type, note, other, choice)
    if kind == "transcript":
        leaves = [len(data).to_bytes(2, "big") + data for data in known.leaves[: note.size]]
        values["leaves"] = b64u_encode(b"".join(leaves))
    if kind in ("overdue_revocation", "no_head") and choice.random() < 0.8:
        last = known.proof(note.size - 1, note)
        values["head" if kind == "overdue_revocation" else "last"] = last
    return msgspec.convert(to_builtins(values), KINDS[kind])  # type: ignore[no-any-return]


def _part(
    name: str, wanted: Any, note: VerifiedCheckpoint, other: VerifiedCheckpoint, choice: random.Random
) -> Any:
    known = material()
    index = choice.randrange(note.size)
    if wanted is LeafProof:
        return known.proof(index, other if name == "after" else note)
    if wanted is Opened:
        opened = known.openings[choice.choice([place for place in known.openings if place < note.size])]
        return Opened(known.proof(opened.index, note), b64u_encode(OPENING_KEY), opened.opening)
    if wanted is ChunkProof:
        return choice.choice(known.chunks)
    small, large = sorted((note, other), key=lambda tree: tree.size)
    named = {
        "checkpoint": note.note,
        "first": note.note,
        "second": other.note,
        "older": small.note,
        "newer": large.note,
        "root": b64u_encode(choice.choice([small.root, large.root, bytes(32)])),
        "hashes": encode_hashes(consistency_proof(small.size, large.size, known.tree.node)),
        "receipt": known.receipt,
        "n": choice.choice([None, 0, 1, 2, 3, 4]),
        "leaves": "",
    }
    if name == "run":
        start = choice.randrange(note.size)
        return [known.proof(place, note) for place in range(start, min(note.size, start + choice.randint(1, 9)))]
    return named[name]


def is_convicted(evidence: FraudEvidence) -> bool:
    try:
        verify_fraud_proof(make_fraud_proof(LOG_ORIGIN, evidence), ACCUSED, NOW)
    except Rejected:
        return False
    return True


def is_true_of_a_late_witness(kind: str) -> bool:
    """An old tree with a new time is what a witness made that lags behind, not what the log did."""
    return kind == "overdue_revocation"


@pytest.mark.parametrize("kind", KINDS)
def test_attack_honest_log_is_accused_with_its_own_material(kind: str) -> None:
    choice = random.Random(kind)
    for _ in range(ACCUSATIONS // 4):
        evidence = accusation(kind, choice)
        if not is_true_of_a_late_witness(kind):
            assert not is_convicted(evidence), to_builtins(evidence)


@pytest.mark.parametrize("kind", KINDS)
def test_attack_honest_log_is_accused_with_spoiled_material(kind: str) -> None:
    for number in range(ACCUSATIONS // 6):
        choice = random.Random(f"{kind} {number}")
        value = spoil(choice, to_builtins(accusation(kind, choice)), keep_root=True)
        try:
            evidence = received(value, FraudEvidence)
        except Rejected:
            continue
        if not is_true_of_a_late_witness(kind):
            assert not is_convicted(evidence), value


@pytest.mark.parametrize("kind", KINDS)
def test_changed_byte_makes_a_proof_worthless(kind: str) -> None:
    data = encode_fraud_proof(make_fraud_proof(LOG_ORIGIN, lies.specimens()[kind]))
    verify_fraud_proof(parse_fraud_proof(data), ACCUSED, NOW)
    choice = random.Random(kind)
    for place in sorted(choice.sample(range(len(data)), min(len(data), ACCUSATIONS // 6))):
        changed = bytearray(data)
        changed[place] ^= choice.randrange(1, 256)
        with pytest.raises(Rejected):
            verify_fraud_proof(parse_fraud_proof(bytes(changed)), ACCUSED, NOW)


SIGNED_WITH = ("checkpoint", "first", "second", "older", "newer", "receipt")


@pytest.mark.parametrize("kind", KINDS)
def test_attack_lie_is_put_under_a_tree_that_the_log_did_not_sign(kind: str) -> None:
    """The accuser makes the file anew: still every note must be the log's own, as it signed it."""
    evidence = lies.specimens()[kind]
    for name in SIGNED_WITH:
        note = getattr(evidence, name, None)
        if isinstance(note, str):
            for place in (0, len(LOG_ORIGIN) + 2, note.index("\n\n") - 3):
                changed = note[:place] + ("1" if note[place] != "1" else "2") + note[place + 1 :]
                assert not is_convicted(msgspec.structs.replace(evidence, **{name: changed}))


@settings(max_examples=min(60, ACCUSATIONS // 10))
@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_no_finding_about_an_honest_log_can_be_proven(index: int, choice: random.Random) -> None:
    """Whatever code an auditor (or one who plays it) names, there is no evidence that holds."""
    known = material()
    checkpoint = known.notes[-1]
    case = Case.of(checkpoint, known.leaves, known.openings)
    assert case is not None
    for code in (*CODES, "checkpoint_without_head"):
        evidence = prove(case, Finding("integrity", code, "", index % checkpoint.size))
        assert evidence is None or not is_convicted(evidence), code
    assert prove_two(choice.choice(known.notes), choice.choice(known.notes), known.tree) is None


CODES = (
    "replay_leaf", "replay_slot", "replay_lock_reused", "replay_unknown_grant", "replay_wrong_secret",
    "replay_revoked_twice", "replay_head_position", "replay_head_slots", "replay_head_status",
    "read_after_revocation", "read_out_of_scope", "read_out_of_dates", "read_out_of_context", "too_many_reads",
    "read_booked_twice", "untrue_refusal", "gap_in_n", "wrong_tag", "read_of_another_grant",
)  # fmt: skip


def test_proofs_hold_no_key_of_anybody() -> None:
    """Openings open one leaf each; no secret that revokes, reads or signs is in any proof but a spent r."""
    for evidence in lies.specimens().values():
        text = encode_fraud_proof(make_fraud_proof(LOG_ORIGIN, evidence)).decode()
        assert b64u_encode(granting.CODE) not in text
        assert b64u_encode(granting.A) not in text
        assert b64u_encode(granting.B) not in text


def test_proof_of_overdue_is_not_the_proof_of_another_log() -> None:
    evidence = lies.specimens()["overdue_revocation"]
    assert convict(evidence).kind == "overdue_revocation"
    with pytest.raises(Rejected, match="no_policy"):
        convict(evidence, Accused(granting.LOG_KEY))


@pytest.mark.parametrize("cut", range(0, 24))
def test_openings_checked_in_two_steps_give_what_one_step_gives(cut: int) -> None:
    """Also when the auditor restarts in between and has only its rows."""
    history = History(max_reads=2)
    for n in range(3):
        history.read(n)
    history.refuse(0, "expired")
    history.revoke()
    history.read(5)
    openings = history.openings
    del openings[history.refuse(1, "no_share")]
    history.log.publish()
    leaves = history.log.leaves
    cut = min(cut, len(leaves))

    def audit(book: Book) -> OpeningsAudit:
        return OpeningsAudit(book, listed, lambda index: (leaves[index], openings.get(index)))

    whole = [*audit(Book()).check(leaves, openings)]
    first = Book()
    found = [*audit(first).check(leaves[:cut], openings)]
    second = Book(first.changed_rows())
    found += audit(second).check(leaves[cut:], openings)
    assert second.opened_to == len(leaves)
    assert found == whole
