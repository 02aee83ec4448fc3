"""Measured data whose times have to be parsed: text files, and Parquet with texts or counts."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.dialect import DELIMITERS, Dialect, split_line
from roadgraph.probes.feed_files import pieces
from roadgraph.probes.fields import split_lines
from roadgraph.probes.fix_times import utc_times
from roadgraph.probes.text_lines import whole_lines
from roadgraph.settings import ProbesSettings
from roadgraph.slices.measured_columns import find_columns, wanted_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.probes.text_lines import Lines
    from roadgraph.settings import MeasuredSettings
    from roadgraph.slices.measured_columns import MeasuredColumns

BATCH_ROWS = 250_000
CHUNK_BYTES = 16 << 20  # of a text file at a time


@dataclass(frozen=True)
class RowBatch:
    """Some consecutive rows of a file.

    Attributes:
        columns: which columns it has.
        table: what it holds by our names, times in UTC, and ``row``.
        refused: the rows that could not be split into columns, with the rule that says so.
        raw: returns a row as it stands in the file.
        decimal_comma: whether a comma in a number can only be its decimal point.
    """

    columns: MeasuredColumns
    table: pl.DataFrame
    refused: dict[int, str]
    raw: Callable[[int], str]
    decimal_comma: bool = False


@contextmanager
def in_our_words(time_column: str = "timestamp") -> Iterator[None]:
    """Let what the readers of feeds complain of name the settings of ``measured``."""
    try:
        yield
    except (DataError, SettingsError) as error:
        text = re.sub(r"\bprobes\.(encoding|timezone|time_format)\b", r"measured.\1", str(error))
        text = text.replace("column 'timestamp'", f"column '{time_column}'")
        raise type(error)(text) from error


def text_batches(file: FeedFile, settings: MeasuredSettings) -> Iterator[RowBatch]:
    """Yield the rows of a text file; nothing if there is no line in it.

    Raises:
        DataError: the file is damaged, lacks a column, or its times have no zone where
            ``measured.timezone`` is not set.
        SettingsError: a setting of ``measured`` cannot be used.
    """
    chunks = _lines(file, settings)
    start = _first_rows(chunks, settings, file.name)
    if start is None:
        return
    first, columns, dialect = start
    is_zoned = None
    for lines in chain([first], chunks):
        fields = split_lines(lines, dialect)
        times, is_zoned = _times(
            fields.columns[columns.kind.time], columns, settings, is_zoned, file.name
        )
        table = pl.DataFrame(
            {
                "row": pl.Series(fields.lines + lines.first, dtype=pl.Int64),
                **{name: pl.Series(values=pl.from_arrow(c)) for name, c in fields.columns.items()},
                columns.kind.time: times,
            }
        )
        refused = {lines.first + index: rule for index, rule in fields.refused.items()}

        def raw(row: int, lines: Lines = lines) -> str:
            return lines.text(row - lines.first)

        yield RowBatch(columns, table, refused, raw, dialect.has_decimal_comma)


def parquet_batches(
    path: Path, columns: MeasuredColumns, settings: MeasuredSettings, source: str
) -> Iterator[RowBatch]:
    """Yield the rows of a Parquet file whose times are texts, or count as ``time_format`` says.

    Raises:
        DataError: the times have no zone and ``measured.timezone`` is not set.
        SettingsError: ``measured.time_format`` cannot be used.
    """
    first = 1
    is_zoned = None
    used = list(dict.fromkeys(columns.names.values()))
    with pq.ParquetFile(path) as opened:
        for batch in opened.iter_batches(BATCH_ROWS, columns=used):
            table = pl.DataFrame(pa.table(batch)).select(
                pl.int_range(first, first + len(batch), dtype=pl.Int64).alias("row"),
                *(pl.col(theirs).alias(ours) for ours, theirs in columns.names.items()),
            )
            texts = batch[columns.names[columns.kind.time]]
            times, is_zoned = _times(_as_times(texts), columns, settings, is_zoned, source)
            first += len(batch)

            def raw(row: int, batch: pa.RecordBatch = batch, end: int = first) -> str:
                values = batch.slice(row - end + len(batch), 1).to_pylist()[0]
                return json.dumps(values, default=str, ensure_ascii=False)

            yield RowBatch(columns, table.with_columns(times.alias(columns.kind.time)), {}, raw)


def _lines(file: FeedFile, settings: MeasuredSettings) -> Iterator[Lines]:
    with in_our_words():
        yield from whole_lines(pieces(file), settings.encoding, file.name, CHUNK_BYTES)


def find_dialect(
    header: str, settings: MeasuredSettings, source: str
) -> tuple[MeasuredColumns, Dialect]:
    """Find out which of a text file's columns are ours, and what separates them.

    Args:
        header: its first line that is not blank.
        settings: ``columns`` and ``delimiter``.
        source: the file, for messages.

    Raises:
        DataError: a column is missing or there twice.
        SettingsError: ``measured.delimiter`` cannot be one.
    """
    wanted = wanted_names(settings)

    def names(delimiter: str) -> list[str]:
        return [name.strip() for name in split_line(header, delimiter) or [header]]

    def sense(delimiter: str) -> tuple[int, int]:
        found = names(delimiter)
        return len(wanted & set(found)), len(found)

    delimiter = DELIMITERS.get(settings.delimiter, settings.delimiter)
    may_be_part_of_a_field = delimiter.isalnum() or delimiter in '"+-.: \r\n'
    if delimiter and (len(delimiter) > 1 or not delimiter.isascii() or may_be_part_of_a_field):
        raise SettingsError(
            "measured.delimiter: must be one character that stands in no field, or "
            f"{', '.join(DELIMITERS)} (found {settings.delimiter!r})"
        )
    delimiter = delimiter or max(DELIMITERS.values(), key=sense)
    found = names(delimiter)
    columns = find_columns(found, settings, source)
    places = {ours: found.index(theirs) for ours, theirs in columns.names.items()}
    return columns, Dialect(delimiter, len(found), places, has_header=True)


def _first_rows(
    chunks: Iterator[Lines], settings: MeasuredSettings, source: str
) -> tuple[Lines, MeasuredColumns, Dialect] | None:
    """Return the first lines behind the header, and the layout; ``None`` without a line."""
    for chunk in chunks:
        place = next((i for i in range(len(chunk)) if not chunk.is_blank(i)), None)
        if place is not None:
            columns, dialect = find_dialect(chunk.text(place), settings, source)
            return chunk.after(place + 1), columns, dialect
    return None


def _times(
    column: pa.Array,
    columns: MeasuredColumns,
    settings: MeasuredSettings,
    is_zoned: bool | None,
    source: str,
) -> tuple[pl.Series, bool | None]:
    formats = ProbesSettings(timezone=settings.timezone, time_format=settings.time_format)
    with in_our_words(columns.names[columns.kind.time]):
        return utc_times(column, formats, is_zoned, source)


def _as_times(column: pa.Array) -> pa.Array:
    """Return texts without white space around them."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return pc.utf8_trim_whitespace(pc.fill_null(column.cast(pa.string()), ""))
