from pathlib import Path
from zoneinfo import ZoneInfo

import geopandas as gpd
import matplotlib.image as images
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from shapely.geometry import LineString

from roadgraph.legend import CLASS_COLOURS, NO_ANSWER
from roadgraph.report import plots
from roadgraph.report.style import new_figure
from roadgraph.settings.roads_and_probes import Side
from tests.toy import crossroads_network, network_of, point, straight_network, straight_segments


def colours_of(path: Path) -> set[tuple[int, int, int]]:
    """Return the colours of a picture, 0-255."""
    pixels = (images.imread(path)[:, :, :3] * 255).round().astype(int)
    return {tuple(colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}


def as_255(colour: str) -> tuple[int, ...]:
    return tuple(round(part * 255) for part in to_rgb(colour))


@pytest.fixture
def predictions() -> pd.DataFrame:
    """A, B and C in gridlock, moderate and free flow in 15 minutes, all free in 30."""
    rows = [
        ("A", 15, "gridlock"), ("B", 15, "moderate"), ("C", 15, "free_flow"),
        ("A", 30, "free_flow"), ("B", 30, "free_flow"), ("C", 30, "free_flow"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["segment_id", "horizon_min", "congestion"])
    issued = pd.Timestamp("2026-01-05T00:00Z")
    table["issued_at"] = issued
    table["slice_start"] = issued + pd.to_timedelta(table["horizon_min"] - 15, unit="min")
    return table


def test_the_map_shows_the_class_of_every_segment(
    predictions: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "map.png"
    plots.plot_predictions(straight_network(), predictions, ZoneInfo("UTC"), "left", path)
    shown = colours_of(path)
    for name in ("gridlock", "moderate", "free_flow"):
        assert as_255(CLASS_COLOURS[name]) in shown


@pytest.mark.parametrize("kind", ["network", "forecast"])
def test_maps_differ_where_a_city_drives_on_the_other_side(
    predictions: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    network = straight_network()
    left, right = tmp_path / "left.png", tmp_path / "right.png"
    sides: tuple[tuple[Side, Path], ...] = (
        ("left", left),
        ("right", right),
        ("left", tmp_path / "again.png"),
    )
    for side, path in sides:
        if kind == "network":
            plots.plot_network(network, side, path)
        else:
            plots.plot_predictions(network, predictions, ZoneInfo("UTC"), side, path)
    assert left.read_bytes() == (tmp_path / "again.png").read_bytes() != right.read_bytes()


def test_segments_without_an_answer_are_grey(predictions: pd.DataFrame, tmp_path: Path) -> None:
    unsure = predictions.copy()
    unsure.loc[unsure["congestion"] == "gridlock", "congestion"] = None
    rows = predictions[predictions["congestion"] != "gridlock"]
    for place, table in enumerate((unsure, rows)):
        path = tmp_path / f"{place}.png"
        plots.plot_predictions(straight_network(), table, ZoneInfo("UTC"), "left", path)
        shown = colours_of(path)
        assert as_255(NO_ANSWER) in shown
    plots.plot_predictions(straight_network(), predictions, ZoneInfo("UTC"), "left", path)
    assert as_255(NO_ANSWER) not in colours_of(path)


def test_the_same_map_gives_the_same_bytes(predictions: pd.DataFrame, tmp_path: Path) -> None:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        plots.plot_predictions(straight_network(), predictions, ZoneInfo("UTC"), "left", path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_other_plots_are_pictures_of_their_figures(tmp_path: Path) -> None:
    history = [
        {"epoch": 0, "train_loss": 2.0, "val_loss": 1.9},
        {"epoch": 1, "train_loss": 1.0, "val_loss": 1.5},
    ]
    scores = pd.DataFrame(
        {
            "model": ["persistence", "persistence", "gcn", "gcn", "silent", "silent"],
            "horizon_min": [15, 30] * 3,
            "macro_f1": [0.5, 0.4, 0.6, 0.5, np.nan, np.nan],
            "baseline": [True, True, False, False, True, True],
        }
    )
    plots.plot_learning_curves(history, "gcn", tmp_path / "curves.png")
    plots.plot_confusion(
        np.diag([5, 4, 3, 2]), list("abcd"), "cells", "gcn", tmp_path / "confusion.png"
    )
    plots.plot_scores(scores, "macro_f1", "macro F1", "Test", tmp_path / "scores.png")
    plots.plot_network(straight_network(), "left", tmp_path / "network.png")
    for name, colour in (
        ("curves", "#2c7fb8"), ("scores", "#2c7fb8"), ("scores", "#495057"),
        ("network", "#2c7fb8"), ("confusion", "#08306b"),
    ):  # fmt: skip
        assert as_255(colour) in colours_of(tmp_path / f"{name}.png"), name


def test_as_many_models_as_there_are_can_be_drawn(tmp_path: Path) -> None:
    names = [f"model {place}" for place in range(20)]
    scores = pd.DataFrame(
        {"model": names, "horizon_min": 15, "macro_f1": 0.5, "baseline": [False, True] * 10}
    )
    plots.plot_scores(scores, "macro_f1", "macro F1", "Test", tmp_path / "scores.png")
    assert as_255("#2c7fb8") in colours_of(tmp_path / "scores.png")


def test_road_classes_come_in_their_order_and_always_have_the_same_colours() -> None:
    few = plots.road_styles(["residential", "primary"])
    many = plots.road_styles(["zebra", "residential", "primary_link", "motorway", "primary", "1"])
    order = ["motorway", "primary", "primary_link", "residential", "1", "zebra"]
    assert list(many) == order
    assert many["primary"] == few["primary"]
    colours = {name: colour for name, (colour, _) in many.items()}
    assert colours["primary_link"] == colours["primary"]
    assert many["primary_link"][1] < many["primary"][1]
    del colours["primary_link"]
    assert len(set(colours.values())) == 5


def test_the_picture_of_a_network_has_a_scale_and_the_colours_of_its_classes(
    tmp_path: Path,
) -> None:
    segments = straight_segments().assign(road_class=["motorway", "primary", "mine"])
    plots.plot_network(network_of(segments), "left", tmp_path / "a.png")
    shown = colours_of(tmp_path / "a.png")
    for colour, _ in plots.road_styles(["motorway", "primary", "mine"]).values():
        assert as_255(colour) in shown
    picture = images.imread(tmp_path / "a.png")[:, :, :3]
    upper, left = picture.shape[0] * 9 // 20, picture.shape[1] * 3 // 4
    bar_px = (picture[:upper, left * 2 // 3 :] == 0).all(axis=2).sum(axis=1).max()
    coloured = np.ptp(picture[:, :left], axis=2) > 0.2
    # The road is 300 m long, the bar 50 m: the longest step within a quarter of the map.
    assert bar_px / coloured.any(axis=0).sum() == pytest.approx(50 / 300, rel=0.03)


def test_the_same_network_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plots.plot_network(crossroads_network(), "left", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(("side", "left_m"), [("left", 8), ("right", -8)])
def test_lines_are_drawn_8_metres_aside(side: Side, left_m: float) -> None:
    axes = new_figure(2, 2).subplots()
    # A to the east and north_out to the north, from the same place.
    lines = gpd.GeoSeries(
        [
            LineString([point(0), point(50), point(100)]),
            LineString([point(0), point(0, 100)]),
        ]
    )
    plots.draw_lines(axes, lines, side, "black", 1.0)
    (drawn,) = axes.collections
    assert isinstance(drawn, LineCollection)
    east, north = drawn.get_segments()
    moved = [point(east_m, left_m) for east_m in (0, 50, 100)]
    np.testing.assert_allclose(east, moved, atol=1e-6)
    np.testing.assert_allclose(north, [point(-left_m), point(-left_m, 100)], atol=1e-6)


def test_no_line_draws_nothing() -> None:
    axes = new_figure(2, 2).subplots()
    plots.draw_lines(axes, gpd.GeoSeries([]), "left", "black", 1.0)
    assert len(axes.collections[0].get_paths()) == 0
