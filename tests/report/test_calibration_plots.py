from pathlib import Path

import matplotlib.image as images
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from roadgraph.report.calibration_plots import GREY, LINES, plot_coverage, plot_reliability


def pixels_of(path: Path, colour: str) -> np.ndarray:
    """Return row and column of every pixel of this colour, ``[pixels, 2]``."""
    picture = images.imread(path)[:, :, :3]
    return np.argwhere((np.abs(picture - to_rgb(colour)) < 0.01).all(axis=2))


def test_a_forecast_that_is_too_sure_lies_below_the_diagonal(tmp_path: Path) -> None:
    probability = np.tile([0.9, 0.1], (100, 1))
    heights = []
    for right in (90, 40):
        label = np.repeat([0, 1], [right, 100 - right])
        path = tmp_path / f"{right}.png"
        plot_reliability(label, probability, "gcn", path)
        marks = pixels_of(path, LINES[0])
        # Right of the legend: at a confidence of 0.9.
        heights.append(marks[marks[:, 1] > 0.75 * marks[:, 1].max(), 0].min())
    assert heights[1] > heights[0] + 50  # rows of a picture count from above


def test_reliability_of_no_cell_is_an_empty_plot(tmp_path: Path) -> None:
    plot_reliability(np.empty(0, dtype=int), np.empty((0, 4)), "gcn", tmp_path / "a.png")
    assert len(pixels_of(tmp_path / "a.png", GREY)) > 0


def test_coverage_has_a_line_a_forecaster_with_intervals(tmp_path: Path) -> None:
    scores = pd.DataFrame(
        {
            "model": ["gcn", "gcn", "mlp", "mlp", "persistence", "persistence"],
            "horizon_min": [15, 30] * 3,
            "interval_coverage": [0.8, 0.79, 0.7, 0.71, np.nan, np.nan],
        }
    )
    plot_coverage(scores, "Test", tmp_path / "a.png")
    for colour in (GREY, *LINES[:2]):
        assert len(pixels_of(tmp_path / "a.png", colour)) > 20
    assert len(pixels_of(tmp_path / "a.png", LINES[2])) == 0


def test_the_same_scores_give_the_same_picture(tmp_path: Path) -> None:
    scores = pd.DataFrame({"model": ["a"], "horizon_min": [15], "interval_coverage": [0.8]})
    for name in ("a.png", "b.png"):
        plot_coverage(scores, "Test", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
