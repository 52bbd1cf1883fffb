"""Backup and restore: sealed, read back, and held against the log afterwards."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from protocol.errors import Rejected
from protocol.passphrase import PROFILES
from service.home import Home
from tests.protocol.builders import AGENCY_ID, DAY
from tests.wallet.conftest import PASSPHRASE, Resident
from tests.wallet.neighbours import LOG_HOST, SECOND_ID, Neighbours
from wallet import errand_backup
from wallet.errand_backup import PAD_STEP, back_up, open_backup, restore, seal_backup
from wallet.errand_grant import grant
from wallet.errand_history import look_back
from wallet.errand_request import share_once
from wallet.errand_revoke import stop_grant
from wallet.errand_sync import synchronise
from wallet.opened import OpenWallet
from wallet.records import Choice, KnownLog
from wallet.state import state_of_stop

SMALL = PROFILES["small"]


class Restored(Resident):
    """The same resident on a new machine."""

    def __init__(self, resident: Resident, folder: Path) -> None:
        self.folder, self.neighbours = folder, resident.neighbours
        self.home = Home(folder / "wallet")
        self.trust_path, self.config = resident.trust_path, resident.config


@pytest.fixture
def file(holder: Resident, tmp_path: Path) -> Path:
    """A backup that was made after one grant."""
    with holder.open() as wallet:
        grant(wallet, holder.neighbours.agency.ask(), Choice())
        look_back(wallet, "1")
        back_up(wallet, tmp_path / "backup", PASSPHRASE, SMALL)
    return tmp_path / "backup"


def restored(holder: Resident, file: Path, folder: Path) -> Restored:
    new = Restored(holder, folder)
    restore(new.home, file.read_bytes(), PASSPHRASE, PASSPHRASE, "small")
    return new


def test_backup_brings_everything_back(holder: Resident, file: Path, tmp_path: Path) -> None:
    new = restored(holder, file, tmp_path / "new")
    with holder.open() as wallet:
        old_copies, old_grants, seed = wallet.copies(), wallet.grants(), wallet.secrets().seed
    with new.open() as wallet:
        assert wallet.copies() == old_copies
        assert wallet.grants() == old_grants
        assert wallet.secrets().seed == seed
        synchronise(wallet)
        assert state_of_stop(stop_grant(wallet, "1")) == "confirmed"


def test_backup_file_is_sealed_and_for_the_resident_alone(holder: Resident, file: Path) -> None:
    data = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    for secret in (b"Dorpsstraat", b"1234AB", PASSPHRASE, b"urn:regie", AGENCY_ID.encode()):
        assert secret not in data
    with holder.open() as wallet:
        assert wallet.secrets().seed.encode() not in data


def test_size_of_a_backup_tells_little() -> None:
    sizes = {len(seal_backup(b"x" * n, PASSPHRASE, SMALL, os.urandom)) for n in (1, 1000, PAD_STEP - 1)}
    assert len(sizes) == 1


def test_backup_overwrites_nothing(holder: Resident, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("precious")
    with holder.open() as wallet, pytest.raises(Rejected) as refusal:
        back_up(wallet, target, PASSPHRASE, SMALL)
    assert refusal.value.code == "exists"
    assert target.read_text() == "precious"


def test_backup_into_a_folder_that_is_not_there_is_refused(holder: Resident, tmp_path: Path) -> None:
    with holder.open() as wallet, pytest.raises(Rejected) as refusal:
        back_up(wallet, tmp_path / "absent" / "mine", PASSPHRASE, SMALL)
    assert refusal.value.code == "no_folder"


def test_backup_that_cannot_be_read_back_does_not_count(
    holder: Resident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        errand_backup.Home, "write_secret", lambda self, name, data: (self.path / name).write_bytes(data[:-9])
    )
    with holder.open() as wallet, pytest.raises(Rejected) as refusal:
        back_up(wallet, tmp_path / "torn", PASSPHRASE, SMALL)
    assert refusal.value.code == "backup_failed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data[:-100], "bad_backup"),
        (lambda data: b"", "bad_backup"),
        (lambda data: b"{}", "bad_backup"),
        (lambda data: data.replace(b"regie/backup/v1", b"regie/backup/v2"), "bad_backup"),
        (lambda data: data.replace(b'"small"', b'"large"'), "bad_vault"),
        (lambda data: data[:-20] + b"AAAA" + data[-16:], "bad_backup"),
    ],
)
def test_restore_refuses_a_damaged_file_and_makes_nothing(file: Path, tmp_path: Path, change, code: str) -> None:  # type: ignore[no-untyped-def]
    home = Home(tmp_path / "new")
    with pytest.raises(Rejected) as refusal:
        restore(home, change(file.read_bytes()), PASSPHRASE, PASSPHRASE, "small")
    assert refusal.value.code == code
    assert not home.path.exists()


def test_restore_refuses_another_passphrase(file: Path, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        restore(Home(tmp_path / "new"), file.read_bytes(), b"not this one, no", PASSPHRASE, "small")
    assert refusal.value.code == "wrong_passphrase"


def test_restore_under_a_new_passphrase(file: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    restore(home, file.read_bytes(), PASSPHRASE, b"een nieuwe zin", "small")
    assert open_backup(file.read_bytes(), PASSPHRASE).config.role == "wallet"
    with pytest.raises(Rejected) as refusal:
        restore(home, file.read_bytes(), PASSPHRASE, PASSPHRASE, "small")
    assert refusal.value.code == "wrong_passphrase"


def test_restore_never_overwrites_a_wallet_in_use(holder: Resident, file: Path) -> None:
    with pytest.raises(Rejected) as refusal:
        restore(holder.home, file.read_bytes(), PASSPHRASE, PASSPHRASE, "small")
    assert refusal.value.code == "not_empty"


def test_restore_into_a_wallet_that_is_still_empty(holder: Resident, file: Path, tmp_path: Path) -> None:
    new = Restored(holder, tmp_path / "new")
    new.create()
    restore(new.home, file.read_bytes(), PASSPHRASE, PASSPHRASE, "small")
    with new.open() as wallet:
        assert list(wallet.grants()) == ["1"]


def test_restored_wallet_finds_what_was_given_since(
    holder: Resident, file: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    with holder.open() as wallet:
        later = grant(wallet, neighbours.second.ask(), Choice(without=("huisnummer",))).record
        neighbours.log.read(later.slot or 0, "postcode")
        stop_grant(wallet, "1")
    new = restored(holder, file, tmp_path / "new")
    with new.open() as wallet:
        report = synchronise(wallet)
        assert (report.found, report.problems) == (["2"], [])
        found = wallet.grant("2")
        assert found.body.terms == later.body.terms
        assert (found.slot, found.index, found.seen.reads) == (later.slot, later.index, 1)
        assert {wallet.copies()[name].agency for name in found.copies.values()} == {SECOND_ID}
        assert state_of_stop(wallet.grant("1")) == "confirmed"  # stopped since the backup, and still
        assert wallet.secrets().next_code == 2
        assert state_of_stop(stop_grant(wallet, "2")) == "confirmed"
        assert wallet.vault.all("logs", KnownLog)[later.body.terms.log].scan_from is None
    with new.open() as wallet:
        assert synchronise(wallet).found == []


def test_restored_wallet_searches_a_log_that_the_backup_did_not_know(
    holder: Resident, neighbours: Neighbours, tmp_path: Path
) -> None:
    with holder.open() as wallet:
        back_up(wallet, tmp_path / "early", PASSPHRASE, SMALL)
        grant(wallet, neighbours.agency.ask(), Choice())
    new = restored(holder, tmp_path / "early", tmp_path / "new")
    neighbours.down = {LOG_HOST}
    with new.open() as wallet:
        assert synchronise(wallet).unreachable
    neighbours.down = set()
    with new.open() as wallet:
        assert synchronise(wallet).found == ["1"]


@pytest.mark.parametrize("give", [lambda wallet, link: grant(wallet, link, Choice()), share_once])
def test_restored_wallet_gives_nothing_before_it_has_searched_the_log(
    holder: Resident, file: Path, neighbours: Neighbours, tmp_path: Path, give: Callable[[OpenWallet, str], object]
) -> None:
    with holder.open() as wallet:
        grant(wallet, neighbours.second.ask(), Choice())
    new = restored(holder, file, tmp_path / "new")
    query = neighbours.agency.copy_query("postcode")
    link = neighbours.agency.ask(once=True, query=query) if give is share_once else neighbours.agency.ask()
    with new.open() as wallet:
        assert wallet.must_search
        is_refused_until_sync(wallet, neighbours, give, link)
    neighbours.down = {LOG_HOST}
    with new.open() as wallet:
        assert synchronise(wallet).unreachable
        is_refused_until_sync(wallet, neighbours, give, link)
    neighbours.down = set()
    with new.open() as wallet:
        synchronise(wallet)
        assert not wallet.must_search
        give(wallet, link)


def is_refused_until_sync(
    wallet: OpenWallet, neighbours: Neighbours, give: Callable[[OpenWallet, str], object], link: str
) -> None:
    """And nobody heard of it."""
    before, grants = wallet.copies(), wallet.grants()
    neighbours.calls.clear()
    with pytest.raises(Rejected, match="regie wallet sync") as refusal:
        give(wallet, link)
    assert refusal.value.code == "sync_first"
    assert (wallet.copies(), wallet.grants(), neighbours.calls) == (before, grants, [])


def test_restored_wallet_gives_nothing_while_one_of_its_logs_is_not_searched(
    holder: Resident, file: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    new = restored(holder, file, tmp_path / "new")
    with new.open() as wallet:
        synchronise(wallet)
        known = next(iter(wallet.vault.all("logs", KnownLog).values()))
        wallet.keep_log(replace(known, scan_from=known.size))
        with pytest.raises(Rejected) as refusal:
            grant(wallet, neighbours.agency.ask(), Choice())
    assert refusal.value.code == "sync_first"


def test_restored_wallet_beside_the_old_one_takes_the_next_code(
    holder: Resident, file: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    new = restored(holder, file, tmp_path / "new")
    with new.open() as wallet:
        synchronise(wallet)
    with holder.open() as wallet:  # that nobody should use any more
        grant(wallet, neighbours.second.ask(), Choice())
    with new.open() as wallet:
        made = grant(wallet, neighbours.agency.ask(), Choice())
        assert (made.id, made.record.code_number) == ("2", 2)  # the log has a grant under code 1
        assert synchronise(wallet).problems == []
        assert wallet.grant("2").body == made.record.body


def test_restored_wallet_gives_no_copy_of_a_spent_set(
    holder: Resident, file: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    with holder.open() as wallet:
        for _ in range(2):
            grant(wallet, neighbours.second.ask(), Choice())
    new = restored(holder, file, tmp_path / "new")
    with new.open() as wallet:
        synchronise(wallet)
        record = grant(wallet, neighbours.agency.ask(), Choice()).record
        sets = {wallet.copies()[name].set_id for name in record.copies.values()}
        others = {copy.set_id for copy in wallet.copies().values() if copy.agency == SECOND_ID}
        assert not sets & others
        assert record.code_number == 3


def test_expired_grants_need_no_look(holder: Resident, neighbours: Neighbours) -> None:
    with holder.open() as wallet:
        grant(wallet, neighbours.agency.ask(max_not_after=neighbours.clock.time + DAY), Choice())
        neighbours.clock.time += 2 * DAY
        neighbours.calls.clear()
        assert synchronise(wallet).problems == []
        assert neighbours.calls == []


def test_sync_finds_a_grant_that_the_log_lies_about(holder: Resident, neighbours: Neighbours) -> None:
    with holder.open() as wallet:
        grant(wallet, neighbours.agency.ask(), Choice())
        neighbours.log.change_events = lambda answer: replace(answer, events=[])
        assert synchronise(wallet).problems == [("1", "missing_event")]
