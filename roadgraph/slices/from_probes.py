"""GPS fixes into the store of slices: files into the store of fixes, stale days out of it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from roadgraph.errors import DataError
from roadgraph.probes.feeds import feed_files
from roadgraph.probes.file_digests import FileDigests
from roadgraph.probes.fix_store import FixStore, check_account
from roadgraph.probes.ingest import Reader, ingest, read_here
from roadgraph.probes.match_report import MatchReport
from roadgraph.probes.news import Fault, Reading, digests_path, find_news
from roadgraph.slices.building import build_days, nothing_matches
from roadgraph.slices.planning import DayPlan, plan_days, why_stale
from roadgraph.slices.report import SlicesReport, StaleSlices, add_counts
from roadgraph.slices.store import find_manifests, read_manifest, remove_day

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.probes.feeds import FeedFile
    from roadgraph.probes.fix_store import Input
    from roadgraph.settings import Settings
    from roadgraph.slices.building import DayAccount
    from roadgraph.workspace import Workspace

    Manifests = Mapping[date, dict[str, Any]]

FEW_FIXES = 1_000
"""Below it a day without a match is no fault: right after midnight two fixes are all there is."""

log = logging.getLogger(__name__)


class BuildDays(Protocol):
    """What builds days: here, or on a cluster."""

    def __call__(
        self,
        plans: list[DayPlan],
        folder: Path,
        network: Network,
        settings: Settings,
        progress: Callable[[float], None] = ...,
        tolerant: bool = ...,
    ) -> dict[date, DayAccount]:
        """Build ``plans`` into ``folder``, as :func:`~roadgraph.slices.building.build_days`."""
        ...


def slices_from_probes(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Callable[[str, float], None],
    days: Container[date],
    tolerant: bool,
) -> SlicesReport:
    """Read what is new of ``city.fixes`` and build the days that are stale.

    Nobody else may be at the stores meanwhile. The arguments are those of
    :func:`roadgraph.slices.run.make_slices`.

    Raises:
        DataError: a file cannot be used, or no fix matches the network.
    """
    refuse_no_geometry(network)
    store = FixStore(workspace.fixes)
    faults: list[Fault] = []
    files = _files(settings, store, faults) if tolerant else feed_files(Path(settings.city.fixes))
    with _engine(settings) as (read_files, build):
        read = ingest(
            files,
            store,
            network,
            settings,
            lambda share: progress("reading fixes", share),
            read_files,
            tolerant,
        )
        faults += read.faults
        plans = plan_days(store, network, settings, read.stored)
        if not (tolerant and plans):
            _refuse_nothing_left(read.accounts, faults, settings)
        manifests = find_manifests(workspace.slices)
        stale = [
            plan
            for plan in plans
            if plan.day in days and why_stale(manifests.get(plan.day), plan.depends_on)
        ]
        build(
            stale,
            workspace.slices,
            network,
            settings,
            lambda share: progress("matching fixes", share),
            tolerant,
        )
    for day in emptied_days(plans, manifests, read.stored):
        if day in days:
            remove_day(workspace.slices, day)
    built = {plan.day for plan in stale}
    manifests |= {day: read_manifest(workspace.slices, day) for day in built}
    asked = [plan for plan in plans if plan.day in days]
    if tolerant:
        faults += _days_without_slices(asked, manifests, built)
    return _report(read.accounts, plans, built, manifests, tuple(faults))


def stale_from_probes(settings: Settings, network: Network, workspace: Workspace) -> StaleSlices:
    """Return what :func:`slices_from_probes` would do; nothing is written.

    Raises:
        DataError: there are no fixes at ``city.fixes``.
    """
    refuse_no_geometry(network)
    store = FixStore(workspace.fixes)
    files = _files(settings, store, [])
    before = store.inputs()
    reading = Reading.of(network, settings)
    news = find_news(files, before, store, reading, FileDigests(digests_path(store)), tolerant=True)
    # What a changed file will do to the days that it has rows of is known: they change.
    coming = {item.file.name: item.sha256 for item in news.fresh}
    accounts = {
        name: _as_if(account, coming.get(name, account.sha256)) for name, account in before.items()
    }
    plans = plan_days(store, network, settings, accounts)
    manifests = find_manifests(workspace.slices)
    found = {plan.day: why_stale(manifests.get(plan.day), plan.depends_on) for plan in plans}
    emptied = emptied_days(plans, manifests, before)
    return StaleSlices(
        files=tuple(_news_of(name, sha256, before) for name, sha256 in coming.items()),
        days={day: reasons for day, reasons in found.items() if reasons}
        | dict.fromkeys(emptied, ("none of its fixes is left",)),
    )


def refuse_no_geometry(network: Network) -> None:
    """Make sure that fixes can be matched to a network.

    Raises:
        DataError: it has no geometry.
    """
    if not network.has_geometry:
        raise DataError(
            "GPS fixes cannot be matched: the network has no geometry; use city.source=detectors, "
            "or a road map"
        )


def _files(settings: Settings, store: FixStore, faults: list[Fault]) -> list[FeedFile]:
    """Return the files of the feed; add those that cannot be opened to ``faults``."""
    folder = Path(settings.city.fixes)
    try:
        return feed_files(folder, lambda name, error: faults.append(Fault(name, str(error))))
    except DataError:
        # A folder may be emptied once its files were read.
        if folder.is_dir() and store.days():
            return []
        raise


def _as_if(account: Input, sha256: str) -> Input:
    return replace(account, sha256=sha256)


def _news_of(name: str, sha256: str, before: Mapping[str, Input]) -> str:
    if name not in before:
        return f"fixes {name} is new"
    if before[name].sha256 != sha256:
        return f"fixes {name} changed"
    return f"fixes {name} was read with other settings, another network or another version"


@contextmanager
def _engine(settings: Settings) -> Iterator[tuple[Reader, BuildDays]]:
    """Yield what reads files and what builds days."""
    if settings.engine == "embedded":
        yield read_here, build_days
    else:
        from roadgraph.slices.spark import SparkEngine

        with SparkEngine(settings.spark) as engine:
            yield engine.read_files, engine.build_days


def emptied_days(
    plans: Sequence[DayPlan], manifests: Manifests, stored: Mapping[str, Input]
) -> list[date]:
    """Return the stored days of which there is no fix any more since a file was replaced.

    A day stays whose files the store of fixes does not know: it was made before that store.
    """
    planned = {plan.day for plan in plans}
    return [
        day
        for day, manifest in manifests.items()
        if day not in planned
        and manifest.get("city", {}).get("source") == "probes"
        and set(manifest["inputs"]) & set(stored)
    ]


def _refuse_nothing_left(
    accounts: Sequence[Input], faults: Sequence[Fault], settings: Settings
) -> None:
    if not accounts and faults:
        raise DataError(faults[0].reason)
    rows_in = sum(account.rows_in for account in accounts)
    if not rows_in:
        raise DataError(f"{settings.city.fixes}: no fix in it")
    if not any(account.days for account in accounts):
        refused = add_counts(account.refused for account in accounts)
        counts = ", ".join(f"{rule} {count}" for rule, count in refused.items())
        raise DataError(
            f"{settings.city.fixes}: none of the {rows_in} fixes can be used ({counts}); "
            "do the fixes and the roads belong to the same city?"
        )


def _days_without_slices(
    plans: Sequence[DayPlan], manifests: Manifests, built: Container[date]
) -> list[Fault]:
    """Return the days whose fixes all lie off the roads; with few fixes they are told once."""
    found = []
    for plan in plans:
        manifest = manifests[plan.day]
        if manifest["rows"]:
            continue
        matching = MatchReport.from_manifest(manifest["matching"])
        reason = nothing_matches(plan.day, plan.day, matching)
        if plan.rows >= FEW_FIXES:
            found.append(Fault(str(plan.day), reason))
        elif plan.day in built:
            log.warning("%s; it is stored without slices", reason)
    return found


def _report(
    accounts: Sequence[Input],
    plans: Sequence[DayPlan],
    built: set[date],
    manifests: Manifests,
    faults: tuple[Fault, ...],
) -> SlicesReport:
    """Add up this run's files from the manifests of the days that hold their rows."""
    names = {account.name for account in accounts}
    of_files = [plan for plan in plans if names & {item.name for item in plan.inputs.values()}]
    fresh = [plan for plan in of_files if not why_stale(manifests.get(plan.day), plan.depends_on)]
    days = sorted({plan.day for plan in fresh} | built)
    inputs = [
        manifests[day]["inputs"][name]
        for day in days
        for name in names & set(manifests[day]["inputs"])
    ]
    waiting = sum(
        account.days[plan.day.isoformat()]
        for plan in of_files
        if plan not in fresh
        for account in plan.inputs.values()
        if account.name in names
    )
    refused = add_counts(
        [*(account.refused for account in accounts), *(i["refused"] for i in inputs)]
    )
    used = sum(account["used"] for account in inputs)
    rows_in = sum(account.rows_in for account in accounts)
    check_account("this run", rows_in, used + waiting, refused)
    matching = (MatchReport.from_manifest(manifests[day]["matching"]) for day in days)
    return SlicesReport(
        inputs=tuple(account.name for account in accounts),
        rows_in=rows_in,
        rows_used=used,
        refused=refused,
        built=tuple(sorted(built)),
        kept=tuple(plan.day for plan in fresh if plan.day not in built),
        slices=sum(manifests[day]["rows"] for day in days),
        matching=reduce(MatchReport.plus, matching, MatchReport()),
        faults=faults,
        waiting=waiting,
    )
