"""One browser and one town for all tests of the faces; they run on one worker (see tests/conftest.py)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.faces import chromium
from tests.faces.browser import running_chromium
from tests.faces.family import Family, family_in
from tests.faces.town import FacesTown, Story, tell_story, town_with_faces


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the folder: while it runs, no other event loop can in this process."""
    if chromium.missing():
        pytest.skip(f"needs {' and '.join(chromium.missing())}")
    with running_chromium() as started:
        yield started


@pytest.fixture(scope="package")
def town(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FacesTown]:
    """The town. Tests that change it have residents of their own."""
    with town_with_faces(tmp_path_factory.mktemp("faces") / "town") as founded:
        yield founded


@pytest.fixture(scope="package")
def story(town: FacesTown) -> Story:
    """What is on the faces when somebody comes to look; nobody changes it."""
    return tell_story(town)


@pytest.fixture(scope="package")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of pages are kept."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="package")
def family(
    browser: Browser, town: FacesTown, story: Story, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    """People who act for each other, move house, ask and complain; nobody of the story."""
    with family_in(browser, town, story, tmp_path_factory.mktemp("register")) as made:
        yield made
