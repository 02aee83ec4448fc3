"""What the workers of a Spark cluster do; everything comes and goes as Arrow tables or values.

An error that the user can mend comes back as a value and is raised in the driver program; Spark
would try the same again and bury it under its own traceback.
"""

from __future__ import annotations

import pickle
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.errors import RoadgraphError
from roadgraph.probes.drives import Driver
from roadgraph.probes.fix_store import PART_SCHEMA
from roadgraph.schema import TRAVERSALS
from roadgraph.slices.building import drive_day, vehicle_groups
from roadgraph.slices.day_tables import GroupAccount
from roadgraph.slices.planning import DayPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.network.network import Network
    from roadgraph.settings import ProbesSettings

ROW_GROUPS = 16  # of a part of the store that a task reads: half a million fixes
KEY = (pa.field("day", pa.string()), pa.field("group", pa.int32()))
ROWS = pa.schema([*KEY, *PART_SCHEMA, pa.field("file", pa.string())])
"""A fix of the store, with the day and the group of vehicles it is matched in."""
DRIVEN = pa.schema([*KEY, *TRAVERSALS.schema, pa.field("account", pa.binary())])
"""A traversal, or (once a group) what became of the fixes: packed, the other columns null."""

Groups = list[tuple[str, str]]
"""First and last vehicle of each group of a day, in their order."""


@dataclass(frozen=True)
class Roads:
    """What every worker prepares once.

    Attributes:
        key: names these roads and settings among those a worker process has seen.
        network: what fixes are matched to.
        probes: settings of the matching.
        slice_minutes: length of a slice.
    """

    key: str
    network: Network
    probes: ProbesSettings
    slice_minutes: int


class Piece(NamedTuple):
    """Some row groups of a part of the store."""

    path: str
    first: int
    after: int


def groups_of_day(plan: DayPlan, group_rows: int) -> Groups:
    """Return the groups of vehicles of a day."""
    return list(vehicle_groups(plan, group_rows))


def rows_of_piece(piece: Piece, days: list[tuple[DayPlan, Groups]]) -> Iterator[pa.RecordBatch]:
    """Yield the fixes of a piece, once for each day that they are matched in: rows of ``ROWS``."""
    file = Path(piece.path).stem
    with pq.ParquetFile(piece.path) as source:
        for place in range(piece.first, piece.after):
            rows = pl.DataFrame(source.read_row_group(place))
            for plan, groups in days:
                wanted = rows.filter(
                    pl.col("timestamp").is_between(plan.first, plan.last, closed="left")
                )
                if len(wanted):
                    firsts = pl.Series([first for first, _ in groups], dtype=pl.String)
                    group = firsts.search_sorted(wanted["vehicle_id"], side="right")
                    named = wanted.with_columns(
                        day=pl.lit(plan.day.isoformat()),
                        group=group.cast(pl.Int32) - 1,
                        file=pl.lit(file),
                    )
                    yield from named.select(ROWS.names).to_arrow().cast(ROWS).to_batches()


_ready: dict[str, Driver] = {}
"""The newest driver of this worker process; Spark keeps the process from task to task."""


def _driver(roads: Roads) -> Driver:
    if roads.key not in _ready:
        _ready.clear()
        _ready[roads.key] = Driver(roads.network, roads.probes, roads.slice_minutes)
    return _ready[roads.key]


def drive_group(roads: Roads, plan: DayPlan, group: int, rows: pa.Table) -> pa.Table:
    """Return the traversals of a group of whole vehicles and its account: rows of ``DRIVEN``."""
    outcome: GroupAccount | RoadgraphError
    traversals = TRAVERSALS.schema.empty_table()
    try:
        fixes = pl.DataFrame(rows.select([*PART_SCHEMA.names, "file"]))
        driven, judged = drive_day(_driver(roads), fixes, plan)
        traversals = driven.to_arrow().cast(TRAVERSALS.schema)
        outcome = GroupAccount.of(judged)
    except RoadgraphError as error:
        outcome = error
    table = pa.concat_tables(
        [traversals, pa.table({"account": [packed(outcome)]})], promote_options="default"
    )
    count = len(table)
    return pa.table(
        {
            "day": pa.repeat(plan.day.isoformat(), count),
            "group": pa.repeat(pa.scalar(group, pa.int32()), count),
            **{name: table[name] for name in [*TRAVERSALS.columns, "account"]},
        }
    ).cast(DRIVEN)


def packed(value: Any) -> bytes:
    """Return a value as bytes for the way between a worker and the driver program."""
    return zlib.compress(pickle.dumps(value), 1)


def unpacked(content: bytes) -> Any:
    """Return the value that :func:`packed` made the bytes of."""
    return pickle.loads(zlib.decompress(content))
