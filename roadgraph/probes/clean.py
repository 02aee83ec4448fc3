"""Which fixes can be used, and by which rule the others were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from roadgraph.settings import ProbesSettings

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
STANDING_KPH = 3.0  # GPS jitter of a standing vehicle reads as up to this speed


@dataclass(frozen=True)
class Box:
    """A box in WGS84 degrees."""

    west: float
    south: float
    east: float
    north: float

    def grown(self, margin_m: float) -> Box:
        """Return the box with ``margin_m`` metres added on every side."""
        lat_deg = margin_m / 111_195.0
        middle = pl.select(pl.lit((self.south + self.north) / 2).radians().cos()).item()
        lon_deg = lat_deg / max(middle, 0.01)
        return Box(
            self.west - lon_deg, self.south - lat_deg, self.east + lon_deg, self.north + lat_deg
        )


@dataclass(frozen=True)
class CleanFixes:
    """The fixes in use, sorted by vehicle and time, and the account of the refused ones.

    ``len(fixes) + sum(refused.values())`` is the number of rows that came in.
    """

    fixes: pl.DataFrame
    refused: dict[str, int]


def clean_fixes(raw: pl.DataFrame, box: Box, settings: ProbesSettings) -> CleanFixes:
    """Sort out the fixes that cannot be used; each is counted under the first rule it breaks.

    The rules in their order: ``no_vehicle``, ``bad_time``, ``bad_position`` (missing, out of
    range or 0, 0), ``bad_speed`` (below 0 or above ``max_speed_kph``), ``outside_network``,
    ``duplicate`` (a vehicle's second fix of the same time), ``parked``. A speed or heading that
    is missing is no fault.

    ``parked`` is known in hindsight: a standstill counts only once it has lasted, so the newest
    ``parked_minutes`` may still hold fixes of vehicles that turn out to be parked.

    Args:
        raw: the columns of ``schema.FIXES`` in any order of rows.
        box: the network's box in WGS84.
        settings: limits.
    """
    lat, lon, speed = pl.col("lat"), pl.col("lon"), pl.col("speed_kph")
    near = box.grown(settings.network_margin_m)
    position_is_bad = (
        lat.is_null()
        | lon.is_null()
        | lat.is_nan()
        | lon.is_nan()
        | ~lat.is_between(-90, 90)
        | ~lon.is_between(-180, 180)
        | ((lat == 0) & (lon == 0))
    )
    outside = ~(lat.is_between(near.south, near.north) & lon.is_between(near.west, near.east))
    speed_is_bad = speed.is_not_null() & ~speed.is_between(0, settings.max_speed_kph)
    first_rule = (
        pl.when(pl.col("vehicle_id").is_null())
        .then(pl.lit("no_vehicle"))
        .when(pl.col("timestamp").is_null())
        .then(pl.lit("bad_time"))
        .when(position_is_bad)
        .then(pl.lit("bad_position"))
        .when(speed_is_bad)
        .then(pl.lit("bad_speed"))
        .when(outside)
        .then(pl.lit("outside_network"))
    )
    rows = raw.with_columns(
        pl.when(speed.is_nan()).then(None).otherwise(speed).alias("speed_kph")
    ).with_columns(first_rule.alias("rule"))
    refused = dict(rows.drop_nulls("rule").group_by("rule").len().sort("rule").iter_rows())
    good = rows.filter(pl.col("rule").is_null()).drop("rule")
    # Sorting by every column makes the choice among duplicates independent of the file's order.
    good = good.sort(
        "vehicle_id", "timestamp", "lat", "lon", "speed_kph", "heading_deg", nulls_last=True
    )
    unique = good.unique(["vehicle_id", "timestamp"], keep="first", maintain_order=True)
    parked = _is_parked(unique, settings)
    if len(good) > len(unique):
        refused["duplicate"] = len(good) - len(unique)
    if parked.any():
        refused["parked"] = int(parked.sum())
    return CleanFixes(unique.filter(~parked), refused)


def distance_m(lat_a: pl.Expr, lon_a: pl.Expr, lat_b: pl.Expr, lon_b: pl.Expr) -> pl.Expr:
    """Return the great-circle distance by the haversine formula, in metres."""
    half_lat = ((lat_b - lat_a).radians() / 2).sin()
    half_lon = ((lon_b - lon_a).radians() / 2).sin()
    square = half_lat.pow(2) + lat_a.radians().cos() * lat_b.radians().cos() * half_lon.pow(2)
    return 2 * EARTH_RADIUS_M * square.sqrt().arcsin()


def _is_parked(fixes: pl.DataFrame, settings: ProbesSettings) -> pl.Series:
    """Mark the fixes of standstills that last and stay in place; a queue creeps forward."""
    if fixes.is_empty():
        return pl.Series([], dtype=pl.Boolean)
    same = pl.col("vehicle_id") == pl.col("vehicle_id").shift(1)
    seconds = (pl.col("timestamp") - pl.col("timestamp").shift(1)).dt.total_microseconds() / 1e6
    step = distance_m(pl.col("lat").shift(1), pl.col("lon").shift(1), pl.col("lat"), pl.col("lon"))
    speed = pl.coalesce(pl.col("speed_kph"), 3.6 * step / seconds)
    stands = speed.fill_null(0) <= STANDING_KPH
    starts = (
        ~(same & stands & stands.shift(1) & (seconds <= settings.max_gap_s)).fill_null(False)
    ).fill_null(True)
    standstills = fixes.with_columns(starts.cum_sum().alias("standstill"))
    of_standstill = pl.col("timestamp")
    lasting = (of_standstill.max() - of_standstill.min()).dt.total_seconds().over(
        "standstill"
    ) >= 60 * settings.parked_minutes
    scatter = distance_m(
        pl.col("lat").min(), pl.col("lon").min(), pl.col("lat").max(), pl.col("lon").max()
    ).over("standstill")
    return standstills.select(
        (lasting & (scatter <= 2 * settings.parked_radius_m)).alias("parked")
    )["parked"]
