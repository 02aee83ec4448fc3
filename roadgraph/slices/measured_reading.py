"""The rows of a run's files, counted and then aggregated day by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from roadgraph.errors import DataError
from roadgraph.slices.measured_cells import (
    BATCH_ROWS,
    aggregate,
    count_slices,
    counted,
    spans_of,
)
from roadgraph.slices.measured_values import SEGMENT_STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.slices.measured_files import Opening, Source, Span

    Progress = Callable[[str, float], None]
    OnFault = Callable[[str, Exception], None]


@dataclass(frozen=True)
class Counted:
    """When the rows of some files are.

    Attributes:
        sources: the files.
        counts: ``file`` (its name), ``slice`` (since 1970) and ``rows`` that can be used.
        cells: of all rows, where they had to be aggregated to be counted.
    """

    sources: Sequence[Source]
    counts: pl.DataFrame
    cells: pl.DataFrame | None


@dataclass(frozen=True)
class Reading:
    """The rows of a run, before any of them is aggregated for good.

    Attributes:
        sources: files with such rows.
        counts: ``file`` (its name), ``slice`` (since 1970), ``day`` and ``rows`` that can be used.
        cells: of all rows, where they had to be aggregated to be counted.
        usual: the slices whose rows count; the others come from stray clocks.
    """

    sources: Sequence[Source]
    counts: pl.DataFrame
    cells: pl.DataFrame | None
    usual: Span


class RunFiles:
    """The files of a run, each opened once, and only where its rows are looked at.

    Args:
        files: of the run.
        opening: how they are opened.
        shown: what the folder of them is called.
        first: name of a file that is known already, and the kind of its rows.
    """

    def __init__(
        self,
        files: Sequence[FeedFile],
        opening: Opening,
        shown: str,
        first: tuple[str, str] | None = None,
    ) -> None:
        self._places = {file.name: place for place, file in enumerate(files)}
        self._files = files
        self._opening = opening
        self._shown = shown
        self._opened: dict[str, Source | None] = {}
        self._first = first

    @property
    def kind(self) -> str:
        """Of the rows of all files so far; "" where there was none."""
        return self._first[1] if self._first else ""

    def source(self, name: str) -> Source | None:
        """Return the rows of a file; None where it has none.

        Raises:
            DataError: it cannot be used, or holds another kind of rows than those before it.
        """
        if name not in self._opened:
            place = self._places[name]
            source = self._opening.open(self._files[place], place)
            if source is not None:
                self._refuse_two_kinds(source)
            self._opened[name] = source
        return self._opened[name]

    def sources(
        self,
        names: Sequence[str],
        on_fault: OnFault | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> list[Source]:
        """Return the rows of files that have some.

        Args:
            names: of the files.
            on_fault: is told of each file that cannot be used; None to stop there.
            progress: called with the share of them that is open.

        Raises:
            DataError: a file cannot be used.
        """
        found = []
        for done, name in enumerate(names, start=1):
            try:
                source = self.source(name)
            except DataError as error:
                if on_fault is None:
                    raise
                on_fault(name, error)
            else:
                found += [source] if source is not None else []
            progress(done / len(names))
        return found

    def _refuse_two_kinds(self, source: Source) -> None:
        kind = source.kind.table.name
        self._first = self._first or (source.name, kind)
        if kind != self.kind:
            raise DataError(
                f"{self._shown}: {self._first[0]} holds {self.kind} and {source.name} {kind}; read "
                "one kind at a time, each into a city of its own"
            )


def count_files(sources: Sequence[Source], on_fault: OnFault | None, alone: bool) -> Counted:
    """Find out when the rows of files are.

    Args:
        sources: the files.
        on_fault: is told of each file that is damaged; None to stop there.
        alone: whether these are all files of the run.

    Raises:
        DataError: a file is damaged, or all are.
    """
    try:
        return _counted(sources, alone)
    except DataError:
        if on_fault is None:
            raise
        sound = [source for source in sources if _is_sound(source, on_fault)]
        if alone and not sound:
            raise
        return _counted(sound, alone)


def _counted(sources: Sequence[Source], alone: bool) -> Counted:
    cells = None
    if alone and len(sources) == 1 and sources[0].rows_in <= BATCH_ROWS:
        # To aggregate one file of no great size takes hardly longer than to count its rows.
        cells = aggregate(sources)
        counts = counted(cells.lazy()).collect()
    elif sources:
        counts = count_slices(sources)
    else:
        counts = pl.DataFrame(schema={"file": pl.Int32, "slice": pl.Int64, "rows": pl.Int64})
    name = pl.lit(pl.Series([source.name for source in sources], dtype=pl.String))
    return Counted(sources, counts.with_columns(name.gather("file").alias("file")), cells)


def _is_sound(source: Source, on_fault: OnFault) -> bool:
    try:
        count_slices([source])
    except DataError as error:
        on_fault(source.name, error)
        return False
    return True


def cells_by_day(
    reading: Reading, progress: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[date, pl.DataFrame]]:
    """Yield the local days in their order, each with its cells, sorted.

    Raises:
        DataError: a file is damaged.
    """
    spans = spans_of(reading.counts) if reading.cells is None else [reading.usual]
    day_of = reading.counts.select("slice", "day").unique()
    last = dict(day_of.group_by("day").agg(pl.col("slice").max()).sort("day").iter_rows())
    waiting: dict[date, list[pl.DataFrame]] = {day: [] for day in last}
    for done, span in enumerate(spans, start=1):
        cells = aggregate(reading.sources, span) if reading.cells is None else reading.cells
        slices = cells.with_columns((pl.col("cell") % SEGMENT_STEP).alias("slice"))
        # The rows of stray clocks have no day here.
        dated = slices.join(day_of, on="slice", maintain_order="left")
        for (day,), part in dated.partition_by("day", as_dict=True).items():
            waiting[day].append(part)
        for day in [day for day in waiting if last[day] < span.stop]:
            yield day, pl.concat([dated.clear(), *waiting.pop(day)]).sort("cell")
        progress(done / len(spans))
