"""Writes the tables; the same rows give the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

UTC_MS = pa.timestamp("ms", tz="UTC")
FIXES = pa.schema(
    [
        ("vehicle_id", pa.string()),
        ("timestamp", UTC_MS),
        ("lat", pa.float64()),
        ("lon", pa.float64()),
        ("speed_kph", pa.float32()),
        ("heading_deg", pa.float32()),
    ]
)
TRUTH_FIXES = pa.schema(
    [("vehicle_id", pa.string()), ("timestamp", UTC_MS), ("segment_id", pa.string())]
)
TRUTH = pa.schema(
    [
        ("segment_id", pa.string()),
        ("slice_start", UTC_MS),
        ("mean_speed", pa.float32()),
        ("vehicles", pa.int32()),
    ]
)
# Coordinates differ in nearly every row: split into byte planes they compress better than from a
# dictionary. Times rise steadily: differences are small.
ENCODINGS = {"lat": "BYTE_STREAM_SPLIT", "lon": "BYTE_STREAM_SPLIT"}
COMPRESSION_LEVEL = 15


def write_table(table: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """One Parquet file with exactly the columns of the schema; missing numbers become null.

    A latitude that is not a number stays one: that is how the receiver sent it.
    """
    arrays = []
    for column in schema:
        values = table[column.name]
        keep_nan = column.name == "lat"
        arrays.append(
            pa.Array.from_pandas(values, type=column.type)
            if not keep_nan
            else pa.array(values.to_numpy(), type=column.type, from_pandas=False)
        )
    encodings = {name: way for name, way in ENCODINGS.items() if name in schema.names}
    for name in {"timestamp", "slice_start"} & set(schema.names):
        if name == "timestamp":
            encodings[name] = "DELTA_BINARY_PACKED"
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=schema),
        path,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_dictionary=[c for c in schema.names if c not in encodings],
        column_encoding=encodings or None,
    )


def write_checksums(folder: Path) -> None:
    """`checksums.txt`: the SHA-256 of every data file, in the form that sha256sum -c reads."""
    patterns = ("roads.geojson", "incidents.csv", "*.parquet", "fixes/*.parquet")
    files = sorted({f for pattern in patterns for f in folder.glob(pattern)})
    lines = [
        f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(folder).as_posix()}\n"
        for f in files
    ]
    (folder / "checksums.txt").write_text("".join(lines))
