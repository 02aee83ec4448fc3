"""Champion, challenger and baselines on the same newest days, which neither model has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone, local_days, local_hours
from roadgraph.comparison.baselines import Roads, baseline_makers
from roadgraph.comparison.judging import Judge
from roadgraph.dataset.dataset import hidden_segments
from roadgraph.dataset.splits import Span
from roadgraph.errors import PromotionError
from roadgraph.evaluation.parts import HIDDEN_SEGMENTS, Parts
from roadgraph.evaluation.scores import score_forecast, score_table
from roadgraph.promotion.likeness import refuse_unlike
from roadgraph.tracking.versions import CHALLENGER, CHAMPION
from roadgraph.training.inference import answers

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.training.bundle import Bundle

DAY_MIN = 24 * 60
LEAST_DAYS = 3  # of fewer, the spread is judged by shorter blocks
BLOCK_HOURS = 3  # longer than a window and the farthest usual horizon


@dataclass(frozen=True)
class Contest:
    """How champion, challenger and baselines did on the same cells.

    Attributes:
        scores: rows of :func:`~roadgraph.evaluation.scores.score_table`; ``model`` is
            ``champion``, ``challenger`` or the name of a baseline. Beside the part ``all``, both
            models have a part ``without <block>`` for every block of time, all cells but its own.
        hidden: rows of both models on segments whose observations they did without, part
            ``hidden segments``; empty where that was not asked or no such segment has a label.
        start, end: of the judged time, in the city's local time.
        block: what a block is: ``day`` or ``3 hours``.
    """

    scores: pd.DataFrame
    hidden: pd.DataFrame
    start: pd.Timestamp
    end: pd.Timestamp
    block: str


def hold_contest(
    champion: Bundle, challenger: Bundle, dataset: Dataset, network: Network, settings: Settings
) -> Contest:
    """Judge both models, each with its own preparation, beside the baselines.

    Labels are those of ``dataset``, and the baselines, which learn from its training span, those
    of every comparison. The judged time is the newest ``promotion.days`` days after all that
    either model or ``dataset`` (free flow, history) has learned from, and a gap of window and
    farthest horizon.

    Raises:
        PromotionError: the models are of different kinds, not of this network or not of these
            settings, or less than a day is left that neither has seen.
    """
    bundles = {CHAMPION: champion, CHALLENGER: challenger}
    refuse_unlike(bundles, dataset, network, settings)
    window = max(champion.window, challenger.window)
    span = judged_span(bundles, dataset, window, settings.promotion.days)
    judged = replace(dataset, window=window, splits=replace(dataset.splits, test=span))
    observed_alone = replace(settings, city=replace(settings.city, truth=""))
    road_class = network.segments["road_class"].astype(str).to_numpy()
    judge = Judge.of(judged, road_class, observed_alone)
    block, blocks = time_blocks(dataset, span)
    without = {f"without {name}": blocks != name for name in dict.fromkeys(blocks[span.start :])}
    tables = [
        _scored(judge, _forecast(judge, bundle, role), Parts(slices=without))
        for role, bundle in bundles.items()
    ]
    lengths_m = network.segments["length_m"].astype("float64").to_numpy()
    for make in baseline_makers(dataset, settings, Roads(lengths_m, road_class)).values():
        tables.append(_scored(judge, make()(judge.origins), Parts()))
    hidden = _hidden_segments(dataset, settings)
    on_hidden = _on_hidden_segments(judge, bundles, hidden) if hidden.any() else tables[0].iloc[:0]
    starts = dataset.grid.slice_starts.tz_convert(dataset.zone)
    return Contest(
        pd.concat(tables, ignore_index=True),
        on_hidden,
        starts[span.start],
        starts[-1] + pd.Timedelta(minutes=dataset.grid.slice_minutes),
        block,
    )


def forecast_of(
    bundle: Bundle,
    name: str,
    grid: SliceGrid,
    graph: RoadGraph,
    origins: np.ndarray,
    hidden: np.ndarray | None = None,
) -> Forecast:
    """Return what the model of ``bundle`` says from ``origins`` ``[O]``, places in ``grid``.

    The segments of the mask ``hidden`` ``[N]`` are treated as if they had never been observed:
    neither their observations nor what the training learned of them is looked at.
    """
    first = max(int(origins[0]) - bundle.slices + 1, 0)
    recent = replace(
        grid,
        slice_starts=grid.slice_starts[first:],
        measured=grid.measured[first:],
        observed=grid.observed[first:],
    )
    zone, adjustments = city_zone(bundle.timezone), bundle.adjustments
    inputs = bundle.preparation.inputs(recent, zone)
    if hidden is not None:
        unseen = bundle.unseen.inputs(recent.without(hidden), zone)
        inputs = np.where(hidden[:, None], unseen, inputs)
        adjustments = replace(adjustments, is_unseen=adjustments.is_unseen | hidden)
    tiles = bundle.tiles(graph)
    given = answers(bundle.model, tiles, inputs, origins - first, bundle.window, bundle.preparation)
    return adjustments.forecast(name, origins, given)


def judged_span(bundles: dict[str, Bundle], dataset: Dataset, window: int, days: int) -> Span:
    """Return the newest ``days`` of 24 hours, or what of them nothing here has seen.

    Raises:
        PromotionError: that is less than a day.
    """
    starts, minutes = dataset.grid.slice_starts, dataset.grid.slice_minutes
    seen = {role: bundle.seen.until for role, bundle in bundles.items()}
    # Free flow and history of the current data must not come from the judged time either.
    seen["training span of the current slices"] = starts[dataset.splits.train.stop]
    gap = window + max(dataset.horizons)
    a_day = DAY_MIN // minutes
    first = int(starts.searchsorted(max(seen.values()))) + gap
    span = Span(max(first, len(starts) - days * a_day), len(starts))
    left = max(span.stop - span.start, 0)
    if left < a_day:
        until = ", ".join(f"{name} until {moment:%Y-%m-%d %H:%M}" for name, moment in seen.items())
        raise PromotionError(
            f"only {left * minutes / 60:.1f} h of the slices, which end at "
            f"{starts[-1] + pd.Timedelta(minutes=minutes):%Y-%m-%d %H:%M} UTC, were seen by "
            f"neither model ({until}, then a gap of {gap} slices); one day is needed: add newer "
            "fixes and run roadgraph slices"
        )
    return span


def time_blocks(dataset: Dataset, span: Span) -> tuple[str, np.ndarray]:
    """Return what a block of time is, and the name of each slice's block, ``[T]`` text.

    Local days; of fewer than three, blocks of three hours of the local clock.
    """
    starts = dataset.grid.slice_starts
    days = np.array([str(day) for day in local_days(starts, dataset.zone)], dtype=object)
    if (span.stop - span.start) * dataset.grid.slice_minutes >= LEAST_DAYS * DAY_MIN:
        return "day", days
    hours = local_hours(starts, dataset.zone) // BLOCK_HOURS * BLOCK_HOURS
    named = [f"{day} {int(hour):02d}:00" for day, hour in zip(days, hours, strict=True)]
    return f"{BLOCK_HOURS} hours", np.array(named, dtype=object)


def _hidden_segments(dataset: Dataset, settings: Settings) -> np.ndarray:
    """Return which segments both models must do without, ``[N]`` bool.

    Where hidden segments are estimated, they alone are judged anyway.
    """
    share = 0.0 if dataset.task == "estimate_hidden" else settings.promotion.hidden_share
    chosen = replace(
        settings.dataset, hidden_share=share, hidden_seed=settings.promotion.hidden_seed
    )
    return hidden_segments(len(dataset.hidden), chosen)


def _on_hidden_segments(
    judge: Judge, bundles: dict[str, Bundle], hidden: np.ndarray
) -> pd.DataFrame:
    """Return the rows of both models on the segments ``hidden`` ``[N]``, had they no probes."""
    parts = Parts(segments={HIDDEN_SEGMENTS: hidden})
    tables = [
        _scored(judge, _forecast(judge, bundle, role, hidden), parts)
        for role, bundle in bundles.items()
    ]
    rows = pd.concat(tables, ignore_index=True)
    return rows[rows["part"] == HIDDEN_SEGMENTS]


def _forecast(
    judge: Judge, bundle: Bundle, role: str, hidden: np.ndarray | None = None
) -> Forecast:
    return forecast_of(bundle, role, judge.dataset.grid, judge.dataset.graph, judge.origins, hidden)


def _scored(judge: Judge, forecast: Forecast, parts: Parts) -> pd.DataFrame:
    dataset = judge.dataset
    scores = score_forecast(
        forecast, judge.labels, dataset.splits.test, dataset.horizons, dataset.grid.slice_minutes,
        judge.settings, parts,
    )  # fmt: skip
    return score_table(scores)
