"""New data under a running agreement (protocol section 9): by whose choice, what changes, what a crash leaves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.errors import Rejected
from tests.protocol import builders
from tests.protocol.builders import ADRES, AGENCY_HOST, DAY
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import LOG_HOST, Crash, Neighbours
from tests.wallet.test_backup import SMALL, restored
from wallet.errand_backup import back_up
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_leaves import search_hidden
from wallet.errand_paper import stop_by_code
from wallet.errand_profile import keep_profile
from wallet.errand_refresh import choose_follow, intent_of, refresh_agreement, refresh_agreements
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet
from wallet.profile import choose
from wallet.records import Choice, GrantRecord
from wallet.refresh import MAX_VERSIONS, draft_refresh, newer_copies
from wallet.state import state_of

MOVED = {"postcode": "2345CD", "straat": "Pruimenlaan"}


def agree(holder: Resident, *, follow: bool = True) -> None:
    """Agreement 1, with the standing choice."""
    with holder.open() as wallet:
        grant(wallet, holder.neighbours.agency.ask(), Choice())
        choose_follow(wallet, "1", follow=follow)


def move(holder: Resident, **changes: Any) -> None:
    """The register changes, and the wallet has the address again, in the sets of before."""
    holder.neighbours.clock.advance(DAY)
    holder.neighbours.issuer.attribute_changes[ADRES] = changes or MOVED
    holder.receive("adres")


def on_log(neighbours: Neighbours) -> list[tuple[int, bool]]:
    """Version and end of every grant in the log."""
    return [(one.terms.version, one.revoked is not None) for one in neighbours.log.grants]


def test_new_address_goes_to_who_may_have_it_by_itself(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        before = wallet.grant("1")
        report = refresh_agreements(wallet)
        assert (report.renewed, report.problems, report.waiting) == (["1"], [], [])
        record = wallet.grant("1")
        assert (record.state, record.renewed_at) == ("active", wallet.now())
        assert (record.sealed, record.share_a, record.body.terms.version) == ([], "", 2)
        assert intent_of(wallet, "1") is None
        assert refresh_agreements(wallet).renewed == []
    assert on_log(neighbours) == [(1, True), (2, False)]
    old, new = neighbours.agency.grants
    assert new.consent.set_id == old.consent.set_id
    places = [[(claim.credential, claim.path) for claim in one.answer.terms.claims] for one in (old, new)]
    assert places[0] == places[1]
    kept = ("tag_key", "recipient", "service", "request_hash", "max_reads", "not_after", "retention", "mode")
    assert all(getattr(before.body.terms, name) == getattr(record.body.terms, name) for name in kept)


def test_profile_chooses_for_new_agreements_only(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder, follow=False)
    with holder.open() as wallet:
        assert grant(wallet, neighbours.second.ask(), Choice()).record.follow is False  # never a yes in advance
        keep_profile(wallet, choose("ontzorgd"))
        assert grant(wallet, neighbours.second.ask(), Choice()).record.follow is True
        assert [record.follow for record in wallet.grants().values()] == [False, False, True]


def test_nothing_is_sent_without_the_residents_choice(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder, follow=False)
    move(holder)
    with holder.open() as wallet:
        calls = len(neighbours.calls)
        report = refresh_agreements(wallet)
        assert (report.renewed, report.asks) == ([], [("1", "not_chosen")])
        assert len(neighbours.calls) == calls
        assert refresh_agreement(wallet, "1").state == "active"  # by hand, once
        assert wallet.grant("1").follow is False


def test_secret_address_goes_by_itself_to_public_bodies_only(holder: Resident, neighbours: Neighbours) -> None:
    holder.write_trust(version=2, agencies=[builders.agency(bsn_allowed=False)])
    agree(holder)
    move(holder, **MOVED, geheimhouding=True)
    with holder.open() as wallet:
        assert refresh_agreements(wallet).asks == [("1", "secrecy")]
    assert on_log(neighbours) == [(1, False)]


def test_flag_of_secrecy_travels_to_a_public_body(holder: Resident, neighbours: Neighbours) -> None:
    holder.write_trust(version=2, agencies=[builders.agency(bsn_allowed=True)])
    agree(holder)
    move(holder, geheimhouding=True)
    with holder.open() as wallet:
        assert refresh_agreements(wallet).renewed == ["1"]


def test_nothing_newer_is_said_and_nothing_sent(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    with holder.open() as wallet:
        for _ in range(2):
            with pytest.raises(Rejected) as caught:
                refresh_agreement(wallet, "1")
            assert caught.value.code == "nothing_newer"
    assert on_log(neighbours) == [(1, False)]


def test_history_goes_on_over_versions(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    neighbours.log.read(neighbours.log.grants[0].slot, "postcode")
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        first, second = (one.slot for one in neighbours.log.grants)
        neighbours.log.read(second, "postcode")
        neighbours.log.read(first, "postcode", reason="revoked")  # the agency tries the old version once more
        found = search_hidden(wallet, "1")
        kinds = [(event.kind, event.n) for event in found.history.events]
        assert kinds == [("grant", None), ("read", 0), ("refresh", None), ("read", 1), ("refusal", 0)]
        assert found.record.stop is None
        assert (found.record.seen.reads, found.record.seen.refusals) == (2, 1)
        assert state_of(found.record, wallet.now()) == "active"


def test_log_that_hides_a_read_of_an_earlier_version_is_found_out(
    holder: Resident, neighbours: Neighbours
) -> None:
    agree(holder)
    neighbours.log.read(neighbours.log.grants[0].slot, "postcode")
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        first, second = neighbours.log.grants
        neighbours.log.read(second.slot, "postcode")
        first.events = [event for event in first.events if event[2] is None]
        with pytest.raises(Rejected) as caught:
            look_back(wallet, "1")
        assert caught.value.code == "missing_event"


def test_log_that_lets_both_versions_stand_is_found_out(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    neighbours.log._end = lambda grant, r: None  # type: ignore[method-assign]
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        with pytest.raises(Rejected) as caught:
            look_back(wallet, "1")
        assert caught.value.code == "not_replaced"


def test_stop_after_a_refresh_ends_the_newer_version(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        assert state_of(stop_grant(wallet, "1"), wallet.now()) == "stopped"
        assert look_back(wallet, "1").history.events[-1].kind == "revocation"
    assert on_log(neighbours) == [(1, True), (2, True)]


def test_paper_of_the_first_version_stops_the_newest(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        code = wallet.code(wallet.grant("1"))
        assert stop_by_code(wallet, code).state == "confirmed"
        synchronise(wallet)
        assert state_of(wallet.grant("1"), wallet.now()) == "stopped"
    assert on_log(neighbours) == [(1, True), (2, True)]


# ---- crashes


def steps_of(holder: Resident, neighbours: Neighbours, act: Callable[[OpenWallet], Any]) -> list[str]:
    """The names of what an errand does out there."""
    seen: list[str] = []
    neighbours.on_call = seen.append
    with holder.open() as wallet:
        act(wallet)
    neighbours.on_call = None
    return seen


def die_at(neighbours: Neighbours, number: int) -> None:
    """The process ends at the n-th thing that it does out there."""
    count = iter(range(10**6))

    def step(_: str) -> None:
        if next(count) == number:
            raise Crash

    neighbours.on_call = step


@pytest.mark.parametrize("number", range(4))
def test_wallet_that_dies_between_any_two_steps_finishes_the_same_refresh(
    holder: Resident, neighbours: Neighbours, number: int
) -> None:
    """Before and after the log, before and after the agency's inbox: nothing is given twice, nothing is lost."""
    agree(holder)
    move(holder)
    die_at(neighbours, number)
    with pytest.raises(Crash), holder.open() as wallet:
        refresh_agreements(wallet)
    neighbours.on_call = None
    with holder.open() as wallet:
        report = synchronise(wallet)
        assert (report.renewed, report.problems, report.waiting) == (["1"], [], [])
        record = wallet.grant("1")
        assert (record.state, record.body.terms.version, record.stop) == ("active", 2, None)
        assert [event.kind for event in look_back(wallet, "1").history.events] == ["grant", "refresh"]
    assert on_log(neighbours) == [(1, True), (2, False)]
    assert [one.answer.terms.version for one in neighbours.agency.grants] == [1, 2]


@pytest.mark.parametrize("number", range(4))
def test_stop_after_a_crash_ends_whatever_the_log_has(
    holder: Resident, neighbours: Neighbours, number: int
) -> None:
    agree(holder)
    move(holder)
    die_at(neighbours, number)
    with pytest.raises(Crash), holder.open() as wallet:
        refresh_agreements(wallet)
    neighbours.on_call = None
    with holder.open() as wallet:
        assert state_of(stop_grant(wallet, "1"), wallet.now()) == "stopped"
        assert intent_of(wallet, "1") is None
        report = synchronise(wallet)
        assert (report.renewed, report.problems) == ([], [])
    assert all(is_over for _, is_over in on_log(neighbours))
    assert len(neighbours.agency.grants) <= 2


def test_refresh_waits_while_the_log_is_away_and_says_so(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    neighbours.down = {LOG_HOST}
    with holder.open() as wallet:
        assert refresh_agreements(wallet).waiting == ["1"]
        intent = intent_of(wallet, "1")
        neighbours.down = set()
        neighbours.lost = {AGENCY_HOST}
        assert refresh_agreements(wallet).waiting == ["1"]
        assert wallet.grant("1").state == "renewing"
        assert intent is not None
        assert wallet.grant("1").body == intent.body
        neighbours.lost = set()
        assert refresh_agreements(wallet).renewed == ["1"]
    assert len(neighbours.agency.grants) == 2


def test_agency_that_refuses_gets_it_again_and_the_resident_hears_of_it(
    holder: Resident, neighbours: Neighbours
) -> None:
    agree(holder)
    move(holder)
    neighbours.agency.refuse = Rejected("not_listed", "no", status=403)
    with holder.open() as wallet:
        assert refresh_agreements(wallet).problems == [("1", "not_listed")]
        assert (wallet.grant("1").state, wallet.grant("1").problem) == ("renewing", "not_listed")
        neighbours.agency.refuse = None
        assert synchronise(wallet).renewed == ["1"]
        assert wallet.grant("1").problem is None


def test_agreement_that_was_stopped_by_paper_is_not_refreshed(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        stop_by_code(wallet, wallet.code(wallet.grant("1")))
        assert refresh_agreements(wallet).problems == [("1", "revoked")]
        assert intent_of(wallet, "1") is None
        synchronise(wallet)
        assert state_of(wallet.grant("1"), wallet.now()) == "stopped"
    assert on_log(neighbours) == [(1, True)]


@pytest.mark.parametrize("since", ["grant", "nothing"])
def test_restored_wallet_finds_the_newer_version_and_stops_it(
    holder: Resident, neighbours: Neighbours, tmp_path: Path, since: str
) -> None:
    """A backup of before the refresh, or of before the grant itself: what ended version 1 was no stop."""
    if since == "nothing":
        agree(holder)
    with holder.open() as wallet:
        back_up(wallet, tmp_path / "backup", PASSPHRASE, SMALL)
    if since == "grant":
        agree(holder)
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
    neighbours.log.read(neighbours.log.grants[1].slot, "postcode")
    new = restored(holder, tmp_path / "backup", tmp_path / "new")
    with new.open() as wallet:
        report = synchronise(wallet)
        assert (report.problems, report.stopped) == ([], [])
        record = wallet.grant("1")
        assert (record.body.terms.version, record.stop, record.state) == (2, None, "active")
        assert record.seen.reads == 1
        assert state_of(stop_grant(wallet, "1"), wallet.now()) == "stopped"
    assert on_log(neighbours) == [(1, True), (2, True)]


# ---- attacks


def refused(wallet: OpenWallet, neighbours: Neighbours, code: str, change: Callable[[Any], Any]) -> None:
    """A wallet that goes wrong drafts a refresh; `change` makes it worse; the log takes nothing of it."""
    record = wallet.grant("1")
    chosen = newer_copies(record, wallet.copies())
    assert chosen is not None
    log = wallet.trust_list().log(record.body.terms.log)
    intent = draft_refresh(
        record, chosen, wallet.code(record), log, now=wallet.now(), random=builders.random_of("draft")
    )
    before = on_log(neighbours)
    with pytest.raises(Rejected) as caught:
        wallet.peers.grant(log.url, change(intent.body))
    assert caught.value.code == code
    assert on_log(neighbours) == before
    assert len(neighbours.agency.grants) == 1


def test_refresh_that_widens_is_refused_by_the_log(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        end = wallet.grant("1").body.terms.not_after
        for members in ({"not_after": end + 1}, {"retention": "P99Y"}, {"version": 3}):
            refused(
                wallet,
                neighbours,
                "widened",
                lambda body, m=members: replace(body, terms=replace(body.terms, **m)),
            )


def test_refresh_with_an_old_secret_is_refused_by_the_log(holder: Resident, neighbours: Neighbours) -> None:
    """Replay of a version: r of a version that is over replaces nothing."""
    agree(holder)
    move(holder)
    with holder.open() as wallet:
        refresh_agreements(wallet)
        spent = neighbours.log.grants[1].body
        neighbours.clock.advance(DAY)
        again = neighbours.log.handle("POST", "/v1/grants", spent, {})
        assert again.body == neighbours.log.grants[1].answer  # byte for byte the same: nothing new
        with pytest.raises(Rejected) as caught:
            neighbours.log.handle(
                "POST", "/v1/grants", spent.replace(b'"opening_key":"', b'"opening_key":"A', 1), {}
            )
        assert caught.value.code in ("bad_form", "lock_used")
    assert on_log(neighbours) == [(1, True), (2, False)]


def test_copies_of_another_set_never_stand_in_a_refresh(holder: Resident, neighbours: Neighbours) -> None:
    """The wallet looks for newer copies in the same set only: another set would be another person."""
    agree(holder)
    neighbours.issuer.first_set = 100
    move(holder)
    with holder.open() as wallet:
        assert newer_copies(wallet.grant("1"), wallet.copies()) is None
        assert refresh_agreements(wallet).renewed == []
    assert on_log(neighbours) == [(1, False)]


def test_refresh_that_swaps_the_person_is_refused_by_the_agency(holder: Resident, neighbours: Neighbours) -> None:
    agree(holder)
    neighbours.issuer.first_set = 100
    neighbours.clock.advance(DAY)
    holder.receive("adres", "persoon")
    with holder.open() as wallet:
        record = wallet.grant("1")
        others = {name: copy for name, copy in wallet.copies().items() if copy.received == wallet.now()}
        sets = sorted({copy.set_id for copy in others.values()})
        swapped = {
            query_id: next(
                name for name, copy in others.items() if copy.set_id == sets[0] and copy.configuration == query_id
            )
            for query_id in record.copies
        }
        with wallet.vault.transaction():  # the card is passed off as one of the set of before
            for query_id, name in swapped.items():
                mine = wallet.copies()[record.copies[query_id]]
                wallet.vault.put("copies", name, replace(others[name], set_id=mine.set_id))
        report = refresh_agreements(wallet)
        assert report.problems == [("1", "claim_mismatch")]
    assert len(neighbours.agency.grants) == 1


def test_versions_end_where_the_paper_ends(wallet: OpenWallet, neighbours: Neighbours) -> None:
    grant(wallet, neighbours.agency.ask(), Choice())
    record = wallet.grant("1")
    last = replace(record, body=replace(record.body, terms=replace(record.body.terms, version=MAX_VERSIONS)))
    chosen = dict.fromkeys(record.copies)
    with pytest.raises(Rejected) as caught:
        draft_refresh(last, chosen, bytes(16), None, now=0, random=bytes)  # type: ignore[arg-type]
    assert caught.value.code == "too_many_versions"


def test_agreement_found_again_without_its_request_is_not_refreshed(
    wallet: OpenWallet, neighbours: Neighbours
) -> None:
    grant(wallet, neighbours.agency.ask(), Choice())
    found: GrantRecord = replace(wallet.grant("1"), request="")
    with pytest.raises(Rejected) as caught:
        draft_refresh(found, {}, bytes(16), None, now=0, random=bytes)  # type: ignore[arg-type]
    assert caught.value.code == "no_request"
