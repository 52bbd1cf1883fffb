"""The wallet between requests: for one at a time, closed when nobody is there, and what is kept meanwhile."""

import threading
from collections.abc import Iterator

import pytest

from protocol.errors import Rejected, Unavailable
from tests.waiting import wait_until
from tests.wallet.conftest import PASSPHRASE, Resident
from wallet.ui import session
from wallet.ui.session import MAX_KEPT, Keeper, Listed, Locked
from wallet.vault import open_vault


@pytest.fixture
def keeper(resident: Resident) -> Iterator[Keeper]:
    made = Keeper(resident.home, fetcher=resident.neighbours, clock=resident.neighbours.clock, profile="small")
    yield made
    made.lock()


def test_locked_wallet_is_in_nobodys_use(keeper: Keeper) -> None:
    with pytest.raises(Locked), keeper.in_use():
        pass
    keeper.unlock(PASSPHRASE)
    with keeper.in_use() as wallet:
        assert wallet.secrets()
    keeper.lock()
    with pytest.raises(Locked), keeper.in_use():
        pass


def test_locking_gives_the_file_back(keeper: Keeper, resident: Resident) -> None:
    keeper.unlock(PASSPHRASE)
    with pytest.raises(Unavailable), resident.open():
        pass
    keeper.memory["page"] = "something"
    keeper.lock()
    assert keeper.memory == {}
    with resident.open() as wallet:
        assert wallet.secrets()


def test_unlocking_an_open_wallet_still_asks_for_the_right_passphrase(keeper: Keeper) -> None:
    keeper.unlock(PASSPHRASE)
    keeper.unlock(PASSPHRASE)
    with pytest.raises(Rejected):
        keeper.unlock(b"vijf gele fietsen")
    assert keeper.is_open


def test_second_request_waits_for_the_first_but_not_for_ever(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "WAIT_SECONDS", 0.05)
    keeper.unlock(PASSPHRASE)
    told: list[str] = []

    def other() -> None:
        try:
            with keeper.in_use() as wallet:
                told.append(wallet.secrets().seed)
        except Unavailable as error:
            told.append(error.code)

    with keeper.in_use():
        first = threading.Thread(target=other)
        first.start()
        first.join()
    second = threading.Thread(target=other)
    second.start()
    second.join()
    assert told[0] == "wallet_busy"
    assert len(told[1]) == 43


def test_wallet_locks_itself_without_any_request(
    keeper: Keeper, resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(session, "_LEAST_SECONDS", 0.01)
    keeper.unlock(PASSPHRASE)
    resident.neighbours.clock.advance(15 * 60)
    wait_until(lambda: not keeper.is_open)


def test_wallet_in_use_is_not_locked_under_somebodys_hands(keeper: Keeper, resident: Resident) -> None:
    keeper.unlock(PASSPHRASE)
    with keeper.in_use() as wallet:
        resident.neighbours.clock.advance(16 * 60)
        assert wallet.secrets()
    assert keeper.is_open
    keeper.lock_if_idle()
    assert not keeper.is_open


def test_attack_file_was_changed_while_it_was_locked(keeper: Keeper, resident: Resident) -> None:
    keeper.unlock(PASSPHRASE)
    keeper.lock()
    vault = open_vault(resident.home.file("wallet.db"), PASSPHRASE, bytes)
    vault._database.conn.execute("DELETE FROM secrets")
    vault.close()
    with pytest.raises(Rejected) as refusal:
        keeper.unlock(PASSPHRASE)
    assert refusal.value.code == "vault_damaged"
    assert not keeper.is_open


def test_what_is_kept_survives_the_lock_only_when_it_says_nothing_of_the_resident(keeper: Keeper) -> None:
    keeper.unlock(PASSPHRASE)
    link = keeper.keep("openid4vp://?x", Listed("Gemeente Voorbeeld", "request.page"))
    receipt = keeper.keep("what was given", lasting=False)
    assert keeper.kept(receipt, str) == "what was given"
    keeper.lock()
    assert keeper.kept(link, str) == "openid4vp://?x"
    assert list(keeper.listed()) == [link]
    keeper.replace(link, "another")
    assert keeper.kept(link, str) == "another"
    assert list(keeper.listed()) == [link]
    keeper.drop(link)
    for gone in (link, receipt, "never"):
        with pytest.raises(Rejected) as refusal:
            keeper.kept(gone, str)
        assert refusal.value.code == "not_kept"
    assert keeper.listed() == {}


def test_kept_value_of_another_kind_is_not_there(keeper: Keeper) -> None:
    number = keeper.keep(1)
    with pytest.raises(Rejected):
        keeper.kept(number, str)


def test_oldest_goes_when_too_much_is_kept(keeper: Keeper) -> None:
    names = [keeper.keep(number) for number in range(MAX_KEPT + 1)]
    with pytest.raises(Rejected):
        keeper.kept(names[0], int)
    assert keeper.kept(names[1], int) == 1
    assert keeper.kept(names[-1], int) == MAX_KEPT
