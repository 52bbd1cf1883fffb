"""The pages of the desk."""

from tests.faces.screens import Screen

SCREENS: tuple[Screen, ...] = ()
