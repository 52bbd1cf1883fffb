"""Data that are out of date: the agency knows it before it reads, and the resident sees no READ for it."""

from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Rejected
from protocol.status_list import INVALID, SUPERSEDED, SUSPENDED, StatusList, StatusReference
from tests.protocol import builders
from tests.protocol.builders import ADRES
from tests.verifier.agency import Agency, Wallet
from tests.verifier.test_read import granted, read
from verifier.currency import check_current, outdated_types
from verifier.verify import status_of


def supersede(agency: Agency, wallet: Wallet) -> str:
    """A grant whose address the register has changed since."""
    rid, _ = granted(agency, wallet)
    agency.net.statuses[4711] = SUPERSEDED
    agency.clock.time += 901
    return rid


def test_agency_knows_before_it_reads_that_the_register_has_changed(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    assert outdated_types(agency.desk, agency.desk.store.grants.get(rid)) == ()
    agency.net.statuses[4711] = SUPERSEDED
    agency.clock.time += 901
    old = outdated_types(agency.desk, agency.desk.store.grants.get(rid))
    assert ADRES in old
    assert not agency.log.requests
    with pytest.raises(Rejected) as info:
        check_current(old)
    assert info.value.code == "out_of_date"
    assert read(agency, rid).values["postcode"] == "1234AB"  # old, and still what was granted


def test_command_says_so_and_reads_nothing_where_only_the_newest_will_do(
    agency: Agency, wallet: Wallet, run: Any, tmp_path: Path
) -> None:
    rid = supersede(agency, wallet)
    refusal = run("read", rid, "--case", "Z-1", "--only-current", exit_code=1)
    assert "(out_of_date)" in refusal
    assert not agency.log.requests
    assert "adres" in run("check")["grants"][0]["out_of_date"]
    assert "adres" in run("read", rid, "--case", "Z-1")["out_of_date"]


def test_issuer_that_cannot_be_asked_has_not_said_that_data_are_old(agency: Agency, wallet: Wallet) -> None:
    rid, _ = granted(agency, wallet)
    agency.net.issuer_down = True
    agency.clock.time += 901
    assert outdated_types(agency.desk, agency.desk.store.grants.get(rid)) == ()


def test_answer_with_old_data_is_taken_and_its_verdict_says_so(agency: Agency, wallet: Wallet) -> None:
    agency.net.statuses[4711] = SUPERSEDED
    rid, _ = granted(agency, wallet)
    (found,) = agency.desk.store.verdicts.of(rid)
    assert found.verdict.accepted
    steps = {(each.name, each.outcome, each.code) for each in found.verdict.steps}
    assert ("current", "undetermined", "out_of_date") in steps


@pytest.mark.parametrize(
    ("status", "listed", "said"),
    [
        (0, True, "valid"),
        (SUPERSEDED, True, "superseded"),
        (SUPERSEDED, False, "revoked"),
        (INVALID, True, "revoked"),
        (SUSPENDED, True, "revoked"),
    ],
)
def test_only_of_a_listed_issuer_a_newer_one_is_meant(status: int, listed: bool, said: str) -> None:
    found = StatusList(builders.STATUS_URI, 2, bytes([status]), 0, None, 300)
    assert status_of(StatusReference(0, builders.STATUS_URI), found, is_listed=listed) == said
