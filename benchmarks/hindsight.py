"""What a forecast gains from fixes that came only after it was issued.

    python benchmarks/hindsight.py [BUNDLE ...]

A trip is matched whole. Where slices are made later (for training, evaluation or a backfill), a
vehicle that was on its way at a time T gives the slice before T a speed that rests on fixes after T
too. A live forecast at T has no such fixes. For every half hour T of two days of the sample city,
which no bundle has seen, slices are made once from all fixes and once from those before T alone, as
a run at T would make them. From both, the bundles and persistence forecast. Prints how far the
slices differ, and the errors on the same cells, whose speeds are those of all fixes. Differences
have the standard error of the block jackknife over three hours. It takes about two minutes and
needs `roadgraph network` of the sample city and its bundles; nothing of theirs is changed.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.config import load_settings
from roadgraph.dataset.dataset import labels_of_speeds
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import load_dataset
from roadgraph.dataset.splits import Span
from roadgraph.evaluation.baselines import persistence
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.parts import ALL, Parts
from roadgraph.evaluation.scores import score_forecast, score_table
from roadgraph.network.network import read_network
from roadgraph.predict.forecaster import Forecaster
from roadgraph.promotion.contest import time_blocks
from roadgraph.promotion.decision import standard_error
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.slices.run import make_slices
from roadgraph.slices.store import read_slices
from roadgraph.tracking.versions import CHALLENGER, CHAMPION
from roadgraph.training.bundle import read_bundle
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

    Answer = tuple[np.ndarray, np.ndarray]  # congestion [H, N] class indices, speed [H, N] km/h

FIXES = Path("data/sample/fixes")
DAYS = (date(2026, 1, 16), date(2026, 1, 17))
BEFORE = DAYS[0] - timedelta(days=1)
EVERY = pd.Timedelta(minutes=30)
BUNDLES = ("roadnet-simple", "mlp-simple")
LATER, LIVE = "all fixes", "fixes before T"
METRICS = {"speed_mae_kph": ("speed MAE, km/h", 3), "macro_f1": ("macro F1", 3)}
SAME_KPH = 0.05  # sums over more fixes end in other last digits
WINDOW = 4  # slices before T that the bundles look at


def settings_of(*overrides: str) -> Settings:
    """Return the settings of the sample city."""
    return load_settings(["city=sample", *overrides])


def times_of_issue(settings: Settings) -> pd.DatetimeIndex:
    """Return every half hour of the days, from half an hour after the first midnight."""
    zone, minutes = city_zone(settings.city.timezone), settings.slices.minutes
    begin, end = span_of_day(DAYS[0], zone, minutes)[0], span_of_day(DAYS[-1], zone, minutes)[1]
    return pd.date_range(begin + EVERY, end, freq=EVERY)


def slices_of_all(network: Network, folder: Path) -> tuple[Settings, Workspace, pa.Table]:
    """Return the slices of all the sample's fixes, and where they are."""
    settings = settings_of(f"workspace={folder}")
    workspace = Workspace.of(settings)
    make_slices(settings, network, workspace)
    return settings, workspace, read_slices(workspace.slices)


def slices_at(
    times: pd.DatetimeIndex, network: Network, later: pa.Table, folder: Path
) -> Iterator[pa.Table]:
    """Yield the slices of the fixes before each time; those of days long before are ``later``'s."""
    arrived = folder / "arrived"
    arrived.mkdir(parents=True)
    settings = settings_of(f"workspace={folder}", f"city.fixes={arrived}")
    workspace = Workspace.of(settings)
    begin, _ = span_of_day(BEFORE, city_zone(settings.city.timezone), settings.slices.minutes)
    long_ago = later.filter(pc.less(later["slice_start"], pa.scalar(begin)))
    fixes = {day: pl.read_parquet(FIXES / f"{day}.parquet") for day in (BEFORE, *DAYS)}
    for at in times:
        for day, rows in fixes.items():
            known = rows.filter(pl.col("timestamp") < at.to_pydatetime())
            if len(known):
                known.write_parquet(arrived / f"{day}.parquet")
        make_slices(settings, network, workspace)
        made = read_slices(workspace.slices)
        recent = made.filter(pc.greater_equal(made["slice_start"], pa.scalar(begin)))
        yield pa.concat_tables([long_ago, recent])


def ended_by(slices: pa.Table, at: pd.Timestamp, width: pd.Timedelta) -> pa.Table:
    """Return the slices that ended by ``at``."""
    return slices.filter(pc.less_equal(slices["slice_start"], pa.scalar(at - width)))


def answers_at(
    slices: pa.Table,
    at: pd.Timestamp,
    forecasters: dict[str, Forecaster],
    dataset: Dataset,
    settings: Settings,
) -> dict[str, Answer]:
    """Return what persistence and each model say at ``at`` of ``slices``, which ended by then."""
    minutes, ids = dataset.grid.slice_minutes, list(dataset.grid.segment_ids)
    grid = grid_from_slices(slices, ids, minutes, dataset.grid.slice_starts[0])
    labels = labels_of_speeds(grid, grid.speed_kph, dataset.free_flow_kph, settings)
    newest = np.array([len(grid.slice_starts) - 1])
    last = persistence(replace(dataset, grid=grid, labels=labels), newest)
    assert last.congestion is not None
    assert last.speed_kph is not None
    said = {last.name: (last.congestion[0], last.speed_kph[0])}
    for title, forecaster in forecasters.items():
        table = forecaster.forecast(forecaster.observations(slices, minutes), at).to_pandas()
        wide = table.pivot(index="horizon_min", columns="segment_id")[["congestion", "speed"]]
        names = wide["congestion"][ids].to_numpy()
        classes = pd.Index(CONGESTION_CLASSES).get_indexer(names.ravel()).reshape(names.shape)
        said[title] = classes, wide["speed"][ids].to_numpy()
    return said


def newest_cells(both: dict[str, pa.Table], at: pd.Timestamp, step: pd.Timedelta) -> pl.DataFrame:
    """Return the cells of the newest slices, by age in minutes, with both speeds."""
    later, live = (
        pl.DataFrame(slices.filter(pc.greater_equal(slices["slice_start"], first))).select(
            "segment_id", "slice_start", pl.col("mean_speed").cast(pl.Float64).alias(name)
        )
        for name, slices in both.items()
        for first in [pa.scalar(at - WINDOW * step)]
    )
    age_min = (pl.lit((at - step).to_pydatetime()) - pl.col("slice_start")).dt.total_minutes()
    cells = later.join(live, on=["segment_id", "slice_start"], how="full", coalesce=True)
    return cells.select(age_min.alias("age_min"), LATER, LIVE)


def print_cells(cells: pl.DataFrame, minutes: int) -> None:
    """Print how far the slices differ, by their age at the time of issue."""
    print(
        f"| slice, before T | cells, {LATER} | not there yet | there before T alone | "
        "other speed | mean size of that difference, km/h | mean difference, km/h |"
    )
    print("| --- |" + " --- |" * 6)
    for age_min in cells["age_min"].unique().sort():
        rows = cells.filter(pl.col("age_min") == age_min)
        count = rows[LATER].count()
        difference = (rows[LIVE] - rows[LATER]).drop_nulls()
        other = difference.filter(difference.abs() > SAME_KPH)
        by_kph = other.to_numpy() if len(other) else np.zeros(1)
        numbers = (rows[LIVE].null_count(), rows[LATER].null_count(), len(other))
        shares = [f"{number:,d} ({100 * number / count:.1f} %)" for number in numbers]
        print(
            f"| {age_min + minutes} to {age_min} min | {count:,} | {' | '.join(shares)} | "
            f"{np.abs(by_kph).mean():.2f} | {by_kph.mean():+.2f} |"
        )


def print_errors(scores: dict[str, pd.DataFrame]) -> None:
    """Print the errors of every forecaster from both, and what the later fixes are worth."""
    heads = [
        f"{what}, {name}" for what, _ in METRICS.values() for name in (LATER, LIVE, "difference")
    ]
    print(f"| forecaster | min ahead | cells | {' | '.join(heads)} |")
    print("| --- |" + " --- |" * (len(heads) + 2))
    wholes = {name: table[table["part"] == ALL] for name, table in scores.items()}
    for (_, later), (_, live) in zip(
        wholes[LATER].iterrows(), wholes[LIVE].iterrows(), strict=True
    ):
        model, horizon = later["model"], later["horizon_min"]
        # The jackknife is written for two models; both sources of one forecaster take their places.
        roles = {CHAMPION: scores[LATER], CHALLENGER: scores[LIVE]}
        own = [
            table[(table["model"] == model) & (table["horizon_min"] == horizon)].assign(model=role)
            for role, table in roles.items()
        ]
        figures = []
        for metric, (_, digits) in METRICS.items():
            error, _ = standard_error(pd.concat(own), metric)
            figures += [f"{each[metric]:.{digits}f}" for each in (later, live)]
            figures.append(f"{live[metric] - later[metric]:+.{digits}f} ± {error:.{digits}f}")
        print(f"| {model} | {horizon} | {later['cells']:,} | {' | '.join(figures)} |")


def scored(
    said: list[dict[str, Answer]], origins: np.ndarray, dataset: Dataset, settings: Settings
) -> pd.DataFrame:
    """Return the scores of every forecaster, of all cells and of all but a block of time."""
    span = Span(int(origins[0]), int(origins[-1]) + max(dataset.horizons) + 1)
    _, blocks = time_blocks(dataset, span)
    names = dict.fromkeys(blocks[span.start : span.stop])
    parts = Parts(slices={f"without {name}": blocks != name for name in names})
    scores = []
    for name in said[0]:
        congestion, speed = (np.stack([each[name][k] for each in said]) for k in (0, 1))
        forecast = Forecast(name, origins, congestion, None, None, speed)
        minutes = dataset.grid.slice_minutes
        scores += score_forecast(
            forecast, dataset.labels, span, dataset.horizons, minutes, settings.evaluation, parts
        )
    return score_table(scores)


def main(titles: list[str]) -> None:
    """Print two Markdown tables."""
    begun = time.perf_counter()
    sample = Workspace.of(settings_of())
    network = read_network(sample.network)
    bundles = {title: read_bundle(sample.bundle(title)) for title in titles}
    forecasters = {title: Forecaster.of(bundle, network) for title, bundle in bundles.items()}
    with TemporaryDirectory() as folder:
        settings, workspace, later = slices_of_all(network, Path(folder) / "later")
        times, width = times_of_issue(settings), pd.Timedelta(minutes=settings.slices.minutes)
        seen_until = max(bundle.seen.until for bundle in bundles.values())
        if seen_until > times[0]:
            sys.exit(f"a bundle has seen time until {seen_until}; train on the sample's 14 days")
        dataset = load_dataset(settings, workspace, network)
        said: dict[str, list[dict[str, Answer]]] = {LATER: [], LIVE: []}
        cells = []
        sources = slices_at(times, network, later, Path(folder) / "live")
        for at, made in zip(times, sources, strict=True):
            both = {LATER: ended_by(later, at, width), LIVE: ended_by(made, at, width)}
            cells.append(newest_cells(both, at, width))
            for name, slices in both.items():
                said[name].append(answers_at(slices, at, forecasters, dataset, settings))
    origins = dataset.grid.slice_starts.get_indexer(times - width)
    print(f"{len(times)} times of issue T, {DAYS[0]} to {DAYS[-1]}\n")
    print_cells(pl.concat(cells), settings.slices.minutes)
    print()
    print_errors({name: scored(each, origins, dataset, settings) for name, each in said.items()})
    print(f"\n{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:] or list(BUNDLES))
