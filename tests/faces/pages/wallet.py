"""The pages of the wallet."""

from tests.faces.screens import Screen

SCREENS: tuple[Screen, ...] = ()
