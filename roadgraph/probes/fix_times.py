"""The times of fixes, as feeds write them, in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError, SettingsError

if TYPE_CHECKING:
    from roadgraph.settings import ProbesSettings

MICROSECONDS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
EPOCHS = {"epoch_s": "s", "epoch_ms": "ms"}
NAIVE = pl.Datetime("us")
ZONED = pl.Datetime("us", "UTC")

# The years that a calendar of four digits shows, less a day for the zones. What lies outside is
# rubbish, which Polars would rather panic over than convert.
EARLIEST_US = -62_135_510_400_000_000
LATEST_US = 253_402_214_400_000_000

DATE_LENGTH = len("2024-01-05")
REGULAR_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,6})?)?(?P<zone>Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$"
)
# Digits are ASCII (-u). Groups: year, month, day, hour, minute, second, fraction, Z, sign, and the
# zone's hours and minutes.
ISO_PATTERN = (
    r"(?-u)^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[Tt]| +)"
    r"([01]?\d|2[0-3])(?::([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?)?"
    r" *(?:([Zz]|UTC|GMT)|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?$"
)


@dataclass(frozen=True)
class Moments:
    """The times of some rows; a row has one of the two, or none where it holds no time.

    Attributes:
        utc: times that came with their zone.
        naive: times on a clock whose zone the feed does not say.
    """

    utc: pl.Series
    naive: pl.Series


def utc_times(
    column: pa.Array, settings: ProbesSettings, is_zoned: bool | None, source: str
) -> tuple[pl.Series, bool | None]:
    """Return the times of ``column`` in UTC, missing where there is none or it cannot be read.

    The hour that an autumn clock shows twice is taken as its first pass; one that a spring clock
    skips is no time. Where a feed's times have zones, one without could be anything and is no time
    either.

    Args:
        column: text, seconds or milliseconds as floats, or timestamps.
        settings: ``time_format`` and ``timezone``.
        is_zoned: whether the feed's times have zones; ``None`` before its first times.
        source: the file, for messages.

    Returns:
        The times, and ``is_zoned`` for the feed's next rows.

    Raises:
        DataError: the times have no zone and ``probes.timezone`` is not set.
        SettingsError: ``probes.timezone`` or ``probes.time_format`` cannot be used.
    """
    moments = _moments(column, settings)
    has_naive = moments.naive.null_count() < len(moments.naive)
    if is_zoned is None and moments.utc.null_count() < len(moments.utc):
        is_zoned = True
    if not has_naive or is_zoned:
        return moments.utc, is_zoned
    if not settings.timezone:
        raise DataError(
            f"{source}: column 'timestamp' has no time zone; write it as 2026-01-05T07:00:00+07:00 "
            "or set probes.timezone, such as probes.timezone=Asia/Bangkok"
        )
    zone = city_zone(settings.timezone, "probes.timezone").key
    try:
        local = moments.naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    except pl.exceptions.ComputeError as error:  # a file of the system's own, such as Factory
        raise SettingsError(
            f"probes.timezone: '{zone}' names no place; use an IANA name such as 'Asia/Bangkok'"
        ) from error
    times = pl.select(pl.coalesce(moments.utc, local.dt.convert_time_zone("UTC"))).to_series()
    return times, False


def as_series(column: pa.Array) -> pl.Series:
    """Return an Arrow array as a Polars series."""
    return pl.Series(values=pl.from_arrow(column))


def _moments(column: pa.Array, settings: ProbesSettings) -> Moments:
    if pa.types.is_timestamp(column.type):
        ticks = as_series(column.cast(pa.int64()))
        times = _plausible(ticks, MICROSECONDS[column.type.unit])
        return _zoned(times) if column.type.tz is not None else _naive(times)
    if settings.time_format in EPOCHS:
        since_1970 = as_series(column).cast(pl.Float64, strict=False)
        return _zoned(_plausible(since_1970, MICROSECONDS[EPOCHS[settings.time_format]]))
    if settings.time_format:
        return _formatted(column, settings.time_format)
    return _iso(column)


def _plausible(ticks: pl.Series, microseconds: float) -> pl.Series:
    """Return counts of a unit since 1970 as microseconds, missing outside the calendar."""
    name = ticks.name
    tick = pl.col(name)
    inside = tick.is_between(EARLIEST_US / microseconds, LATEST_US / microseconds)
    if ticks.dtype == pl.Float64:
        scaled = (tick * microseconds).round()
    elif microseconds < 1:
        scaled = tick.floordiv(round(1 / microseconds))
    else:
        scaled = tick * int(microseconds)
    kept = pl.when(inside).then(tick)
    return ticks.to_frame().with_columns(kept).select(scaled.cast(pl.Int64))[name]


def _zoned(microseconds: pl.Series) -> Moments:
    utc = microseconds.cast(NAIVE).dt.replace_time_zone("UTC")
    return Moments(utc, pl.Series([None], dtype=NAIVE).new_from_index(0, len(utc)))


def _naive(microseconds: pl.Series) -> Moments:
    naive = microseconds.cast(NAIVE)
    return Moments(pl.Series([None], dtype=ZONED).new_from_index(0, len(naive)), naive)


def _iso(text: pa.Array) -> Moments:
    """Read ISO 8601 and its like; Arrow reads what is regular, far faster than a pattern does."""
    moments = _regular(text)
    if moments is not None:
        return moments
    is_regular = pc.match_substring_regex(text, REGULAR_PATTERN)
    regular = _regular(text.filter(is_regular))
    if regular is None:  # a 30 February, or times with and without zones
        return _by_pattern(text)
    other = _by_pattern(text.filter(pc.invert(is_regular)))
    order = np.argsort(~np.asarray(is_regular), kind="stable").argsort()
    return Moments(
        pl.concat([regular.utc, other.utc]).gather(order),
        pl.concat([regular.naive, other.naive]).gather(order),
    )


def _regular(text: pa.Array) -> Moments | None:
    """Read times that all have a zone or all have none; ``None`` where some are anything else."""
    first = re.match(REGULAR_PATTERN, text[0].as_py()) if len(text) else None
    # Arrow reads dates too; they are no moments.
    if first is None or pc.min(pc.binary_length(text)).as_py() <= DATE_LENGTH:
        return None
    kind = pa.timestamp("us", "UTC" if first["zone"] else None)
    try:
        ticks = text.cast(kind).cast(pa.int64())
    except pa.ArrowInvalid:  # slow where many texts are not of this kind, hence the look at one
        return None
    times = _plausible(as_series(ticks), 1.0)
    return _zoned(times) if first["zone"] else _naive(times)


def _by_pattern(text: pa.Array) -> Moments:
    """Read each text by itself; a date without a time is no moment."""
    part = {
        name: pl.col("parts").struct.field(str(place))
        for place, name in enumerate(
            ("year", "month", "day", "hour", "minute", "second", "fraction", "z", "sign", "h", "m"),
            start=1,
        )
    }
    written = pl.concat_str(
        part["year"], pl.lit("-"), part["month"], pl.lit("-"), part["day"],
        pl.lit("T"), part["hour"],
        pl.lit(":"), part["minute"].fill_null("0"), pl.lit(":"), part["second"].fill_null("0"),
        pl.lit("."), part["fraction"].fill_null("0").str.head(6),
    )  # fmt: skip
    offset_min = 60 * part["h"].cast(pl.Int64) + part["m"].fill_null("0").cast(pl.Int64)
    east_us = 60_000_000 * pl.when(part["sign"] == "-").then(-offset_min).otherwise(offset_min)
    has_zone = part["z"].is_not_null() | part["sign"].is_not_null()
    clock_us = (
        written.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
        .cast(pl.Int64)
        .alias("clock_us")
    )
    found = (
        as_series(text)
        .to_frame("text")
        .select(pl.col("text").str.extract_groups(ISO_PATTERN).alias("parts"))
        .select(clock_us, east_us.fill_null(0).alias("east_us"), has_zone.alias("has_zone"))
        .select(
            pl.when("has_zone").then(pl.col("clock_us") - pl.col("east_us")).alias("utc"),
            pl.when(~pl.col("has_zone")).then(pl.col("clock_us")).alias("naive"),
        )
    )
    return Moments(
        _zoned(_plausible(found["utc"], 1.0)).utc, _naive(_plausible(found["naive"], 1.0)).naive
    )


def _formatted(text: pa.Array, time_format: str) -> Moments:
    """Read times of a strptime format."""
    written = _checked_format(time_format)
    times = as_series(text).str.to_datetime(written, time_unit="us", strict=False)
    read = _naive if times.dtype == NAIVE else _zoned
    return read(_plausible(times.to_physical(), 1.0))


def _checked_format(time_format: str) -> str:
    """Return ``time_format`` as Polars writes it: ``%f`` is a count of nanoseconds to it.

    Raises:
        SettingsError: it holds no whole time, so that a time does not survive being written in it.
    """
    written = time_format.replace(".%f", "%.f").replace("%f", "%6f")
    probe = datetime(2024, 11, 25, 17, 48, 39, 0, UTC)
    for time in (probe, probe.replace(tzinfo=None)):
        try:
            text = pl.Series([time], dtype=ZONED if time.tzinfo else NAIVE).dt.strftime(written)
            [back] = text.str.to_datetime(written, time_unit="us", strict=False)
        except pl.exceptions.ComputeError:  # no such format, or a zone where there is none
            continue
        if back in (time, time.replace(second=0)) and "%s" not in written:
            return written
    raise SettingsError(
        f"probes.time_format: '{time_format}' does not hold a whole time, as %d/%m/%Y %H:%M:%S "
        "does; for seconds or milliseconds since 1970 set epoch_s or epoch_ms"
    )
