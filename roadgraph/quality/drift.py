"""How far the features of a day have drifted from those of the days before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.schema import MEASURED_FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.quality.cells import DayCells

BINS = 10
LEAST_CELLS = 200  # of either side; with fewer the noise comes near to what is usually a limit
LEAST_SHARE = 1e-4  # of an empty bin, whose logarithm would be infinite
BY_ROAD_CLASS, BY_SEGMENT = "coverage by road class", "coverage by segment"


@dataclass(frozen=True)
class Drift:
    """How far one thing has drifted.

    Attributes:
        name: a feature of ``MEASURED_FEATURES``, or ``BY_ROAD_CLASS`` or ``BY_SEGMENT``.
        index: its population stability index; NaN where either side has too few cells.
    """

    name: str
    index: float


def population_stability_index(reference: np.ndarray, counts: np.ndarray) -> float:
    """Return the population stability index of two histograms, without the share of chance.

    ``sum((p - q) ln(p / q))`` over the bins, with the shares ``p`` of ``counts`` and ``q`` of
    ``reference``, each at least ``LEAST_SHARE`` (Siddiqi 2006, "Credit risk scorecards"). Of two
    samples of the same distribution, with ``n`` and ``m`` members, it is about ``(1/n + 1/m)``
    times a chi-squared number of ``bins - 1`` degrees of freedom (Yurdakul 2018, "Statistical
    properties of population stability index"), so its mean by chance, ``(bins - 1) (1/n + 1/m)``,
    is taken off; what is left is never below 0.

    Args:
        reference: ``[bins]`` members before.
        counts: ``[bins]`` members now.

    Returns:
        The index, NaN where either side has fewer than ``LEAST_CELLS`` members.
    """
    before, now = reference.sum(), counts.sum()
    if min(before, now) < LEAST_CELLS:
        return math.nan
    q = np.maximum(reference / before, LEAST_SHARE)
    p = np.maximum(counts / now, LEAST_SHARE)
    by_chance = (np.count_nonzero(reference + counts) - 1) * (1 / before + 1 / now)
    return max(float(((p - q) * np.log(p / q)).sum() - by_chance), 0.0)


def bin_edges(reference: np.ndarray) -> np.ndarray:
    """Return the edges between bins that hold a tenth of ``reference`` each; bins end with theirs.

    A value that a tenth or more have (one vehicle in a cell, a spread of 0) is a bin of its own.
    """
    quantiles = np.quantile(reference, np.arange(1, BINS) / BINS, method="inverted_cdf")
    values, times = np.unique(quantiles, return_counts=True)
    return np.unique(np.concatenate([values, np.nextafter(values[times > 1], -np.inf)]))


def drift_of_values(reference: np.ndarray, values: np.ndarray) -> float:
    """Return the index of ``values`` ``[n]`` against ``reference`` ``[m]``, by its tenths."""
    if not len(reference):
        return math.nan
    edges = bin_edges(reference)
    before, now = (
        np.bincount(np.searchsorted(edges, each, side="left"), minlength=len(edges) + 1)
        for each in (reference, values)
    )
    return population_stability_index(before, now)


def drift_of_day(
    cells: DayCells, reference: Sequence[DayCells], road_class: np.ndarray
) -> tuple[Drift, ...]:
    """Return how far the features of a day, and where its probes were, have drifted.

    Where they were is told twice: by the observed cells of each road class, and of ten groups of
    segments, from the least to the most observed ones, that had a tenth of the observed cells each
    before. Both are shares, so fewer probes in the same places are no drift; the coverage has a
    check of its own.

    Args:
        cells: of the day.
        reference: of days before that it is like.
        road_class: ``[N]`` text.
    """
    if not reference:
        return ()
    before = np.concatenate([each.measured for each in reference])
    found = [
        Drift(name, drift_of_values(before[:, place], cells.measured[:, place]))
        for place, name in enumerate(MEASURED_FEATURES)
    ]
    seen_before = sum(each.observed.sum(axis=0) for each in reference)
    seen = cells.observed.sum(axis=0)
    _, by_class = np.unique(road_class, return_inverse=True)
    groups = {BY_ROAD_CLASS: by_class, BY_SEGMENT: _tenths(np.asarray(seen_before))}
    found += [
        Drift(
            name,
            population_stability_index(
                np.bincount(group, weights=seen_before), np.bincount(group, weights=seen)
            ),
        )
        for name, group in groups.items()
    ]
    return tuple(found)


def _tenths(seen: np.ndarray) -> np.ndarray:
    """Return the group of each segment, ``[N]``: a tenth of the observed cells each, about."""
    order = np.argsort(seen, kind="stable")
    middle = np.cumsum(seen[order]) - seen[order] / 2
    group = np.empty(len(seen), dtype=np.int64)
    group[order] = np.minimum(BINS * middle / max(seen.sum(), 1), BINS - 1).astype(np.int64)
    return group
