"""Data that is on segments already into the store of slices, when it has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from roadgraph.calendar import ALL_DAYS
from roadgraph.errors import DataError
from roadgraph.probes.feed_files import feed_files
from roadgraph.probes.file_digests import FileDigests
from roadgraph.probes.news import Fault
from roadgraph.slices.measured import Run, read_measured
from roadgraph.slices.measured_record import (
    Record,
    collecting,
    key_of,
    shared_by_days,
    stale_of_record,
)
from roadgraph.slices.report import SlicesReport, StaleSlices, add_counts
from roadgraph.slices.store import find_manifests, read_manifest

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from roadgraph.network.network import Network
    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.settings import Settings
    from roadgraph.slices.measured_reading import Progress
    from roadgraph.slices.measured_record import Manifests, OnFault
    from roadgraph.workspace import Workspace


def slices_from_measured(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Progress,
    days: Container[date],
    tolerant: bool,
) -> SlicesReport:
    """Replace the stale days of the store of slices that the files of ``city.fixes`` have rows of.

    All of these days are replaced, or none; so are the files of refused rows. Only files that are
    new or have changed are read, and those with rows of stale days. This runs in the process
    itself, whatever ``engine`` is: one machine reads such rows as fast as its disk. Nobody else may
    be at the stores meanwhile. The arguments are those of
    :func:`roadgraph.slices.run.make_slices`.

    Raises:
        DataError: a file cannot be used, no row can, or a day of the store rests on more data.
        SettingsError: a setting of ``measured`` cannot be used.
    """
    faults: list[Fault] = []
    files = feed_files(Path(settings.city.fixes), collecting(faults) if tolerant else None)
    seen = FileDigests(workspace.measured / ".files.json")
    digests = digests_of(files, seen, collecting(faults) if tolerant else None)
    seen.save()
    shared = shared_by_days(settings, network)
    key = key_of(digests, shared)
    manifests = find_manifests(workspace.slices)
    record = _record(settings, workspace, tolerant)
    built: list[date] = []
    is_known = record.key == key and (tolerant or not record.faults)
    if not is_known or stale_of_record(record, manifests, shared, days):
        sound = [file for file in files if file.name in digests]
        run = Run(sound, digests, settings, network, workspace, progress, tolerant)
        record, built = read_measured(run, record, days)
        manifests |= {day: read_manifest(workspace.slices, day) for day in built}
    lost = [Fault(day, lost.reason) for day, lost in record.lost.items()]
    faults += [fault for fault in lost if date.fromisoformat(fault.name) in days]
    return _report(record, built, manifests, shared, (*faults, *record.faults))


def _record(settings: Settings, workspace: Workspace, tolerant: bool) -> Record:
    """Return what is known of the files; days that lost rows are tried again where they may."""
    record = Record.read(workspace.measured) or Record()
    is_final = tolerant and not settings.measured.replace
    return record if is_final else replace(record, lost={})


def stale_from_measured(settings: Settings, network: Network, workspace: Workspace) -> StaleSlices:
    """Return what :func:`slices_from_measured` would do; nothing is written.

    Raises:
        DataError: there is no file at ``city.fixes``.
    """
    files = feed_files(Path(settings.city.fixes), lambda name, error: None)
    seen = FileDigests(workspace.measured / ".files.json")
    digests = digests_of(files, seen, lambda name, error: None)
    shared = shared_by_days(settings, network)
    record = _record(settings, workspace, tolerant=True)
    before = {account.name: account.sha256 for account in record.accounts}
    before |= {fault.name: digests.get(fault.name, "") for fault in record.faults}
    if record.key == key_of(digests, shared):
        before = dict(digests)
    news = [name for name, digest in digests.items() if before.get(name) != digest]
    manifests = find_manifests(workspace.slices)
    stale = stale_of_record(record, manifests, shared, ALL_DAYS)
    for account in record.accounts:
        if account.name in news:
            for day in map(date.fromisoformat, account.days):
                stale[day] = (*stale.get(day, ()), f"rows {account.name} changed")
    return StaleSlices(
        files=tuple(f"rows {name} {'changed' if name in before else 'is new'}" for name in news),
        days=dict(sorted(stale.items())),
    )


def _report(
    record: Record,
    built: Sequence[date],
    manifests: Manifests,
    shared: Mapping[str, str],
    faults: tuple[Fault, ...],
) -> SlicesReport:
    waiting = stale_of_record(replace(record, faults=(), lost={}), manifests, shared, ALL_DAYS)
    days = {date.fromisoformat(day) for account in record.accounts for day in account.days}
    kept = sorted(days - set(built) - set(waiting))
    left = sum(
        account.days.get(day.isoformat(), 0) for account in record.accounts for day in waiting
    )
    return SlicesReport(
        inputs=tuple(account.name for account in record.accounts),
        rows_in=sum(account.rows_in for account in record.accounts),
        rows_used=sum(sum(account.days.values()) for account in record.accounts) - left,
        refused=add_counts(account.refused for account in record.accounts),
        built=tuple(built),
        kept=tuple(kept),
        slices=sum(manifests[day]["rows"] for day in [*built, *kept]),
        matching=None,
        faults=faults,
        waiting=left,
    )


def digests_of(
    files: Sequence[FeedFile], seen: FileDigests, on_fault: OnFault | None = None
) -> dict[str, str]:
    """Return the SHA-256 of each file, or of the zip that holds it, by name.

    Args:
        files: of a run.
        seen: digests of files that have not changed.
        on_fault: is told of each file that cannot be opened or holds what another one holds; it
            is left out then. ``None`` to stop there.

    Raises:
        DataError: two files hold the same.
    """
    by_path: dict[Path, str] = {}
    first: dict[str, Path] = {}
    for path in dict.fromkeys(file.path for file in files):
        try:
            digest = seen.sha256(path)
            if digest in first:
                raise DataError(
                    f"{path} holds the same bytes as {first[digest].name}, so that every row would "
                    "count twice; take one of the two away"
                )
        except (OSError, DataError) as error:
            if on_fault is None:
                raise
            on_fault(path.name, error)
            continue
        first[digest] = path
        by_path[path] = digest
    return {file.name: by_path[file.path] for file in files if file.path in by_path}
