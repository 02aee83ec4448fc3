"""Names, types and units of the tables that the parts hand to each other.

This module is the only place where a column order, a feature order or a list of classes stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

UTC = pa.timestamp("us", tz="UTC")


def read_whole(
    path: Path, columns: Sequence[str] | None = None, rows: pc.Expression | None = None
) -> pa.Table:
    """Read a Parquet file that roadgraph or its sample wrote.

    Args:
        path: the file.
        columns: that are read; by default all of them.
        rows: which rows are read; by default all of them.

    Raises:
        DataError: the file is damaged.
    """
    try:
        return pq.read_table(path, columns=None if columns is None else [*columns], filters=rows)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} is damaged ({reason}); make it again") from error


def utc_times(times: pd.DatetimeIndex) -> pa.Array:
    """Return ``times``, which know their zone, as an Arrow array of type ``UTC``."""
    return pa.array(times.tz_convert("UTC").as_unit("us").asi8, type=UTC)


@dataclass(frozen=True)
class Table:
    """One table of the way of the data: its name, key columns and Arrow schema."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema

    @property
    def columns(self) -> list[str]:
        """The column names in their order."""
        return list(self.schema.names)

    def renaming(
        self, mapping: Mapping[str, str], found: Sequence[str], source: str, setting: str
    ) -> tuple[list[str], dict[str, str]]:
        """Return which columns of a source to drop and which to rename to our names.

        A mapped column takes the place of one that already has our name.

        Args:
            mapping: our name to the source's.
            found: the source's columns.
            source: its file, for the message.
            setting: where the mapping stands, such as ``probes.columns``.

        Raises:
            DataError: a name of ours that this table does not have, or one of theirs that the
                source does not have.
        """
        for ours, theirs in mapping.items():
            if ours not in self.columns:
                raise DataError(
                    f"{setting}.{ours}: table '{self.name}' has no such column"
                    f"{nearest(ours, self.columns)}"
                )
            if theirs not in found:
                raise DataError(
                    f"{source}: column '{theirs}', which {setting}.{ours} names, is missing "
                    f"(found {', '.join(found)}){nearest(theirs, found)}"
                )
        replaced = set(mapping) & set(found) - set(mapping.values())
        return sorted(replaced), {theirs: ours for ours, theirs in mapping.items()}

    def conform(self, table: pa.Table) -> pa.Table:
        """Return ``table`` with exactly this schema's columns, types and order, sorted by key.

        Raises:
            DataError: a column is missing or cannot be read as its type.
        """
        return self.typed(table).sort_by([(name, "ascending") for name in self.key])

    def typed(self, table: pa.Table) -> pa.Table:
        """Return ``table`` with exactly this schema's columns and types, its rows as they are.

        Raises:
            DataError: a column is missing or cannot be read as its type.
        """
        missing = [name for name in self.columns if name not in table.column_names]
        if missing:
            raise DataError(
                f"table '{self.name}': column '{missing[0]}' is missing "
                f"(found {', '.join(table.column_names)}); add it or map it in the settings"
            )
        try:
            return table.select(self.columns).cast(self.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise DataError(f"table '{self.name}': {error}") from error


def _schema(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind, metadata={"unit": unit}) for name, kind, unit in columns]
    )


SEGMENTS = Table(
    "segments",
    ("segment_id",),
    _schema(
        ("segment_id", pa.string(), "the source's own key"),
        ("from_node", pa.string(), ""),
        ("to_node", pa.string(), ""),
        ("length_m", pa.float64(), "m"),
        ("road_class", pa.string(), ""),
        ("name", pa.string(), "of the road; null: the source tells none"),
        ("lanes", pa.int32(), "1"),
        ("speed_limit_kph", pa.float64(), "km/h"),
        ("free_flow_kph", pa.float64(), "km/h"),
        ("geometry", pa.binary(), "WGS84 line in driving direction, WKB"),
    ),
)

LINKS = Table(
    "links",
    ("from_segment", "to_segment"),
    _schema(
        ("from_segment", pa.string(), ""),
        ("to_segment", pa.string(), ""),
        ("turn_angle_deg", pa.float64(), "degrees, 0 straight on, positive to the right"),
        ("weight", pa.float64(), "1"),
    ),
)

CARRY_OVER = Table(
    "carry_over",
    ("old_segment", "new_segment"),
    _schema(
        ("old_segment", pa.string(), "null: the segment is new"),
        ("new_segment", pa.string(), "null: the segment is gone"),
        ("change", pa.string(), "one of CHANGES"),
        ("share_of_old", pa.float64(), "0-1 of the old segment's length that both have"),
        ("share_of_new", pa.float64(), "0-1 of the new segment's length that both have"),
    ),
)
CHANGES = ("same", "changed", "split", "merged", "rearranged", "new", "gone")

FIXES = Table(
    "fixes",
    ("vehicle_id", "timestamp"),
    _schema(
        ("vehicle_id", pa.string(), ""),
        ("timestamp", UTC, "UTC"),
        ("lat", pa.float64(), "degrees"),
        ("lon", pa.float64(), "degrees"),
        ("speed_kph", pa.float64(), "km/h, may be missing"),
        ("heading_deg", pa.float64(), "degrees clockwise from north, may be missing"),
    ),
)

TRAVERSALS = Table(
    "traversals",
    ("vehicle_id", "segment_id", "entered_at"),
    _schema(
        ("vehicle_id", pa.string(), ""),
        ("segment_id", pa.string(), ""),
        ("entered_at", UTC, "UTC"),
        ("speed_kph", pa.float64(), "km/h"),
        ("share", pa.float64(), "0-1 of the segment's length"),
        ("confidence", pa.float64(), "0-1"),
        ("duration_s", pa.float64(), "s on the segment"),
    ),
)

QUARANTINE = Table(
    "quarantine",
    ("file", "row"),
    _schema(
        ("file", pa.string(), ""),
        ("row", pa.int64(), "line of a text file, row of a Parquet file, from 1"),
        ("rule", pa.string(), "why the row was refused"),
        ("vehicle_id", pa.string(), ""),
        ("timestamp", UTC, "UTC"),
        ("lat", pa.float64(), "degrees"),
        ("lon", pa.float64(), "degrees"),
        ("speed_kph", pa.float64(), "km/h"),
        ("heading_deg", pa.float64(), "degrees"),
        ("raw", pa.string(), "the row as it stood in the file, where it could not be read"),
    ),
)

AGGREGATES = Table(
    "aggregates",
    ("segment_id", "time"),
    _schema(
        ("segment_id", pa.string(), ""),
        ("time", UTC, "UTC, any moment of the slice"),
        ("speed_kph", pa.float64(), "km/h, mean"),
        ("count", pa.int64(), "vehicles"),
        ("std_kph", pa.float64(), "km/h, may be missing"),
        ("median_kph", pa.float64(), "km/h, may be missing"),
    ),
)

SLICES = Table(
    "slices",
    ("segment_id", "slice_start"),
    _schema(
        ("segment_id", pa.string(), ""),
        ("slice_start", UTC, "UTC"),
        ("mean_speed", pa.float64(), "km/h"),
        ("median_speed", pa.float64(), "km/h"),
        ("speed_std", pa.float64(), "km/h"),
        ("count_probes", pa.int32(), "vehicles"),
        ("quality_score", pa.float64(), "0-1"),
    ),
)

PREDICTIONS = Table(
    "predictions",
    ("issued_at", "slice_start", "segment_id"),
    _schema(
        ("issued_at", UTC, "UTC"),
        ("slice_start", UTC, "UTC"),
        ("segment_id", pa.string(), ""),
        ("horizon_min", pa.int32(), "min"),
        ("congestion", pa.string(), "the class answered; see training.decision"),
        ("p_gridlock", pa.float32(), "0-1"),
        ("p_congested", pa.float32(), "0-1"),
        ("p_moderate", pa.float32(), "0-1"),
        ("p_free_flow", pa.float32(), "0-1"),
        ("rush_hour", pa.bool_(), ""),
        ("p_rush_hour", pa.float32(), "0-1"),
        ("speed", pa.float32(), "km/h"),
        ("speed_p10", pa.float32(), "km/h"),
        ("speed_p90", pa.float32(), "km/h"),
        ("observed", pa.bool_(), "a probe was on the segment in the slice that ended at issued_at"),
        (
            "data_age_min",
            pa.int32(),
            "min from the end of the newest slice with any observation to issued_at",
        ),
        (
            "segment_age_min",
            pa.int32(),
            "min, the same of this segment, as known when it was issued: fixes that come late for "
            "it alone do not make the forecast anew; null: not observed in the 24 h before",
        ),
        ("basis", pa.string(), "one of BASES"),
        ("new_segment", pa.bool_(), "added to the network since the model was trained"),
        ("model", pa.string(), ""),
    ),
)

BASES = ("observations", "history")
"""What a row of predictions rests on. ``observations``: on what the model says from the newest
slice with any observation, ``data_age_min`` before ``issued_at``, whether or not this segment was
in it. ``history``: the time lies beyond the farthest horizon from that slice, so on what is typical
of the segment at that time of the week alone; it has neither probabilities nor an interval."""

TRUTH = Table(
    "truth",
    ("segment_id", "slice_start"),
    _schema(
        ("segment_id", pa.string(), ""),
        ("slice_start", UTC, "UTC"),
        ("mean_speed", pa.float64(), "km/h"),
        ("vehicles", pa.int32(), "vehicles"),
    ),
)

MEASURED_FEATURES = ("mean_speed", "median_speed", "speed_std", "count_probes", "quality_score")
CLOCK_FEATURES = ("hour_sin", "hour_cos", "dow_sin", "dow_cos", "is_weekend")
WEEKDAY_FEATURES = CLOCK_FEATURES[2:]
FEATURES = MEASURED_FEATURES + CLOCK_FEATURES
STATIC_FEATURES = ("log_length", "speed_limit_kph", "lanes", "free_flow_kph")
OBSERVED_CHANNEL = "observed"
HISTORY_CHANNELS = ("typical_speed", "typical_speed_ahead")

CONGESTION_CLASSES = ("gridlock", "congested", "moderate", "free_flow")
RUSH_HOUR_CLASSES = ("no", "yes")
"""Class names; a class's index is its place here."""

NO_LABEL = -1
"""Stands in a label array where nothing was observed; such a cell counts nowhere."""
