"""The pages of the console."""

from tests.faces.screens import Screen

SCREENS: tuple[Screen, ...] = ()
