"""Columns of measured data into values, and the rule that refuses a row.

All of it is Polars expressions of one row each, so that a file of any size streams through and
what becomes of a row never depends on the rows around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.probes.fix_times import EARLIEST_US, LATEST_US
from roadgraph.slices.measured_columns import TRAVERSAL_ROWS
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadgraph.settings import MeasuredSettings
    from roadgraph.slices.measured_columns import MeasuredColumns

SEGMENT_STEP = 1 << 32  # there are fewer slices since 1970, so a segment's cells lie together
FILE_STEP = 1 << 40  # there are fewer rows in a file
LIMITS = {
    "share": (0.0, 1.0),
    "confidence": (0.0, 1.0),
    "duration_s": (0.001, 86_400.0),
    "count": (0.0, 100_000.0),  # of one row; sums of squares must fit into 64 bits
}
DEFAULTS = {"share": 1.0, "confidence": 1.0, "duration_s": 1.0}
READ = "read_"
"""Stands before our name where a value that has been read lies beside what the file holds."""


@dataclass(frozen=True)
class RowReader:
    """Reads the rows of one file, whose columns have been renamed to our names.

    Attributes:
        columns: which columns it has.
        kinds: their types, by our names.
        segments: the ids of the network's segments, sorted, as a type.
        width_us: length of a slice in microseconds.
        settings: unit, zone and limits.
        source: the file, for messages.
        place: its place among the files of a run.
        decimal_comma: whether a comma in a number is its decimal point.
    """

    columns: MeasuredColumns
    kinds: Mapping[str, pl.DataType]
    segments: pl.Enum
    width_us: int
    settings: MeasuredSettings
    source: str
    place: int = 0
    decimal_comma: bool = False

    def read(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Add ``cell`` and ``us`` (since 1970, UTC) to rows, and their values behind ``READ``.

        A cell is ``SEGMENT_STEP`` times the segment's place and the number of slices since 1970.

        Args:
            rows: what the file holds, and ``row``.

        Raises:
            DataError: a column is of a type that cannot be used, or its times have no zone and
                ``measured.timezone`` is not set.
        """
        read = rows.with_columns(
            code=self._segment.cast(self.segments, strict=False).to_physical(),
            us=self.time_us,
            **{READ + name: value for name, value in self._values.items()},
        )
        code = pl.col("code").cast(pl.Int64)
        return read.with_columns(cell=code * SEGMENT_STEP + pl.col("us") // self.width_us)

    def good(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return the rows that can be used: ``row``, ``cell``, ``us`` and their values."""
        values = (pl.col(READ + name).alias(name) for name in self._values)
        is_good = pl.all_horizontal(condition for _, condition in self._conditions)
        return self.read(rows).filter(is_good).select("row", "cell", "us", *values)

    def refused(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Return the other rows: ``rule`` and, as far as they can be read, what a quarantine shows.

        ``raw`` is a row as JSON, by the file's names.
        """
        text = {name: self._as_text(name) for name in self.columns.names}
        by_their_name = {theirs: text[ours] for ours, theirs in self.columns.names.items()}
        raw = pl.struct(value.alias(name) for name, value in by_their_name.items())
        return (
            self.read(rows)
            .with_columns(rule=self._rule)
            .filter(pl.col("rule").is_not_null())
            .select(
                "row",
                "rule",
                text.get("vehicle_id", pl.lit(None, pl.String)).alias("vehicle_id"),
                pl.from_epoch("us", "us").dt.replace_time_zone("UTC").alias("timestamp"),
                pl.col(READ + "speed_kph").alias("speed_kph"),
                raw.struct.json_encode().alias("raw"),
            )
        )

    def _as_text(self, name: str) -> pl.Expr:
        kind = self.kinds[name]
        if isinstance(kind, pl.Datetime):
            shown = _micros(pl.col(name), kind).cast(pl.Datetime("us")).cast(pl.String)
            shown = shown + pl.lit("" if kind.time_zone is None else "Z")
            return pl.coalesce(shown, pl.col(name).to_physical().cast(pl.String))
        return pl.col(name).cast(pl.String, strict=False)

    @property
    def _rule(self) -> pl.Expr:
        return pl.coalesce(
            pl.when(~condition.fill_null(False)).then(pl.lit(rule))
            for rule, condition in self._conditions
        )

    @property
    def _conditions(self) -> list[tuple[str, pl.Expr]]:
        """What a good row fulfils; the first that it does not is why a row is refused."""
        speed_limits = (0.0, self.settings.max_speed_kph)
        limits = {"std_kph": speed_limits, "median_kph": speed_limits, **LIMITS}
        conditions = [
            ("no_segment", self._segment.is_not_null() & (self._segment != "")),
            ("unknown_segment", pl.col("code").is_not_null()),
            ("bad_time", pl.col("us") >= 0),
            ("bad_speed", pl.col(READ + "speed_kph").is_between(*speed_limits)),
        ]
        conditions += [
            ("bad_number", self._is_within(name, low, high))
            for name, (low, high) in limits.items()
            if name in self.columns.names
        ]
        if "count" in self._values:
            conditions.append(("no_vehicles", pl.col(READ + "count") > 0))
        return conditions

    def _is_within(self, name: str, low: float, high: float) -> pl.Expr:
        value = self._number(name)
        within = value.is_between(low, high)
        if name in self.columns.kind.required:
            return within & (value == value.floor())
        if _is_text(self.kinds[name]):
            text = pl.col(name).cast(pl.String).str.strip_chars()
            return within.fill_null(False) | text.is_null() | (text == "")
        return within.fill_null(True)

    @property
    def _segment(self) -> pl.Expr:
        kind = self.kinds["segment_id"]
        column = pl.col("segment_id")
        if kind.is_float():  # how pandas writes whole numbers of which one is missing
            column = column.cast(pl.Int64, strict=False)
        elif not (kind.is_integer() or _is_text(kind) or kind == pl.Null):
            raise self._type_error("segment_id", "names of segments")
        return column.cast(pl.String)

    @cached_property
    def _values(self) -> dict[str, pl.Expr]:
        """Our columns of values, from the file's."""
        not_numbers = ("vehicle_id", "segment_id", self.columns.kind.time)
        numbers = [name for name in self.columns.names if name not in not_numbers]
        values = {name: self._number(name) for name in numbers}
        if self.columns.kind is TRAVERSAL_ROWS:
            for name, default in DEFAULTS.items():
                values[name] = values.get(name, pl.lit(None)).fill_null(default)
            # Nobody is in a slice for longer than it lasts.
            values["duration_s"] = values["duration_s"].clip(upper_bound=self.width_us / 1e6)
            values["vehicle_id"] = self._vehicle()
        else:
            for name in ("std_kph", "median_kph"):
                values[name] = values.get(name, pl.lit(None, pl.Float64))
        return values

    def _number(self, name: str) -> pl.Expr:
        """Return numbers, missing where there is none or something else."""
        kind = self.kinds[name]
        if _is_text(kind):
            text = pl.col(name).cast(pl.String).str.strip_chars()
            if self.decimal_comma:
                text = text.str.replace(",", ".", literal=True)
            value = text.cast(pl.Float64, strict=False)
        elif kind.is_numeric() or kind == pl.Null:
            # A typed NaN is how many tools write a missing number.
            value = pl.col(name).cast(pl.Float64).fill_nan(None)
        else:
            raise self._type_error(name, "numbers")
        factor = KPH_PER[self.settings.speed_unit]
        return value * factor if name.endswith("_kph") and factor != 1 else value

    def _vehicle(self) -> pl.Expr:
        """Return a number for the vehicle, because different numbers are counted twice as fast.

        They are 64 bits wide: two of a slice's vehicles share one about as often as a disk lies.
        """
        nobody = pl.col("row").cast(pl.UInt64) + FILE_STEP * self.place
        if "vehicle_id" not in self.columns.names:
            return nobody
        kind = self.kinds["vehicle_id"]
        column = pl.col("vehicle_id").cast(pl.Int64 if kind.is_integer() else pl.String)
        missing = column.is_null()
        if not kind.is_integer():
            missing = missing | (column == "")
        return pl.when(missing).then(nobody).otherwise(column.hash())

    @property
    def time_us(self) -> pl.Expr:
        """Microseconds since 1970, missing where there is no time."""
        name = self.columns.kind.time
        kind = self.kinds[name]
        if not isinstance(kind, pl.Datetime):
            raise self._type_error(name, "times")
        micros = _micros(pl.col(name), kind)
        if kind.time_zone is None:
            zone = self.settings.timezone
            if not zone:
                raise DataError(
                    f"{self.source}: column '{self.columns.names[name]}' has no time zone; write "
                    "times as 2026-01-05T07:00:00+07:00 or set measured.timezone, such as "
                    "measured.timezone=Asia/Bangkok"
                )
            # The hour that an autumn clock shows twice is taken as its first pass; one that a
            # spring clock skips becomes missing and is counted as a bad time.
            placed = micros.cast(pl.Datetime("us")).dt.replace_time_zone(
                city_zone(zone, "measured.timezone").key, ambiguous="earliest", non_existent="null"
            )
            return placed.dt.epoch("us")
        return micros

    def _type_error(self, name: str, wanted: str) -> DataError:
        hint = f"map another one with measured.columns.{name}=NAME"
        if name == self.columns.kind.time and self.kinds[name].is_numeric():
            hint = (
                "if it counts seconds or milliseconds set measured.time_format=epoch_s or epoch_ms"
            )
        return DataError(
            f"{self.source}: column '{self.columns.names[name]}' holds {self.kinds[name]}, no "
            f"{wanted}; {hint}"
        )


def _micros(column: pl.Expr, kind: pl.Datetime) -> pl.Expr:
    """Return microseconds, missing outside the calendar, which Polars would panic over."""
    ticks = column.to_physical()
    if kind.time_unit == "ns":
        return ticks // 1000  # 64 bits of them end in the calendar
    factor = 1000 if kind.time_unit == "ms" else 1
    inside = ticks.is_between(EARLIEST_US // factor, LATEST_US // factor)
    return pl.when(inside).then(ticks * factor)


def _is_text(kind: pl.DataType) -> bool:
    return kind in (pl.String, pl.Categorical, pl.Enum)
