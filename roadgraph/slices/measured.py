"""Data that is on segments already into the store of slices, with an account of every row."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from roadgraph.config import settings_to_dict
from roadgraph.errors import AccountError, DataError
from roadgraph.probes.fix_store import Input, check_account
from roadgraph.probes.news import Fault
from roadgraph.slices.clock import clock_of_slices
from roadgraph.slices.measured_cells import (
    BATCH_ROWS,
    aggregate,
    count_slices,
    counted,
    spans_of,
    usual_span,
)
from roadgraph.slices.measured_days import StoredDays, slices_of_cells, with_days, write_day
from roadgraph.slices.measured_files import Opening
from roadgraph.slices.measured_quarantine import stray_rows, write_none, write_refused
from roadgraph.slices.measured_record import (
    VERSIONS,
    Record,
    collecting,
    dependencies_of_day,
    inputs_of_day,
    shared_by_days,
    stale_of_record,
)
from roadgraph.slices.measured_values import SEGMENT_STEP
from roadgraph.slices.store import DayFolder
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import scratch_folder, whole_file, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from roadgraph.network.network import Network
    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.settings import Settings
    from roadgraph.slices.measured_files import Source, Span
    from roadgraph.workspace import Workspace

    Progress = Callable[[str, float], None]
    OnFault = Callable[[str, Exception], None]
    Manifests = Mapping[date, dict[str, Any]]


@dataclass(frozen=True)
class Reading:
    """The rows of a run, before any of them is aggregated for good.

    Attributes:
        sources: its files.
        counts: ``file`` (place), ``slice`` (since 1970), ``day`` and ``rows`` that can be used.
        cells: of all rows, where they had to be aggregated to be counted.
        usual: the slices whose rows count; the others come from stray clocks.
    """

    sources: Sequence[Source]
    counts: pl.DataFrame
    cells: pl.DataFrame | None
    usual: Span


def read_measured(
    files: Sequence[FeedFile],
    digests: Mapping[str, str],
    key: str,
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Progress,
    days: Container[date],
    tolerant: bool,
) -> tuple[Record, tuple[date, ...], list[Fault]]:
    """Read all files and write the stale days; all of these, or none.

    Args:
        files: to read.
        digests: of them, by name.
        key: of the record that is kept of this.
        settings: ``city``, ``measured`` and ``slices`` are used.
        network: rows of other segments are refused.
        workspace: where the store and the quarantine are.
        progress: called with the step's name and the share of it that is done.
        days: that are written if they are stale.
        tolerant: go on without files and days that cannot be used.

    Returns:
        The accounts, the days written, and the days that were left out.

    Raises:
        DataError: a file cannot be used, no row can, or a day of the store rests on more data.
        SettingsError: a setting of ``measured`` cannot be used.
    """
    ids = sorted(network.segment_ids)
    shared = shared_by_days(settings, network)
    broken: list[Fault] = []
    lost: list[Fault] = []
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_folder(workspace.measured / "reading"))
        opening = Opening(ids, settings.slices.minutes, settings.measured, scratch)
        on_fault = collecting(broken) if tolerant else None
        sources = _opened(files, opening, settings, progress, on_fault)
        reading = _counted(sources, settings, on_fault)
        accounts = tuple(
            _account(reading, place, digests[source.name], ids, workspace, stack)
            for place, source in enumerate(reading.sources)
        )
        _refuse_nothing_left(accounts, settings)
        record = Record(key, accounts, tuple(broken))
        stored = StoredDays.of(workspace.slices)
        stale = stale_of_record(record, stored.manifests, shared, days)
        built = []
        wanted = replace(reading, counts=reading.counts.filter(pl.col("day").is_in(list(stale))))
        for day, cells in cells_by_day(wanted, lambda share: progress("aggregating rows", share)):
            slices = slices_of_cells(cells, ids, settings.slices.minutes)
            inputs = inputs_of_day(accounts, day)
            rows = sum(account["rows_of_day"] for account in inputs.values())
            if rows != cells["rows"].sum():
                raise AccountError(
                    f"{day}: {rows} rows can be used, but {cells['rows'].sum()} were aggregated; "
                    "nothing was written, please report this"
                )
            try:
                if not settings.measured.replace:
                    stored.refuse_loss(day, slices, rows)
            except DataError as error:
                if not tolerant:
                    raise
                lost.append(Fault(str(day), str(error)))
                continue
            out = stack.enter_context(DayFolder.replacing(workspace.slices, day))
            write_day(slices, out.slices)
            depends_on = dependencies_of_day(accounts, day, shared)
            write_json(out.manifest, _manifest(slices, inputs, depends_on, network, settings))
            built.append(day)
    record.write(workspace.measured)
    return record, tuple(built), lost


def _opened(
    files: Sequence[FeedFile],
    opening: Opening,
    settings: Settings,
    progress: Progress,
    on_fault: OnFault | None,
) -> list[Source]:
    sources: list[Source] = []
    for place, file in enumerate(files):
        try:
            source = opening.open(file, place)
            if source is not None:
                _refuse_two_kinds(source, sources, settings)
                sources.append(source)
        except DataError as error:
            if on_fault is None:
                raise
            on_fault(file.name, error)
        progress("reading rows", (place + 1) / len(files))
    if not sources:
        raise DataError(f"{settings.city.fixes}: no row in it")
    return sources


def _refuse_two_kinds(source: Source, sources: Sequence[Source], settings: Settings) -> None:
    if sources and source.kind is not sources[0].kind:
        raise DataError(
            f"{settings.city.fixes}: {sources[0].name} holds {sources[0].kind.table.name} and "
            f"{source.name} {source.kind.table.name}; read one kind at a time, each into a "
            "city of its own"
        )


def _counted(sources: Sequence[Source], settings: Settings, on_fault: OnFault | None) -> Reading:
    try:
        return count_rows(sources, settings)
    except DataError:
        if on_fault is None:
            raise
        sound = [source for source in sources if _is_sound(source, on_fault)]
        if not sound:
            raise
        return count_rows(sound, settings)


def _is_sound(source: Source, on_fault: OnFault) -> bool:
    try:
        count_slices([source])
    except DataError as error:
        on_fault(source.name, error)
        return False
    return True


def count_rows(sources: Sequence[Source], settings: Settings) -> Reading:
    """Find out when the rows of files are.

    Raises:
        DataError: a file is damaged.
    """
    cells = None
    if len(sources) == 1 and sources[0].rows_in <= BATCH_ROWS:
        # To aggregate one file of no great size takes hardly longer than to count its rows.
        cells = aggregate(sources)
        counts = counted(cells.lazy()).collect()
    else:
        counts = count_slices(sources)
    usual = usual_span(counts, settings.slices.minutes)
    inside = pl.col("slice").is_between(usual.first, usual.stop, closed="left")
    return Reading(sources, with_days(counts.filter(inside), settings), cells, usual)


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


def _account(
    reading: Reading,
    place: int,
    digest: str,
    segment_ids: Sequence[str],
    workspace: Workspace,
    stack: ExitStack,
) -> Input:
    """Write the refused rows of a file, and return the account of all its rows."""
    source = reading.sources[place]
    own = reading.counts.filter(pl.col("file") == place)
    sums = own.group_by("day").agg(pl.col("rows").sum()).sort("day")
    days = {day.isoformat(): rows for day, rows in sums.iter_rows()}
    account = Input(source.name, digest, "", source.rows_in, {}, days)
    path = workspace.measured / "quarantine" / f"{account.key}.parquet"
    temporary = stack.enter_context(whole_file(path))
    if sum(days.values()) == source.rows_in:
        write_none(temporary)
        return account
    stray = stray_rows(source, reading.usual, segment_ids) if days else None
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
