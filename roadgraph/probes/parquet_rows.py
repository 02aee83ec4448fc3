"""The row groups of a Parquet file, with our columns in types that can be read as fixes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.probes.feed_columns import VALID, place_columns
from roadgraph.probes.feed_files import DamagedError, seekable
from roadgraph.probes.fix_times import EPOCHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.settings import ProbesSettings

# pyarrow raises OSError for thrift that makes no sense, and the others for what it describes.
FAULTS = (pa.ArrowException, OSError, ValueError, MemoryError)


@dataclass(frozen=True)
class ParquetRows:
    """Some consecutive rows.

    Attributes:
        columns: ours, each ``[n]``: text, floats or timestamps.
        rows: ``[n]`` their places in the file, from 1.
        refused: places of the rows whose text is not UTF-8.
        table: the rows as they stand in the file, those refused included.
        first: the place of its first row.
    """

    columns: dict[str, pa.Array]
    rows: np.ndarray
    refused: list[int]
    table: pa.RecordBatch
    first: int

    def raw(self, row: int) -> str:
        """Return a row as JSON."""
        index = row - self.first
        values = {name: _plain(self.table[name][index]) for name in self.table.schema.names}
        return json.dumps(values, ensure_ascii=False)


def parquet_rows(
    file: FeedFile, settings: ProbesSettings, batch_rows: int
) -> Iterator[ParquetRows]:
    """Yield the rows of a Parquet file, only the columns that are ours; a part at least.

    Args:
        file: to read.
        settings: ``columns``, ``valid_column`` and ``time_format``.
        batch_rows: at most so many rows at a time.

    Raises:
        DamagedError: the file cannot be opened or is damaged.
        DataError: a column is missing, there twice, or of a type that cannot be used.
    """
    with seekable(file) as stream:
        try:
            with pq.ParquetFile(stream, page_checksum_verification=True) as opened:
                yield from _rows(opened, file.name, settings, batch_rows)
        except FAULTS as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DamagedError(
                f"{file.name} is a damaged Parquet file ({reason}); fetch it again"
            ) from error


def _rows(
    opened: pq.ParquetFile, source: str, settings: ProbesSettings, batch_rows: int
) -> Iterator[ParquetRows]:
    names = opened.schema_arrow.names
    places = place_columns(names, settings, source)
    for ours, place in places.items():
        _check_type(ours, opened.schema_arrow.field(place), source, settings)
    first = 1
    used = [names[place] for place in dict.fromkeys(places.values())]
    batches = opened.iter_batches(batch_rows, columns=used)
    if not opened.metadata.num_rows:
        kinds = pa.schema([opened.schema_arrow.field(name) for name in used])
        batches = iter([pa.RecordBatch.from_pylist([], kinds)])
    for packed in batches:
        packed.validate(full=False)
        batch = _unpacked(packed)
        readable = np.ones(len(batch), bool)
        for name in used:
            readable &= _is_utf8(batch[name])
        kept = batch if readable.all() else batch.filter(pa.array(readable))
        columns = {
            ours: _readable(ours, kept[names[place]], settings) for ours, place in places.items()
        }
        numbers = np.arange(first, first + len(batch))
        yield ParquetRows(columns, numbers[readable], numbers[~readable].tolist(), batch, first)
        first += len(batch)
    if first - 1 != opened.metadata.num_rows:
        raise DamagedError(
            f"{source} is damaged: it says that it has {opened.metadata.num_rows} rows and has "
            f"{first - 1}; fetch it again"
        )


def _unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return ``batch`` with its dictionaries decoded."""
    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _check_type(ours: str, field: pa.Field, source: str, settings: ProbesSettings) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    is_number = _is_number(kind)
    wanted, fits = "a number", is_number
    if ours == "timestamp":
        wanted, fits = (
            "a time",
            pa.types.is_timestamp(kind) or (is_number and bool(settings.time_format)),
        )
    elif ours == "vehicle_id":
        wanted = "text or a number"
    elif ours == VALID:
        wanted, fits = "yes or no", is_number or pa.types.is_boolean(kind)
    if not (fits or _is_text(kind) or pa.types.is_null(kind)):
        hint = "; for a number of seconds set probes.time_format=epoch_s" if is_number else ""
        raise DataError(
            f"{source}: column '{field.name}' holds {field.type}, not {wanted}{hint}; "
            f"map another with probes.columns.{ours}=NAME"
        )


def _readable(ours: str, column: pa.Array, settings: ProbesSettings) -> pa.Array:
    """Return ``column`` as text stripped of white space, floats or timestamps."""
    is_number = _is_number(column.type)
    may_be_number = ours not in ("vehicle_id", VALID, "timestamp") or (
        ours == "timestamp" and settings.time_format in EPOCHS
    )
    if pa.types.is_timestamp(column.type):
        # The name of a zone, which may be damaged, only says how to show its times.
        return (
            column if column.type.tz is None else column.cast(pa.timestamp(column.type.unit, "UTC"))
        )
    if is_number and may_be_number:
        return column.cast(pa.float64(), safe=False)
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))


def _is_utf8(column: pa.Array) -> np.ndarray:
    """Return ``[n]`` whether a text is UTF-8; the file's writer may not have looked."""
    if not _is_text(column.type):
        return np.ones(len(column), bool)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return np.array([_decodes(value) for value in column.cast(pa.large_binary()).to_pylist()])
    return np.ones(len(column), bool)


def _decodes(value: bytes | None) -> bool:
    try:
        (value or b"").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _plain(value: pa.Scalar) -> Any:
    """Return a value as JSON can hold it."""
    if _is_text(value.type) and value.is_valid:
        return value.cast(pa.large_binary()).as_py().decode("utf-8", "backslashreplace")
    if pa.types.is_timestamp(value.type):
        try:
            return str(value.as_py()) if value.is_valid else None
        except (ValueError, OverflowError):  # no year of four digits, or an unknown zone
            return value.value
    plain = value.as_py()
    return plain if isinstance(plain, (bool, int, float, str, type(None))) else str(plain)


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
