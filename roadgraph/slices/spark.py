"""The same cleaning, matching and slicing on a Spark cluster.

The functions are those of the embedded engine; Spark brings the files, the fixes and the
traversals to them. Input files and the workspace must lie on storage that the driver program and
all workers see under the same path, because workers read the files, and write what they read.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import RoadgraphError
from roadgraph.probes.ingest import read_or_error
from roadgraph.schema import TRAVERSALS
from roadgraph.slices.aggregate import slices_from_traversals
from roadgraph.slices.building import (
    GROUP_ROWS,
    DayAccount,
    replace_days,
    write_slices,
)
from roadgraph.slices.day_tables import DayTables
from roadgraph.slices.planning import DayPlan
from roadgraph.slices.spark_session import Cluster, pandas_unnoticed
from roadgraph.slices.spark_work import (
    DRIVEN,
    ROW_GROUPS,
    ROWS,
    Groups,
    Piece,
    Roads,
    drive_group,
    groups_of_day,
    rows_of_piece,
    unpacked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import date
    from pathlib import Path

    from pyspark import Broadcast
    from pyspark.sql import DataFrame

    from roadgraph.network.network import Network
    from roadgraph.probes.ingest import ReadFile
    from roadgraph.probes.news import FileToRead, Reading
    from roadgraph.settings import Settings, SparkSettings
    from roadgraph.slices.store import DayFolder

JOB_ROWS = 5_000_000  # fixes of days that are matched at once, unless one day has more
LEAST_GROUP_ROWS = 10_000  # below it the call itself takes longer than the matching
MOST_GROUP_ROWS = GROUP_ROWS // 5  # several groups are in a machine's memory at once
MATCHING_SHARE = 0.9  # of the time that a job takes, about
GROUPS_A_CORE = 4  # so that no core waits long for the last group


class SparkEngine:
    """Reads files and builds days on a cluster; a context manager that ends its session.

    Args:
        settings: of the cluster.
    """

    def __init__(self, settings: SparkSettings) -> None:
        self._cluster = Cluster(settings)

    def __enter__(self) -> SparkEngine:
        """Start nothing yet; the session starts with the first work."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the session if it is ours."""
        self._cluster.__exit__(*error)

    def read_files(
        self,
        files: list[FileToRead],
        folder: Path,
        reading: Reading,
        progress: Callable[[float], None],
    ) -> Iterator[ReadFile | RoadgraphError]:
        """Read input files, each on one worker, which writes what it read into ``folder``.

        Gives what they came to, or why they cannot be used, in their order.

        Raises:
            SettingsError: the cluster cannot be used.
        """
        read = partial(read_or_error, folder=folder.resolve(), reading=reading)
        # Workers stand in folders of their own, so that a relative path means nothing to them.
        wanted = [
            replace(item, file=replace(item.file, path=item.file.path.resolve())) for item in files
        ]
        tasks = self._cluster.context.parallelize(wanted, len(wanted)).map(read)
        yield from self._cluster.run(tasks.collect, len(files), progress)

    def build_days(
        self,
        plans: list[DayPlan],
        folder: Path,
        network: Network,
        settings: Settings,
        progress: Callable[[float], None] = lambda share: None,
        tolerant: bool = False,
    ) -> dict[date, DayAccount]:
        """Match the fixes of days and aggregate their slices, each day whole or not at all.

        As :func:`roadgraph.slices.building.build_days`; the traversals of more than one day are
        never in the driver program at once.

        Args:
            plans: of the days.
            folder: the store of slices.
            network: what the fixes are matched to.
            settings: ``city``, ``probes`` and ``slices`` are used.
            progress: called with the share of the fixes that is matched.
            tolerant: whether it is no error that no fix of any day matches the network.

        Raises:
            DataError: no fix matches the network.
            SettingsError: the cluster cannot be used.
        """
        if not plans:
            return {}
        plans = [
            replace(plan, parts=tuple(path.resolve() for path in plan.parts)) for plan in plans
        ]
        with closing(self._days(plans, network, settings, progress)) as days:
            return replace_days(
                plans,
                folder,
                network,
                settings,
                lambda plan, out: next(days).write(plan, out),
                tolerant,
            )

    def _days(
        self,
        plans: list[DayPlan],
        network: Network,
        settings: Settings,
        progress: Callable[[float], None],
    ) -> Generator[_Day]:
        """Yield what each day came to; a job is done when the first of its days is asked for."""
        minutes = settings.slices.minutes
        roads = self._cluster.context.broadcast(
            Roads(uuid4().hex, network, settings.probes, minutes)
        )
        total = sum(plan.rows for plan in plans)
        done = 0
        try:
            for job in jobs_of(plans, JOB_ROWS):
                rows = sum(plan.rows for plan in job)

                def step(share: float, done: int = done, rows: int = rows) -> None:
                    progress((done + share * rows) / total)

                yield from self._job(job, roads, minutes, step)
                done += rows
        finally:
            roads.destroy()

    def _job(
        self,
        plans: list[DayPlan],
        roads: Broadcast[Roads],
        slice_minutes: int,
        progress: Callable[[float], None],
    ) -> Iterator[_Day]:
        """Match the fixes of some days at once; yield them one after the other."""
        cluster = self._cluster
        groups = self._groups(plans)
        pieces = pieces_of_parts(plans)
        tasks = len(pieces) + sum(map(len, groups))
        driven = self._driven(plans, groups, pieces, roads).persist()
        try:
            accounts = driven.filter("account IS NOT NULL").select("day", "group", "account")
            packed = cluster.run(
                accounts.toArrow, tasks, lambda share: progress(MATCHING_SHARE * share)
            ).sort_by("group")
            traversals = driven.filter("account IS NULL")
            slices = slices_from_traversals(traversals.select(*TRAVERSALS.columns), slice_minutes)
            table = pl.DataFrame(cluster.run(slices.toArrow))
            for count, plan in enumerate(plans, start=1):
                day = plan.day.isoformat()
                rows = traversals.filter(driven["day"] == day).select(*TRAVERSALS.columns)
                day_rows = cluster.run(rows.toArrow)
                progress(MATCHING_SHARE + (1 - MATCHING_SHARE) * count / len(plans))
                yield _Day(
                    traversals=day_rows,
                    accounts=packed.filter(pc.equal(packed["day"], day))["account"].to_pylist(),
                    slices=table.filter(
                        pl.col("slice_start").is_between(plan.begin, plan.end, closed="left")
                    ).to_arrow(),
                )
        finally:
            driven.unpersist()

    def _groups(self, plans: list[DayPlan]) -> list[Groups]:
        """Return the groups of vehicles of each day."""
        context = self._cluster.context
        even = sum(plan.rows for plan in plans) // (GROUPS_A_CORE * context.defaultParallelism)
        group_rows = max(LEAST_GROUP_ROWS, min(even, MOST_GROUP_ROWS))
        tasks = context.parallelize(plans, len(plans)).map(
            partial(groups_of_day, group_rows=group_rows)
        )
        return self._cluster.run(tasks.collect)

    def _driven(
        self,
        plans: list[DayPlan],
        groups: list[Groups],
        pieces: list[Piece],
        roads: Broadcast[Roads],
    ) -> DataFrame:
        """Return the rows of ``DRIVEN`` of some days."""
        from pyspark.sql.pandas.types import from_arrow_schema

        days = list(zip(plans, groups, strict=True))
        by_day = {plan.day.isoformat(): plan for plan in plans}

        def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for piece in batch.to_pylist():
                    yield from rows_of_piece(Piece(**piece), days)

        def drive(key: tuple[Any, ...], rows: pa.Table) -> pa.Table:
            day, group = (part.as_py() for part in key)
            return drive_group(roads.value, by_day[day], group, rows)

        tasks = self._cluster.context.parallelize(pieces, len(pieces))
        fixes = self._cluster.session.createDataFrame(tasks, "path string, first int, after int")
        with pandas_unnoticed():
            rows = fixes.mapInArrow(read, from_arrow_schema(ROWS))
            # As many partitions as groups: Spark would put small ones together, on one core.
            rows = rows.repartition(sum(map(len, groups)), "day", "group")
            return rows.groupBy("day", "group").applyInArrow(drive, from_arrow_schema(DRIVEN))


def build_days_on_spark(
    plans: list[DayPlan],
    folder: Path,
    network: Network,
    settings: Settings,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[date, DayAccount]:
    """Do what :func:`roadgraph.slices.building.build_days` does on the cluster of ``spark``.

    Raises:
        DataError: no fix matches the network.
        SettingsError: the cluster cannot be used.
    """
    with SparkEngine(settings.spark) as engine:
        return engine.build_days(plans, folder, network, settings, progress)


@dataclass(frozen=True)
class _Day:
    """What a day came to.

    Attributes:
        traversals: the columns of ``schema.TRAVERSALS``, in any order.
        accounts: packed, of each group of vehicles in their order.
        slices: the columns of ``schema.SLICES``.
    """

    traversals: pa.Table
    accounts: list[bytes]
    slices: pa.Table

    def write(self, plan: DayPlan, out: DayFolder) -> DayAccount:
        """Write the day's tables and return its account.

        Raises:
            RoadgraphError: what a worker found while it matched the day.
        """
        tables = DayTables(out)
        tables.add_traversals(self.traversals)
        for account in map(unpacked, self.accounts):
            if isinstance(account, RoadgraphError):
                raise account
            tables.add_account(account)
        return write_slices(self.slices, out, plan, tables.close(), tables.matching)


def jobs_of(plans: list[DayPlan], job_rows: int) -> Iterator[list[DayPlan]]:
    """Yield consecutive days that are matched at once: up to ``job_rows`` fixes, or one day."""
    job: list[DayPlan] = []
    rows = 0
    for plan in plans:
        if job and rows + plan.rows > job_rows:
            yield job
            job, rows = [], 0
        job.append(plan)
        rows += plan.rows
    if job:
        yield job


def pieces_of_parts(plans: list[DayPlan]) -> list[Piece]:
    """Return all parts of the store that some days rest on, in pieces for a task each."""
    pieces = []
    for path in sorted({path for plan in plans for path in plan.parts}):
        count = pq.read_metadata(path).num_row_groups
        for first in range(0, count, ROW_GROUPS):
            pieces.append(Piece(str(path), first, min(first + ROW_GROUPS, count)))
    return pieces
