"""Raw fixes that are handed over for a forecast: cleaned, matched and aggregated for it alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.probes.feeds import feed_files
from roadgraph.probes.fix_store import ROW_GROUP_ROWS, FixStore
from roadgraph.probes.ingest import ingest
from roadgraph.schema import FIXES, read_whole
from roadgraph.slices.run import make_slices
from roadgraph.slices.store import read_slices
from roadgraph.storage import scratch_folder
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from roadgraph.network.network import Network
    from roadgraph.probes.fix_store import Input
    from roadgraph.settings import Settings
    from roadgraph.slices.report import SlicesReport

LATER = "after_the_time"
"""The rule that refuses fixes of after the time to forecast from."""


def slices_of_fixes(
    path: Path,
    settings: Settings,
    network: Network,
    slice_minutes: int,
    at: pd.Timestamp | None = None,
) -> tuple[pa.Table, SlicesReport]:
    """Return the slices of raw fixes, made as the city's own; its stores are not touched.

    Args:
        path: a file or folder of fixes.
        settings: ``city``, ``probes``, ``engine`` and ``spark`` are used.
        network: what the fixes are matched to.
        slice_minutes: length of the slices.
        at: fixes of after this time are not looked at; by default there are none.

    Returns:
        The columns of ``schema.SLICES``, and what became of every fix.

    Raises:
        DataError: there is no such file, it cannot be used, or no fix can.
    """
    if not path.exists():
        raise DataError(f"--fixes {path}: no such file or folder")
    chosen = replace(
        settings,
        city=replace(settings.city, source="probes", fixes=str(path)),
        slices=replace(settings.slices, minutes=slice_minutes),
    )
    with scratch_folder(Workspace.of(settings).root / "given-fixes") as folder:
        workspace = Workspace(folder, folder)
        if at is not None:
            store = FixStore(workspace.fixes)
            ingest(feed_files(path), store, network, chosen)
            for account in store.inputs().values():
                _drop_later(store, account, at, folder)
            if not store.days():
                raise DataError(
                    f"{path}: no fix that can be used is of {at.isoformat()} or before; predict "
                    "from a later time (--at)"
                )
        # What is in the store of fixes already is not read again.
        report = make_slices(chosen, network, workspace)
        return read_slices(workspace.slices), report


def _drop_later(store: FixStore, account: Input, at: pd.Timestamp, folder: Path) -> None:
    """Take the fixes of an input that are later than ``at`` out of the store and refuse them.

    The speeds of a trip under way at ``at`` would rest on them too.
    """
    latest = pa.scalar(at.tz_convert("UTC"), FIXES.schema.field("timestamp").type)
    written: dict[date, Path] = {}
    days: dict[str, int] = {}
    for day in map(date.fromisoformat, account.days):
        rows = read_whole(store.part(day, account), rows=pc.field("timestamp") <= latest)
        if len(rows):
            days[day.isoformat()] = len(rows)
            written[day] = folder / f"{day}.parquet"
            pq.write_table(rows, written[day], row_group_size=ROW_GROUP_ROWS)
    later = sum(account.days.values()) - sum(days.values())
    if later:
        quarantine = folder / "quarantine.parquet"
        shutil.copyfile(store.quarantine(account), quarantine)
        refused = dict(sorted({**account.refused, LATER: later}.items()))
        kept = replace(account, days=days, refused=refused, edges=None)
        store.replace(kept, account, written, quarantine)
