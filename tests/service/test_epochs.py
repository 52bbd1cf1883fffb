"""Epoch keys: one directory, several processes, and keys that are gone when they are gone."""

from pathlib import Path

import pytest

from protocol.errors import Rejected, Unavailable
from service.epochs import EPOCH_SECONDS, Epochs
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
    assert epochs.begin(ONE, NOW) == 1
    assert not epochs.is_due(NOW + EPOCH_SECONDS - 1)
    assert epochs.is_due(NOW + EPOCH_SECONDS)
    assert epochs.begin(TWO, NOW) == 2
    again = Epochs(home)
    assert (again.current, again.past(), again.key(1)) == (2, [1], ONE)
    with pytest.raises(ValueError, match="in use"):
        again.destroy(2)
    again.destroy(1)
    assert Epochs(home).past() == []
    with pytest.raises(ValueError, match="32 bytes"):
        again.begin(b"short", NOW)


def test_epoch_that_another_process_began_is_known_at_once(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    other.begin(ONE, NOW)
    assert (mine.current, mine.key(1)) == (1, ONE)
    other.begin(TWO, NOW + EPOCH_SECONDS)
    assert not mine.is_due(NOW + EPOCH_SECONDS)  # so nobody begins a second one
    assert (mine.current, mine.past(), mine.key(2)) == (2, [1], TWO)


def test_of_two_processes_that_begin_one_epoch_the_first_key_counts(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    mine.begin(ONE, NOW)

    class Late(Home):
        """The other process writes between our look and our own write."""

        def create_secret(self, name: str, data: bytes) -> bool:
            other.begin(TWO, NOW)
            return super().create_secret(name, data)

    assert Epochs(Late(home.path)).begin(THREE, NOW) == 2
    assert mine.key(2) == other.key(2) == TWO


def test_reader_of_a_destroyed_epoch_gets_no_key_though_it_had_it(home: Home) -> None:
    mine, other = Epochs(home), Epochs(home)
    mine.begin(ONE, NOW)
    mine.begin(TWO, NOW)
    assert mine.key(1) == other.key(1) == ONE
    other.destroy(1)
    with pytest.raises(Unavailable, match="epoch_key"):
        mine.key(1)
    assert mine.past() == []
    mine.destroy(1)  # again is no error
    assert ONE not in b"".join(path.read_bytes() for path in home.path.iterdir())


def test_destruction_that_was_cut_short_is_finished_at_the_next_start(home: Home) -> None:
    epochs = Epochs(home)
    epochs.begin(ONE, NOW)
    epochs.begin(TWO, NOW)
    home.file("epoch-1.key").rename(home.file("destroyed-1.key"))
    assert epochs.past() == []
    Epochs(home)
    assert sorted(path.name for path in home.path.iterdir()) == ["epoch-2.key"]


def test_key_that_vanishes_while_it_is_read_is_gone(home: Home) -> None:
    epochs = Epochs(home)
    epochs.begin(ONE, NOW)
    epochs.begin(TWO, NOW)

    class Vanishing(Home):
        """Another process destroys epoch 1 between listing and reading, or between reading and a last look."""

        def read_secret(self, name: str) -> bytes:
            if name == "epoch-1.key" and early:
                epochs.destroy(1)
            data = super().read_secret(name)
            if name == "epoch-1.key":
                epochs.destroy(1)
            return data

    early = False
    assert Epochs(Vanishing(home.path)).past() == []
    home.create_secret("epoch-1.key", ONE + NOW.to_bytes(8, "big"))
    early = True
    assert Epochs(Vanishing(home.path)).past() == []


def test_key_that_others_can_read_is_refused(home: Home) -> None:
    Epochs(home).begin(ONE, NOW)
    home.file("epoch-1.key").chmod(0o644)
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
