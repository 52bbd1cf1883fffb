"""Hypothesis strategies that spoil a good input in one or a few places, for parsers that must refuse cleanly."""

from typing import Any

from hypothesis import strategies as st

_CHARACTERS = st.one_of(st.sampled_from(list('AZaz09-_~.=+/ \n"{}[]\\\0é\ud800')), st.characters())


@st.composite
def spoiled_text(draw: Any, good: str) -> str:
    """`good` with a character replaced, removed, added or doubled, or a slice cut out."""
    start = draw(st.integers(0, len(good)))
    length = draw(st.integers(0, 3))
    middle = draw(st.one_of(st.just(""), _CHARACTERS, st.text(_CHARACTERS, max_size=4), st.just(good[start:])))
    return good[:start] + middle + good[start + length :]


@st.composite
def spoiled_bytes(draw: Any, good: bytes) -> bytes:
    """`good` with a few bytes changed, cut out or added."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(["flip", "set", "cut", "add"]))
        if kind == "flip" and data:
            data[position] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and data:
            data[position] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[position : position + draw(st.integers(1, 8))]
        else:
            data[position:position] = draw(st.binary(max_size=8))
    return bytes(data)


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=8), st.floats())
json_values = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(["_sd", "...", "iss", "cnf"]), st.text(max_size=4)), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
"""Any JSON value, with members that mean something to an SD-JWT thrown in."""
