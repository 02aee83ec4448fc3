"""What a forecast is compared with: the same roads on an ordinary day.

Ordinary means that the same roads are seen in the same slices, each at the speed that is typical
there at that time of the week, with its average spread. Number of vehicles and quality are the
average over the whole city, since a preparation knows them of no single segment: where more
vehicles drive than that, they move the forecast on every day. Where nobody was seen, nobody is: a
window without any observation would be no ordinary one, models take it for a quiet night. Clock,
typical speeds and the road itself stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from roadgraph.calendar import clock_from
from roadgraph.schema import MEASURED_FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.dataset.preparation import Preparation

SPEEDS = [MEASURED_FEATURES.index(name) for name in ("mean_speed", "median_speed")]
SPREAD = MEASURED_FEATURES.index("speed_std")
VEHICLES = [MEASURED_FEATURES.index(name) for name in ("count_probes", "quality_score")]

WEEK = pd.Timedelta(days=7)
EVERY = pd.Timedelta(hours=1)
"""Between the times of the week over which an ordinary week is averaged."""

MONDAY = pd.Timestamp("2024-01-01T00:00Z")
"""Any Monday does: of a date, models see the time of the week alone."""

WEEK_CLOCK = ZoneInfo("UTC")
"""The zone of the grids of an ordinary week, by which they show the time on the city's clock."""


def ordinary(grid: SliceGrid, preparation: Preparation, zone: ZoneInfo) -> SliceGrid:
    """Return the grid as it would be on an ordinary day.

    Args:
        grid: what was observed of ``M`` segments.
        preparation: knows what is typical of these.
        zone: the city's time zone.
    """
    measured = np.empty_like(grid.measured)
    measured[:, :, SPEEDS] = preparation.history.at(grid.slice_starts, zone)[:, :, None]
    measured[:, :, SPREAD] = preparation.fill[:, SPREAD]
    measured[:, :, VEHICLES] = preparation.mean[VEHICLES]
    measured[~grid.observed] = np.nan
    return replace(grid, measured=measured)


def ordinary_week(grid: SliceGrid, preparation: Preparation, zone: ZoneInfo) -> Iterator[SliceGrid]:
    """Yield the grid as it would be through an ordinary week, ``EVERY`` hour of the city's clock.

    The newest slice ends at each of the week's 168 whole hours, from Monday 00:00 on, whatever time
    ``grid`` is of; in a zone that is half an hour off, slices of an hour end at half past. No clock
    is set forward or back in this week. The same cells are observed at all of these times.

    Args:
        grid: as in :func:`ordinary`.
        preparation: as there.
        zone: as there.

    Yields:
        Grids whose slices begin on the city's clock when read by ``WEEK_CLOCK``.
    """
    slices, width = len(grid.slice_starts), pd.Timedelta(minutes=grid.slice_minutes)
    local = (grid.slice_starts[-1] + width).tz_convert(zone).tz_localize(None)
    past_hour = (local - local.normalize()) % width
    for number in range(WEEK // EVERY):
        end = MONDAY + past_hour + number * EVERY
        starts = clock_from(end - slices * width, slices, grid.slice_minutes)
        yield ordinary(replace(grid, slice_starts=starts), preparation, WEEK_CLOCK)
