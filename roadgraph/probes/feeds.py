"""Feeds of GPS fixes, file by file in batches of rows, with an account of every row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from roadgraph.errors import DataError
from roadgraph.probes.dialect import find_dialect
from roadgraph.probes.feed_files import DamagedError, FeedFile, feed_files, pieces
from roadgraph.probes.fields import split_lines
from roadgraph.probes.fix_values import ReadRows, read_rows
from roadgraph.probes.parquet_rows import parquet_rows
from roadgraph.probes.text_lines import whole_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from roadgraph.probes.dialect import Dialect
    from roadgraph.probes.text_lines import Lines
    from roadgraph.settings import ProbesSettings

__all__ = ["FeedFile", "FixBatch", "feed_files", "read_feed"]

CHUNK_BYTES = 16 << 20
BATCH_ROWS = 250_000  # of Parquet
HEAD_LINES = 20
FEW_ROWS = 20  # too few to say that a file as a whole is read the wrong way
SHOWN_CHARACTERS = 120
# Rules that say more about the settings than about a row, where most rows break them.
SETTINGS_TO_SEE = {
    "bad_row": "see probes.delimiter ({delimiter}) and probes.header_columns",
    "bad_encoding": "see probes.encoding ({encoding})",
    "bad_number": "text where a number belongs; see probes.columns",
    "bad_time": "see probes.time_format ({time_format}) and probes.columns.timestamp; times with "
    "and without zones do not mix",
    "no_vehicle": "see probes.columns.vehicle_id",
}


@dataclass(frozen=True)
class FixBatch:
    """Some consecutive rows of one file.

    ``rows_in == len(fixes) + len(refused)``, always.

    Attributes:
        fixes: the columns of ``schema.FIXES`` (times in UTC) and ``row``: the row's line in a text
            file, the header counted, or its place in a Parquet file, both from 1.
        refused: rows that cannot be read as a fix: ``row``, the ``rule`` that they break, and
            ``raw``, the row as it stands in the file (JSON for Parquet).
        rows_in: how many rows these are; blank lines are none.
    """

    fixes: pl.DataFrame
    refused: pl.DataFrame
    rows_in: int


def read_feed(file: FeedFile, settings: ProbesSettings) -> Iterator[FixBatch]:
    """Read one file of fixes in batches, never as a whole; at least one batch, if an empty one.

    The rules that refuse a row: ``bad_encoding`` (bytes that are no character), ``bad_row`` (a
    wrong number of columns, quotes that make no sense), ``no_vehicle``, ``gps_invalid`` (the
    receiver had no fix), ``bad_time`` and ``bad_number`` (also ``inf`` and ``nan``). A number that
    is missing is no fault here.

    Args:
        file: one of :func:`~roadgraph.probes.feed_files.feed_files`.
        settings: how the feed writes its fixes.

    Raises:
        DataError: the file is empty, damaged, lacks a column, has times without a zone where
            ``probes.timezone`` is not set, or breaks one rule in most of its first rows. Of a
            damaged file, the rows before the damage have been yielded.
        SettingsError: a setting of ``probes`` cannot be used.
    """
    rows_in = 0
    is_checked = False
    batches = _parquet_batches(file, settings) if file.is_parquet else _text_batches(file, settings)
    try:
        for batch in batches:
            if batch.rows_in and not is_checked:
                _check_first(batch, file, settings)
                is_checked = True
            rows_in += batch.rows_in
            yield batch
    except DamagedError as error:
        raise DataError(f"{error} ({rows_in:,} whole rows were read before)") from error


def _text_batches(file: FeedFile, settings: ProbesSettings) -> Iterator[FixBatch]:
    chunks = whole_lines(pieces(file), settings.encoding, file.name, CHUNK_BYTES)
    start = _first_rows(chunks, settings, file)
    if start is None:
        raise DataError(f"{file.name} is empty")
    lines, dialect = start
    is_zoned = None
    for chunk in chain([lines], chunks):
        fields = split_lines(chunk, dialect)
        read = read_rows(
            fields.columns,
            fields.lines + chunk.first,
            settings,
            file.name,
            is_zoned,
            dialect.has_decimal_comma,
        )
        is_zoned = read.is_zoned
        unsplit = {chunk.first + index: rule for index, rule in fields.refused.items()}
        yield _batch(read, unsplit, fields.rows_in, partial(_text_of, chunk))


def _text_of(chunk: Lines, row: int) -> str:
    return chunk.text(row - chunk.first)


def _first_rows(
    chunks: Iterator[Lines], settings: ProbesSettings, file: FeedFile
) -> tuple[Lines, Dialect] | None:
    """Return the first chunk's lines behind the header, and the layout; ``None`` without lines."""
    for chunk in chunks:
        head: list[int] = []
        for index in range(len(chunk)):
            if not chunk.is_blank(index):
                head.append(index)
                if len(head) == HEAD_LINES:
                    break
        if head:
            source = f"{file.name}, line {chunk.first + head[0]}"
            dialect = find_dialect([chunk.text(index) for index in head], settings, source)
            return chunk.after(head[0] + dialect.has_header), dialect
    return None


def _parquet_batches(file: FeedFile, settings: ProbesSettings) -> Iterator[FixBatch]:
    is_zoned = None
    for part in parquet_rows(file, settings, BATCH_ROWS):
        read = read_rows(part.columns, part.rows, settings, file.name, is_zoned)
        is_zoned = read.is_zoned
        yield _batch(read, dict.fromkeys(part.refused, "bad_encoding"), len(part.table), part.raw)


def _batch(
    read: ReadRows, unsplit: Mapping[int, str], rows_in: int, raw: Callable[[int], str]
) -> FixBatch:
    """Return a batch of the rows read, and of those that could not be split into columns."""
    refused = pl.concat(
        [
            read.refused,
            pl.DataFrame(
                {"row": list(unsplit), "rule": list(unsplit.values())}, schema=read.refused.schema
            ),
        ]
    ).sort("row")
    texts = [raw(row) for row in refused["row"].to_list()]
    refused = refused.with_columns(pl.Series("raw", texts, dtype=pl.String))
    assert rows_in == len(read.fixes) + len(refused)
    return FixBatch(read.fixes, refused, rows_in)


def _check_first(batch: FixBatch, file: FeedFile, settings: ProbesSettings) -> None:
    """Refuse a file most of whose first rows break one rule, as a wrong setting makes them."""
    if batch.rows_in < FEW_ROWS:
        return
    for rule, see in SETTINGS_TO_SEE.items():
        broken = batch.refused.filter(pl.col("rule") == rule)
        if len(broken) > batch.rows_in / 2:
            row, _, raw = broken.row(0)
            place = "row" if file.is_parquet else "line"
            raise DataError(
                f"{file.name}: {len(broken):,} of the first {batch.rows_in:,} rows are refused "
                f"({rule}), such as {place} {row}: {raw[:SHOWN_CHARACTERS]!r}; "
                f"{see.format(**_shown(settings))}"
            )


def _shown(settings: ProbesSettings) -> dict[str, str]:
    return {
        "delimiter": settings.delimiter or "found in the first lines",
        "encoding": settings.encoding,
        "time_format": settings.time_format or "ISO 8601",
    }
