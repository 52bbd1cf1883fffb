"""The README names every command, and the figures it quotes are the measured ones. Its session: `test_stay`."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


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
