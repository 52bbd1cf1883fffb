"""An agency's READs of long ago are judged by the roots that were listed then, and by no others."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.openings import check_openings
from auditor.roots import SEEN_SECONDS, SKEW, AgencyRoots
from protocol.errors import Rejected
from protocol.trust_list import TrustList
from service.home import Home
from tests.auditor.history import History
from tests.protocol import builders
from tests.protocol.builders import AGENCY_ID, NOW, TRUST


def renewed(**changes: Any) -> TrustList:
    """The agency has another root now."""
    agency = msgspec.structs.replace(TRUST.agency(AGENCY_ID), roots=list(TRUST.issuers[0].roots))
    return builders.trust_list(agencies=[agency], **changes)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "auditor").create()


def codes(roots: AgencyRoots, trust: TrustList, history: History) -> list[str]:
    found = check_openings(
        history.log.leaves, history.openings, lambda oin, time: roots.agency_at(trust, oin, time)
    )
    return [finding.code for finding in found]


def read_at(iat: int) -> History:
    history = History()
    history.read(0, iat=iat)
    return history


def test_read_under_a_root_that_was_listed_then_is_no_finding(home: Home) -> None:
    AgencyRoots(home).remember(TRUST, NOW)
    roots = AgencyRoots(home)
    roots.remember(renewed(), NOW + 500)
    assert codes(AgencyRoots(home), renewed(), read_at(NOW)) == []
    gone = builders.trust_list(agencies=[])
    assert codes(AgencyRoots(home), gone, read_at(NOW)) == []


@pytest.mark.parametrize(("iat", "expected"), [(NOW + SKEW, []), (NOW + SKEW + 1, ["read_not_by_recipient"])])
def test_attack_stolen_key_signs_after_its_root_was_taken_off_the_list(
    home: Home, iat: int, expected: list[str]
) -> None:
    AgencyRoots(home).remember(TRUST, NOW)
    assert codes(AgencyRoots(home), renewed(), read_at(iat)) == expected


def test_root_that_this_auditor_never_saw_counts_for_nothing(home: Home) -> None:
    AgencyRoots(home).remember(renewed(), NOW)
    assert codes(AgencyRoots(home), renewed(), read_at(NOW)) == ["read_not_by_recipient"]
    with pytest.raises(Rejected, match="not_listed"):
        AgencyRoots(home).agency_at(builders.trust_list(agencies=[]), "0" * 20, NOW)


def test_file_is_written_again_only_when_there_is_something_to_say(home: Home) -> None:
    roots = AgencyRoots(home)
    roots.remember(TRUST, NOW)
    first = home.file("agency-roots.json").stat().st_mtime_ns
    roots.remember(TRUST, NOW + SEEN_SECONDS - 1)
    assert home.file("agency-roots.json").stat().st_mtime_ns == first
    roots.remember(TRUST, NOW + 2 * SEEN_SECONDS)
    assert home.file("agency-roots.json").stat().st_mtime_ns != first
