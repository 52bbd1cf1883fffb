"""Rows for the figures of a month, as other agencies send them, and their limits."""

from typing import Any

from protocol import figures
from protocol.canonical import convert, to_builtins
from protocol.figures import FigureCell, Figures, FiguresService, Spent
from tests.protocol import builders as b
from tests.protocol.builders import NOW
from tests.protocol.peer_input import Row, forge, payload_of, received

X5C = {"x5c": b.AGENCY.x5c}
FIGURES = Figures(
    format=figures.FIGURES_FORMAT,
    iss=b.AGENCY_ID,
    agency="Gemeente Voorbeeld",
    month="2026-10",
    iat=NOW,
    floor=10,
    delta_billionths=5000,
    spent=[Spent("running", 1, 400, 45), Spent("read", 3, 400, 133)],
    services=[FiguresService("zorg", "consent", "Zorg", "Care")],
    cells=[FigureCell("zorg", "running", 400), FigureCell("zorg", "read")],
)
TOKEN = figures.sign_figures(FIGURES, b.AGENCY.key, b.AGENCY.x5c)


def verified(token: str) -> object:
    """As another agency takes it in."""
    return figures.verify_figures(token, b.TRUST, NOW)


def many_cells(count: int) -> object:
    """One file with so many."""
    return convert(
        {**to_builtins(FIGURES), "cells": [{"service": "zorg", "name": f"n{n}"} for n in range(count)]}, Figures
    )


def _signed(value: Any) -> object:
    return figures.sign_figures(received(value, Figures), b.AGENCY.key, b.AGENCY.x5c)


ROWS = [
    Row("figures.parse_figures", TOKEN, figures.parse_figures),
    Row("figures.verify_figures", TOKEN, verified),
    Row(
        "figures.verify_figures",
        payload_of(TOKEN),
        lambda value: verified(forge(value, b.AGENCY.key, figures.FIGURES_TYPE, X5C)),
        "payload",
    ),
    Row("figures.sign_figures", to_builtins(FIGURES), _signed),
    Row("figures.check_month", "2026-10", figures.check_month),
]
LIMITS = {
    "figures.MAX_FIGURES_BYTES": (lambda n: figures.parse_figures("a" * n), "too_large", "bad_figures"),
    "figures.MAX_CELLS": (many_cells, "bad_form", None),
}
