"""The columns of some rows into fixes, or into the rule that refuses a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from roadgraph.probes.feed_columns import VALID
from roadgraph.probes.fix_times import as_series, utc_times
from roadgraph.schema import FIXES
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from roadgraph.settings import ProbesSettings

NUMBERS = ("lat", "lon", "speed_kph", "heading_deg")
NO_FIX = ("", "0", "0.0", "f", "false", "n", "no")


@dataclass(frozen=True)
class ReadRows:
    """What some rows hold.

    Attributes:
        fixes: the columns of ``schema.FIXES`` and ``row``.
        refused: ``row`` and ``rule`` of the rows that hold no fix.
        is_zoned: whether the feed's times have zones; ``None`` before its first times.
    """

    fixes: pl.DataFrame
    refused: pl.DataFrame
    is_zoned: bool | None


def read_rows(
    columns: Mapping[str, pa.Array],
    rows: np.ndarray,
    settings: ProbesSettings,
    source: str,
    is_zoned: bool | None = None,
    has_decimal_comma: bool = False,
) -> ReadRows:
    """Read rows as fixes; a row is refused by the first rule that it breaks.

    The rules in their order: ``no_vehicle``, ``gps_invalid``, ``bad_time``, ``bad_number``. A
    number that is missing is no fault here.

    Args:
        columns: our columns, each ``[n]``: text without white space around it, or for times and
            numbers also what :func:`~roadgraph.probes.fix_times.utc_times` and floats hold. A
            missing ``speed_kph`` or ``heading_deg`` is missing in every row.
        rows: ``[n]`` their places in the file.
        settings: ``time_format``, ``timezone`` and ``speed_unit``.
        source: the file, for messages.
        is_zoned: what reading the rows before these gave.
        has_decimal_comma: whether a comma in a number is a decimal comma.

    Raises:
        DataError: the times have no zone and ``probes.timezone`` is not set.
        SettingsError: ``probes.timezone`` or ``probes.time_format`` cannot be used.
    """
    vehicle = as_series(columns["vehicle_id"]).fill_null("")
    times, is_zoned = utc_times(columns["timestamp"], settings, is_zoned, source)
    broken = pl.repeat(False, len(rows), eager=True)
    numbers = {}
    for name in NUMBERS:
        numbers[name] = pl.repeat(None, len(rows), dtype=pl.Float64, eager=True)
        if name in columns:
            numbers[name], is_broken = _numbers(columns[name], has_decimal_comma)
            broken |= is_broken
    numbers["speed_kph"] *= KPH_PER[settings.speed_unit]
    no_fix = pl.repeat(False, len(rows), eager=True)
    if VALID in columns:
        no_fix = as_series(columns[VALID]).fill_null("").str.to_lowercase().is_in(NO_FIX)
    rule = (
        pl.when(vehicle == "").then(pl.lit("no_vehicle"))
        .when(no_fix).then(pl.lit("gps_invalid"))
        .when(times.is_null()).then(pl.lit("bad_time"))
        .when(broken).then(pl.lit("bad_number"))
    )  # fmt: skip
    table = pl.DataFrame(
        {
            "vehicle_id": vehicle,
            "timestamp": times,
            **numbers,
            "row": pl.Series(rows, dtype=pl.Int64),
        }
    ).with_columns(rule.alias("rule"))
    return ReadRows(
        table.filter(pl.col("rule").is_null()).select(*FIXES.columns, "row"),
        table.filter(pl.col("rule").is_not_null()).select("row", "rule"),
        is_zoned,
    )


def _numbers(column: pa.Array, has_decimal_comma: bool) -> tuple[pl.Series, pl.Series]:
    """Return the numbers of a column, and where there is something else in their place."""
    given = as_series(column)
    if given.dtype == pl.Float64:
        given = given.fill_nan(None)  # what a table of floats writes where there is none
        is_given = given.is_not_null()
    else:
        is_given = (given != "").fill_null(False)
        if has_decimal_comma:
            given = given.str.replace(",", ".", literal=True)
    number = given.cast(pl.Float64, strict=False)
    is_number = number.is_finite().fill_null(False)
    return pl.select(pl.when(is_number).then(number)).to_series(), is_given & ~is_number
