"""Files of measured data as rows that stream: those that can be used, and those that cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.probes.feed_files import DamagedError, seekable
from roadgraph.slices.measured_batches import RowBatch, parquet_batches, text_batches
from roadgraph.slices.measured_columns import find_columns
from roadgraph.slices.measured_values import RowReader
from roadgraph.storage import DISK_FAULTS, disk_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.settings import MeasuredSettings
    from roadgraph.slices.measured_columns import MeasuredColumns, RowKind

ROW = "roadgraph:row"  # no file has a column of this name
FAULTS = (pl.exceptions.PolarsError, pa.ArrowException, OSError)
REFUSED_SCHEMA = {
    "row": pl.Int64(),
    "rule": pl.String(),
    "vehicle_id": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "speed_kph": pl.Float64(),
    "raw": pl.String(),
}


@dataclass(frozen=True)
class Span:
    """Some whole slices.

    Attributes:
        first: the first one, counted since 1970.
        stop: the one after the last.
    """

    first: int
    stop: int

    def holds(self) -> pl.Expr:
        """Return whether a ``slice`` lies in it."""
        return pl.col("slice").is_between(self.first, self.stop, closed="left")


@dataclass(frozen=True)
class Source:
    """The rows of one file.

    Attributes:
        name: as shown to the user.
        kind: what its rows are.
        rows_in: how many it has.
        good: returns the rows that can be used, of some slices or of all: ``row``, ``cell``,
            ``us`` and their values.
        refused: the others, with the columns of ``REFUSED_SCHEMA``.
    """

    name: str
    kind: RowKind
    rows_in: int
    good: Callable[[Span | None], pl.LazyFrame]
    refused: pl.LazyFrame


@dataclass(frozen=True)
class Opening:
    """How the files of a run are opened.

    Attributes:
        segment_ids: of the network, sorted.
        slice_minutes: length of a slice.
        settings: columns, formats and limits.
        scratch: folder for what has to be parsed before it can stream.
    """

    segment_ids: Sequence[str]
    slice_minutes: int
    settings: MeasuredSettings
    scratch: Path

    def open(self, file: FeedFile, place: int) -> Source | None:
        """Return the rows of a file; ``None`` where it has none.

        Args:
            file: to read.
            place: its place among the files of the run.

        Raises:
            DataError: the file is damaged, or lacks a column, or has one of a type that cannot be
                used.
            SettingsError: a setting of ``measured`` cannot be used.
        """
        if not file.is_parquet:
            return self._parse(text_batches(file, self.settings), file.name, place)
        with naming(file.name):
            path = self._plain_file(file, place)
            with pq.ParquetFile(path) as opened:
                rows_in, found = opened.metadata.num_rows, opened.schema_arrow.names
            if not rows_in:
                return None
            columns = find_columns(found, self.settings, file.name)
            scan = pl.scan_parquet(
                path, row_index_name=ROW, row_index_offset=1, glob=False, hive_partitioning=False
            ).select(
                pl.col(ROW).cast(pl.Int64).alias("row"),
                *(pl.col(theirs).alias(ours) for ours, theirs in columns.names.items()),
            )
            kinds = dict(scan.collect_schema())
            if self._must_parse(kinds[columns.kind.time]):
                batches = parquet_batches(path, columns, self.settings, file.name)
                return self._parse(batches, file.name, place)
            reader = self._reader(columns, kinds, file.name, place)

            def good(span: Span | None) -> pl.LazyFrame:
                return reader.good(
                    scan if span is None else scan.filter(self._within(span, reader))
                )

            return Source(file.name, columns.kind, rows_in, good, reader.refused(scan))

    def _reader(
        self,
        columns: MeasuredColumns,
        kinds: dict[str, pl.DataType],
        source: str,
        place: int,
        decimal_comma: bool = False,
    ) -> RowReader:
        return RowReader(
            columns=columns,
            kinds=kinds,
            segments=self._segments,
            width_us=self._width_us,
            settings=self.settings,
            source=source,
            place=place,
            decimal_comma=decimal_comma,
        )

    @cached_property
    def _segments(self) -> pl.Enum:
        return pl.Enum(self.segment_ids)

    @property
    def _width_us(self) -> int:
        return self.slice_minutes * 60_000_000

    def _must_parse(self, kind: pl.DataType) -> bool:
        counts = kind.is_numeric() and bool(self.settings.time_format)
        return counts or kind in (pl.String, pl.Categorical, pl.Enum)

    def _within(self, span: Span, reader: RowReader) -> pl.Expr:
        """Return whether a row lies in a span, in terms that let row groups be left out."""
        first, stop = (pl.lit(edge * self._width_us) for edge in (span.first, span.stop))
        kind = reader.kinds[reader.columns.kind.time]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            return reader.time_us.is_between(first, stop, closed="left")
        begin, end = (
            edge.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(kind.time_zone)
            for edge in (first, stop)
        )
        return pl.col(reader.columns.kind.time).is_between(begin, end, closed="left")

    def _plain_file(self, file: FeedFile, place: int) -> Path:
        """Return the file, or where a zip's member has been unpacked to."""
        if not file.member:
            return file.path
        path = self.scratch / f"{place}.parquet"
        with seekable(file) as packed, path.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        return path

    def _parse(self, batches: Iterable[RowBatch], name: str, place: int) -> Source | None:
        """Read a file batch by batch and keep what it holds as columns that stream."""
        good_path = self.scratch / f"{place}-good.parquet"
        refused_path = self.scratch / f"{place}-refused.parquet"
        good_writer = refused_writer = None
        rows_in, kind = 0, None
        try:
            for batch in batches:
                kind = batch.columns.kind
                rows_in += len(batch.table) + len(batch.refused)
                reader = self._reader(
                    batch.columns, dict(batch.table.schema), name, place, batch.decimal_comma
                )
                good = reader.good(batch.table.lazy()).collect().to_arrow()
                refused = _refused(reader, batch).to_arrow()
                good_writer = good_writer or pq.ParquetWriter(good_path, good.schema)
                refused_writer = refused_writer or pq.ParquetWriter(refused_path, refused.schema)
                good_writer.write_table(good)
                refused_writer.write_table(refused)
        except DamagedError as error:
            raise DataError(f"{error} ({rows_in:,} whole rows were read before)") from error
        finally:
            for writer in (good_writer, refused_writer):
                if writer is not None:
                    writer.close()
        if kind is None or not rows_in:
            return None

        def between(span: Span | None) -> pl.LazyFrame:
            rows = pl.scan_parquet(good_path, glob=False)
            if span is None:
                return rows
            width = self._width_us
            return rows.filter(
                pl.col("us").is_between(span.first * width, span.stop * width, closed="left")
            )

        return Source(name, kind, rows_in, between, pl.scan_parquet(refused_path, glob=False))


@contextmanager
def naming(source: str) -> Iterator[None]:
    """Name the file that a library cannot read.

    Raises:
        DataError: in place of the library's error.
    """
    try:
        yield
    except FAULTS as error:
        if disk_error(error) in DISK_FAULTS:
            raise  # what was being written, not what was read
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{source} cannot be read, or is damaged ({reason}); fetch it again"
        ) from error


def _refused(reader: RowReader, batch: RowBatch) -> pl.DataFrame:
    refused = reader.refused(batch.table.lazy()).collect()
    unsplit = pl.DataFrame(
        {"row": list(batch.refused), "rule": list(batch.refused.values())},
        schema={"row": pl.Int64, "rule": pl.String},
    )
    both = pl.concat([refused.drop("raw"), unsplit], how="diagonal").sort("row")
    raw = pl.lit(pl.Series("raw", [batch.raw(row) for row in both["row"]], dtype=pl.String))
    return both.select(
        (raw if name == "raw" else pl.col(name)).cast(kind) for name, kind in REFUSED_SCHEMA.items()
    )
