from pathlib import Path

import matplotlib.image as images
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from roadgraph.legend import NO_ANSWER
from roadgraph.report.error_plots import ERRORS, plot_error_by_hour, plot_error_map
from roadgraph.report.plots import LINES
from tests.toy import straight_network


def pixels_in(path: Path, colour: str | tuple[float, float, float]) -> int:
    """Return how many pixels have this colour."""
    picture = images.imread(path)[:, :, :3]
    return int((np.abs(picture - np.array(to_rgb(colour))) < 0.01).all(axis=2).sum())


def test_errors_by_hour_have_bars_as_high_as_they_are(tmp_path: Path) -> None:
    # The bars cover the same share of both panels: 12 of 24 hours at the height of the highest.
    speed_mae = np.where(np.arange(24) < 12, 8.0, np.nan)
    right_share = np.where(np.arange(24) < 12, 0.6, 1.0)
    plot_error_by_hour(speed_mae, right_share, "km/h", "Test", tmp_path / "a.png")
    speed, wrong = (pixels_in(tmp_path / "a.png", colour) for colour in LINES[:2])
    assert speed == pytest.approx(wrong, rel=0.05)
    halved = np.where(np.arange(24) == 0, 8.0, speed_mae / 2)
    plot_error_by_hour(halved, right_share, "km/h", "Test", tmp_path / "b.png")
    # One bar keeps its height, eleven have half of it.
    assert pixels_in(tmp_path / "b.png", LINES[0]) / speed == pytest.approx(6.5 / 12, rel=0.03)


def test_what_is_not_answered_has_no_panel(tmp_path: Path) -> None:
    some = np.full(24, 0.5)
    plot_error_by_hour(None, some, "km/h", "Test", tmp_path / "classes.png")
    plot_error_by_hour(some, None, "km/h", "Test", tmp_path / "speeds.png")
    for name, drawn, missing in (("classes", 1, 0), ("speeds", 0, 1)):
        assert pixels_in(tmp_path / f"{name}.png", LINES[drawn]) > 1000
        assert pixels_in(tmp_path / f"{name}.png", LINES[missing]) == 0


def test_the_map_shows_the_error_of_every_segment_and_grey_without_one(tmp_path: Path) -> None:
    errors = np.array([2.0, 30.0, np.nan])
    plot_error_map(straight_network(), errors, 10.0, "km/h", "left", "Test", tmp_path / "map.png")
    # 30 is beyond the end of the colours.
    for colour in (to_rgb(ERRORS(0.2)), to_rgb(ERRORS(1.0)), NO_ANSWER):
        assert pixels_in(tmp_path / "map.png", colour) > 100
    known = np.array([2.0, 30.0, 10.0])
    plot_error_map(straight_network(), known, 10.0, "km/h", "left", "Test", tmp_path / "known.png")
    assert pixels_in(tmp_path / "known.png", NO_ANSWER) == 0


def test_a_map_without_any_error_is_grey(tmp_path: Path) -> None:
    nothing = np.full(3, np.nan)
    plot_error_map(straight_network(), nothing, 10.0, "km/h", "left", "Test", tmp_path / "map.png")
    assert pixels_in(tmp_path / "map.png", NO_ANSWER) > 300


def test_colours_of_errors_get_darker_and_are_never_too_light_for_white() -> None:
    lightness = ERRORS(np.linspace(0, 1, 50))[:, :3] @ (0.299, 0.587, 0.114)
    assert (np.diff(lightness) < 0).all()
    assert lightness[0] < 0.8


@pytest.mark.parametrize("unit", ["km/h", "mph"])
def test_the_same_errors_give_the_same_pictures(unit: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        plot_error_by_hour(np.ones(24), np.ones(24), unit, "Test", tmp_path / f"{name}.png")
        plot_error_map(
            straight_network(), np.ones(3), 2.0, unit, "left", "T", tmp_path / f"{name}-map.png"
        )
    for kind in ("", "-map"):
        one, other = (tmp_path / f"{name}{kind}.png" for name in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
