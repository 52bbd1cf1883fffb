"""The six leaves: one form each, no more and no less."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.leaf import (
    LEAF_BYTES,
    Grant,
    Head,
    Leaf,
    LeafType,
    Message,
    Read,
    Refusal,
    Revocation,
    commitment,
    event_tag,
    lock_of,
    parse_leaf,
)
from tests.protocol.witnessed_log import attempt

A, B, TAG = b"a" * 32, b"b" * 32, b"t" * 16
LEAVES: list[tuple[Leaf, str]] = [
    (Grant(2, A, B), "01" + "0000000002" + "61" * 32 + "62" * 32),
    (Revocation(7, 2, A), "02" + "0000000000000007" + "0000000002" + "61" * 32),
    (Read(TAG, B), "03" + "74" * 16 + "62" * 32),
    (Refusal(TAG, B), "04" + "74" * 16 + "62" * 32),
    (Head(9, 3, A), "05" + "0000000000000009" + "0000000003" + "61" * 32),
    (Message(TAG, B), "06" + "74" * 16 + "62" * 32),
]


@pytest.mark.parametrize(("leaf", "expected"), LEAVES)
def test_a_leaf_has_the_bytes_of_the_protocol(leaf: Leaf, expected: str) -> None:
    assert leaf.to_bytes().hex() == expected
    assert parse_leaf(leaf.to_bytes()) == leaf
    assert leaf.to_bytes()[0] == leaf.type
    assert len(leaf.to_bytes()) == LEAF_BYTES[leaf.type]


@pytest.mark.parametrize(("leaf", "_"), LEAVES)
def test_a_leaf_one_byte_shorter_or_longer_is_refused(leaf: Leaf, _: str) -> None:
    for data in (leaf.to_bytes()[:-1], leaf.to_bytes() + b"\0", b"", b"\x00", b"\x07" + bytes(48), b"\xff"):
        with pytest.raises(Rejected) as refusal:
            parse_leaf(data)
        assert refusal.value.code == "bad_leaf"


@given(st.binary(max_size=80))
def test_bytes_are_one_leaf_or_refused(data: bytes) -> None:
    leaf = attempt(lambda: parse_leaf(data))
    assert leaf == "bad_leaf" if isinstance(leaf, str) else leaf.to_bytes() == data


@given(st.sampled_from(LEAVES), st.data())
def test_a_changed_leaf_is_another_leaf_or_refused(case: tuple[Leaf, str], data: st.DataObject) -> None:
    changed = bytearray(case[0].to_bytes())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert attempt(lambda: parse_leaf(bytes(changed))) != case[0]


def test_numbers_fit_their_fields_and_not_one_more() -> None:
    assert parse_leaf(Grant(2**40 - 1, A, B).to_bytes()) == Grant(2**40 - 1, A, B)
    assert parse_leaf(Head(2**63 - 1, 2**40 - 1, A).to_bytes()) == Head(2**63 - 1, 2**40 - 1, A)
    with pytest.raises(ValueError, match="fit"):
        Grant(2**40, A, B).to_bytes()
    with pytest.raises(ValueError, match="fit"):
        Head(-1, 0, A).to_bytes()
    for leaf in (Head(2**63, 0, A), Revocation(2**63, 0, A)):
        with pytest.raises(Rejected, match="out of range"):
            parse_leaf(leaf.to_bytes())


def test_a_leaf_with_a_short_field_cannot_be_made() -> None:
    for make in (
        lambda: Grant(0, A[1:], B),
        lambda: Grant(0, A, B[1:]),
        lambda: Revocation(0, 0, A[1:]),
        lambda: Read(TAG[1:], B),
        lambda: Message(TAG, B + b"x"),
        lambda: Head(0, 0, A[1:]),
    ):
        with pytest.raises(ValueError, match="bytes"):
            make()


def test_a_commitment_binds_key_kind_and_opening() -> None:
    expected = hmac.new(A, b"regie/commit/v1\x03opening", hashlib.sha256).digest()
    assert commitment(A, LeafType.READ, b"opening") == expected
    others = {
        commitment(B, LeafType.READ, b"opening"),
        commitment(A, LeafType.REFUSAL, b"opening"),
        commitment(A, LeafType.READ, b"opening "),
    }
    assert len(others | {expected}) == 4
    with pytest.raises(ValueError, match="32"):
        commitment(A[1:], LeafType.READ, b"")


def test_a_tag_counts_events_of_a_kind() -> None:
    expected = hmac.new(A, b"regie/event/v1\x03" + (5).to_bytes(8, "big"), hashlib.sha256).digest()[:16]
    assert event_tag(A, LeafType.READ, 5) == expected
    tags = {event_tag(A, kind, n) for kind in (LeafType.READ, LeafType.MESSAGE) for n in range(100)}
    assert len(tags) == 200


def test_a_lock_is_the_hash_of_its_secret() -> None:
    assert lock_of(A) == hashlib.sha256(A).digest()
