"""docs/scale.md says what docs/results/bench.json says, and the simulation behind it adds up."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import model, scale_tables
from bench.model import LOAD, Constants, Year

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS: dict[str, Any] = json.loads((DOCS / "results" / "bench.json").read_text())
KNOWN = Constants.of(RESULTS)


def test_tables_of_the_document_are_those_of_the_results() -> None:
    document = (DOCS / "scale.md").read_text()
    assert scale_tables.renewed(document, RESULTS) == document
    for name in scale_tables.tables(RESULTS):
        assert f"<!-- generated: {name} -->" in document


def test_a_figure_that_was_changed_by_hand_is_noticed() -> None:
    document = (DOCS / "scale.md").read_text()
    changed = document.replace("| measured |", "| guessed |", 1)
    assert changed != document
    assert scale_tables.renewed(changed, RESULTS) == document


def test_sizes_from_10_3_to_10_7_are_measured_and_10_8_is_marked() -> None:
    lines = scale_tables.tables(RESULTS)["sizes"].splitlines()
    kinds = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1] for line in lines[2:]}
    assert kinds == {**{f"10^{power}": "measured" for power in range(3, 8)}, "10^8": "extrapolated"}


def test_the_hours_of_a_year_carry_all_of_its_events() -> None:
    assert sum(hours for hours, _ in LOAD.levels) == model.YEAR / model.HOUR
    assert math.isclose(sum(share for _, share in LOAD.levels), 1)
    year = Year(17_000_000, 4, KNOWN)
    assert math.isclose(4 * sum(seconds * rate for seconds, rate in year.rates()), year.events)


@pytest.mark.parametrize("residents", [50_000, 17_000_000, 450_000_000])
def test_so_many_logs_are_planned_that_each_keeps_its_headroom(residents: int) -> None:
    logs = model.logs_needed(residents, KNOWN)
    limit = KNOWN.events_per_second * model.HEADROOM
    assert Year(residents, logs, KNOWN).rates()[0][1] <= limit
    assert logs == 1 or Year(residents, logs - 1, KNOWN).rates()[0][1] > limit


def test_a_log_makes_no_more_checkpoints_than_events_and_idle_turns() -> None:
    year = Year(50_000, 1, KNOWN)
    for rate in (0.0, 0.01, 1.0, 100.0):
        idle = 1 / model.COSIGN_SECONDS
        assert idle <= year.rounds(rate) <= max(rate, idle)
    assert year.rounds(1e9) <= 1 / KNOWN.round_seconds
    assert year.leaves == year.events + year.checkpoints


def test_a_line_through_points_of_a_line_is_that_line() -> None:
    a, b = model.least_squares([(x, 3 + 0.5 * x) for x in (1.0, 2.0, 10.0)])
    assert math.isclose(a, 3)
    assert math.isclose(b, 0.5)
    assert model.least_squares([(2.0, 7.0)]) == (7.0, 0.0)


def test_a_log_of_another_size_lies_on_the_line_of_the_two_largest() -> None:
    points = RESULTS["scale"]["points"]
    again = model.extrapolated(points, points[-1]["leaves"])
    assert math.isclose(again["start_seconds"], points[-1]["start_seconds"])
    assert math.isclose(again["rss_mb"]["log"], points[-1]["rss_mb"]["log"])
    assert again["proof_bytes"] == points[-1]["proof_bytes"]
