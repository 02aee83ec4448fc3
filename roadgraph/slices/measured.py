"""Data that is on segments already into the store of slices, with an account of every row."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from roadgraph.config import settings_to_dict
from roadgraph.errors import AccountError, DataError
from roadgraph.probes.fix_store import Input, check_account
from roadgraph.slices.clock import clock_of_slices
from roadgraph.slices.measured_cells import usual_span
from roadgraph.slices.measured_days import StoredDays, slices_of_cells, with_days, write_day
from roadgraph.slices.measured_files import Opening
from roadgraph.slices.measured_quarantine import stray_rows, write_none, write_refused
from roadgraph.slices.measured_reading import (
    Reading,
    RunFiles,
    cells_by_day,
    count_files,
)
from roadgraph.slices.measured_record import (
    VERSIONS,
    Lost,
    Record,
    by_file,
    collecting,
    dependencies_of_day,
    inputs_of_day,
    key_of,
    lost_still,
    shared_by_days,
    stale_of_record,
)
from roadgraph.slices.store import DayFolder
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import scratch_folder, whole_file, write_json

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.probes.news import Fault
    from roadgraph.settings import Settings
    from roadgraph.slices.measured_files import Source
    from roadgraph.slices.measured_reading import Progress
    from roadgraph.workspace import Workspace


@dataclass(frozen=True)
class Run:
    """What files are read for.

    Attributes:
        files: of the run.
        digests: of them, by name.
        settings: ``city``, ``measured`` and ``slices`` are used.
        network: rows of other segments are refused.
        workspace: where the store and the quarantine are.
        progress: called with the step's name and the share of it that is done.
        tolerant: go on without files and days that cannot be used.
    """

    files: Sequence[FeedFile]
    digests: Mapping[str, str]
    settings: Settings
    network: Network
    workspace: Workspace
    progress: Progress
    tolerant: bool

    @cached_property
    def segment_ids(self) -> list[str]:
        """Of the network, sorted."""
        return sorted(self.network.segment_ids)

    @cached_property
    def shared(self) -> dict[str, str]:
        """What every day depends on."""
        return shared_by_days(self.settings, self.network)

    @property
    def quarantine(self) -> Path:
        """Where the refused rows of each file are."""
        return self.workspace.measured / "quarantine"


def read_measured(run: Run, before: Record, days: Container[date]) -> tuple[Record, list[date]]:
    """Read the files that are new and those of stale days; write these days; all, or none.

    Args:
        run: what to read.
        before: what is known of the files.
        days: that are written if they are stale.

    Returns:
        The accounts, and the days written.

    Raises:
        DataError: a file cannot be used, no row can, or a day of the store rests on more data.
        SettingsError: a setting of ``measured`` cannot be used.
    """
    known = before.known(run.digests, fingerprint_of(run.shared), run.quarantine)
    minutes, city = run.settings.slices.minutes, run.settings.city
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(run.workspace.measured / "reading"))
        opening = Opening(run.segment_ids, minutes, run.settings.measured, scratch)
        files = RunFiles(run.files, opening, city.fixes, known.first)
        record, reading = _accounted(run, files, known, stack)
        stored = StoredDays.of(run.workspace.slices)
        stale = stale_of_record(record, stored.manifests, run.shared, days)
        dated = reading.counts.filter(pl.col("day").is_in(list(stale)))
        needed = set(dated["file"])
        sources = files.sources([file.name for file in run.files if file.name in needed])
        reading = replace(reading, sources=sources, counts=dated)
        built, lost = _write_days(run, reading, record.accounts, stored, stack)
    record = replace(record, lost=lost_still(record, stored.manifests, run.shared) | lost)
    record.write(run.workspace.measured)
    return record, built


def _accounted(
    run: Run, files: RunFiles, known: Record, stack: ExitStack
) -> tuple[Record, Reading]:
    """Return the accounts of all files, and when their rows are; few files are opened for it."""
    broken: list[Fault] = []
    on_fault = collecting(broken) if run.tolerant else None
    before = {account.name: account for account in known.accounts}
    names = [file.name for file in run.files]
    fresh = files.sources(
        [name for name in names if name not in before],
        on_fault,
        lambda share: run.progress("reading rows", share),
    )
    if not fresh and not before:
        raise DataError(f"{run.settings.city.fixes}: no row in it")
    found = count_files(fresh, on_fault, alone=not before)
    counts = pl.concat([known.counts_of_files(), found.counts])
    usual = usual_span(counts, run.settings.slices.minutes)
    reading = Reading((), with_days(counts.filter(usual.holds()), run.settings), found.cells, usual)
    # Which rows come from stray clocks depends on the rows of all files.
    moved = set(counts.filter(usual.holds() != known.usual.holds())["file"])
    new = {source.name for source in found.sources} | (moved & set(before))
    accounts = tuple(
        _account(run, files.sources([name])[0], reading, stack) if name in new else before[name]
        for name in names
        if name in new or name in before
    )
    _refuse_nothing_left(accounts, run.settings)
    record = Record(
        key=key_of(run.digests, run.shared),
        accounts=accounts,
        faults=tuple(broken),
        kind=files.kind,
        usual=usual,
        counts=by_file(counts),
        lost=known.lost,
    )
    return record, reading


def _write_days(
    run: Run,
    reading: Reading,
    accounts: Sequence[Input],
    stored: StoredDays,
    stack: ExitStack,
) -> tuple[list[date], dict[str, Lost]]:
    """Write days that take their places when the stack ends; return them and those left out."""
    built: list[date] = []
    lost: dict[str, Lost] = {}
    for day, cells in cells_by_day(reading, lambda share: run.progress("aggregating rows", share)):
        slices = slices_of_cells(cells, run.segment_ids, run.settings.slices.minutes)
        inputs = inputs_of_day(accounts, day)
        depends_on = dependencies_of_day(accounts, day, run.shared)
        rows = sum(account["rows_of_day"] for account in inputs.values())
        if rows != cells["rows"].sum():
            raise AccountError(
                f"{day}: {rows} rows can be used, but {cells['rows'].sum()} were aggregated; "
                "nothing was written, please report this"
            )
        try:
            if not run.settings.measured.replace:
                stored.refuse_loss(day, slices, rows)
        except DataError as error:
            if not run.tolerant:
                raise
            lost[day.isoformat()] = Lost(fingerprint_of(depends_on), str(error))
            continue
        out = stack.enter_context(DayFolder.replacing(run.workspace.slices, day))
        write_day(slices, out.slices)
        manifest = _manifest(slices, inputs, depends_on, run.network, run.settings)
        write_json(out.manifest, manifest)
        built.append(day)
    return built, lost


def _account(run: Run, source: Source, reading: Reading, stack: ExitStack) -> Input:
    """Write the refused rows of a file, and return the account of all its rows."""
    own = reading.counts.filter(pl.col("file") == source.name)
    sums = own.group_by("day").agg(pl.col("rows").sum()).sort("day")
    days = {day.isoformat(): rows for day, rows in sums.iter_rows()}
    digest = run.digests[source.name]
    account = Input(source.name, digest, fingerprint_of(run.shared), source.rows_in, {}, days)
    temporary = stack.enter_context(whole_file(run.quarantine / f"{account.key}.parquet"))
    if sum(days.values()) == source.rows_in:
        write_none(temporary)
        return account
    stray = stray_rows(source, reading.usual, run.segment_ids)
    account.refused.update(write_refused(source, stray, temporary))
    check_account(source.name, source.rows_in, sum(days.values()), account.refused)
    return account


def _refuse_nothing_left(accounts: Sequence[Input], settings: Settings) -> None:
    if any(account.days for account in accounts):
        return
    refused: dict[str, int] = {}
    for account in accounts:
        for rule, count in account.refused.items():
            refused[rule] = refused.get(rule, 0) + count
    counts = ", ".join(f"{rule} {count}" for rule, count in sorted(refused.items()))
    raise DataError(
        f"{settings.city.fixes}: none of the {sum(refused.values())} rows can be used ({counts}); "
        "do the rows and the roads belong to the same city, and are measured.columns right?"
    )


def _manifest(
    slices: pl.DataFrame,
    inputs: dict[str, dict[str, Any]],
    depends_on: dict[str, str],
    network: Network,
    settings: Settings,
) -> dict[str, Any]:
    """Return what the manifest of a day records."""
    chosen = settings_to_dict(settings)
    return {
        "slice_minutes": settings.slices.minutes,
        "rows": len(slices),
        "inputs": inputs,
        "fingerprint": fingerprint_of(depends_on),
        "depends_on": depends_on,
        "fixes_by_slice": clock_of_slices(slices.to_arrow()),
        "network": network.fingerprint(),
        # Where the files lay is no property of the day: the same files give the same bytes.
        "city": {name: chosen["city"][name] for name in ("name", "timezone", "source")},
        "settings": {
            "measured": {k: v for k, v in chosen["measured"].items() if k != "replace"},
            "slices": chosen["slices"],
        },
        "versions": {name: version(name) for name in VERSIONS},
    }
