"""The pages of the wallet."""

from tests.faces.screens import Screen, at

SCREENS: tuple[Screen, ...] = (
    Screen("start", at("/")),
    Screen("notices", at("/notices")),
)
