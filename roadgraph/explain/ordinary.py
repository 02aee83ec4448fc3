"""What a forecast is compared with: the same roads on an ordinary day.

Ordinary means that the same roads are seen in the same slices, each at the speed that is typical
there at that time of the week, with its average spread, and by the average number of vehicles at
the average quality. So where nobody was seen, nobody is: a window without any observation would be
no ordinary one, models take it for a quiet night. Clock, typical speeds and the road itself stay as
they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.schema import MEASURED_FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.dataset.preparation import Preparation

SPEEDS = [MEASURED_FEATURES.index(name) for name in ("mean_speed", "median_speed")]
SPREAD = MEASURED_FEATURES.index("speed_std")
VEHICLES = [MEASURED_FEATURES.index(name) for name in ("count_probes", "quality_score")]

WEEK = pd.Timedelta(days=7)
EVERY = pd.Timedelta(hours=3)
"""Between the times of the week over which an ordinary week is averaged."""


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
    """Yield the grid as it would be through an ordinary week, ``EVERY`` three hours.

    The same cells are observed at all of these times.

    Args:
        grid: as in :func:`ordinary`.
        preparation: as there.
        zone: as there.
    """
    for number in range(WEEK // EVERY):
        later = replace(grid, slice_starts=grid.slice_starts + number * EVERY)
        yield ordinary(later, preparation, zone)
