"""Installing what the tests need touches nothing that is there, and starts no server."""

import os
import subprocess
from pathlib import Path

import pytest

from tests import parts
from tests.ha import programs


def test_nothing_is_installed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    if parts.missing_packages() or programs.patroni() is None:
        pytest.skip("not all is installed")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("started a program"))
    parts.main()


@pytest.mark.parametrize("had", [None, "#!/bin/sh\nexit 104\n"])
def test_packages_start_no_server_and_an_administrators_policy_stays(
    had: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    if had is not None:
        policy.write_text(had)
    monkeypatch.setattr(parts, "_POLICY", policy)
    with parts.no_service_starts():
        if had is None:
            assert subprocess.run([policy], check=False).returncode == 101
        else:
            assert policy.read_text() == had
    assert (policy.read_text() if policy.exists() else None) == had


def test_patroni_of_somebody_else_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_VENVS", tmp_path)
    folder = programs.patroni_folder()
    folder.mkdir()
    assert programs.patroni() is None
    (folder / "complete").touch()
    assert programs.patroni() == folder / "bin" / "patroni"
    folder.chmod(0o777)
    assert programs.patroni() is None
    folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        assert programs.patroni() is None
