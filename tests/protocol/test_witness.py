"""C2SP tlog-witness: the rules in their order, with the statuses of the specification."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.checkpoint import cosign_checkpoint
from protocol.errors import Rejected
from protocol.merkle import EMPTY_ROOT
from protocol.note import VerifierKey, verify_note
from protocol.witness import (
    MAX_REQUEST_BYTES,
    Accepted,
    SizeConflict,
    WitnessState,
    decide,
    encode_add_checkpoint,
    parse_add_checkpoint,
)
from tests.protocol.witnessed_log import LOG, NOW, ORIGIN, WITNESSES, PaperLog, attempt, signer

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "c2sp.json").read_text())
HISTORY = PaperLog()
for _ in range(20):
    HISTORY.grant()
TREE = HISTORY.tree()
FORK = PaperLog()
for _ in range(20):
    FORK.head()


def checkpoint(size: int, log: PaperLog = HISTORY) -> str:
    part = PaperLog()
    part.leaves = log.leaves[:size]
    return part.checkpoint((None, None, None))


def state(size: int) -> WitnessState:
    return WitnessState(size, TREE.root(size))


def ask(
    have: WitnessState | None,
    old: int,
    proof: list[bytes],
    note: str,
    key: VerifierKey | None = LOG.key,
) -> Accepted:
    return decide(have, parse_add_checkpoint(encode_add_checkpoint(old, proof, note)), key)


def refusal_of(*args: object, **kwargs: object) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        ask(*args, **kwargs)  # type: ignore[arg-type]
    return refusal.value


def test_the_example_request_of_the_specification_is_read() -> None:
    body = VECTORS["add_checkpoint"]["body"]
    request = parse_add_checkpoint(body.encode())
    assert (request.old_size, len(request.proof)) == (20_852_014, 4)
    assert (request.claimed.origin, request.claimed.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert encode_add_checkpoint(request.old_size, list(request.proof), request.note) == body


def test_a_first_checkpoint_is_cosigned_without_a_proof() -> None:
    accepted = ask(None, 0, [], checkpoint(7))
    assert accepted.state == state(7)
    line = cosign_checkpoint(accepted.checkpoint, WITNESSES[0], time=NOW)
    assert verify_note(checkpoint(7) + line, [WITNESSES[0].key]).signatures[0].time == NOW


def test_every_growth_that_is_proven_is_cosigned() -> None:
    for old in range(1, 21):
        for new in range(old, 21):
            assert ask(state(old), old, TREE.proof(old, new), checkpoint(new)).state == state(new)


def test_an_equal_tree_is_cosigned_again() -> None:
    assert ask(state(7), 7, [], checkpoint(7)).state == state(7)
    assert ask(None, 0, [], checkpoint(0)).state == WitnessState(0, EMPTY_ROOT)


def test_an_unknown_origin_is_404() -> None:
    for key in (None, signer("log.elders.example").key):
        refusal = refusal_of(None, 0, [], checkpoint(7), key)
        assert (refusal.code, refusal.status) == ("unknown_log", 404)


def test_a_checkpoint_without_a_valid_signature_of_its_log_is_403() -> None:
    body = checkpoint(7).partition("\n\n")[0] + "\n"
    stranger = f"{body}\n{signer('stranger.example').sign(body)}"
    forged = checkpoint(7).replace("\n7\n", "\n8\n")
    for note in (stranger, forged):
        refusal = refusal_of(None, 0, [], note)
        assert (refusal.code, refusal.status) == ("bad_signature", 403)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    note = checkpoint(7) + signer("stranger.example").sign("another text\n")
    assert ask(None, 0, [], note).state == state(7)


def test_an_old_size_above_the_new_one_is_400() -> None:
    refusal = refusal_of(state(8), 8, [], checkpoint(7))
    assert (refusal.code, refusal.status) == ("bad_sizes", 400)


def test_another_old_size_than_the_witness_has_is_409_with_its_size() -> None:
    for have, old in [(state(7), 0), (state(7), 6), (state(7), 8), (None, 1), (state(20), 9)]:
        refusal = refusal_of(have, old, TREE.proof(old, 9), checkpoint(9))
        assert isinstance(refusal, SizeConflict)
        assert (refusal.code, refusal.status) == ("conflict", 409)
        assert refusal.body() == f"{have.size if have else 0}\n"


def test_an_equal_size_with_another_root_is_422_and_never_cosigned() -> None:
    refusal = refusal_of(state(7), 7, [], checkpoint(7, FORK))
    assert (refusal.code, refusal.status) == ("forked", 422)


def test_a_forked_tree_is_422() -> None:
    for proof in ([], TREE.proof(7, 12), FORK.tree().proof(7, 12)):
        refusal = refusal_of(state(7), 7, proof, checkpoint(12, FORK))
        assert (refusal.code, refusal.status) == ("bad_consistency", 422)


def test_a_proof_where_none_belongs_is_422() -> None:
    for have, old, new in [(None, 0, 7), (state(7), 7, 7)]:
        refusal = refusal_of(have, old, [TREE.root(7)], checkpoint(new))
        assert (refusal.code, refusal.status) == ("bad_consistency", 422)


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    body = f"{ORIGIN}\n0\n{'A' * 43}=\n"
    assert refusal_of(None, 0, [], f"{body}\n{LOG.sign(body)}").status == 422


def test_the_refusals_come_in_the_order_of_the_specification() -> None:
    forged = checkpoint(7).replace("\n7\n", "\n5\n")
    assert refusal_of(state(9), 6, [], forged, None).status == 404
    assert refusal_of(state(9), 6, [], forged).status == 403
    assert refusal_of(state(9), 8, [], checkpoint(7)).status == 400
    assert refusal_of(state(9), 6, [], checkpoint(7)).status == 409


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0",
        "old 0\n",
        "old 0\n" + checkpoint(7),
        "old 00\n\n" + checkpoint(7),
        "old -1\n\n" + checkpoint(7),
        f"old {2**63}\n\n" + checkpoint(7),
        "old  0\n\n" + checkpoint(7),
        "old 0 \n\n" + checkpoint(7),
        "Old 0\n\n" + checkpoint(7),
        "old 0\r\n\r\n" + checkpoint(7),
        "\nold 0\n\n" + checkpoint(7),
        "old 0\nAAAA\n\n" + checkpoint(7),
        "old 0\n" + "A" * 43 + "\n\n" + checkpoint(7),
        "old 0\n" + ("A" * 43 + "=\n") * 64 + "\n" + checkpoint(7),
    ],
)
def test_a_request_in_another_form_is_400(body: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_add_checkpoint(body.encode())
    assert (refusal.value.code, refusal.value.status) == ("bad_request", 400)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff", "bad_request"),
        (b"old 0\n\n", "bad_note"),
        (f"old 0\n\n\n{checkpoint(7)}".encode(), "bad_checkpoint"),
        (b"old 0\n\nx\n\n" + LOG.sign("x\n").encode(), "bad_checkpoint"),
    ],
)
def test_a_request_without_a_checkpoint_is_400(body: bytes, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_add_checkpoint(body)
    assert (refusal.value.code, refusal.value.status) == (code, 400)


def test_a_request_has_at_most_63_proof_lines_and_a_bounded_size() -> None:
    line = "A" * 43 + "=\n"
    assert len(parse_add_checkpoint(f"old 0\n{line * 63}\n{checkpoint(7)}").proof) == 63
    assert attempt(lambda: parse_add_checkpoint(b"x" * MAX_REQUEST_BYTES)) == "bad_request"
    assert attempt(lambda: parse_add_checkpoint(b"x" * (MAX_REQUEST_BYTES + 1))) == "too_large"


REQUEST = encode_add_checkpoint(5, TREE.proof(5, 13), checkpoint(13))


@given(st.integers(0, len(REQUEST) - 1), st.characters(codec="utf-8"))
def test_a_request_with_one_other_character_is_never_cosigned(place: int, char: str) -> None:
    changed = REQUEST[:place] + char + REQUEST[place + 1 :]
    if changed != REQUEST:
        answer = attempt(lambda: decide(state(5), parse_add_checkpoint(changed), LOG.key))
        assert isinstance(answer, str)


@given(st.binary(max_size=200))
def test_a_request_from_anywhere_is_refused(body: bytes) -> None:
    assert isinstance(attempt(lambda: parse_add_checkpoint(body)), str)
