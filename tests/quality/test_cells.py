from datetime import date
from pathlib import Path

import numpy as np
import pytest

from roadgraph.errors import DataError
from roadgraph.quality.cells import cells_of_day, coverage_of
from tests.quality.toy import MONDAY, NETWORK, SLICES, TUESDAY, city, write_day


def one_hour() -> np.ndarray:
    """Return speeds of segment A from 07:00 to 08:00 and of B at 07:00, local time."""
    speeds = np.full((SLICES, 3), np.nan)
    speeds[28:32, 0] = 30.0
    speeds[28, 1] = 20.0
    return speeds


def test_coverage_is_the_share_of_observed_cells_of_all_hours_and_classes(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, one_hour())
    cells = cells_of_day(settings, NETWORK, workspace, MONDAY)
    assert cells.measured[:, 0].tolist() == [30, 20, 30, 30, 30]
    found = coverage_of(cells, NETWORK, settings)
    assert found.cells == 5
    assert found.share == 5 / (SLICES * 3)
    assert found.by_hour[7] == 5 / 12
    assert found.empty_hours == tuple(hour for hour in range(24) if hour != 7)
    assert found.by_road_class == {"residential": found.share}


def test_nothing_was_observed_on_a_day_that_is_not_in_the_store(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, one_hour())
    cells = cells_of_day(settings, NETWORK, workspace, TUESDAY)
    assert cells.observed.shape == (SLICES, 3)
    assert coverage_of(cells, NETWORK, settings).share == 0


def test_an_hour_that_the_clocks_leave_out_has_no_coverage(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path, city={"timezone": "Europe/Berlin"})
    spring = date(2026, 3, 29)
    write_day(settings, spring, 30.0)
    found = coverage_of(cells_of_day(settings, NETWORK, workspace, spring), NETWORK, settings)
    assert found.cells == 92 * 3
    assert found.by_hour == {hour: 1.0 for hour in range(24) if hour != 2}


def test_slices_of_another_time_zone_are_refused(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, one_hour())
    other, _ = city(tmp_path, city={"timezone": "America/New_York"})
    with pytest.raises(DataError, match=r"2026-01-05 has a slice at 2026-01-05 00:00.*not of that"):
        cells_of_day(other, NETWORK, workspace, MONDAY)


def test_slices_of_another_length_are_refused(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, one_hour())
    other, _ = city(tmp_path, slices={"minutes": 5})
    with pytest.raises(DataError, match="slices of 15 minutes, not 5"):
        cells_of_day(other, NETWORK, workspace, MONDAY)
