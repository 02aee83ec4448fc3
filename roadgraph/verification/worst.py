"""Where and when the forecasts of a day erred most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roadgraph.schema import NO_LABEL
from roadgraph.verification.checks import LEAST_CELLS
from roadgraph.verification.parts_of_day import mean_of_known
from roadgraph.verification.scoring import FORECAST

if TYPE_CHECKING:
    from roadgraph.verification.judged import Judged

LEAST_OF_SEGMENT = 20  # cells: five slices at four horizons


def error_for_ranking(judged: Judged) -> np.ndarray:
    """Return the forecast's error of each cell, ``[M]``, NaN where it is not judged.

    That of the speed in km/h; where the model forecasts no speed, 1 for a wrong class, else 0.
    """
    error = judged.error_kph[FORECAST]
    if not np.isnan(error).all():
        return error
    wrong = judged.answer[FORECAST] != judged.label
    return np.where(judged.label == NO_LABEL, np.nan, wrong)


def worst_parts(
    error: np.ndarray, part: np.ndarray, parts: int, least_cells: int, most: int
) -> list[int]:
    """Return the places of the parts with the largest mean error, the worst first.

    Args:
        error: ``[M]`` of each cell, NaN of one that is not judged.
        part: ``[M]`` place of its part.
        parts: how many there are.
        least_cells: a part with fewer judged ones is left out; its mean says little.
        most: how many to return.
    """
    cells = np.bincount(part[~np.isnan(error)], minlength=parts)
    mean = mean_of_known(error, part, parts)
    enough = np.flatnonzero(cells >= least_cells)
    return enough[np.argsort(-mean[enough], kind="stable")][:most].tolist()


def worst_segments(judged: Judged, segments: int, most: int) -> list[int]:
    """Return the places of the worst of ``N`` segments, the worst first."""
    error = error_for_ranking(judged)
    return worst_parts(error, judged.segments, segments, LEAST_OF_SEGMENT, most)


def worst_hours(judged: Judged, hour_of_slice: np.ndarray, most: int) -> list[int]:
    """Return the places of the worst hours, the worst first; ``hour_of_slice`` is ``[T]``."""
    hours = int(hour_of_slice.max()) + 1
    error = error_for_ranking(judged)
    return worst_parts(error, hour_of_slice[judged.targets], hours, LEAST_CELLS, most)


def segments_behind(
    judged: Judged, chosen: np.ndarray, segments: int, most: int
) -> dict[int, float]:
    """Return the segments with the largest shares of the error of some cells, and the shares.

    Args:
        judged: all cells.
        chosen: ``[M]`` bool, the cells.
        segments: ``N``.
        most: how many to return.

    Returns:
        Share of the error (0-1) by place of the segment, the largest first.
    """
    error = np.nan_to_num(error_for_ranking(judged)[chosen])
    total = np.bincount(judged.segments[chosen], weights=error, minlength=segments)
    order = np.argsort(-total, kind="stable")[:most]
    order = order[total[order] > 0]
    return dict(zip(order.tolist(), (total[order] / total.sum()).tolist(), strict=True))
