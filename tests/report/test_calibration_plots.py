from pathlib import Path

import matplotlib.image as images
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from roadgraph.report.calibration_plots import GREY, plot_coverage, plot_reliability
from roadgraph.report.plots import LINES


def pixels_of(path: Path, colour: str) -> np.ndarray:
    """Return row and column of every pixel of this colour, ``[pixels, 2]``."""
    picture = images.imread(path)[:, :, :3]
    return np.argwhere((np.abs(picture - to_rgb(colour)) < 0.01).all(axis=2))


def test_coverage_has_a_line_a_forecaster_with_intervals(tmp_path: Path) -> None:
    scores = pd.DataFrame(
        {
            "model": ["gcn", "gcn", "mlp", "mlp", "persistence", "persistence"],
            "baseline": [False] * 4 + [True] * 2,
            "horizon_min": [15, 30] * 3,
            "interval_coverage": [0.8, 0.79, 0.7, 0.71, np.nan, np.nan],
        }
    )
    plot_coverage(scores, "Test", tmp_path / "a.png")
    for colour in (GREY, *LINES[:2]):
        assert len(pixels_of(tmp_path / "a.png", colour)) > 20
    assert len(pixels_of(tmp_path / "a.png", LINES[2])) == 0


def test_the_same_scores_give_the_same_picture(tmp_path: Path) -> None:
    scores = pd.DataFrame(
        {"model": ["a"], "baseline": [False], "horizon_min": [15], "interval_coverage": [0.8]}
    )
    for name in ("a.png", "b.png"):
        plot_coverage(scores, "Test", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def bars_of(picture: Path) -> np.ndarray:
    """Return the height in pixels of each bar of the lower part, from left to right."""
    pixels = pixels_of(picture, LINES[0])
    lower = pixels[pixels[:, 0] > images.imread(picture).shape[0] * 0.65]
    columns, heights = np.unique(lower[:, 1], return_counts=True)
    starts = np.flatnonzero(np.diff(columns, prepend=-9) > 1)
    return np.maximum.reduceat(heights, starts)


def test_reliability_has_a_point_a_filled_bin_and_a_bar_as_high_as_its_cells(
    tmp_path: Path,
) -> None:
    confidence = np.array([np.nan, np.nan, 0.5, 0.7, 0.9])
    share, cells = np.array([np.nan, np.nan, 0.6, 0.7, 0.8]), np.array([0, 0, 30, 60, 15])
    plot_reliability(confidence, share, cells, "Test", tmp_path / "a.png")
    heights = bars_of(tmp_path / "a.png")
    assert len(heights) == 3
    np.testing.assert_allclose(heights / heights[1], [0.5, 1, 0.25], atol=0.05)
    assert len(pixels_of(tmp_path / "a.png", GREY)) > 20  # the diagonal


def test_the_same_reliability_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_reliability(
            np.array([0.2, 0.8]), np.array([0.1, 0.7]), np.array([3, 4]), "Test", tmp_path / name
        )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
