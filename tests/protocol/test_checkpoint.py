"""C2SP tlog-checkpoint and tlog-cosignature: published checkpoints verify; three lines, one form."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import canonical_bytes, parse_struct, sha256
from protocol.checkpoint import (
    Checkpoint,
    ChunkProof,
    Evidence,
    LeafProof,
    add_cosignatures,
    cosign_checkpoint,
    decode_hashes,
    encode_hashes,
    parse_checkpoint_body,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignatures,
)
from protocol.errors import Rejected
from protocol.keys import MlDsa44Private
from protocol.note import NoteSigner, SignatureType, VerifierKey, verify_note
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, WITNESSES, PaperLog, signer

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp.json").read_text())
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(ORIGIN, 7, ROOT)
NOTE = sign_checkpoint(CHECKPOINT, [LOG])
PQ_LOG = NoteSigner(ORIGIN, MlDsa44Private(b"p" * 32), SignatureType.MLDSA44_COSIGNATURE)
PQ_WITNESS = NoteSigner("witness.example/pq", MlDsa44Private(b"q" * 32), SignatureType.MLDSA44_COSIGNATURE)


def code_of(note: str, key: VerifierKey = LOG.key) -> str:
    with pytest.raises(Rejected) as refusal:
        verify_checkpoint(note, key)
    return refusal.value.code


def test_a_checkpoint_of_another_implementation_verifies() -> None:
    vector = VECTORS["checkpoint_ed25519"]
    key = VerifierKey(vector["name"], SignatureType.ED25519, bytes.fromhex(vector["public"]))
    checkpoint = verify_checkpoint(vector["note"], key)
    assert (checkpoint.origin, checkpoint.size, checkpoint.note) == (vector["name"], 1, vector["note"])
    assert checkpoint.root == b"*" + bytes(31)


def test_a_post_quantum_checkpoint_of_another_implementation_verifies() -> None:
    vector = VECTORS["checkpoint_mldsa44"]
    private = MlDsa44Private(bytes.fromhex(vector["seed"]))
    key = NoteSigner("example.com/mldsa-log", private, SignatureType.MLDSA44_COSIGNATURE).key
    assert key.key_id.hex() == vector["key_id"]
    assert verify_checkpoint(vector["note"], key).size == 1
    for old, new in [("\n1\n", "\n2\n"), ("+zoE", "+zoF"), ("log\n1", "logs\n1")]:
        assert code_of(vector["note"].replace(old, new, 1), key) == "bad_signature"


def test_a_checkpoint_comes_back() -> None:
    checkpoint = verify_checkpoint(NOTE, LOG.key)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root, checkpoint.note) == (ORIGIN, 7, ROOT, NOTE)
    assert checkpoint.body == CHECKPOINT.body() == verify_note(NOTE, [LOG.key]).body
    assert checkpoint.body_hash == sha256(CHECKPOINT.body().encode())


def test_a_log_may_sign_twice() -> None:
    note = sign_checkpoint(CHECKPOINT, [LOG, PQ_LOG])
    for key in (LOG.key, PQ_LOG.key):
        assert verify_checkpoint(note, key).size == 7


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n",
        f"{ORIGIN}\n7\n",
        CHECKPOINT.body() + "extension\n",
        CHECKPOINT.body() + "\n",
        CHECKPOINT.body()[:-1],
        CHECKPOINT.body().replace(ORIGIN, ""),
        CHECKPOINT.body().replace(ORIGIN, "x" * 256),
        CHECKPOINT.body().replace("\n7\n", "\n07\n"),
        CHECKPOINT.body().replace("\n7\n", "\n-7\n"),
        CHECKPOINT.body().replace("\n7\n", "\n+7\n"),
        CHECKPOINT.body().replace("\n7\n", "\n 7\n"),
        CHECKPOINT.body().replace("\n7\n", "\n\n"),
        CHECKPOINT.body().replace("\n7\n", f"\n{2**63}\n"),
        CHECKPOINT.body().replace("=\n", "\n"),
        CHECKPOINT.body().replace("Hh8=", "Hh9="),
        CHECKPOINT.body().replace("AAEC", "AAE-"),
        f"{ORIGIN}\n7\nAAAA\n",
    ],
)
def test_a_body_in_another_form_is_refused(body: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_checkpoint_body(body)
    assert refusal.value.code == "bad_checkpoint"


def test_sizes_end_below_2_to_the_63_and_origins_at_255_characters() -> None:
    for checkpoint in (Checkpoint("x" * 255, 2**63 - 1, ROOT), Checkpoint("x", 0, ROOT)):
        assert parse_checkpoint_body(checkpoint.body()) == checkpoint


def test_an_extension_line_is_refused_though_it_was_signed() -> None:
    body = CHECKPOINT.body() + "status root\n"
    assert code_of(f"{body}\n{LOG.sign(body)}") == "bad_checkpoint"
    with pytest.raises(Rejected):
        PQ_LOG.sign(body)


def test_a_checkpoint_by_another_log_is_refused() -> None:
    other = signer("log.elders.example")
    assert code_of(sign_checkpoint(CHECKPOINT, [other])) == "unknown_key"
    assert code_of(sign_checkpoint(CHECKPOINT, [other]), other.key) == "wrong_origin"


def test_a_witness_key_is_no_log_key() -> None:
    witness = signer(ORIGIN, SignatureType.COSIGNATURE)
    note = f"{CHECKPOINT.body()}\n{witness.sign(CHECKPOINT.body(), time=1)}"
    assert code_of(note, witness.key) == "bad_vkey"


def test_what_cannot_be_a_checkpoint_is_not_signed() -> None:
    with pytest.raises(Rejected):
        sign_checkpoint(Checkpoint("two\nlines", 7, ROOT), [LOG])


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_a_checkpoint_with_one_other_character_is_refused(place: int, char: str) -> None:
    changed = NOTE[:place] + char + NOTE[place + 1 :]
    if changed != NOTE:
        code_of(changed)


@pytest.mark.parametrize("origin", ["x" * 256, "é" * 128, ""])
def test_ml_dsa_44_signs_no_origin_that_its_message_cannot_hold(origin: str) -> None:
    with pytest.raises(Rejected) as refusal:
        PQ_LOG.sign(Checkpoint(origin, 7, ROOT).body())
    assert refusal.value.code == "bad_note"
    assert PQ_LOG.sign(Checkpoint("é" * 127 + "x", 7, ROOT).body())


def test_cosignatures_of_asked_witnesses_are_taken_and_others_dropped() -> None:
    checkpoint = verify_checkpoint(NOTE, LOG.key)
    lines = [cosign_checkpoint(checkpoint, witness, time=NOW) for witness in (*WITNESSES, PQ_WITNESS)]
    answer = "".join(lines)
    keys = [WITNESSES[1].key, PQ_WITNESS.key]
    assert verify_cosignatures(checkpoint, answer, keys) == (lines[1], lines[3])
    note = add_cosignatures(NOTE, lines[1:])
    assert note.startswith(NOTE)
    assert {found.time for found in verify_note(note, keys).signatures} == {NOW}
    assert verify_checkpoint(note, LOG.key).body == checkpoint.body


def test_a_witness_answer_without_its_cosignature_is_refused() -> None:
    checkpoint = verify_checkpoint(NOTE, LOG.key)
    good = cosign_checkpoint(checkpoint, WITNESSES[0], time=NOW)
    other = WITNESSES[0].sign(Checkpoint(ORIGIN, 8, ROOT).body(), time=NOW)
    for answer, code in [
        ("", "unknown_key"),
        (cosign_checkpoint(checkpoint, WITNESSES[1], time=NOW), "unknown_key"),
        (other, "bad_signature"),
        (good[:-1], "bad_note"),
        ("<html>\n", "bad_note"),
        (good * 33, "bad_note"),
    ]:
        with pytest.raises(Rejected) as refusal:
            verify_cosignatures(checkpoint, answer, [WITNESSES[0].key])
        assert refusal.value.code == code
    with pytest.raises(ValueError, match="cosignatures"):
        verify_cosignatures(checkpoint, good, [LOG.key])


def test_lines_that_would_break_the_note_are_not_added() -> None:
    for lines in (["x\n"], [LOG.sign("y\n")] * 40):
        with pytest.raises(Rejected):
            add_cosignatures(NOTE, lines)


def test_a_proof_in_json_is_one_row_of_hashes() -> None:
    hashes = [bytes([i]) * 32 for i in range(63)]
    for count in (0, 1, 63):
        assert decode_hashes(encode_hashes(hashes[:count])) == hashes[:count]
    for text, code in [
        (encode_hashes([*hashes, bytes(32)]), "too_large"),
        (encode_hashes([bytes(31)]), "bad_base64"),
        ("=", "bad_base64"),
    ]:
        with pytest.raises(Rejected) as refusal:
            decode_hashes(text)
        assert refusal.value.code == code


def test_evidence_survives_json() -> None:
    log = PaperLog()
    log.grant()
    log.head()
    evidence = log.evidence(0)
    assert parse_struct(canonical_bytes(evidence), Evidence) == evidence
    assert evidence.grant.leaf_bytes() == log.leaves[0]
    assert evidence.grant.proof() == log.tree().path(0, 2)
    assert len(evidence.status.chunk_bytes()) == 256


def test_leaves_and_chunks_of_another_length_are_refused() -> None:
    assert len(LeafProof.make(0, bytes(128), []).leaf_bytes()) == 128
    with pytest.raises(Rejected):
        LeafProof.make(0, bytes(129), []).leaf_bytes()
    for length in (255, 257):
        with pytest.raises(Rejected):
            ChunkProof.make(bytes(length), []).chunk_bytes()
