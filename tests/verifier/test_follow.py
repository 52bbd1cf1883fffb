"""Does it still stand? Asked of the log (light check), or found in its public leaves without asking."""

import pytest

from protocol.errors import Rejected, Unavailable
from protocol.leaf import Grant, Head
from tests.protocol.builders import DAY, LOG_ORIGIN, LOG_URL
from tests.verifier.agency import Agency, Granted, Wallet
from tests.verifier.test_read import granted
from verifier.follow import Follower
from verifier.standing import check_standing


def follower(agency: Agency) -> Follower:
    return Follower(agency.desk, LOG_ORIGIN)


def state(agency: Agency, rid: str) -> str:
    return str(agency.desk.store.grants.get(rid).state)


def stop(agency: Agency, made: Granted) -> None:
    agency.log.stop(made.sealed.slot, made.secret)


def test_agency_that_follows_ends_a_revoked_grant_without_reading(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    following = follower(agency)
    assert following.step().ended == ()
    assert following.is_standing(agency.desk.store.grants.get(rid))
    stop(agency, made)
    assert following.step().ended == (rid,)
    assert state(agency, rid) == "revoked"
    assert not agency.log.requests


def test_follower_asks_the_log_for_public_files_only(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    before = len(agency.net.fetched)
    follower(agency).step()
    paths = [url.removeprefix(LOG_URL) for url in agency.net.fetched[before:]]
    assert paths[0] == "/checkpoint"
    assert all(path.startswith("/tile/entries/") for path in paths[1:])


def test_follower_goes_on_where_it_was_after_a_restart(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    first = follower(agency).step()
    before = len(agency.net.fetched)
    second = follower(agency).step()
    assert second.size > first.size
    assert len(agency.net.fetched) - before == 2


def test_follower_refuses_a_log_that_hides_a_revocation_in_its_head(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    following = follower(agency)
    following.step()
    honest = agency.log.status.copy()
    stop(agency, made)
    agency.log.status = honest
    with pytest.raises(Rejected) as info:
        following.step()
    assert info.value.code == "replay_head_status"
    assert state(agency, rid) == "active"


def test_follower_refuses_another_history_and_keeps_both_notes(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    following = follower(agency)
    following.step()
    first = next(i for i, leaf in enumerate(agency.log.leaves) if leaf[0] == 1)
    slot = agency.log.leaves[first][1:6]
    agency.log.leaves[first] = Grant(int.from_bytes(slot, "big"), bytes(32), bytes(32)).to_bytes()
    with pytest.raises(Rejected) as info:
        following.step()
    assert info.value.code == "checkpoint_root"
    (kept,) = agency.desk.store.seen.contradictions()
    assert kept["kept"] != kept["seen"]


def test_follower_refuses_a_log_that_lost_a_grant_it_gave_a_receipt_for(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    stored = agency.desk.store.grants.all()[0]
    with agency.desk.store.seen._file.writing() as db:
        db.execute("DELETE FROM checkpoints")  # nothing is kept that would show it sooner
    agency.log.leaves[stored.grant_index] = Grant(stored.slot, bytes(32), bytes(32)).to_bytes()
    with pytest.raises(Rejected) as info:
        follower(agency).step()
    assert info.value.code == "grant_missing"


def test_follower_sees_another_history_than_a_reading_was_shown(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    following = follower(agency)
    size = following.step().size
    with agency.desk.store.seen._file.writing() as db:
        db.execute("UPDATE checkpoints SET root = ? WHERE size = ?", (bytes(32), size))
    with pytest.raises(Rejected) as info:
        following.step()
    assert info.value.code == "bad_consistency"


def test_follower_does_not_believe_a_stale_checkpoint(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    following = follower(agency)
    stop(agency, made)
    agency.log.age = 120
    with pytest.raises(Rejected) as info:
        following.step()
    assert info.value.code == "stale_checkpoint"
    assert state(agency, rid) == "active"


def test_follower_waits_for_a_log_that_is_down(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    following = follower(agency)
    agency.log.down = True
    with pytest.raises(Unavailable):
        following.step()
    agency.log.down = False
    assert following.step().ended == ()


def test_checkpoint_without_a_head_is_refused(agency: Agency, wallet: Wallet) -> None:
    granted(agency, wallet)
    leaf = Head(10**6, 0, bytes(32))
    agency.log.append(leaf)
    with pytest.raises(Rejected) as info:
        follower(agency).step()
    assert info.value.code == "replay_head_position"


def test_light_check_tells_whether_a_grant_stands_without_an_entry(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    grant = agency.desk.store.grants.get(rid)
    standing = check_standing(agency.desk, grant)
    assert (standing.state, standing.slot, standing.time) == ("stands", made.sealed.slot, agency.clock.time)
    assert agency.log.reads == 0
    stop(agency, made)
    assert check_standing(agency.desk, grant).state == "revoked"
    assert state(agency, rid) == "revoked"
    assert check_standing(agency.desk, agency.desk.store.grants.get(rid)).state == "revoked"


def test_dates_need_no_log(agency: Agency, wallet: Wallet) -> None:
    rid, made = granted(agency, wallet)
    agency.log.down = True
    grant = agency.desk.store.grants.get(rid)
    agency.clock.time = made.sealed.terms.not_before - 1
    assert check_standing(agency.desk, grant).state == "not_yet"
    agency.clock.time = made.sealed.terms.not_after
    assert check_standing(agency.desk, grant).state == "expired"
    agency.clock.time -= DAY
    with pytest.raises(Unavailable):
        check_standing(agency.desk, grant)
