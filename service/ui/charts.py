"""What the chart macros of `ui/charts.html` are drawn from: shares of a width of 100, and the ids that tie them.

Drawn as SVG in the colour of the text with patterns, never by colour alone; the texts are HTML, so that they grow
with the text size; every chart has its table.
"""

from collections.abc import Sequence
from itertools import count

from flask import Flask, g

MAX_SERIES = 4
"""As many as there are patterns that people tell apart."""


def share(value: float, whole: float) -> float:
    """`value` in per cent of `whole`, from 0 to 100; what is there at all is seen: at least 1."""
    if value <= 0 or whole <= 0:
        return 0.0
    return round(min(100.0, max(1.0, 100 * value / whole)), 2)


def largest(values: Sequence[float]) -> float:
    """The largest, and at least 1, so that nothing is divided by nothing."""
    return max([1, *values])


def segments(values: Sequence[float]) -> list[tuple[float, float]]:
    """Start and width of each of `values` side by side, in per cent of their sum; at most four (`ValueError`)."""
    if len(values) > MAX_SERIES:
        raise ValueError("a stacked bar has at most four parts")
    whole, start, found = sum(values), 0.0, []
    for value in values:
        width = round(100 * value / whole, 2) if whole > 0 else 0.0
        found.append((round(start, 2), width))
        start += width
    return found


def columns(values: Sequence[float]) -> list[tuple[float, float, float]]:
    """Left side, width and height of each column, on a field of 100 by 100, a fifth of each place left free."""
    place = 100 / max(1, len(values))
    top = largest(values)
    return [
        (round(i * place + place * 0.1, 2), round(place * 0.8, 2), share(v, top)) for i, v in enumerate(values)
    ]


def line(values: Sequence[float]) -> str:
    """The `points` of a line through `values` on a field of 100 by 30, high values high."""
    step, top = 100 / max(1, len(values) - 1), largest(values)
    return " ".join(f"{round(i * step, 2)},{round(28 - 26 * value / top, 2)}" for i, value in enumerate(values))


def filling(key: str, index: int) -> str:
    """What fills series `index` of the chart `key`: full, slanted, dotted, crossed."""
    return f"url(#{key}-{index})" if index else "currentColor"


def place_in_time(moment: float, start: float, end: float) -> float:
    """Where `moment` lies between `start` and `end`: 0 to 100."""
    if end <= start:
        return 100.0
    return round(min(100.0, max(0.0, 100 * (moment - start) / (end - start))), 2)


def new_id() -> str:
    """An id that this page has not used yet."""
    if "ids" not in g:
        g.ids = count(1)
    return f"part-{next(g.ids)}"


def install(app: Flask) -> None:
    """The functions above for the templates, as `chart.share` and so on, and `new_id`."""
    app.jinja_env.globals.update(
        chart={
            function.__name__: function
            for function in (share, largest, segments, columns, line, filling, place_in_time)
        },
        new_id=new_id,
    )
