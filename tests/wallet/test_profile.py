"""Profiles: what they propose, and that none of them ever says yes."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Rejected
from tests.protocol.builders import DAY, NOW
from tests.wallet.conftest import Resident
from wallet.errand_profile import keep_profile, profile_of
from wallet.profile import AS_AT_FIRST, PROFILES, TERMS, Profile, change, choose, is_changed, propose_until


@pytest.mark.parametrize("name", PROFILES)
def test_resident_chooses_a_profile_and_finds_it_again(resident: Resident, name: str) -> None:
    with resident.open() as wallet:
        assert profile_of(wallet) == AS_AT_FIRST
        keep_profile(wallet, choose(name))
    with resident.open() as wallet:
        assert profile_of(wallet).name == name
        assert not is_changed(profile_of(wallet))


def test_resident_changes_one_default_and_the_others_stay() -> None:
    safe = choose("veiligheid")
    mine = change(safe, longest_days=7)
    assert (mine.longest_days, mine.prefers, mine.name) == (7, safe.prefers, "veiligheid")
    assert is_changed(mine)


@pytest.mark.parametrize(
    "changes", [{"longest_days": 3650}, {"longest_days": 0}, {"prefers": "always"}, {"news": ""}, {"yes": True}]
)
def test_what_is_no_default_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(Rejected, match="bad_profile"):
        change(AS_AT_FIRST, **changes)


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(Rejected, match="unknown_profile"):
        choose("alles-altijd-goed")


@given(st.sampled_from(TERMS), st.integers(0, 4000 * DAY))
def test_profile_never_makes_an_agreement_longer(days: int | None, length: int) -> None:
    latest = NOW + length
    proposed = propose_until(Profile(longest_days=days), latest, NOW)
    assert proposed is None or proposed < date.fromtimestamp(latest + DAY)
    assert proposed is None or days is not None


def test_copy_that_is_given_once_has_no_last_day_to_propose() -> None:
    assert propose_until(choose("veiligheid"), None, NOW) is None


def test_profile_holds_nothing_that_could_be_a_yes() -> None:
    """Whoever adds a member has to say here why it decides nothing for the resident."""
    assert {field.name for field in msgspec.structs.fields(Profile)} == {
        "name",
        "longest_days",  # only ever an earlier day, shown and changeable on the page
        "prefers",  # a sentence on the page
        "news",  # which notices come first
        "may_help",  # a sentence; acting takes a mandate
        "follow",  # the same attributes under the same terms, after a yes
    }
