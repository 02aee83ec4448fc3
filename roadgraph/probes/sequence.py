"""Which fixes can be used beside the other fixes of their vehicle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from roadgraph.probes.distance import distance_m

if TYPE_CHECKING:
    from roadgraph.settings import ProbesSettings

STANDING_KPH = 3.0  # GPS jitter of a standing vehicle reads as up to this speed
STANDING_WINDOW_S = 60.0  # over which a vehicle that reports no speed must have stayed
JUMP_TOLERANCE_M = 100.0  # two bad receptions may lie so far apart without any movement
DISORDER = 0.2  # a file of which more goes backwards, or is behind, is not in order of arrival
PASSES = 6  # over jumps that hide behind each other


def judge_sequence(
    fixes: pl.DataFrame, slice_minutes: int, settings: ProbesSettings
) -> pl.DataFrame:
    """Sort fixes by vehicle and time, and add ``rule`` and ``breaks``.

    The rules in their order:

    * ``clock_backwards``: the row came more than ``max_lateness_s`` behind a later time of the same
      vehicle in the same file; not used where a file is in another order than that of arrival.
    * ``duplicate``: a vehicle's second fix of the same time.
    * ``jump``: a vehicle would have had to go faster than ``max_speed_kph`` to get to these fixes
      and faster than that to get back.
    * ``parked``: the vehicle has stood for ``parked_minutes`` within ``parked_radius_m``, and that
      was known when the slice of the fix was over: no slice rests on what happened after it.

    ``breaks`` is true where a trip cannot go on from the fix before: another vehicle, a silence
    longer than ``max_gap_s``, or a step that is too fast although neither side is a jump.

    Args:
        fixes: the columns of ``schema.FIXES`` with ``file`` and ``row``, judged row by row.
        slice_minutes: length of a slice in minutes.
        settings: limits.
    """
    arrived = fixes.sort("vehicle_id", "file", "row")
    backwards = _clock_is_behind(arrived, settings)
    # Sorting by every column makes the choice among duplicates independent of the files' order.
    order = ["vehicle_id", "timestamp", "lat", "lon", "speed_kph", "heading_deg", "file", "row"]
    rows = arrived.with_columns(
        pl.when(backwards).then(pl.lit("clock_backwards")).alias("rule")
    ).sort(order, nulls_last=True)
    rows = _mark(rows, _repeated(_usable(rows)), "duplicate")
    rows = _mark(rows, _jumps(_usable(rows), settings), "jump")
    rows = _mark(rows, _parked(_usable(rows), slice_minutes, settings), "parked")
    good = _usable(rows)
    track = _Track.of(good)
    breaks = np.ones(len(rows), dtype=bool)
    breaks[good["place"].to_numpy()] = (
        track.first | (track.seconds > settings.max_gap_s) | track.too_fast(settings)
    )
    return rows.with_columns(pl.Series("breaks", breaks))


def _usable(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that no rule has refused, with their ``place`` among all."""
    return rows.with_row_index("place").filter(pl.col("rule").is_null())


def _mark(rows: pl.DataFrame, places: np.ndarray, rule: str) -> pl.DataFrame:
    if not len(places):
        return rows
    refused = np.zeros(len(rows), dtype=bool)
    refused[places] = True
    return rows.with_columns(
        pl.when(pl.Series(refused)).then(pl.lit(rule)).otherwise("rule").alias("rule")
    )


def _repeated(fixes: pl.DataFrame) -> np.ndarray:
    same = (pl.col("vehicle_id") == pl.col("vehicle_id").shift(1)) & (
        pl.col("timestamp") == pl.col("timestamp").shift(1)
    )
    return fixes.filter(same)["place"].to_numpy()


def _clock_is_behind(arrived: pl.DataFrame, settings: ProbesSettings) -> pl.Series:
    time = pl.col("timestamp")
    clock = ["vehicle_id", "file"]
    steps = arrived.lazy().select(
        *clock,
        behind=time < time.cum_max().over(clock) - pl.duration(seconds=settings.max_lateness_s),
        turns=(time.diff().dt.total_microseconds() < 0).over(clock),
    )
    disorder = pl.max_horizontal(pl.col("turns", "behind").mean().over(clock))
    return steps.select(pl.col("behind") & (disorder <= DISORDER)).collect()["behind"]


class _Track:
    """Fixes of vehicles in their order as arrays; the step of a fix leads to it.

    Attributes:
        lat, lon, time_s: ``[M]``.
        vehicle: ``[M]`` a number for each vehicle.
        first: ``[M]`` whether the fix is its vehicle's first.
        seconds: ``[M]`` since the fix before, 0 where there is none.
    """

    def __init__(
        self, vehicle: np.ndarray, time_s: np.ndarray, lat: np.ndarray, lon: np.ndarray
    ) -> None:
        self.vehicle, self.time_s, self.lat, self.lon = vehicle, time_s, lat, lon
        self.first = np.diff(vehicle, prepend=-1) != 0
        self.seconds = np.where(self.first, 0.0, np.diff(time_s, prepend=0))

    @classmethod
    def of(cls, fixes: pl.DataFrame) -> _Track:
        """Return the track of fixes that are sorted by vehicle and time."""
        return cls(
            fixes.select(pl.col("vehicle_id").rle_id()).to_series().to_numpy(),
            fixes["timestamp"].dt.epoch("us").to_numpy() / 1e6,
            fixes["lat"].to_numpy(),
            fixes["lon"].to_numpy(),
        )

    def too_fast(self, settings: ProbesSettings) -> np.ndarray:
        """Return ``[M]`` whether the step to the fix is faster than is possible."""
        places = np.arange(len(self.time_s))
        before = np.maximum(places - 1, 0)
        return ~self.first & self.impossible(before, places, settings)

    def impossible(
        self, places: np.ndarray, others: np.ndarray, settings: ProbesSettings
    ) -> np.ndarray:
        """Return whether no vehicle gets from the one fix to the other in time."""
        away_m = distance_m(self.lat[places], self.lon[places], self.lat[others], self.lon[others])
        seconds = np.abs(self.time_s[others] - self.time_s[places])
        return away_m > settings.max_speed_kph / 3.6 * seconds + JUMP_TOLERANCE_M


def _jumps(fixes: pl.DataFrame, settings: ProbesSettings) -> np.ndarray:
    """Return the places of fixes that lie off the track of their vehicle.

    The steps that are too fast cut a track into runs. A run is off the track if it is not longer
    than the runs beside it and these join without it; at the end of a track, if it is a single
    fix beside a longer run.
    """
    places = fixes["place"].to_numpy()
    track = _Track.of(fixes)
    affected = np.isin(track.vehicle, track.vehicle[track.too_fast(settings)])
    kept = np.flatnonzero(affected)
    refused: list[np.ndarray] = []
    for _ in range(PASSES):
        part = _Track(*(a[kept] for a in (track.vehicle, track.time_s, track.lat, track.lon)))
        begins = np.flatnonzero(part.first | part.too_fast(settings))
        ends = np.append(begins[1:], len(kept))
        off = _runs_off_track(part, begins, ends, settings)
        if not off.any():
            break
        gone = np.repeat(off, ends - begins)
        refused.append(places[kept[gone]])
        kept = kept[~gone]
    return np.concatenate(refused) if refused else np.empty(0, dtype=np.int64)


def _runs_off_track(
    track: _Track, begins: np.ndarray, ends: np.ndarray, settings: ProbesSettings
) -> np.ndarray:
    if not len(begins):
        return np.zeros(0, dtype=bool)
    lengths = ends - begins
    vehicle = track.vehicle[begins]
    has_left = np.append(False, vehicle[1:] == vehicle[:-1])
    has_right = np.append(vehicle[1:] == vehicle[:-1], False)
    left = np.where(has_left, np.roll(lengths, 1), 0)
    right = np.where(has_right, np.roll(lengths, -1), 0)
    inner = np.flatnonzero(has_left & has_right)
    joins = np.zeros(len(begins), dtype=bool)
    joins[inner] = ~track.impossible(ends[inner - 1] - 1, begins[inner + 1], settings)
    off = joins & (lengths <= np.minimum(left, right))
    off |= (has_left != has_right) & (lengths == 1) & (np.maximum(left, right) > 1)
    # Of two neighbours that each look wrong beside the other, one goes and the other is seen again.
    wrong = np.flatnonzero(off)
    for place in wrong:
        if place and off[place - 1]:
            off[place] = False
    return off


def _parked(fixes: pl.DataFrame, slice_minutes: int, settings: ProbesSettings) -> np.ndarray:
    """Return the places of fixes of vehicles known to be parked when the fix's slice was over."""
    if fixes.is_empty():
        return np.empty(0, dtype=np.int64)
    track = _Track.of(fixes)
    stands = _stands(track, fixes["speed_kph"].to_numpy())
    goes_on = stands & np.append(False, stands[:-1]) & ~track.first
    goes_on &= track.seconds <= settings.max_gap_s
    stays = fixes.select(
        pl.Series("stay", np.cumsum(~goes_on)),
        pl.Series("time_s", track.time_s),
        lat=pl.col("lat"),
        lon=pl.col("lon"),
    ).with_columns(
        # The place of a fix must be near where the stay began, whatever comes later.
        lat_0=pl.col("lat").first().over("stay"),
        lon_0=pl.col("lon").first().over("stay"),
        since_s=pl.col("time_s") - pl.col("time_s").first().over("stay"),
    )
    away_m = distance_m(*(stays[name].to_numpy() for name in ("lat_0", "lon_0", "lat", "lon")))
    slice_s = 60 * slice_minutes
    stays = stays.with_columns(
        near=pl.Series(away_m <= 2 * settings.parked_radius_m),
        slice=(pl.col("time_s") // slice_s),
    )
    known = (pl.col("since_s") >= 60 * settings.parked_minutes) & pl.col("near")
    parked = stays.select(
        pl.col("near") & known.any().over("stay", "slice") & pl.Series(stands)
    ).to_series()
    return fixes["place"].filter(parked).to_numpy()


def _stands(track: _Track, speed_kph: np.ndarray) -> np.ndarray:
    """Return whether a vehicle stands: by its own report, or else by where it was a minute ago."""
    places = np.arange(len(track.time_s))
    # Vehicles are laid one behind the other, so that one search finds the fix a minute ago.
    lasting_s = track.time_s.max() - track.time_s.min() + 2 * STANDING_WINDOW_S
    laid = track.time_s - track.time_s.min() + track.vehicle * lasting_s
    ago = np.searchsorted(laid, laid - STANDING_WINDOW_S, side="right") - 1
    own_first = np.maximum.accumulate(np.where(track.first, places, 0))
    ago = np.maximum(ago, own_first)
    seconds = track.time_s - track.time_s[ago]
    away_m = distance_m(track.lat[ago], track.lon[ago], track.lat, track.lon)
    implied = np.divide(3.6 * away_m, seconds, out=np.zeros_like(away_m), where=seconds > 0)
    return np.where(np.isnan(speed_kph), implied, speed_kph) <= STANDING_KPH
