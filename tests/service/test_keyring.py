"""Who asks for the keys of a home while the command line changes them gets the old ones or the new ones."""

from pathlib import Path

import pytest

from service.home import Home
from service.keyring import Keyring


def test_rotation_that_ends_while_keys_are_read_disturbs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home").create()
    ring = Keyring(home, "log-key", bytes)
    ring.create(b"old")
    ring.begin(b"new")
    read = home.read_secret

    def slow(name: str) -> bytes:
        data = read(name)
        if home.has("log-key-next"):
            Keyring(home, "log-key", bytes).finish()
        return data

    monkeypatch.setattr(home, "read_secret", slow)
    assert ring.all() == (b"new",)
    assert ring.all() == (b"new",)
