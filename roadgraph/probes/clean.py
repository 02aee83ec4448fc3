"""Which fixes can be used by what stands in their own row, and the rule that refused the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from roadgraph.errors import DataError
from roadgraph.probes.distance import METRES_PER_DEGREE

if TYPE_CHECKING:
    from roadgraph.settings import ProbesSettings

LEAST_ROWS_TO_JUDGE = 20  # fewer rows outside the network say nothing about a whole file
STRAY_DAYS = 400  # a clock that was reset, or rolled over, is years away from the others


@dataclass(frozen=True)
class Box:
    """A box in WGS84 degrees."""

    west: float
    south: float
    east: float
    north: float

    def grown(self, margin_m: float) -> Box:
        """Return the box with ``margin_m`` metres added on every side."""
        lat_deg = margin_m / METRES_PER_DEGREE
        middle = pl.select(pl.lit((self.south + self.north) / 2).radians().cos()).item()
        lon_deg = lat_deg / max(middle, 0.01)
        return Box(
            self.west - lon_deg, self.south - lat_deg, self.east + lon_deg, self.north + lat_deg
        )

    def holds(self, lat: pl.Expr, lon: pl.Expr) -> pl.Expr:
        """Return whether places lie in the box."""
        return lat.is_between(self.south, self.north) & lon.is_between(self.west, self.east)


def judge_rows(fixes: pl.DataFrame, box: Box, settings: ProbesSettings) -> pl.DataFrame:
    """Add the column ``rule``: why a row cannot be used, null where it can.

    The rules in their order: ``bad_position`` (missing, out of range or 0, 0), ``bad_speed`` (below
    0 or above ``max_speed_kph``), ``stray_clock`` (more than 400 days from the middle of the batch,
    as after a reset), ``outside_network``. A speed or heading that is missing is no fault; NaN
    and headings that no compass shows (511 stands for none in some feeds) become missing.

    Args:
        fixes: the columns of ``schema.FIXES`` and any others.
        box: the network's box in WGS84.
        settings: limits.
    """
    lat, lon, speed, heading = (pl.col(c) for c in ("lat", "lon", "speed_kph", "heading_deg"))
    time = pl.col("timestamp")
    near = box.grown(settings.network_margin_m)
    position_is_bad = (
        (~(lat.is_between(-90, 90) & lon.is_between(-180, 180))).fill_null(True)
        | lat.is_nan()
        | lon.is_nan()
        | ((lat == 0) & (lon == 0))
    )
    is_stray = (time - time.median()).abs() > pl.duration(days=STRAY_DAYS)
    return fixes.with_columns(
        pl.when(speed.is_not_nan()).then(speed).alias("speed_kph"),
        pl.when(heading.is_between(0, 360)).then(heading).alias("heading_deg"),
        pl.when(position_is_bad)
        .then(pl.lit("bad_position"))
        .when(speed.is_not_nan() & ~speed.is_between(0, settings.max_speed_kph))
        .then(pl.lit("bad_speed"))
        .when(is_stray)
        .then(pl.lit("stray_clock"))
        .when(~near.holds(lat, lon))
        .then(pl.lit("outside_network"))
        .alias("rule"),
    )


def refuse_swapped(judged: pl.DataFrame, box: Box, file: str, settings: ProbesSettings) -> None:
    """Find out whether the latitudes of a file are its longitudes.

    Args:
        judged: what :func:`judge_rows` returned, with ``row``.
        box: the network's box in WGS84.
        file: name of the file, for the message.
        settings: limits.

    Raises:
        DataError: most rows lie outside the network, and would lie in it with latitude and
            longitude exchanged.
    """
    near = box.grown(settings.network_margin_m)
    exchanged = judged.filter(
        pl.col("rule").is_in(["bad_position", "outside_network"])
        & near.holds(pl.col("lon"), pl.col("lat"))
    )
    if len(judged) >= LEAST_ROWS_TO_JUDGE and 2 * len(exchanged) > len(judged):
        first = exchanged.row(0, named=True)
        raise DataError(
            f"{file}: latitude and longitude look swapped (row {first['row']}: lat {first['lat']}, "
            f"lon {first['lon']}; {len(exchanged)} of {len(judged)} rows would lie in the network "
            "the other way round); exchange them in probes.columns"
        )
