"""`make demo ARGS=--stay`: a town with its four faces, for people who want to look for themselves."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from examples.faces import LocalFace
from examples.living_town import Living, tour
from tests.town.test_stories import ROOT, processes_of

FIELD = 'field() { "$PYTHON" -c "import json,sys; print(json.load(open(sys.argv[2]))[sys.argv[1]])" "$1" "$2"; }\n'


def look(address: str) -> urllib3.BaseHTTPResponse:
    """What a browser gets there: a name below localhost is this machine."""
    parts = urlsplit(address)
    url = f"http://127.0.0.1:{parts.port}{parts.path}"
    return urllib3.request("GET", url, headers={"Host": parts.netloc, "Accept": "text/html"}, redirect=False)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, Any]]:
    """What the program says of a town that stays; nothing of the town is left when it has been told to end."""
    mark = uuid.uuid4().hex
    line = [sys.executable, "-m", "examples.town", "--stay", "--json"]
    town = subprocess.Popen(
        line, cwd=ROOT, env={**os.environ, "REGIE_TEST_MARK": mark}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert town.stdout is not None
        yield json.loads(town.stdout.readline())
    finally:
        town.send_signal(signal.SIGTERM)
        town.wait(120)
        if town.stdout is not None:
            town.stdout.close()
    assert processes_of(mark) == []


@pytest.mark.timeout(600)
def test_town_that_stays_opens_its_faces(told: dict[str, Any]) -> None:
    faces = told["faces"]
    for name in ("wallet", "console"):
        assert look(faces[name]).status == 303
        assert look(faces[name]).status == 403  # an address opens once
    for name in ("desk", "counter"):
        answer = look(faces[name])
        assert (answer.status, urlsplit(answer.headers["Location"]).path) == (303, f"/{name}/sign-in")
        assert "Aanmelden" in look(faces[name] + "sign-in").data.decode()
    assert told["request"].startswith("openid4vp:")


def session() -> list[tuple[str, str]]:
    """The session in the README: (command, last line it is said to print or empty)."""
    block = re.search(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    steps: list[tuple[str, str]] = []
    for line in block.group(1).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        else:
            steps[-1] = (steps[-1][0], line)
    return steps


@pytest.mark.timeout(600)
def test_session_of_the_readme_runs_as_printed(told: dict[str, Any], tmp_path: Path) -> None:
    script = "".join(f"{command}\n" for command, _ in session())
    environment = {
        **os.environ,
        "TOWN": str(Path(told["passphrase_file"]).parent),
        "PYTHON": sys.executable,
        "REGIE_LOOPBACK": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", FIELD + script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for _, printed in session():
        assert printed in said
    assert "refused" not in done.stdout
    assert done.stderr.count("refused:") == 1


class _Town:
    """What the tour tells of."""

    desk, counter, passphrase = "DESK", "COUNTER", "PASSPHRASE-FILE"

    def at(self, name: str) -> str:
        return f"HOME/{name}"

    def wallet(self, who: str) -> LocalFace:
        return LocalFace(None, f"WALLET-OF-{who}")  # type: ignore[arg-type]

    def console(self) -> LocalFace:
        return LocalFace(None, "CONSOLE")  # type: ignore[arg-type]


def test_tour_names_every_door_and_how_to_go_on_by_hand() -> None:
    town: Any = _Town()
    words = tour(town, Living("REQUEST", "999100002", "Verhulst", "1987-04-12"))
    for part in (
        "DESK",
        "COUNTER",
        "WALLET-OF-resident",
        "CONSOLE",
        "REQUEST",
        "12-04-1987",
        "export REGIE_LOOPBACK=1",
    ):
        assert part in words
