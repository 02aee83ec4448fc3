"""The forecasts that were issued for the slices of a local day, as they were first issued."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.errors import DataError
from roadgraph.predict.store import (
    first_issued,
    forecasts_of_days,
    read_forecast,
    read_manifest,
)
from roadgraph.schema import PREDICTIONS, read_whole
from roadgraph.storage import fingerprint
from roadgraph.verification.scoring import Cells

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from roadgraph.settings import Settings
    from roadgraph.verification.observed import ObservedDay
    from roadgraph.workspace import Workspace

    T = TypeVar("T")

LONGEST_HORIZON = pd.Timedelta(days=1)
"""The setting ``dataset.horizons_min`` allows no longer one."""

COURSE = ["issued_at", "slice_start", "segment_id", "speed", "speed_p10", "speed_p90"]
"""Columns of predictions that the course of a segment's speed over the day is drawn from."""


@dataclass(frozen=True)
class Issued:
    """The forecasts of a day's observed cells.

    Attributes:
        cells: to be scored.
        unobserved: forecasts of the day whose cell was not observed.
        seen: forecasts of observed cells that are left out because they were issued at a time
            that their model was made from; its error would flatter.
        strangers: forecasts of segments that the network does not have.
        other_length: forecasts of slices of another length than those of now; a mean over another
            time is another figure.
        hindsight: of the judged forecasts those that were issued when data of after their time
            were there already, so that they may rest on some of them; those whose manifest does
            not say so are among them.
    """

    cells: Cells
    unobserved: int
    seen: int
    strangers: int
    other_length: int
    hindsight: int

    @property
    def counts(self) -> dict[str, int]:
        """How many forecasts of the day are judged, and how many not, by reason."""
        return {
            "judged": len(self.cells.table),
            "unobserved": self.unobserved,
            "seen": self.seen,
            "strangers": self.strangers,
            "other_length": self.other_length,
        }

    @property
    def models(self) -> dict[str, int]:
        """How many of the judged forecasts each model made."""
        counts = self.cells.table["made_by"].value_counts()
        return dict(sorted((str(name), int(count)) for name, count in counts.items()))

    def none_judged(self, day: date) -> str:
        """Return the reason of a day on which no forecast can be judged."""
        counts = self.counts.items()
        left_out = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts)
        return f"no forecast of {day} can be judged ({left_out})"


def issued_of_day(
    settings: Settings,
    workspace: Workspace,
    day: date,
    observed: ObservedDay,
    segment_ids: list[str],
) -> Issued:
    """Read the forecasts whose target slice begins on ``day``, a time of issue at a time.

    Args:
        settings: ``city.timezone`` and ``slices.minutes`` are used.
        workspace: where the forecasts are.
        day: the day.
        observed: what was observed on it.
        segment_ids: of the network, ``N``.

    Raises:
        DataError: a file is damaged or does not say which time its model has seen.
    """
    begin, end = span_of_day(day, city_zone(settings.city.timezone), settings.slices.minutes)
    tables = [pd.DataFrame(columns=[*PREDICTIONS.columns, "made_by"])]
    targets, segments = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    unobserved = seen = strangers = other_length = hindsight = 0
    place = pd.Index(segment_ids)
    for path in forecasts_for_day(settings, workspace, day):
        rows = _as_issued(path, read_forecast)
        start = rows["slice_start"]
        rows = rows.filter(pc.and_(pc.greater_equal(start, begin), pc.less(start, end)))
        of_day = len(rows)
        rows = rows.filter(_of_length(rows, settings.slices.minutes))
        other_length += of_day - len(rows)
        if not len(rows):
            continue  # most of the day before, whose forecasts reach into this day at its end
        manifest = _as_issued(path, read_manifest)
        seen_until = _seen_until(manifest, path)
        table = rows.to_pandas()
        starts = pd.DatetimeIndex(table["slice_start"])
        target = observed.slice_starts.get_indexer(starts)
        segment = place.get_indexer(table["segment_id"])
        known = segment >= 0
        is_observed = known & (target >= 0)
        is_observed &= ~np.isnan(observed.speed_kph[target, segment])
        unseen = pd.DatetimeIndex(table["issued_at"]) >= seen_until
        chosen = np.flatnonzero(is_observed & unseen)
        strangers += int((~known).sum())
        unobserved += int((known & ~is_observed).sum())
        seen += int((is_observed & ~unseen).sum())
        if len(chosen):
            hindsight += len(chosen) if manifest.get("hindsight", True) else 0
            titles = table["model"].iloc[chosen]
            # Added segments may have been forecast by another model than the one that was asked.
            made_by = titles.replace({manifest["model"]["title"]: model_of(manifest)})
            tables.append(table.iloc[chosen].assign(made_by=made_by))
            targets.append(target[chosen])
            segments.append(segment[chosen])
    # An empty first table would take the types of the columns away.
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    cells = Cells(table, np.concatenate(targets), np.concatenate(segments))
    return Issued(cells, unobserved, seen, strangers, other_length, hindsight)


def forecasts_of_segments(
    settings: Settings,
    workspace: Workspace,
    day: date,
    segment_ids: Sequence[str],
    horizon_min: int,
) -> pd.DataFrame:
    """Read what was first said of a few segments at one horizon, observed or not.

    Forecasts that were issued at a time that their model was made from are left out, and those of
    slices of another length than those of now.

    Args:
        settings: ``city.timezone`` and ``slices.minutes`` are used.
        workspace: where the forecasts are.
        day: on which the target slices begin.
        segment_ids: which segments.
        horizon_min: how far ahead.

    Returns:
        ``COURSE`` of ``schema.PREDICTIONS``, by time of issue.

    Raises:
        DataError: a file is damaged or does not say which time its model has seen.
    """
    begin, end = span_of_day(day, city_zone(settings.city.timezone), settings.slices.minutes)
    start = pc.field("slice_start")
    rows = (
        pc.field("segment_id").isin(pa.array([*segment_ids], pa.string()))
        & (pc.field("horizon_min") == horizon_min)
        & (start >= begin)
        & (start < end)
    )
    columns = [*COURSE, "horizon_min"]
    tables = []
    for path in forecasts_for_day(settings, workspace, day):
        table = _as_issued(path, partial(read_whole, columns=columns, rows=rows))
        table = table.replace_schema_metadata(None)
        table = table.filter(_of_length(table, settings.slices.minutes)).select(COURSE)
        if len(table):
            seen_until = _seen_until(_as_issued(path, read_manifest), path)
            tables.append(table.filter(pc.greater_equal(table["issued_at"], seen_until)))
    schema = pa.schema([PREDICTIONS.schema.field(name).remove_metadata() for name in COURSE])
    return pa.concat_tables([schema.empty_table(), *tables]).to_pandas()


def is_forecast(settings: Settings, workspace: Workspace, day: date) -> bool:
    """Return whether a forecast was issued for a slice of ``day``.

    Raises:
        DataError: a file is damaged.
    """
    begin, end = span_of_day(day, city_zone(settings.city.timezone), settings.slices.minutes)
    start = pc.field("slice_start")
    return any(
        len(read_whole(path, ["slice_start"], (start >= begin) & (start < end)))
        for path in reversed(forecasts_for_day(settings, workspace, day))
    )


def forecasts_for_day(settings: Settings, workspace: Workspace, day: date) -> list[Path]:
    """Return the files that can hold a forecast of a local day, as issued, by time of issue."""
    zone = city_zone(settings.city.timezone)
    begin, _ = span_of_day(day, zone, settings.slices.minutes)
    first = (begin - LONGEST_HORIZON).tz_convert(zone).date()
    return list(forecasts_of_days(workspace.forecasts, first, day, as_issued=True).values())


def digest_of_forecasts(settings: Settings, workspace: Workspace, day: date) -> str:
    """Return a SHA-256 over what the forecasts of a local day were made from.

    Raises:
        DataError: a file is damaged.
    """
    return fingerprint(
        text
        for path in forecasts_for_day(settings, workspace, day)
        for text in (path.name, json.dumps(read_manifest(path), sort_keys=True))
    )


def model_of(manifest: dict[str, Any]) -> str:
    """Return the model of a forecast as people know it, such as ``gat-simple (version 3)``."""
    model = manifest["model"]
    version = model.get("version")
    return f"{model['title']} (version {version})" if version else str(model["title"])


def _as_issued(path: Path, read: Callable[[Path], T]) -> T:
    """Read a forecast as it was first issued, also where it was issued again since it was listed.

    What was said first is put aside before the newer forecast takes its place.
    """
    try:
        found = read(path)
    except DataError:  # one that is replaced while it is read seems damaged
        first = first_issued(path)
        if first == path:
            raise
        return read(first)
    first = first_issued(path)
    return found if first == path else read(first)


def _of_length(rows: pa.Table, minutes: int) -> pa.Array:
    """Return of which predictions the slice has ``minutes``: it ends when the horizon is over."""
    starts, issued = (
        pd.DatetimeIndex(rows[name].to_pandas()) for name in ("slice_start", "issued_at")
    )
    ahead = pd.to_timedelta(rows["horizon_min"].to_numpy(), unit="min")
    return pa.array(ahead - (starts - issued) == pd.Timedelta(minutes=minutes))


def _seen_until(manifest: dict[str, Any], path: Path) -> pd.Timestamp:
    text = manifest.get("seen_until")
    if not text:
        raise DataError(
            f"{path} does not say which time its model has seen, so its error cannot be told; "
            "remove it"
        )
    return pd.Timestamp(text).tz_convert("UTC")
