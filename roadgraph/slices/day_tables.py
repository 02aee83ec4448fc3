"""The traversals and the quarantine of a local day, written as groups of vehicles are matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from roadgraph.probes.fix_store import QuarantineWriter
from roadgraph.probes.match_report import MatchReport
from roadgraph.schema import TRAVERSALS

if TYPE_CHECKING:
    import pyarrow as pa

    from roadgraph.slices.store import DayFolder


@dataclass(frozen=True)
class GroupAccount:
    """What became of the fixes of some vehicles on one local day.

    Attributes:
        refused: the fixes that no traversal rests on, sorted by vehicle and time, so that groups
            of any size give the same rows in the same order.
        counts: rows (``len``) by ``file`` and ``rule`` (null where used).
        matching: how well they fit the roads.
    """

    refused: pl.DataFrame
    counts: pl.DataFrame
    matching: MatchReport

    @classmethod
    def of(cls, fixes: pl.DataFrame) -> GroupAccount:
        """Return the account of the fixes of :class:`~roadgraph.probes.drives.Driven`."""
        return cls(
            fixes.drop_nulls("rule").sort("vehicle_id", "timestamp", "file", "row"),
            fixes.group_by("file", "rule").len(),
            MatchReport.of(fixes),
        )


class DayTables:
    """Writes a day's traversals and quarantine, group by group in the order of the vehicles.

    Attributes:
        matching: of all groups so far.
    """

    def __init__(self, out: DayFolder) -> None:
        self._quarantine = QuarantineWriter(out.quarantine)
        self._writer = pq.ParquetWriter(out.traversals, TRAVERSALS.schema, compression="zstd")
        self._counts: list[pl.DataFrame] = []
        self.matching = MatchReport()

    def add_traversals(self, traversals: pa.Table) -> None:
        """Take the traversals of some vehicles: the columns of ``schema.TRAVERSALS``."""
        self._writer.write_table(TRAVERSALS.conform(traversals))

    def add_account(self, account: GroupAccount) -> None:
        """Take what became of their fixes."""
        self._quarantine.add(account.refused)
        self._counts.append(account.counts)
        self.matching = self.matching.plus(account.matching)

    def close(self) -> pl.DataFrame:
        """Finish the files; return the counts of all groups, one behind the other."""
        self._writer.close()
        self._quarantine.close()
        return pl.concat(self._counts)
