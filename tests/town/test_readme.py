"""The README runs: its session, against a town that stays, and the figures it quotes are the measured ones."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from examples.founding import Town
from examples.parking import main_story
from tests.town.conftest import QUIET

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FIELD = 'field() { "$PYTHON" -c "import json,sys; print(json.load(open(sys.argv[2]))[sys.argv[1]])" "$1" "$2"; }\n'


def session() -> list[tuple[str, str]]:
    """(command, last line it is said to print or empty)."""
    block = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert block is not None
    steps: list[tuple[str, str]] = []
    for line in block.group(1).splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        else:
            steps[-1] = (steps[-1][0], line)
    return steps


def test_session_of_the_readme_runs_as_printed(own_town: Town, tmp_path: Path) -> None:
    main_story(own_town, QUIET)
    script = "".join(f"{command}\n" for command, _ in session())
    environment = {
        **os.environ,
        "TOWN": str(own_town.home),
        "PYTHON": sys.executable,
        "REGIE_LOOPBACK": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", FIELD + script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for _, printed in session():
        assert printed in said
    assert "refused" not in done.stdout
    assert done.stderr.count("refused:") == 1


def test_readme_names_every_command_group() -> None:
    groups = ("issuer", "wallet", "verifier", "log", "auditor", "registrar")
    assert [group for group in groups if f"`regie {group}`" not in README] == []


def test_readme_quotes_the_measured_figures() -> None:
    results = json.loads((ROOT / "docs" / "results" / "bench.json").read_text())
    quoted = re.search(r"## Figures\n(.*?)\n## ", README, re.DOTALL)
    assert quoted is not None
    figures = [
        results["verify"]["ours_to_two_es256"]["ratio"],
        results["verify"]["sd_jwt_package_to_ours"]["ratio"],
        results["reads"]["clients_64"]["ratio"],
        results["reads"]["clients_1"]["ratio"],
        results["start"]["ratio"],
    ]
    assert [figure for figure in figures if f"{figure:.2f}" not in quoted.group(1)] == []
