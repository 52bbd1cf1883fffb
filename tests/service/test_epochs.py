"""Epoch keys: one directory, several processes, and keys that are gone when they are gone."""

import errno
import os
from pathlib import Path

import pytest

from protocol.errors import Rejected, Unavailable
from service.epochs import EPOCH_SECONDS, Epochs, turn_of
from service.home import Home

NOW = 1_800_000_000
ONE, TWO, THREE = b"a" * 32, b"b" * 32, b"c" * 32


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "epochs")


def test_epochs_outlive_a_restart_and_the_current_one_is_kept(home: Home) -> None:
    epochs = Epochs(home)
    with pytest.raises(Unavailable, match="epoch_key"):
        _ = epochs.current
    first = epochs.begin(ONE, NOW)
    assert turn_of(first) == 1
    assert not epochs.is_due(NOW + EPOCH_SECONDS - 1)
    assert epochs.is_due(NOW + EPOCH_SECONDS)
    second = epochs.begin(TWO, NOW)
    assert turn_of(second) == 2
    again = Epochs(home)
    assert (again.current, again.past(), again.key(first)) == (second, [first], ONE)
    with pytest.raises(ValueError, match="in use"):
        again.destroy(second)
    again.destroy(first)
    assert Epochs(home).past() == []
    with pytest.raises(ValueError, match="32 bytes"):
        again.begin(b"short", NOW)


def test_epoch_that_another_process_began_is_known_at_once(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    first = other.begin(ONE, NOW)
    assert (mine.current, mine.key(first)) == (first, ONE)
    second = other.begin(TWO, NOW + EPOCH_SECONDS)
    assert not mine.is_due(NOW + EPOCH_SECONDS)  # so nobody begins a second one
    assert (mine.current, mine.past(), mine.key(second)) == (second, [first], TWO)


def test_of_two_processes_that_begin_an_epoch_at_once_both_keys_are_kept(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    first = mine.begin(ONE, NOW)

    class Late(Home):
        """The other process writes between our look and our own write."""

        def create_secret(self, name: str, data: bytes) -> bool:
            other.begin(TWO, NOW)
            return super().create_secret(name, data)

    third = Epochs(Late(home.path)).begin(THREE, NOW)
    (second,) = {*mine.past(), mine.current} - {first, third}
    assert (turn_of(second), turn_of(third)) == (2, 2)
    assert (mine.key(second), other.key(third)) == (TWO, THREE)
    assert mine.current == other.current == max(second, third)


def test_processes_that_do_not_share_a_directory_do_not_take_each_others_epochs_for_their_own(
    tmp_path: Path,
) -> None:
    mine, other = Epochs(Home(tmp_path / "mine")), Epochs(Home(tmp_path / "other"))
    first, second = mine.begin(ONE, NOW), other.begin(TWO, NOW)
    with pytest.raises(Unavailable, match="epoch_key"):
        mine.key(second)
    other.begin(THREE, NOW)
    assert first not in other.past()  # whose shares it would wrap anew, or give up as lost


def test_reader_of_a_destroyed_epoch_gets_no_key_though_it_had_it(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    first = mine.begin(ONE, NOW)
    mine.begin(TWO, NOW)
    assert mine.key(first) == other.key(first) == ONE
    other.destroy(first)
    with pytest.raises(Unavailable, match="epoch_key"):
        mine.key(first)
    assert mine.past() == []
    mine.destroy(first)  # again is no error
    assert ONE not in b"".join(path.read_bytes() for path in home.path.iterdir())


def test_destruction_that_was_cut_short_is_finished_at_the_next_start(home: Home) -> None:
    epochs = Epochs(home)
    first, second = epochs.begin(ONE, NOW), epochs.begin(TWO, NOW)
    home.file(f"epoch-{first}.key").rename(home.file(f"destroyed-{first}.key"))
    assert epochs.past() == []
    Epochs(home)
    assert sorted(path.name for path in home.path.iterdir()) == [f"epoch-{second}.key"]


def test_key_that_the_disk_would_not_overwrite_is_overwritten_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = Epochs(home)
    first, second = epochs.begin(ONE, NOW), epochs.begin(TWO, NOW)

    def refuse(handle: int) -> None:
        raise OSError(errno.EIO, "disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(Unavailable, match="io"):
            epochs.destroy(first)
    assert epochs.past() == []  # nobody uses it, but it is still there
    assert [path.name for path in home.path.glob("destroyed-*")] == [f"destroyed-{first}.key"]
    epochs.finish_destroying()
    assert [path.name for path in home.path.iterdir()] == [f"epoch-{second}.key"]


def test_key_that_vanishes_while_it_is_read_is_gone(home: Home) -> None:
    epochs = Epochs(home)
    first = epochs.begin(ONE, NOW)
    name_of_first = f"epoch-{first}.key"
    epochs.begin(TWO, NOW)

    class Vanishing(Home):
        """Another process destroys the first epoch after it was listed, or after it was read."""

        def read_secret(self, name: str) -> bytes:
            if name == name_of_first and early:
                epochs.destroy(first)
            data = super().read_secret(name)
            if name == name_of_first:
                epochs.destroy(first)
            return data

    early = False
    assert Epochs(Vanishing(home.path)).past() == []
    home.create_secret(name_of_first, ONE + NOW.to_bytes(8, "big"))
    early = True
    assert Epochs(Vanishing(home.path)).past() == []


def test_key_that_others_can_read_is_refused(home: Home) -> None:
    first = Epochs(home).begin(ONE, NOW)
    home.file(f"epoch-{first}.key").chmod(0o644)
    with pytest.raises(Rejected, match="open_secret"):
        Epochs(home)


def test_secret_is_created_once_and_never_replaced(home: Home) -> None:
    home.create()
    assert home.create_secret("one", ONE)
    assert not home.create_secret("one", TWO)
    assert home.read_secret("one") == ONE
    assert [path.name for path in home.path.iterdir()] == ["one"]
    with pytest.raises(Rejected, match="no_home"):
        Home(home.path / "missing").create_secret("one", ONE)
