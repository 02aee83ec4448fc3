"""What was observed before the forecasts on the map page, and at the times that they are for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import clock_from
from roadgraph.errors import DataError
from roadgraph.predict.newest_slices import slices_between
from roadgraph.predict.observations import LOOK_BACK, Observations
from roadgraph.report.map_page.forecasts import horizons_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pyarrow as pa

    from roadgraph.report.map_page.forecasts import Issue

OUTSIDE = -1
"""Stands for the place of a slice that has not come in."""


def slices_around(
    folder: Path, zone: ZoneInfo, times: Sequence[pd.Timestamp], farthest_min: int
) -> pa.Table:
    """Read the slices that a page of some forecasts shows: the day before, and the truth.

    Args:
        folder: the store of slices; it need not be there.
        zone: the city's time zone.
        times: of issue, at least one, each knowing its zone.
        farthest_min: the farthest horizon in minutes.

    Returns:
        The columns of ``schema.SLICES``; no row where nothing was observed.

    Raises:
        DataError: the slices of a day are damaged.
    """
    ahead = pd.Timedelta(minutes=farthest_min)
    return slices_between(folder, zone, min(times) - LOOK_BACK, max(times) + ahead)


@dataclass(frozen=True)
class MapHistory:
    """Observed speeds of ``N`` segments in ``T`` slices without a gap.

    Attributes:
        starts: ``[T]`` in UTC.
        begin: when the first slice begins, also where there is none.
        speed_kph: ``[T, N]`` float32, NaN where nothing was observed.
        target_slice: ``[I, H]`` int32, the place of each forecast's slice, or ``OUTSIDE``.
        last_slice: ``[I]`` int32, the place of the slice that ended at the time of issue; ``T`` or
            more where nothing came in so late.
    """

    starts: pd.DatetimeIndex
    begin: pd.Timestamp
    speed_kph: np.ndarray
    target_slice: np.ndarray
    last_slice: np.ndarray

    @property
    def fastest_kph(self) -> float:
        """The highest speed in it; 0 without any."""
        return float(np.max(self.speed_kph, where=~np.isnan(self.speed_kph), initial=0))

    def seen_at(self, place: int) -> np.ndarray:
        """Return ``[N]`` bool, which segments were observed in a slice; none in one outside."""
        if not 0 <= place < len(self.speed_kph):
            return np.zeros(self.speed_kph.shape[1], dtype=bool)
        return ~np.isnan(self.speed_kph[place])

    def thinned(self, every: int) -> MapHistory:
        """Return the history with one slice in ``every`` alone, beside those that must be there.

        These are the slices that forecasts are for, and those that ended at a time of issue.
        """
        place = np.arange(len(self.starts))
        kept = (self.last_slice[0] - place) % every == 0
        kept |= np.isin(place, self.target_slice) | np.isin(place, self.last_slice)
        speed = np.where(kept[:, None], self.speed_kph, np.float32(np.nan))
        return replace(self, speed_kph=speed)


def history_of(observations: Observations | None, issues: Sequence[Issue]) -> MapHistory:
    """Return the 24 hours before the first forecast, and what has come in of the forecasts' times.

    Args:
        observations: all that is known of the time; None where nothing is.
        issues: the forecasts on the page, rising in time.

    Raises:
        DataError: the forecasts are for slices of different lengths.
    """
    lengths = sorted({issue.slice_minutes for issue in issues})
    if len(lengths) > 1:
        raise DataError(
            f"the forecasts are for slices of {' and '.join(map(str, lengths))} minutes, so no "
            "history is that of all; remove those of another slices.minutes"
        )
    step = pd.Timedelta(minutes=lengths[0])
    begin = issues[0].issued_at - -(-LOOK_BACK // step) * step
    horizons = horizons_of(issues)
    targets = [[issue.target_start(horizon) for horizon in horizons] for issue in issues]
    segments = len(issues[0].answered)
    speed = np.empty((0, segments), dtype=np.float32)
    if observations is not None:
        rows, places = observations.between(begin, max(map(max, targets)) + step)
        slot = (_ns(rows["slice_start"].to_numpy()) - begin.value) // step.value
        speed = np.full((int(slot.max(initial=-1)) + 1, segments), np.nan, dtype=np.float32)
        ours = places >= 0
        speed[slot[ours], places[ours]] = rows["mean_speed"].to_numpy()[ours]
    place = np.array([[(start - begin) // step for start in row] for row in targets])
    inside = (place >= 0) & (place < len(speed))
    return MapHistory(
        clock_from(begin, len(speed), issues[0].slice_minutes),
        begin,
        speed,
        np.where(inside, place, OUTSIDE).astype(np.int32).reshape(len(issues), len(horizons)),
        np.array([(issue.last_start - begin) // step for issue in issues], dtype=np.int32),
    )


def _ns(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[ns]").astype(np.int64)
