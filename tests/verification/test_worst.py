import numpy as np
import pytest

from roadgraph.verification import worst
from roadgraph.verification.judged import Judged
from roadgraph.verification.scoring import FORECAST
from roadgraph.verification.worst import (
    error_for_ranking,
    segments_behind,
    worst_hours,
    worst_parts,
    worst_segments,
)

NAN = np.nan


def judged(error: list[float], segments: list[int], targets: list[int]) -> Judged:
    nothing = np.full(len(error), NAN)
    return Judged(
        horizon_min=np.full(len(error), 15),
        targets=np.array(targets),
        segments=np.array(segments),
        label=np.array([0, 0, -1] + [3] * (len(error) - 3), dtype=np.int8),
        answer={FORECAST: np.array([0, 1, 1] + [3] * (len(error) - 3), dtype=np.int8)},
        confidence=nothing,
        error_kph={FORECAST: np.array(error)},
        within=nothing,
        width_kph=nothing,
    )


def test_the_largest_mean_error_comes_first_and_few_cells_are_left_out() -> None:
    error = np.array([1.0, 3.0, 9.0, 5.0, 5.0, NAN])
    part = np.array([0, 0, 1, 2, 2, 1])
    assert worst_parts(error, part, 4, 2, 9) == [2, 0]  # part 1 has one judged cell
    assert worst_parts(error, part, 4, 1, 9) == [1, 2, 0]
    assert worst_parts(error, part, 4, 1, 1) == [1]


def test_segments_and_hours_are_ranked_by_the_forecasts_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worst, "LEAST_OF_SEGMENT", 2)
    monkeypatch.setattr(worst, "LEAST_CELLS", 2)
    cells = judged([1.0, 2.0, 8.0, 9.0], segments=[2, 2, 0, 0], targets=[0, 3, 1, 2])
    assert worst_segments(cells, 3, 5) == [0, 2]
    assert worst_hours(cells, np.array([0, 0, 1, 1]), 5) == [1, 0]
    # Of the 11 km/h of the slices 2 and 3 lie 9 on the segment 0.
    found = segments_behind(cells, cells.targets >= 2, 3, 2)
    assert [*found] == [0, 2]
    assert [*found.values()] == pytest.approx([9 / 11, 2 / 11])
    assert segments_behind(cells, cells.targets >= 2, 3, 1) == {0: pytest.approx(9 / 11)}


def test_without_speeds_wrong_classes_are_the_error() -> None:
    cells = judged([NAN] * 4, segments=[0] * 4, targets=[0] * 4)
    np.testing.assert_array_equal(error_for_ranking(cells), [0, 1, NAN, 0])


def test_segments_without_an_error_are_behind_nothing() -> None:
    cells = judged([0.0, 4.0, 0.0], segments=[0, 1, 2], targets=[0] * 3)
    assert segments_behind(cells, np.ones(3, dtype=bool), 4, 3) == {1: 1.0}
    assert segments_behind(cells, cells.segments == 0, 4, 3) == {}
