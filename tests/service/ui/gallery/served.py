"""The gallery behind a door, for the test that serves it: `create(home)`."""

from pathlib import Path

from flask import Flask

from service.ui.door import LocalDoor
from tests.service.ui.gallery.app import create as gallery


def create(home: Path) -> Flask:
    """The home must have a door already: `LocalDoor(home, "gallery").launch()`."""
    app = gallery()
    LocalDoor(home, "gallery").guard(app, closed="Dicht.")
    return app
