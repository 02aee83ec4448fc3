from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from roadgraph.explain.explanation import Account, Explanation
from roadgraph.explain.words import Manner
from roadgraph.report import explanation_plots
from roadgraph.report.explanation_plots import LESS, MORE, plot_explanation
from tests.explain.test_words import MANNER, MOVED, congestion, explanation, speed
from tests.toy import straight_network

NETWORK = straight_network()


def of_the_straight_road(account: Account) -> Explanation:
    """Return an explanation for B whose roads are A, B and C."""
    heard = pd.DataFrame(
        {
            "place": [1, 0, 2],
            "segment_id": ["B", "A", "C"],
            "name": [None, None, None],
            "relation": ["itself", "upstream", "downstream"],
            "links": [0, 1, 1],
            "metres": 0.0,
            "observed_kph": 12.0,
            "usual_kph": 30.0,
            "seen": 4,
        }
    )
    return explanation(account, segment_id="B", name=None, heard=heard)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Keep figures in the place of writing them."""
    figures: list[Figure] = []
    monkeypatch.setattr(explanation_plots, "save", lambda figure, path: figures.append(figure))
    return figures


def test_roads_are_drawn_in_the_colour_of_what_they_did(tmp_path: Path) -> None:
    path = tmp_path / "b.png"
    account = speed([*MOVED[:2], [6.0, 0, 0]])
    plot_explanation(NETWORK, of_the_straight_road(account), MANNER, "left", path)
    image = matplotlib.image.imread(path)
    height, width = image.shape[:2]
    assert width > height > 500
    for colour in (LESS, MORE):
        rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        assert (np.abs(image[: height // 2, : width // 2, :3] - rgb).max(axis=-1) < 0.1).any()
    assert path.with_suffix(".svg").read_text("utf-8").startswith("<?xml")


def test_titles_and_axes_say_what_is_shown_in_which_unit(drawn: list[Figure]) -> None:
    miles = Manner(MANNER.zone, "mph")
    plot_explanation(NETWORK, of_the_straight_road(speed(MOVED[:3])), miles, "left", Path("b.png"))
    (figure,) = drawn
    roads, steps, bar = figure.axes
    assert figure.get_suptitle() == "B, forecast for Mon 19 Jan 2026, 08:15 to 08:30 (+30 min)"
    assert roads.get_title(loc="left") == "Which roads moved it"
    assert roads.get_xlabel() == "longitude, degrees"
    assert bar.get_xlabel() == "speed moved by what was observed on each road, mph"
    assert steps.get_title(loc="left") == "From an ordinary week to the forecast"
    assert steps.get_xlabel() == "speed, mph"


def test_the_bars_lead_from_the_week_to_the_forecast(drawn: list[Figure]) -> None:
    plot_explanation(NETWORK, of_the_straight_road(speed(MOVED[:3])), MANNER, "left", Path("b.png"))
    steps = drawn[0].axes[1]
    names = [label.get_text() for label in steps.get_yticklabels()]
    assert names == [
        "ordinary week", "time of the week", "B itself", "roads downstream", "roads upstream",
        "forecast",
    ]  # fmt: skip
    bars = [
        (bar.get_x(), bar.get_x() + bar.get_width())
        for bar in steps.patches
        if isinstance(bar, Rectangle)
    ]
    expected = [(0, 24), (24, 23), (23, 17), (17, 16.5), (16.5, 14.5), (0, 14.5)]
    np.testing.assert_allclose(bars, expected, atol=1e-9)
    texts = [text.get_text() for text in steps.texts]
    assert texts == ["24.0 km/h", "-1.0", "-6.0", "-0.5", "-2.0", "14.5 km/h"]


def test_of_a_class_the_probability_is_drawn(drawn: list[Figure]) -> None:
    account = congestion([[0.2, 0, 0], [0.1, 0, 0], [0, 0, 0]])
    plot_explanation(NETWORK, of_the_straight_road(account), MANNER, "left", Path("b.png"))
    _, steps, bar = drawn[0].axes
    assert steps.get_xlabel() == "probability of congested, %"
    assert bar.get_xlabel() == (
        "probability of congested moved by what was observed on each road, percentage points"
    )
    assert steps.texts[-1].get_text() == "60 %"


def test_where_nothing_moved_it_the_road_is_drawn_all_the_same(drawn: list[Figure]) -> None:
    account = speed([[0.0, 0, 0]] * 3)
    plot_explanation(NETWORK, of_the_straight_road(account), MANNER, "left", Path("b.png"))
    west, east = drawn[0].axes[0].get_xlim()
    # 400 m to either side at least.
    assert (east - west) * 111_195 * np.cos(np.radians(13.8)) == pytest.approx(800, rel=0.01)


def test_a_name_that_the_font_cannot_draw_is_left_to_the_words(drawn: list[Figure]) -> None:
    asked = of_the_straight_road(speed([*MOVED[:2], [6.0, 0, 0]]))
    for name, shown in (("Rama IV", "B (Rama IV), forecast"), ("ถนนพระราม 4", "B, forecast")):
        plot_explanation(NETWORK, replace(asked, name=name), MANNER, "left", Path("b.png"))
        assert drawn[-1].get_suptitle().startswith(shown)


def test_bars_that_are_all_0_have_an_axis_all_the_same(drawn: list[Figure]) -> None:
    nothing = speed([[0.0, 0, 0]] * 3)
    flat = replace(nothing, answer=0.0, week=0.0, ordinary=0.0)
    plot_explanation(NETWORK, of_the_straight_road(flat), MANNER, "left", Path("b.png"))
    low, high = drawn[-1].axes[1].get_xlim()
    assert low <= 0 < high
