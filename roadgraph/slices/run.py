"""A city's raw data into its store of slices, with an account of every row."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.config import settings_to_dict
from roadgraph.errors import DataError
from roadgraph.probes.feeds import feed_files
from roadgraph.probes.fix_store import FixStore, Input, check_account
from roadgraph.probes.ingest import Reader, ingest, read_here
from roadgraph.probes.match_report import MatchReport
from roadgraph.slices.building import DayPlan, build_days, plan_days, stale_days
from roadgraph.slices.detectors import read_detector_speeds
from roadgraph.slices.measured import measured_to_slices
from roadgraph.slices.store import read_manifest, refuse_other_length, remove_day, write_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.slices.building import DayAccount
    from roadgraph.workspace import Workspace

    BuildDays = Callable[
        [list[DayPlan], Path, Network, Settings, Callable[[float], None]], dict[date, DayAccount]
    ]


@dataclass(frozen=True)
class SlicesReport:
    """What came in and what became of it.

    Attributes:
        inputs: the files of this run.
        rows_in: rows of them.
        rows_used: rows that slices rest on.
        refused: the other rows by the rule that refused them; they lie in the quarantine.
        built: the local days that were written.
        kept: the local days of these files that were in the store already, and are as new.
        slices: rows of all these days.
        matching: how well the fixes of these days fit the roads; None where none were matched.
    """

    inputs: tuple[str, ...]
    rows_in: int
    rows_used: int
    refused: dict[str, int]
    built: tuple[date, ...]
    kept: tuple[date, ...]
    slices: int
    matching: MatchReport | None


def make_slices(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> SlicesReport:
    """Bring a city's store of slices up to date with its raw data.

    Args:
        settings: ``city``, ``slices``, and ``measured`` or ``probes``, ``engine`` and ``spark``.
        network: what fixes are matched to, or measured data refers to.
        workspace: where the stores are.
        progress: called with the step's name and the share of it that is done.

    Raises:
        DataError: a file cannot be used, or no fix matches the network.
    """
    refuse_other_length(workspace.slices, settings.slices.minutes)
    if settings.city.source == "detectors":
        return _from_detectors(settings, network, workspace)
    if settings.city.source == "measured":
        return _from_measured(settings, network, workspace, progress)
    return _from_probes(settings, network, workspace, progress)


def _from_detectors(settings: Settings, network: Network, workspace: Workspace) -> SlicesReport:
    path = Path(settings.city.speeds)
    measured = read_detector_speeds(path, settings.city, settings.slices.minutes)
    # The import may have cut detectors away that no link leads back to.
    table = measured.filter(pc.is_in(measured["segment_id"], pa.array(network.segment_ids)))
    rows_in, rows = len(measured), len(table)
    refused = {"not_in_network": rows_in - rows} if rows < rows_in else {}
    if not rows:
        raise DataError(
            f"{path}: none of its {rows_in} speeds is of a detector that the network has; import "
            "the network again: roadgraph network"
        )
    zone = city_zone(settings.city.timezone)
    chosen = settings_to_dict(settings)
    manifest: dict[str, Any] = {
        "inputs": {path.name: {"rows": rows_in, "used": rows, "refused": refused}},
        "city": {
            name: chosen["city"][name] for name in ("name", "timezone", "source", "speed_unit")
        },
        "settings": {"slices": chosen["slices"]},
    }
    days = write_days(table, workspace.slices, zone, settings.slices.minutes, manifest)
    return SlicesReport((path.name,), rows_in, rows, refused, tuple(days), (), rows, None)


def _from_measured(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Callable[[str, float], None],
) -> SlicesReport:
    run = measured_to_slices(settings, network, workspace, progress)
    return SlicesReport(
        inputs=tuple(account.name for account in run.inputs),
        rows_in=sum(account.rows_in for account in run.inputs),
        rows_used=sum(sum(account.days.values()) for account in run.inputs),
        refused=dict(sorted(_refused(list(run.inputs)).items())),
        built=run.days,
        kept=(),
        slices=run.slices,
        matching=None,
    )


def _from_probes(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Callable[[str, float], None],
) -> SlicesReport:
    if not network.has_geometry:
        raise DataError(
            "GPS fixes cannot be matched: the network has no geometry; use city.source=detectors, "
            "or a road map"
        )
    files = feed_files(Path(settings.city.fixes))
    store = FixStore(workspace.fixes)
    before = store.inputs()
    with _engine(settings) as (read_files, build):
        accounts = ingest(
            files,
            store,
            network,
            settings,
            lambda share: progress("reading fixes", share),
            read_files,
        )
        plans = plan_days(store, network, settings)
        _refuse_nothing_left(accounts, settings)
        stale = stale_days(plans, workspace.slices)
        build(
            stale,
            workspace.slices,
            network,
            settings,
            lambda share: progress("matching fixes", share),
        )
    for day in _emptied(accounts, before, store):
        remove_day(workspace.slices, day)
    return _report(accounts, plans, {plan.day for plan in stale}, workspace)


@contextmanager
def _engine(settings: Settings) -> Iterator[tuple[Reader, BuildDays]]:
    """Yield what reads files and what builds days."""
    if settings.engine == "embedded":
        yield read_here, build_days
    else:
        from roadgraph.slices.spark import SparkEngine

        with SparkEngine(settings.spark) as engine:
            yield engine.read_files, engine.build_days


def _emptied(accounts: list[Input], before: dict[str, Input], store: FixStore) -> list[date]:
    """Return the days of which there is no fix any more since a file was replaced."""
    replaced = (before[account.name] for account in accounts if account.name in before)
    days = {date.fromisoformat(day) for account in replaced for day in account.days}
    return sorted(day for day in days if not store.parts(day))


def _refuse_nothing_left(accounts: list[Input], settings: Settings) -> None:
    rows_in = sum(account.rows_in for account in accounts)
    if not rows_in:
        raise DataError(f"{settings.city.fixes}: no fix in it")
    if not any(account.days for account in accounts):
        counts = ", ".join(f"{rule} {count}" for rule, count in _refused(accounts).items())
        raise DataError(
            f"{settings.city.fixes}: none of the {rows_in} fixes can be used ({counts}); "
            "do the fixes and the roads belong to the same city?"
        )


def _refused(accounts: list[Input]) -> dict[str, int]:
    refused: dict[str, int] = {}
    for account in accounts:
        _add(refused, account.refused)
    return refused


def _add(refused: dict[str, int], more: dict[str, int]) -> None:
    for rule, count in more.items():
        refused[rule] = refused.get(rule, 0) + count


def _report(
    accounts: list[Input], plans: list[DayPlan], built: set[date], workspace: Workspace
) -> SlicesReport:
    """Add up this run's files from the manifests of the days that hold their rows."""
    names = {account.name for account in accounts}
    refused = _refused(accounts)
    used = rows = 0
    matching = MatchReport()
    days = [plan.day for plan in plans if names & {item.name for item in plan.inputs.values()}]
    for day in sorted({*days, *built}):
        manifest = read_manifest(workspace.slices, day)
        rows += manifest["rows"]
        matching = matching.plus(MatchReport.from_manifest(manifest["matching"]))
        for name in names & set(manifest["inputs"]):
            used += manifest["inputs"][name]["used"]
            _add(refused, manifest["inputs"][name]["refused"])
    rows_in = sum(account.rows_in for account in accounts)
    check_account("this run", rows_in, used, refused)
    return SlicesReport(
        inputs=tuple(account.name for account in accounts),
        rows_in=rows_in,
        rows_used=used,
        refused=dict(sorted(refused.items())),
        built=tuple(sorted(built)),
        kept=tuple(day for day in days if day not in built),
        slices=rows,
        matching=matching,
    )
