"""Every axis of every plot says what it shows, and in which unit."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from roadgraph.report import calibration_plots, error_plots, plots, trip_plots
from tests.toy import straight_network

ROADS = straight_network()
HOURS, BINS = np.full(24, 0.5), np.full(10, 0.5)
DEGREES = {"longitude, degrees", "latitude, degrees"}
EPOCHS = [{"epoch": 0, "train_loss": 2.0, "val_loss": 1.9}]
SCORES = pd.DataFrame(
    {
        "model": ["gcn"],
        "baseline": [False],
        "horizon_min": [15],
        "speed_mae_kph": [5.0],
        "interval_coverage": [0.8],
    }
)
MOMENT = pd.Timestamp("2026-01-05T00:00Z")
FORECAST = pd.DataFrame(
    {
        "segment_id": ["A"],
        "horizon_min": [15],
        "congestion": ["moderate"],
        "issued_at": [MOMENT],
        "slice_start": [MOMENT],
    }
)
TRIP = {
    "vehicle_id": "v1", "started_at": "2026-01-05T00:00:00+00:00", "fixes": 2, "score": 10.0,
    "lat": [13.8, 13.8], "lon": [100.6, 100.601], "matched": [True, False],
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "draw", "titles"),
    [
        (
            plots,
            lambda path: plots.plot_learning_curves(EPOCHS, "gcn", path),
            {"epoch (number)", "loss (no unit)"},
        ),
        (
            plots,
            lambda path: plots.plot_confusion(np.eye(2, dtype=int), "ab", "cells", "gcn", path),
            {"class forecast", "class observed (share of the row in %, number of cells)"},
        ),
        (
            plots,
            lambda path: plots.plot_scores(SCORES, "speed_mae_kph", "MAE, km/h", "Test", path),
            {"horizon, minutes", "MAE, km/h"},
        ),
        (plots, lambda path: plots.plot_network(ROADS, "left", path), DEGREES),
        (
            plots,
            lambda path: plots.plot_predictions(ROADS, FORECAST, ZoneInfo("UTC"), "left", path),
            DEGREES,
        ),
        (
            calibration_plots,
            lambda path: calibration_plots.plot_coverage(SCORES, "Test", path),
            {"horizon, minutes", "speeds within the interval, %"},
        ),
        (
            calibration_plots,
            lambda path: calibration_plots.plot_reliability(
                BINS, BINS, np.full(10, 7), "Test", path
            ),
            {
                "probability of the answered class, %",
                "share of right classes, %",
                "number of cells",
            },
        ),
        (
            error_plots,
            lambda path: error_plots.plot_error_by_hour(HOURS, HOURS, "km/h", "Test", path),
            {"local time of day, hours", "speed MAE, km/h", "wrong classes, %"},
        ),
        (
            error_plots,
            lambda path: error_plots.plot_error_map(
                ROADS, np.ones(3), 9.0, "mph", "left", "Test", path
            ),
            {*DEGREES, "speed MAE, mph"},
        ),
        (
            trip_plots,
            lambda path: trip_plots.plot_worst_trips(ROADS, [TRIP], path),
            {"east, m", "north, m"},
        ),
    ],
)
def test_axes_have_titles_with_units(
    module: ModuleType,
    draw: Callable[[Path], None],
    titles: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(module, "save", lambda figure, path: drawn.append(figure))
    draw(Path("a.png"))
    (figure,) = drawn
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert {text for axes in shown for text in (axes.get_xlabel(), axes.get_ylabel())} - {
        ""
    } == titles
