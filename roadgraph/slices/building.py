"""From the store of fixes to the store of slices: the days that changed, with their accounts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import reduce
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.config import settings_to_dict
from roadgraph.errors import DataError
from roadgraph.probes.drives import Driver
from roadgraph.probes.fix_store import check_account, read_parts
from roadgraph.probes.match_report import MatchReport
from roadgraph.schema import SLICES
from roadgraph.slices.aggregate import slices_from_traversals
from roadgraph.slices.clock import clock_of_fixes
from roadgraph.slices.day_tables import DayTables, GroupAccount
from roadgraph.slices.planning import VERSIONS
from roadgraph.slices.store import DayFolder
from roadgraph.storage import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.slices.planning import DayPlan

GROUP_ROWS = 1_000_000  # fixes that are matched at a time, unless one vehicle has more
AGGREGATE_ROWS = 5_000_000  # traversals that are aggregated at a time


@dataclass(frozen=True)
class DayAccount:
    """What became of the fixes of one local day.

    Attributes:
        inputs: by the input's key: its ``rows`` of the day, those ``used``, those ``refused`` by
            rule.
        slices: rows of the day's slices.
        matching: how well the fixes fit the roads.
    """

    inputs: dict[str, dict[str, Any]]
    slices: int
    matching: MatchReport


def build_days(
    plans: list[DayPlan],
    folder: Path,
    network: Network,
    settings: Settings,
    progress: Callable[[float], None] = lambda share: None,
    tolerant: bool = False,
) -> dict[date, DayAccount]:
    """Match the fixes of days and aggregate their slices, each day whole or not at all.

    Never more than a group of vehicles of one day is in memory.

    Args:
        plans: of the days.
        folder: the store of slices.
        network: what the fixes are matched to.
        settings: ``city``, ``probes`` and ``slices`` are used.
        progress: called with the share of the days that is done.
        tolerant: whether it is no error that no fix of any day matches the network.

    Raises:
        DataError: no fix matches the network.
    """
    if not plans:
        return {}
    driver = Driver(network, settings.probes, settings.slices.minutes)
    done = iter(range(len(plans)))

    def build(plan: DayPlan, out: DayFolder) -> DayAccount:
        days = next(done)
        return _build_day(
            plan, out, driver, settings, lambda share: progress((days + share) / len(plans))
        )

    return replace_days(plans, folder, network, settings, build, tolerant)


def replace_days(
    plans: list[DayPlan],
    folder: Path,
    network: Network,
    settings: Settings,
    build: Callable[[DayPlan, DayFolder], DayAccount],
    tolerant: bool = False,
) -> dict[date, DayAccount]:
    """Build days into empty folders, each of which takes the day's place when it is done.

    Args:
        plans: of the days.
        folder: the store of slices.
        network: what the fixes are matched to.
        settings: recorded in the manifests.
        build: writes the tables of a day; called for each plan in its order.
        tolerant: whether it is no error that no fix of any day matches the network.

    Raises:
        DataError: no fix matches the network.
    """
    accounts: dict[date, DayAccount] = {}
    # Days without slices wait for one that has some: without any, nothing is replaced.
    with ExitStack() as waiting:
        for plan in plans:
            out = waiting.enter_context(DayFolder.replacing(folder, plan.day))
            account = build(plan, out)
            accounts[plan.day] = account
            write_json(out.manifest, day_manifest(plan, account, network, settings))
            if tolerant or account.slices:
                waiting.pop_all().close()
        if accounts and not tolerant and not any(item.slices for item in accounts.values()):
            matching = reduce(MatchReport.plus, (item.matching for item in accounts.values()))
            raise DataError(nothing_matches(min(accounts), max(accounts), matching))
    return accounts


def nothing_matches(first: date, last: date, matching: MatchReport) -> str:
    """Return the message for days whose fixes all lie off the roads."""
    counts = ", ".join(f"{rule} {count}" for rule, count in matching.refused.items())
    return (
        f"no fix of {first} to {last} matches the network ({counts or 'none'}); "
        "do the fixes and the roads belong to the same city?"
    )


def vehicle_groups(plan: DayPlan, group_rows: int = GROUP_ROWS) -> Iterator[tuple[str, str]]:
    """Yield the first and last vehicle of groups that are matched at a time, in their order.

    Args:
        plan: of the day.
        group_rows: fixes in a group, about; a vehicle is never divided.
    """
    counts = (
        read_parts(plan.parts, plan.first, plan.last, ("", "\U0010ffff"))
        .group_by("vehicle_id")
        .len()
        .sort("vehicle_id")
        .collect(engine="streaming")
    )
    group = (counts["len"].cum_sum() - counts["len"]) // group_rows
    bounds = counts.group_by(group.alias("group"), maintain_order=True).agg(
        pl.col("vehicle_id").first().alias("first"), pl.col("vehicle_id").last().alias("last")
    )
    yield from bounds.select("first", "last").iter_rows()


def _build_day(
    plan: DayPlan,
    out: DayFolder,
    driver: Driver,
    settings: Settings,
    progress: Callable[[float], None],
) -> DayAccount:
    tables = DayTables(out)
    groups = list(vehicle_groups(plan))
    for done, group in enumerate(groups, start=1):
        rows = read_parts(plan.parts, plan.first, plan.last, group).collect(engine="streaming")
        traversals, fixes = drive_day(driver, rows, plan)
        tables.add_traversals(traversals.to_arrow())
        tables.add_account(GroupAccount.of(fixes))
        progress(done / len(groups))
    counts = tables.close()
    slices = aggregated(out.traversals, plan, settings.slices.minutes)
    return write_slices(slices, out, plan, counts, tables.matching)


def write_slices(
    slices: pa.Table, out: DayFolder, plan: DayPlan, counts: pl.DataFrame, matching: MatchReport
) -> DayAccount:
    """Write the slices of a day whose other tables are written, and return its account.

    Args:
        slices: the columns of ``schema.SLICES``.
        out: where to.
        plan: of the day.
        counts: of its fixes, as :func:`account_by_input` takes them.
        matching: how well they fit the roads.

    Raises:
        AccountError: rows of the store are neither used nor refused.
    """
    pq.write_table(SLICES.conform(slices), out.slices, compression="zstd")
    return DayAccount(account_by_input(counts, plan), len(slices), matching)


def aggregated(traversals: Path, plan: DayPlan, slice_minutes: int) -> pa.Table:
    """Return the slices of a day's file of traversals, some hours of it at a time.

    Medians and numbers of vehicles need all rows of a slice at once, so the memory is bounded by
    taking few slices at once.
    """
    rows = pq.read_metadata(traversals).num_rows
    windows = max(-(-rows // AGGREGATE_ROWS), 1)
    width = pd.Timedelta(minutes=slice_minutes)
    slices_a_window = -(-((plan.end - plan.begin) // width) // windows)
    parts = []
    for begin in pd.date_range(
        plan.begin, plan.end, freq=slices_a_window * width, inclusive="left"
    ):
        inside = pl.col("entered_at").is_between(
            begin, begin + slices_a_window * width, closed="left"
        )
        frame = pl.scan_parquet(traversals).filter(inside)
        parts.append(slices_from_traversals(frame, slice_minutes).collect(engine="streaming"))
    return SLICES.conform(pl.concat(parts).to_arrow())


def drive_day(
    driver: Driver, rows: pl.DataFrame, plan: DayPlan
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the traversals and the judged fixes of some vehicles that belong to the day itself."""
    driven = driver.drive(rows)
    inside = pl.col("entered_at").is_between(plan.begin, plan.end, closed="left")
    own = pl.col("timestamp").is_between(plan.begin, plan.end, closed="left")
    return driven.traversals.filter(inside), driven.fixes.filter(own)


def account_by_input(counts: pl.DataFrame, plan: DayPlan) -> dict[str, dict[str, Any]]:
    """Return the account of each input's rows of a day.

    Args:
        counts: ``file``, ``rule`` (null where used) and ``len``, in any order and repeated.
        plan: of the day.

    Raises:
        AccountError: rows of the store are neither used nor refused.
    """
    sums = counts.group_by("file", "rule").agg(pl.col("len").sum()).sort("file", "rule")
    accounts: dict[str, dict[str, Any]] = {
        key: {"rows": account.days[plan.day.isoformat()], "used": 0, "refused": {}}
        for key, account in plan.inputs.items()
    }
    for file, rule, count in sums.iter_rows():
        if rule is None:
            accounts[file]["used"] = count
        else:
            accounts[file]["refused"][rule] = count
    for key, account in accounts.items():
        where = f"{plan.inputs[key].name}, {plan.day}"
        check_account(where, account["rows"], account["used"], account["refused"])
    return accounts


def day_manifest(
    plan: DayPlan, account: DayAccount, network: Network, settings: Settings
) -> dict[str, Any]:
    """Return what the manifest of a day records: inputs, settings, counts and versions."""
    chosen = settings_to_dict(settings)
    return {
        "slice_minutes": settings.slices.minutes,
        "rows": account.slices,
        "fingerprint": plan.fingerprint,
        "depends_on": plan.depends_on,
        "fixes_by_slice": clock_of_fixes(plan, settings.slices.minutes),
        "inputs": {
            plan.inputs[key].name: {"sha256": plan.inputs[key].sha256, **counts}
            for key, counts in account.inputs.items()
        },
        "matching": asdict(account.matching),
        "network": network.fingerprint(),
        # Where the files lay is no property of the day: the same files give the same bytes.
        "city": {name: chosen["city"][name] for name in ("name", "timezone", "source")},
        "settings": {group: chosen[group] for group in ("probes", "slices")},
        "versions": {name: version(name) for name in VERSIONS},
    }
