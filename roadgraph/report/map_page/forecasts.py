"""Forecasts as arrays by time of issue, horizon and segment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.dataset.grid import places_of
from roadgraph.errors import DataError
from roadgraph.predict.store import MANIFEST_KEY, METADATA, read_forecast
from roadgraph.report.map_page.packing import NO_AGE, NONE, PROBABILITY_STEP, quantised
from roadgraph.schema import BASES, CONGESTION_CLASSES, PREDICTIONS, read_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    Metadata = Mapping[bytes, bytes] | None

PROBABILITIES = tuple(f"p_{name}" for name in CONGESTION_CLASSES)
SPEEDS = ("speed", "speed_p10", "speed_p90")
SEEN_UNTIL = f"{METADATA}seen_until".encode()
SHOWN_IDS = 3  # of those that are wrong, in a message


@dataclass(frozen=True)
class IssuedForecasts:
    """Forecasts of several times, each read when it is asked for.

    Attributes:
        times: of issue in UTC, rising.
        read: gives the rows of one of them, the columns of ``schema.PREDICTIONS``.
        flattered: those of ``times`` that the model which forecast was made from.
        hindsight: those of the store that were, or may have been, issued when there were fixes of
            later already.
    """

    times: tuple[pd.Timestamp, ...]
    read: Callable[[pd.Timestamp], pa.Table]
    flattered: frozenset[pd.Timestamp] = frozenset()
    hindsight: frozenset[pd.Timestamp] = frozenset()

    @classmethod
    def of_table(cls, table: pa.Table) -> IssuedForecasts:
        """Return the forecasts in a table.

        Args:
            table: the columns of ``schema.PREDICTIONS``; its metadata, as
                :func:`~roadgraph.predict.predictions.signed` or the store writes it, may say until
                when its model was made.

        Raises:
            DataError: a column is missing.
        """
        rows = PREDICTIONS.typed(table)
        issued_us = rows["issued_at"].cast(pa.int64()).to_numpy()
        if (issued_us[1:] < issued_us[:-1]).any():
            order = np.argsort(issued_us, kind="stable")
            rows, issued_us = rows.take(pa.array(order)), issued_us[order]
        found, first = np.unique(issued_us, return_index=True)
        times = tuple(pd.to_datetime(found, unit="us", utc=True))
        counts = np.diff(first, append=len(rows))
        spans = dict(zip(times, zip(first, counts, strict=True), strict=True))

        def read(time: pd.Timestamp) -> pa.Table:
            return rows.slice(*spans[time])

        metadata = dict.fromkeys(times, table.schema.metadata)
        return cls(times, read, _flattered(metadata), _hindsight(metadata))

    @classmethod
    def of_files(cls, files: Mapping[pd.Timestamp, Path]) -> IssuedForecasts:
        """Return the forecasts in files, those without a row left out.

        Args:
            files: by time of issue, as :func:`~roadgraph.predict.store.forecasts_of_days` finds
                them.

        Raises:
            DataError: a file is damaged.
        """
        metadata = {}
        for time, path in sorted(files.items()):
            rows = read_whole(path, ["horizon_min"])
            if len(rows):
                metadata[time] = rows.schema.metadata
        times = tuple(metadata)
        known = _flattered(metadata), _hindsight(metadata)
        return cls(times, lambda time: read_forecast(files[time]), *known)


@dataclass(frozen=True)
class Issue:
    """One forecast of ``N`` segments at ``H`` horizons as arrays.

    Attributes:
        issued_at: its time in UTC.
        horizons_min: ``[H]`` rising.
        slice_minutes: length of a slice.
        models: titles of the models that answered.
        cells: ``[H, N]`` by column: classes and probabilities as the page has them, speeds as
            float32 in km/h; columns without a number are missing.
        rows: ``[H]`` by column: ``p_rush_hour``, ``history_basis``.
        segments: ``[N]`` by column: ``seen``, ``age_min``, ``new_segment``.
        answered: ``[N]`` bool, whether the segment has a row at any horizon.
    """

    issued_at: pd.Timestamp
    horizons_min: tuple[int, ...]
    slice_minutes: int
    models: tuple[str, ...]
    cells: Mapping[str, np.ndarray]
    rows: Mapping[str, np.ndarray]
    segments: Mapping[str, np.ndarray]
    answered: np.ndarray

    @property
    def fastest_kph(self) -> float:
        """The highest speed in it; 0 without any."""
        speeds = [self.cells[name] for name in SPEEDS if name in self.cells]
        # A forecast by the history alone has speeds, but no interval at all.
        fastest = (np.max(speed, where=~np.isnan(speed), initial=0) for speed in speeds)
        return float(max(fastest, default=0))

    @property
    def last_start(self) -> pd.Timestamp:
        """When the slice began that ended at the time of issue."""
        return self.issued_at - pd.Timedelta(minutes=self.slice_minutes)

    def target_start(self, horizon_min: int) -> pd.Timestamp:
        """Return when the slice begins that the forecast of a horizon is for."""
        return self.last_start + pd.Timedelta(minutes=horizon_min)


def issue_of(table: pa.Table, segment_ids: pa.Array, city: str) -> Issue:
    """Return one forecast as arrays.

    Args:
        table: the columns of ``schema.PREDICTIONS`` of one time of issue; segments may be missing.
        segment_ids: ``[N]`` text, the network's segments in their order.
        city: its name, for the messages.

    Raises:
        DataError: it is of another network, of slices of several lengths, or has two rows for one
            segment and horizon.
    """
    place = places_of(table["segment_id"], segment_ids)
    refuse_strangers(table, place, city)
    horizon_min = table["horizon_min"].to_numpy()
    horizons, step = np.unique(horizon_min, return_inverse=True)
    shape = (len(horizons), len(segment_ids))
    cell = step.astype(np.int64) * shape[1] + place
    counted = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    if counted.max() > 1:
        ahead, segment = np.argwhere(counted > 1)[0]
        raise DataError(
            f"two predictions of segment '{segment_ids[segment]}' "
            f"{horizons[ahead]} minutes ahead, issued at {_issued_at(table)}; give "
            "each forecast once"
        )
    return Issue(
        _issued_at(table),
        tuple(horizons.tolist()),
        slice_minutes_of(table),
        tuple(sorted(filter(None, table["model"].unique().to_pylist()))),
        _cells(table, cell, shape),
        _by_horizon(table, step, shape[0]),
        _by_segment(table, place, shape[1]),
        counted.max(axis=0) > 0,
    )


def refuse_strangers(table: pa.Table, place: np.ndarray, city: str) -> None:
    """Refuse predictions of segments that the network does not have.

    Args:
        table: ``R`` rows of predictions.
        place: ``[R]`` of each row's segment in the network, -1 where it has none.
        city: its name.

    Raises:
        DataError: there is such a row.
    """
    if not (place < 0).any():
        return
    strangers = sorted(pc.unique(table["segment_id"].filter(pa.array(place < 0))).to_pylist())
    count = len(pc.unique(table["segment_id"]))
    shown = ", ".join(f"'{name}'" for name in strangers[:SHOWN_IDS])
    raise DataError(
        f"predictions for another network: {len(strangers):,} of their {count:,} segments are not "
        f"in that of '{city}' (such as {shown}); name the city that they were made for "
        "(city=...), or forecast again: roadgraph predict"
    )


def refuse_lengths(issues: Sequence[Issue]) -> None:
    """Refuse forecasts for slices of several lengths on one page.

    Raises:
        DataError: they are.
    """
    minutes = sorted({issue.slice_minutes for issue in issues})
    if len(minutes) > 1:
        raise DataError(
            f"the forecasts of this day are for slices of {' and '.join(map(str, minutes))} "
            "minutes, so slices.minutes has changed between them; show another day (--day), or "
            "forecast again: roadgraph run"
        )


def stacked(issues: Sequence[Issue], step_kph: float) -> dict[str, np.ndarray]:
    """Return the arrays of ``I`` forecasts as the page has them, over all of their horizons.

    Args:
        issues: rising in time, of the same segments.
        step_kph: the unit of speeds.

    Returns:
        By name ``[I, H, N]``, ``[I, H]``, ``[I, N]`` and ``new_segment [N]``; what no forecast has
        a number of is left out.
    """
    horizons = horizons_of(issues)
    at = [np.searchsorted(horizons, issue.horizons_min) for issue in issues]
    arrays: dict[str, np.ndarray] = {}
    segments = len(issues[0].answered)
    for name in ("congestion", *PROBABILITIES, *SPEEDS):
        if not any(name in issue.cells for issue in issues):
            continue
        arrays[name] = np.full((len(issues), len(horizons), segments), NONE, dtype=np.uint8)
        for i, issue in enumerate(issues):
            if name in issue.cells:
                cells = issue.cells[name]
                arrays[name][i, at[i]] = quantised(cells, step_kph) if name in SPEEDS else cells
    for name, empty in (("p_rush_hour", NONE), ("history_basis", 0)):
        arrays[name] = np.full((len(issues), len(horizons)), empty, dtype=np.uint8)
        for i, issue in enumerate(issues):
            arrays[name][i, at[i]] = issue.rows[name]
    if (arrays["p_rush_hour"] == NONE).all():
        del arrays["p_rush_hour"]
    for name in ("seen", "age_min"):
        arrays[name] = np.stack([issue.segments[name] for issue in issues])
    arrays["new_segment"] = np.max([issue.segments["new_segment"] for issue in issues], axis=0)
    return arrays


def horizons_of(issues: Sequence[Issue]) -> list[int]:
    """Return the horizons that any of the forecasts has, rising, in minutes."""
    return sorted({horizon for issue in issues for horizon in issue.horizons_min})


def _flattered(
    metadata: Mapping[pd.Timestamp, Metadata],
) -> frozenset[pd.Timestamp]:
    """Return the times of issue before that until which the forecast's model was made."""
    found = set()
    for time, told in metadata.items():
        seen_until = _manifest(told).get("seen_until") or (told or {}).get(SEEN_UNTIL, b"").decode()
        if seen_until and time < pd.Timestamp(seen_until):
            found.add(time)
    return frozenset(found)


def _hindsight(metadata: Mapping[pd.Timestamp, Metadata]) -> frozenset[pd.Timestamp]:
    """Return the times of those that the store does not know to be issued at their time."""
    manifests = {time: _manifest(told) for time, told in metadata.items()}
    return frozenset(
        time for time, told in manifests.items() if told and told.get("hindsight", True)
    )


def _manifest(metadata: Metadata) -> dict[str, Any]:
    """Return what the store has written down of a forecast; of other files nothing."""
    return dict(json.loads((metadata or {}).get(MANIFEST_KEY, b"{}")))


def _issued_at(table: pa.Table) -> pd.Timestamp:
    return pd.Timestamp(table["issued_at"][0].as_py())


def slice_minutes_of(table: pa.Table) -> int:
    """Return how long the slices are that the rows of one time of issue are for, in minutes.

    Raises:
        DataError: they are of several lengths.
    """
    ahead = pc.subtract(table["slice_start"], table["issued_at"]).cast(pa.int64()).to_numpy()
    minutes = np.unique(table["horizon_min"].to_numpy() - ahead // 60_000_000)
    if len(minutes) > 1:
        raise DataError(
            f"the predictions issued at {_issued_at(table)} are for slices of "
            f"{' and '.join(map(str, minutes))} minutes; forecast again: roadgraph predict"
        )
    return int(minutes[0])


def _cells(table: pa.Table, cell: np.ndarray, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return ``[H, N]`` of the columns that have a number at all."""

    def spread(values: np.ndarray, empty: float) -> np.ndarray:
        array = np.full(shape, empty, dtype=values.dtype)
        array.reshape(-1)[cell] = values
        return array

    known = {name: table[name] for name in table.column_names if table[name].null_count < len(cell)}
    cells = {}
    if PROBABILITIES[0] in known or "congestion" in known:
        answer = pc.index_in(table["congestion"], value_set=pa.array(CONGESTION_CLASSES))
        cells["congestion"] = spread(pc.fill_null(answer, NONE).to_numpy().astype(np.uint8), NONE)
        for name in PROBABILITIES:
            cells[name] = spread(quantised(table[name].to_numpy(), PROBABILITY_STEP), NONE)
    if "speed" in known:
        for name in SPEEDS:
            cells[name] = spread(table[name].to_numpy().astype(np.float32), np.nan)
    return cells


def _by_horizon(table: pa.Table, step: np.ndarray, horizons: int) -> dict[str, np.ndarray]:
    """Return ``[H]``: the mean probability of rush hour, and what rests on history alone."""
    rush = table["p_rush_hour"].to_numpy().astype(np.float64)
    known = ~np.isnan(rush)
    counted = np.bincount(step[known], minlength=horizons)
    total = np.bincount(step[known], rush[known], minlength=horizons)
    mean = np.where(counted > 0, total / np.maximum(counted, 1), np.nan)
    by_model = pc.fill_null(pc.not_equal(table["basis"], BASES[1]), True).to_numpy()
    typical = np.bincount(step, by_model, minlength=horizons) == 0
    return {
        "p_rush_hour": quantised(mean, PROBABILITY_STEP),
        "history_basis": typical.astype(np.uint8),
    }


def _by_segment(table: pa.Table, place: np.ndarray, segments: int) -> dict[str, np.ndarray]:
    """Return ``[N]``; what is the same at every horizon is taken of any."""
    seen = np.zeros(segments, dtype=np.uint8)
    seen[place] = pc.fill_null(table["observed"], False).to_numpy()
    new = np.zeros(segments, dtype=np.uint8)
    new[place] = pc.fill_null(table["new_segment"], False).to_numpy()
    age_min = np.full(segments, NO_AGE, dtype=np.uint16)
    ages = pc.fill_null(table["segment_age_min"], NO_AGE).to_numpy()
    age_min[place] = np.clip(ages, 0, NO_AGE).astype(np.uint16)
    return {"seen": seen, "age_min": age_min, "new_segment": new}
