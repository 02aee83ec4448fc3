from pathlib import Path

import matplotlib.image as images
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb

from roadgraph.report.calibration_plots import GREY, plot_coverage
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
