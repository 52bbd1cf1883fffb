"""C2SP tlog-proof, and the note by which a revocation is acknowledged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.checkpoint import verify_checkpoint
from protocol.errors import Rejected
from protocol.leaf import lock_of
from protocol.note import NoteSigner, encode_base64, sign_note
from protocol.receipt import (
    INCLUSION_SECONDS,
    MAX_EXTRA_BYTES,
    MAX_PROOF_BYTES,
    RevocationReceipt,
    TlogProof,
    make_revocation_receipt,
    make_tlog_proof,
    parse_tlog_proof,
    verify_revocation_receipt,
    verify_tlog_proof,
)
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, PaperLog, attempt, secret, signer

HISTORY = PaperLog()
for _ in range(4):
    HISTORY.grant()
READ = HISTORY.read(2)
HISTORY.head()
NOTE = HISTORY.checkpoint()
PATH = HISTORY.tree().path(READ, 6)
PROOF = make_tlog_proof(READ, PATH, NOTE)
CHECKPOINT = verify_checkpoint(NOTE, LOG.key)
RECEIPTS = signer("receipts.log.voorbeeld.example")
LOCK = lock_of(secret("r2"))


def refusal_of(text: str) -> str:
    with pytest.raises(Rejected) as refusal:
        parse_tlog_proof(text)
    return refusal.value.code


def test_a_proof_comes_back_and_holds() -> None:
    lines = "".join(f"{encode_base64(value)}\n" for value in PATH)
    assert f"c2sp.org/tlog-proof@v1\nindex {READ}\n{lines}\n{NOTE}" == PROOF
    proof = parse_tlog_proof(PROOF)
    assert proof == TlogProof(READ, tuple(PATH), NOTE)
    verified = verify_tlog_proof(proof, HISTORY.leaves[READ], CHECKPOINT)
    assert (verified.index, verified.checkpoint) == (READ, CHECKPOINT)


def test_extra_data_is_read_and_means_nothing() -> None:
    text = PROOF.replace("index", f"extra {encode_base64(b'opaque')}\nindex", 1)
    proof = parse_tlog_proof(text)
    assert proof.extra == b"opaque"
    verify_tlog_proof(proof, HISTORY.leaves[READ], CHECKPOINT)
    most = PROOF.replace("index", f"extra {encode_base64(bytes(MAX_EXTRA_BYTES))}\nindex", 1)
    assert parse_tlog_proof(most).extra == bytes(MAX_EXTRA_BYTES)
    more = PROOF.replace("index", f"extra {encode_base64(bytes(MAX_EXTRA_BYTES + 1))}\nindex", 1)
    assert refusal_of(more) == "bad_proof"


def test_a_proof_of_a_tree_of_one_leaf_has_no_lines() -> None:
    log = PaperLog()
    log.head()
    text = make_tlog_proof(0, [], log.checkpoint())
    verify_tlog_proof(parse_tlog_proof(text), log.leaves[0], verify_checkpoint(log.checkpoint(), LOG.key))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("proof@v1", "proof@v2"),
        ("c2sp.org", "C2SP.org"),
        ("index 4", "index 04"),
        ("index 4", "index -1"),
        ("index 4", f"index {2**63}"),
        ("index 4", "index"),
        ("index 4", "Index 4"),
        ("index 4", "index  4"),
        ("index 4\n", ""),
        ("index 4\n", "index 4\nindex 4\n"),
        ("index 4\n", "extra !\nindex 4\n"),
        ("index 4\n", "extra AA==\nextra AA==\nindex 4\n"),
        ("index 4\n", "index 4\nextra AA==\n"),
        ("index 4\n", "index 4\nAAAA\n"),
        ("index 4\n", "\nindex 4\n"),
        ("index 4\n", "index 4\r\n"),
        ("c2sp", "\nc2sp"),
    ],
)
def test_what_is_not_a_proof_is_refused(old: str, new: str) -> None:
    assert refusal_of(PROOF.replace(old, new, 1)) == "bad_proof"


def test_a_proof_without_a_checkpoint_is_refused() -> None:
    assert refusal_of("") == "bad_proof"
    assert refusal_of(PROOF.partition("\n\n")[0]) == "bad_proof"
    assert refusal_of(PROOF.partition("\n\n")[0] + "\n\n") == "bad_note"
    assert refusal_of(make_tlog_proof(0, [], sign_note("not a checkpoint\n", [LOG]))) == "bad_checkpoint"


def test_a_proof_has_at_most_63_lines_and_a_bounded_size() -> None:
    assert len(parse_tlog_proof(make_tlog_proof(0, [bytes(32)] * 63, NOTE)).hashes) == 63
    assert refusal_of(make_tlog_proof(0, [bytes(32)] * 64, NOTE)) == "bad_proof"
    assert refusal_of("x" * MAX_PROOF_BYTES) == "bad_proof"
    assert refusal_of("x" * (MAX_PROOF_BYTES + 1)) == "too_large"


def test_a_proof_of_another_leaf_index_or_checkpoint_is_refused() -> None:
    proof = parse_tlog_proof(PROOF)
    leaf = HISTORY.leaves[READ]
    later = PaperLog()
    later.leaves = [*HISTORY.leaves]
    later.head()
    other = verify_checkpoint(later.checkpoint(), LOG.key)
    assert attempt(lambda: verify_tlog_proof(proof, HISTORY.leaves[0], CHECKPOINT)) == "bad_inclusion"
    wrong = TlogProof(3, proof.hashes, NOTE)
    assert attempt(lambda: verify_tlog_proof(wrong, leaf, CHECKPOINT)) == "bad_inclusion"
    assert attempt(lambda: verify_tlog_proof(proof, leaf, other)) == "other_checkpoint"


@given(st.integers(0, len(PROOF) - 1), st.characters(codec="utf-8"))
def test_a_proof_with_one_other_character_holds_only_under_the_checkpoint_that_was_verified(
    place: int, char: str
) -> None:
    changed = PROOF[:place] + char + PROOF[place + 1 :]
    if changed != PROOF:
        answer = attempt(lambda: verify_tlog_proof(parse_tlog_proof(changed), HISTORY.leaves[READ], CHECKPOINT))
        # What may differ is a signature line, which was verified elsewhere.
        assert isinstance(answer, str) or place > PROOF.index("\u2014")


def test_a_revocation_receipt_has_the_lines_of_the_protocol() -> None:
    text = make_revocation_receipt(ORIGIN, LOCK, NOW, RECEIPTS)
    encoded = encode_base64(LOCK).rstrip("=").replace("+", "-").replace("/", "_")
    body = f"regie/revocation/v1\n{ORIGIN}\n{encoded}\n{NOW}\n{NOW + 60}\n"
    assert text == f"{body}\n{RECEIPTS.sign(body)}"
    receipt = verify_revocation_receipt(text, RECEIPTS.key, origin=ORIGIN, lock=LOCK)
    assert receipt == RevocationReceipt(ORIGIN, LOCK, NOW, NOW + INCLUSION_SECONDS)


def receipt_refusal(text: str, key: NoteSigner = RECEIPTS, *, origin: str = ORIGIN, lock: bytes = LOCK) -> str:
    with pytest.raises(Rejected) as refusal:
        verify_revocation_receipt(text, key.key, origin=origin, lock=lock)
    return refusal.value.code


def test_a_receipt_for_another_grant_or_log_or_by_another_key_is_refused() -> None:
    text = make_revocation_receipt(ORIGIN, LOCK, NOW, RECEIPTS)
    assert receipt_refusal(text, lock=bytes(32)) == "bad_receipt"
    assert receipt_refusal(text, origin="log.elders.example") == "bad_receipt"
    assert receipt_refusal(text, LOG) == "unknown_key"
    assert receipt_refusal(text.replace(str(NOW), str(NOW + 1))) == "bad_signature"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("regie/revocation/v1", "regie/revocation/v2"),
        (f"{NOW + 60}\n", f"{NOW + 61}\n"),
        (f"{NOW}\n", f"0{NOW}\n"),
        (f"{NOW + 60}\n", ""),
        (f"{NOW + 60}\n", f"{NOW + 60}\nmore\n"),
        (f"\n{NOW}", f"A\n{NOW}"),
        (f"{NOW}\n", f"{2**53}\n"),
    ],
)
def test_a_signed_receipt_in_another_form_is_refused(old: str, new: str) -> None:
    body = make_revocation_receipt(ORIGIN, LOCK, NOW, RECEIPTS).partition("\n\n")[0] + "\n"
    changed = body.replace(old, new, 1)
    assert changed != body
    assert receipt_refusal(sign_note(changed, [RECEIPTS])) == "bad_receipt"


def test_a_checkpoint_is_no_revocation_receipt() -> None:
    assert receipt_refusal(NOTE, LOG) == "bad_receipt"
