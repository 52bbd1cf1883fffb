"""Finding what others did under a mandate: an act that cannot be opened is stopped, and it hides no other."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from protocol.errors import Unavailable
from protocol.presentation import grant_opening
from tests.protocol import mandates
from tests.wallet import delegates
from tests.wallet.conftest import Resident
from tests.wallet.neighbours import LogGrant, Neighbours, second_agency
from wallet.cli_after import _sync_text
from wallet.errand_grant import grant
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet
from wallet.records import Choice


@pytest.fixture
def acts(wallet: OpenWallet, neighbours: Neighbours) -> list[LogGrant]:
    """Two grants that another party of our mandate made: this wallet knows of neither."""
    key = delegates.hold(wallet, mandates.token())
    before = wallet.mandate(key)[1]
    given = [grant(wallet, neighbours.agency.ask(), Choice(), mandate="1").id for _ in range(2)]
    with wallet.vault.transaction():
        for name in given:
            wallet.vault.delete("grants", name)
        wallet.keep_mandate(key, before)
    return neighbours.log.grants


def with_another_view(act: LogGrant) -> None:
    act.view_hash = bytes(32)


def without_its_opening(act: LogGrant) -> None:
    index, kind, n, _, _ = act.events[0]
    act.events[0] = (index, kind, n, None, None)


def of_ones_own(act: LogGrant) -> None:
    """Somebody's own data, under a lock of the mandate."""
    index, kind, n, key, _ = act.events[0]
    act.events[0] = (index, kind, n, key, grant_opening(msgspec.structs.replace(act.terms, on_behalf_of=None)))


@pytest.mark.parametrize("hide", [with_another_view, without_its_opening, of_ones_own])
def test_attack_act_that_nobody_can_open_hides_those_after_it(
    wallet: OpenWallet, neighbours: Neighbours, acts: list[LogGrant], hide: Callable[[LogGrant], None]
) -> None:
    hide(acts[0])
    report = synchronise(wallet)
    assert [wallet.grant(name).index for name in report.found] == [acts[1].index]
    assert [act.revoked is not None for act in acts] == [True, False]
    assert [code for _, code in report.problems][1:] == ["act_stopped"]
    assert wallet.mandate("1")[1].next_code == 2
    assert report.stopped_acts == ["mandate 1, entry 2 of the log"]
    assert (report.doubts, report.others) == ([], [])
    text = _sync_text(report)
    assert "Stopped: mandate 1, entry 2 of the log." in text
    assert "wallet history" not in text, "no agreement of that name is here"
    again = synchronise(wallet)
    assert (again.found, again.problems) == ([], [])


@pytest.mark.parametrize("ours", [{"log": "other.example/log"}, {"state": "failed"}])
def test_attack_act_under_a_code_that_we_used_at_another_log_is_found(
    wallet: OpenWallet, neighbours: Neighbours, ours: dict[str, str]
) -> None:
    """A lock is taken once in each log; who uses ours at another one must not be hidden by our own grant."""
    key = delegates.hold(wallet, mandates.token())
    before = wallet.mandate(key)[1]
    name = grant(wallet, neighbours.agency.ask(), Choice(), mandate="1").id
    mine = wallet.grant(name)
    terms = replace(mine.body.terms, log=ours.get("log", mine.body.terms.log))
    with wallet.vault.transaction():
        state = ours.get("state", mine.state)
        wallet.vault.put("grants", name, replace(mine, body=replace(mine.body, terms=terms), state=state))
        wallet.keep_mandate(key, before)
    (found,) = synchronise(wallet).found
    act = wallet.grant(found)
    assert (act.code_number, act.body.terms.log) == (mine.code_number, neighbours.log.grants[0].terms.log)
    stop_grant(wallet, found)
    assert neighbours.log.grants[0].revoked is not None
    assert synchronise(wallet).found == []


def test_act_for_an_agency_that_is_not_listed_is_told_and_asked_for_again(
    wallet: OpenWallet, neighbours: Neighbours, acts: list[LogGrant], holder: Resident
) -> None:
    """Our list may be older than the other party's: such an act is no attack, and is not stopped."""
    holder.write_trust(agencies=[second_agency()], version=2)
    for _ in range(2):
        report = synchronise(wallet)
        assert report.found == []
        assert [code for _, code in report.problems] == ["not_listed", "not_listed"]
    del neighbours.trust_changes["agencies"]
    holder.write_trust(version=3)
    report = synchronise(wallet)
    assert [wallet.grant(name).index for name in report.found] == [act.index for act in acts]
    assert [act.revoked for act in acts] == [None, None]


def test_act_whose_log_is_busy_is_not_stopped(
    wallet: OpenWallet, neighbours: Neighbours, acts: list[LogGrant]
) -> None:
    def busy(_: object) -> Any:
        raise Unavailable("busy", "the log is busy")

    neighbours.log.change_events = busy
    assert synchronise(wallet).found == []
    assert [act.revoked for act in acts] == [None, None]
    neighbours.log.change_events = None
    assert len(synchronise(wallet).found) == 2
