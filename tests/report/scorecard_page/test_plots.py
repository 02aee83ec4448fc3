import re
from pathlib import Path

import matplotlib.image as images
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from roadgraph.report.plots import LINES
from roadgraph.report.scorecard_page.plots import (
    LOOKS,
    SHADE,
    figure_panels,
    plot_course,
    plot_drift,
    plot_horizons,
    plot_hours,
    plot_parts,
)
from roadgraph.settings import CitySettings
from roadgraph.verification.courses import COURSE, COURSE_OF_CITY
from roadgraph.verification.errors import COLUMNS as ERRORS
from roadgraph.verification.scoring import HISTORICAL_AVERAGE, PERSISTENCE
from tests.report.scorecard_page.toy import NAN, part

CITY = CitySettings()
MPH = CitySettings(speed_unit="mph")
GREYS = [str(LOOKS[name]["color"]) for name in (PERSISTENCE, HISTORICAL_AVERAGE)]
NOTHING = (NAN, NAN, NAN)
MIDNIGHT = pd.Timestamp("2026-01-17T17:00Z")  # in Bangkok


def pixels(path: Path, colour: str) -> np.ndarray:
    """Return row and column of every pixel of this colour, ``[pixels, 2]``."""
    picture = images.imread(path)[:, :, :3]
    return np.argwhere((np.abs(picture - to_rgb(colour)) < 0.01).all(axis=2))


def test_panels_are_what_someone_has_in_the_citys_unit() -> None:
    assert figure_panels(part("horizon", "15"), MPH) == [
        ("speed_mae_kph", "speed MAE, mph", 1.609344),
        ("macro_f1", "macro F1 of the classes", 1.0),
    ]
    assert len(figure_panels(part("horizon", "15", NOTHING), CITY)) == 1
    assert figure_panels(part("horizon", "15", NOTHING, NOTHING), CITY) == []


def test_parts_have_a_mark_a_forecaster_and_figure_at_their_values(tmp_path: Path) -> None:
    scores = pd.concat([part("road class", "primary"), part("road class", "service", cells=5)])
    plot_parts(scores, ["primary", "service"], "Test", CITY, tmp_path / "a.png")
    for colour in (LINES[0], *GREYS):
        assert len(pixels(tmp_path / "a.png", colour)) > 100
    # With 8 of 8 to 12 km/h the forecast's mark stands at the left, with 0.5 of 0.3 to 0.5 right.
    marks = pixels(tmp_path / "a.png", LINES[0])[:, 1]
    other = pixels(tmp_path / "a.png", GREYS[0])[:, 1]
    assert marks.min() < other.min()
    assert marks.max() > other.max()


def test_horizons_hours_and_days_have_a_line_a_forecaster(tmp_path: Path) -> None:
    horizons = pd.concat([part("horizon", "15"), part("horizon", "30", NOTHING)])
    plot_horizons(horizons, "Test", CITY, tmp_path / "horizons.png")
    names = [f"{MIDNIGHT + pd.Timedelta(hours=hour):%Y-%m-%dT%H:%MZ}" for hour in range(4)]
    hours = pd.concat([part("hour", name) for name in names])
    plot_hours(hours, names, "Test", CITY, tmp_path / "hours.png")
    days = pd.to_datetime(["2026-01-12", "2026-01-18"]).date
    rows = [[day, "m", 15, 9, 8.0, 0.5, 12.0, 0.3, 10.0, 0.4] for day in days]
    plot_drift(pd.DataFrame(rows, columns=ERRORS), CITY, "Test", tmp_path / "days.png")
    for name in ("horizons", "hours", "days"):
        for colour in (LINES[0], *GREYS):
            assert len(pixels(tmp_path / f"{name}.png", colour)) > 100, name


def test_an_hour_with_few_cells_is_a_gap(tmp_path: Path) -> None:
    few = part("hour", "2026-01-17T23:00Z", cells=5)
    plot_hours(few, ["2026-01-17T23:00Z"], "Test", CITY, tmp_path / "a.png")
    many = few.assign(cells=1000)
    plot_hours(many, ["2026-01-17T23:00Z"], "Test", CITY, tmp_path / "b.png")
    gap, drawn = (len(pixels(tmp_path / f"{name}.png", LINES[0])) for name in "ab")
    assert drawn > gap  # the legend has the colour too


def course() -> pd.DataFrame:
    index = pd.date_range(MIDNIGHT, periods=96, freq="15min")
    values = dict(zip(COURSE, (40.0, 30.0, 20.0, 45.0, 35.0, 38.0), strict=True))
    return pd.DataFrame(values, index=index).assign(observed=np.where(index.hour == 0, 40.0, NAN))


def test_a_course_shows_what_was_observed_and_shades_the_hour(tmp_path: Path) -> None:
    plot_course(course(), "Test", CITY, tmp_path / "day.png")
    hour = pd.Timestamp("2026-01-18T00:00Z")
    plot_course(course(), "Test " * 30, MPH, tmp_path / "hour.png", hour)
    assert len(pixels(tmp_path / "day.png", SHADE)) == 0
    assert len(pixels(tmp_path / "hour.png", SHADE)) > 1000
    for name in ("day", "hour"):
        assert len(pixels(tmp_path / f"{name}.png", LINES[0])) > 100


def labels(path: Path) -> list[str]:
    """Return the texts of a drawing, which stand in it as comments."""
    return re.findall("<!-- (.*?) -->", path.read_text("utf-8"), re.DOTALL)


def test_the_mean_of_many_segments_has_no_band(tmp_path: Path) -> None:
    plot_course(course(), "Test", CITY, tmp_path / "segment.png")
    plot_course(course()[[*COURSE_OF_CITY]], "Test", CITY, tmp_path / "city.png")
    assert "10 to 90 %" in labels(tmp_path / "segment.svg")
    assert "10 to 90 %" not in labels(tmp_path / "city.svg")


def test_local_hours_are_marked_and_the_one_that_comes_twice_is_told_apart(tmp_path: Path) -> None:
    plot_course(course(), "Test", CITY, tmp_path / "day.png")
    assert labels(tmp_path / "day.svg")[:8] == [f"{hour:02d}:00" for hour in range(0, 24, 3)]
    berlin = CitySettings(timezone="Europe/Berlin")
    begin = pd.Timestamp("2026-10-24T22:00Z")  # midnight; the clock goes back three hours later
    moved = course().set_index(pd.date_range(begin, periods=96, freq="15min"))
    hour = begin + pd.Timedelta(hours=2)
    plot_course(moved, "Test", berlin, tmp_path / "back.png", hour)
    found = " ".join(labels(tmp_path / "back.svg")).split()
    assert found[:8] == [
        "00:00", "01:00", "02:00", "CEST", "02:00", "CET", "03:00", "04:00",
    ]  # fmt: skip


@pytest.mark.parametrize("hour", [None, MIDNIGHT])
def test_the_same_course_gives_the_same_picture(hour: pd.Timestamp | None, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_course(course(), "Test", CITY, tmp_path / name, hour)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
