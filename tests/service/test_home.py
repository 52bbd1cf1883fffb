"""A role's home: closed to others, and whole after whatever happens while it is written."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from protocol.errors import Rejected, Unavailable
from service.home import MAX_FILE_BYTES, Home


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: str
    port: int = 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_is_closed_to_others(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home = Home(tmp_path / "a" / "b").create()
        secret, public = home.write_secret("key.pem", b"k"), home.write_public("jwk.json", b"p")
    finally:
        os.umask(old)
    assert (mode(home.path), mode(secret), mode(public)) == (0o700, 0o600, 0o644)


def test_home_that_was_open_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert mode(Home(tmp_path).create().path) == 0o700


def test_strict_umask_does_not_make_public_file_unreadable(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        assert mode(Home(tmp_path).write_public("jwk.json", b"p")) == 0o644
    finally:
        os.umask(old)


def test_home_refuses_secret_that_others_can_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_secret("key.pem", b"k").chmod(0o640)
    with pytest.raises(Rejected) as caught:
        home.read_secret("key.pem")
    assert caught.value.code == "open_secret"


def test_secret_that_goes_while_it_is_read_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an epoch key that another process destroys: its mode is that of the open file, not of a name."""
    home = Home(tmp_path)
    home.write_secret("epoch-1.key", b"k")
    fstat = os.fstat

    def gone_by_now(handle: int) -> os.stat_result:
        (tmp_path / "epoch-1.key").unlink(missing_ok=True)
        return fstat(handle)

    monkeypatch.setattr(os, "fstat", gone_by_now)
    assert home.read_secret("epoch-1.key") == b"k"
    with pytest.raises(Rejected) as caught:
        home.read_secret("epoch-1.key")
    assert caught.value.code == "no_home"


def test_writing_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_secret("seed", b"one")
    home.write_secret("seed", b"two")
    assert home.read_secret("seed") == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


def test_failed_write_keeps_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.write_secret("seed", b"one")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable) as caught:
        home.write_secret("seed", b"two")
    assert caught.value.code == "io"
    assert home.read_secret("seed") == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["seed"]


def test_home_that_was_never_made_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path / "nowhere")
    acts = (
        lambda: home.config(Config),
        lambda: home.write_secret("seed", b"x"),
        lambda: home.read("seed"),
        lambda: home.lock().__enter__(),
    )
    for act in acts:
        with pytest.raises(Rejected) as caught:
            act()
        assert caught.value.code == "no_home"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", ".hidden", "a\nb", "x" * 129])
def test_file_of_home_cannot_leave_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        Home(tmp_path).write_secret(name, b"x")


def test_largest_file_is_read_and_larger_one_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_public("big", bytes(MAX_FILE_BYTES))
    assert len(home.read("big")) == MAX_FILE_BYTES
    home.write_public("big", bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(Rejected, match="too_large"):
        home.read("big")


def test_config_comes_back_as_written(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_config(Config("issuer", 8001))
    assert home.config(Config) == Config("issuer", 8001)
    assert (tmp_path / "config.json").read_text().startswith('{\n  "role": "issuer"')


def test_config_with_unknown_member_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"role":"issuer","colour":"red"}')
    with pytest.raises(Rejected, match="bad_config"):
        Home(tmp_path).config(Config)


def test_removed_file_is_gone_and_removing_again_is_no_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write_secret("seed", b"x")
    home.remove("seed")
    home.remove("seed")
    assert not home.has("seed")


def test_second_process_cannot_hold_the_lock_and_death_frees_it(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom service.home import Home\n"
        f"with Home({str(tmp_path)!r}).lock():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(Unavailable) as caught, Home(tmp_path).lock():
        pass
    assert caught.value.code == "in_use"
    threading.Timer(0.2, other.kill).start()
    with Home(tmp_path).lock(wait_seconds=10):
        pass
    other.communicate()
