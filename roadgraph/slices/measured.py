"""Data that is on segments already into the store of slices, with an account of every row."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from roadgraph.config import settings_to_dict
from roadgraph.errors import AccountError, DataError
from roadgraph.probes.feed_files import feed_files
from roadgraph.probes.fix_store import Input, check_account, sha256_of
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
from roadgraph.slices.measured_values import SEGMENT_STEP
from roadgraph.slices.store import DayFolder
from roadgraph.storage import fingerprint, whole_file, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.probes.feed_files import FeedFile
    from roadgraph.settings import Settings
    from roadgraph.slices.measured_files import Source, Span
    from roadgraph.workspace import Workspace

    Progress = Callable[[str, float], None]

VERSIONS = ("roadgraph", "narwhals", "polars")
"""The packages that slices depend on; a manifest names their versions."""


@dataclass(frozen=True)
class MeasuredRun:
    """What came in and what became of it.

    Attributes:
        inputs: account of each file; its ``days`` count the rows that slices rest on.
        days: the local days that were written.
        slices: rows of all these days.
    """

    inputs: tuple[Input, ...]
    days: tuple[date, ...]
    slices: int


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


def measured_to_slices(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Progress = lambda step, share: None,
) -> MeasuredRun:
    """Replace the local days of the store of slices that the files of ``city.fixes`` have rows of.

    All of these days are replaced, or none; so are the files of refused rows. This runs in the
    process itself, whatever ``engine`` is: one machine reads such rows as fast as its disk.

    Args:
        settings: ``city``, ``measured`` and ``slices`` are used.
        network: rows of other segments are refused.
        workspace: where the store and the quarantine are.
        progress: called with the step's name and the share of it that is done.

    Raises:
        DataError: a file cannot be used, no row can, or a day of the store rests on more data.
        SettingsError: a setting of ``measured`` cannot be used.
    """
    ids = sorted(network.segment_ids)
    with ExitStack() as stack:
        workspace.measured.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".reading-", dir=workspace.measured)
        opening = Opening(
            ids, settings.slices.minutes, settings.measured, Path(stack.enter_context(temporary))
        )
        files = feed_files(Path(settings.city.fixes))
        digests = digests_of(files)
        sources = _opened(files, opening, settings, progress)
        reading = count_rows(sources, settings)
        accounts = [
            _account(reading, place, digests[source.name], ids, workspace, stack)
            for place, source in enumerate(sources)
        ]
        _refuse_nothing_left(accounts, settings)
        manifest = _manifest(network, settings)
        stored = StoredDays.of(workspace.slices)
        days, written = [], 0
        for day, cells in cells_by_day(reading, lambda share: progress("aggregating rows", share)):
            slices = slices_of_cells(cells, ids, settings.slices.minutes)
            inputs = _inputs_of_day(accounts, day)
            rows = sum(account["rows_of_day"] for account in inputs.values())
            if rows != cells["rows"].sum():
                raise AccountError(
                    f"{day}: {rows} rows can be used, but {cells['rows'].sum()} were aggregated; "
                    "nothing was written, please report this"
                )
            if not settings.measured.replace:
                stored.refuse_loss(day, slices, rows)
            out = stack.enter_context(DayFolder.replacing(workspace.slices, day))
            write_day(slices, out.slices)
            content = {"slice_minutes": settings.slices.minutes, "rows": len(slices)}
            write_json(out.manifest, {**content, "inputs": inputs, **manifest})
            days.append(day)
            written += len(slices)
    return MeasuredRun(tuple(accounts), tuple(days), written)


def digests_of(files: Sequence[FeedFile]) -> dict[str, str]:
    """Return the SHA-256 of each file, or of the zip that holds it, by name.

    Raises:
        DataError: two files hold the same.
    """
    by_path = {path: sha256_of(path) for path in dict.fromkeys(file.path for file in files)}
    first: dict[str, Path] = {}
    for path, digest in by_path.items():
        if digest in first:
            raise DataError(
                f"{path} holds the same bytes as {first[digest].name}, so that every row would "
                "count twice; take one of the two away"
            )
        first[digest] = path
    return {file.name: by_path[file.path] for file in files}


def _opened(
    files: Sequence[FeedFile], opening: Opening, settings: Settings, progress: Progress
) -> list[Source]:
    sources: list[Source] = []
    for place, file in enumerate(files):
        source = opening.open(file, place)
        if source is not None:
            sources.append(source)
        progress("reading rows", (place + 1) / len(files))
    if not sources:
        raise DataError(f"{settings.city.fixes}: no row in it")
    for source in sources:
        if source.kind is not sources[0].kind:
            raise DataError(
                f"{settings.city.fixes}: {sources[0].name} holds {sources[0].kind.table.name} and "
                f"{source.name} {source.kind.table.name}; read one kind at a time, each into a "
                "city of its own"
            )
    return sources


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


def _inputs_of_day(accounts: Sequence[Input], day: date) -> dict[str, dict[str, Any]]:
    return {
        account.name: {
            "sha256": account.sha256,
            "rows": account.rows_in,
            "used": sum(account.days.values()),
            "refused": account.refused,
            "rows_of_day": account.days[day.isoformat()],
        }
        for account in accounts
        if day.isoformat() in account.days
    }


def _manifest(network: Network, settings: Settings) -> dict[str, Any]:
    """Return what the manifest of every day records beside its inputs."""
    chosen = settings_to_dict(settings)
    versions = {name: version(name) for name in VERSIONS}
    of_data = {name: value for name, value in chosen["measured"].items() if name != "replace"}
    return {
        "fingerprint": fingerprint([network.fingerprint(), repr(of_data), repr(versions)]),
        "network": network.fingerprint(),
        # Where the files lay is no property of the day: the same files give the same bytes.
        "city": {name: chosen["city"][name] for name in ("name", "timezone", "source")},
        "settings": {"measured": of_data, "slices": chosen["slices"]},
        "versions": versions,
    }
