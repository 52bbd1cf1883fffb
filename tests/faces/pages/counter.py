"""The pages of the counter."""

from tests.faces.screens import Screen

SCREENS: tuple[Screen, ...] = ()
