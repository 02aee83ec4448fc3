"""The course of the speed over a day: observed, forecast and as the baselines say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.evaluation.metrics import mean_by_group
from roadgraph.verification.issued import forecasts_of_segments
from roadgraph.verification.scoring import (
    FORECAST,
    HISTORICAL_AVERAGE,
    PERSISTENCE,
    known_until,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from roadgraph.settings import Settings
    from roadgraph.verification.observed import ObservedDay, Said
    from roadgraph.verification.scoring import Cells
    from roadgraph.workspace import Workspace

OBSERVED, P10, P90 = "observed", "p10", "p90"
COURSE = (OBSERVED, FORECAST, P10, P90, PERSISTENCE, HISTORICAL_AVERAGE)
"""Columns of a course, speeds in km/h; its index is the start of each slice of the day in UTC."""

COURSE_OF_CITY = (OBSERVED, FORECAST, PERSISTENCE, HISTORICAL_AVERAGE)
"""Of many segments together: a mean of their quantiles would be no quantile of their mean."""


def course_of_city(
    cells: Cells, observed: ObservedDay, said: Mapping[str, Said], horizon_min: int
) -> pd.DataFrame:
    """Return the mean speeds of the cells that were judged at one horizon, slice by slice.

    All columns of ``COURSE_OF_CITY`` are means of the same cells: a slice in which other segments
    were observed than in the one before has another mean for that alone.

    Args:
        cells: the forecasts of observed cells.
        observed: the day.
        said: by each baseline of all cells.
        horizon_min: the horizon.
    """
    horizons, speeds = cells.table["horizon_min"], cells.table["speed"]
    chosen = np.flatnonzero((horizons == horizon_min) & speeds.notna())
    targets, rows = cells.targets[chosen], cells.table.iloc[chosen]
    values = {
        OBSERVED: observed.at(targets, cells.segments[chosen]).speed_kph,
        FORECAST: rows["speed"],
        **{name: each.speed_kph[chosen] for name, each in said.items()},
    }
    starts = observed.slice_starts[observed.first :]
    place = targets - observed.first
    return pd.DataFrame(
        {
            name: mean_by_group(np.asarray(values[name], dtype=np.float64), place, len(starts))
            for name in COURSE_OF_CITY
        },
        index=starts,
    )


def courses_of_segments(
    settings: Settings,
    workspace: Workspace,
    day: date,
    observed: ObservedDay,
    segments: Mapping[str, int],
    horizon_min: int,
) -> dict[str, pd.DataFrame]:
    """Return the courses of a few segments with all that was forecast of them at one horizon.

    Args:
        settings: of the city.
        workspace: where the forecasts are.
        day: the day.
        observed: what was observed on it.
        segments: place of each segment by its id.
        horizon_min: the horizon.

    Raises:
        DataError: a forecast is damaged.
    """
    rows = forecasts_of_segments(settings, workspace, day, [*segments], horizon_min)
    places = rows["segment_id"].map(segments).to_numpy(dtype=np.int64)
    persistence = observed.persistence(known_until(rows), places)
    rows = rows.assign(persistence=persistence.speed_kph)
    return {
        name: _course(rows[rows["segment_id"] == name], observed, place)
        for name, place in segments.items()
    }


def _course(rows: pd.DataFrame, observed: ObservedDay, place: int) -> pd.DataFrame:
    starts = observed.slice_starts[observed.first :]
    told = rows.set_index("slice_start").reindex(starts)
    columns: Sequence[np.ndarray] = (
        observed.speed_kph[observed.first :, place],
        *(told[name].to_numpy() for name in ("speed", "speed_p10", "speed_p90", "persistence")),
        observed.typical[:, place],
    )
    return pd.DataFrame(dict(zip(COURSE, columns, strict=True)), index=starts).astype(np.float64)
