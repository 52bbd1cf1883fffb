"""What is installed has everything that a face shows: templates, words, styles and scripts."""

import os
from pathlib import Path

import pytest
from setuptools import Distribution
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parents[1]
KINDS = (".html", ".po", ".css", ".js", ".svg", ".webmanifest", ".woff2", ".png")


@pytest.fixture(scope="module")
def packaged() -> set[Path]:
    """Files beside modules that a wheel would carry, relative to the checkout."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        distribution = Distribution()
        distribution.parse_config_files()
        command = build_py(distribution)
        command.ensure_finalized()
        found = {Path(folder) / name for _, folder, _, names in command.data_files for name in names}
        return {path.relative_to(ROOT) if path.is_absolute() else path for path in found}
    finally:
        os.chdir(before)


def test_every_template_catalogue_style_and_script_is_installed(packaged: set[Path]) -> None:
    faces = [path for path in ROOT.glob("*/ui/**/*") if path.suffix in KINDS]
    ours = {path.relative_to(ROOT) for path in faces if "node_modules" not in path.parts}
    assert ours
    assert sorted(ours - packaged) == []


def test_nothing_of_the_tests_is_installed(packaged: set[Path]) -> None:
    assert [path for path in packaged if path.parts[0] in ("tests", "bench", "examples", "docs")] == []
