"""A log whose year is over: no new grants; refreshes, reads, messages and revocations go on."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.consent_api import GrantAnswer
from tests.consentlog.peers import code_of
from tests.consentlog.small_town import SmallTown
from tests.protocol.builders import NOW


def close(town: SmallTown, until: int) -> None:
    town.entry = replace(town.entry, until=until)
    town.publish_trust(version=2)


def test_closed_log_takes_no_new_grant_and_goes_on_otherwise(tmp_path: Path) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        given, gone = town.grant(), town.grant()
        _, _, late = town.grant_request()
        close(town, NOW)
        leaves = len(town.leaves())
        assert code_of(town.send("POST", "/v1/grants", late)) == (410, "log_closed")
        assert len(town.leaves()) == leaves
        again = town.parsed(town.send("POST", "/v1/grants", given.request), GrantAnswer)
        assert again.slot == given.answer.slot, "a repetition gets its answer"
        assert town.read(given)[1].n == 0
        assert town.revoke(gone).slot == gone.answer.slot
        _, refresh = town.refresh_request(given)
        renewed = town.parsed(town.send("POST", "/v1/grants", refresh), GrantAnswer)
        assert renewed.slot == 2
        town.replayed()


@pytest.mark.parametrize(("until", "status"), [(NOW, 410), (NOW + 1, 201), (None, 201)])
def test_log_closes_at_the_second(tmp_path: Path, until: int | None, status: int) -> None:
    town = SmallTown(tmp_path)
    with town.running():
        if until is not None:
            close(town, until)
        assert town.send("POST", "/v1/grants", town.grant_request()[2]).status_code == status
