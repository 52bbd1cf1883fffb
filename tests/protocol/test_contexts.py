"""When and from where somebody may look: what two sides say together is never wider than either."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import Rejected
from protocol.narrowing import is_context_within, meet_contexts
from protocol.terms import Context, in_context

HOUR = 3600
MONDAY = 1_795_993_200  # 2026-11-30 00:00 in Amsterdam
DAYS = st.none() | st.sets(st.integers(1, 7), min_size=1).map(sorted)
HOURS = st.none() | st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda span: span[0] < span[1]).map(
    list
)
CONTEXTS = st.none() | st.builds(Context, DAYS, HOURS, st.sampled_from([None, "office", "remote"])).filter(
    lambda context: context != Context()
)


def met(one: Context | None, other: Context | None) -> Callable[[int, str], bool]:
    """What both admit together; nothing when they have no moment in common."""
    try:
        both = meet_contexts(one, other)
    except Rejected:
        return lambda at, zone: False
    assert is_context_within(both, one)
    assert is_context_within(both, other)
    assert both != Context()
    return lambda at, zone: in_context(both, at, zone)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(CONTEXTS, CONTEXTS, st.lists(st.integers(0, 7 * 24 - 1), max_size=12))
def test_what_both_admit_is_what_each_admits(one: Context | None, other: Context | None, hours: list[int]) -> None:
    admits = met(one, other)
    for hour in hours:
        for zone in ("office", "remote"):
            at = MONDAY + hour * HOUR
            expected = in_context(one, at, zone) and in_context(other, at, zone)  # type: ignore[arg-type]
            assert admits(at, zone) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Context(days=[6, 7]), Context(days=[1, 2])),
        (Context(hours=[8, 12]), Context(hours=[12, 18])),
        (Context(zone="office"), Context(zone="remote")),
    ],
)
def test_nothing_in_common_is_refused(one: Context, other: Context) -> None:
    with pytest.raises(Rejected) as info:
        meet_contexts(one, other)
    assert info.value.code == "no_moment_left"
