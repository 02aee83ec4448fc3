"""Plots of what forecasters promise beside what they hold: intervals and confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter, StrMethodFormatter

from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
from roadgraph.report.plots import LINES, draw_by_horizon
from roadgraph.report.style import RULES, new_figure, save

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

GREY = "#adb5bd"
LEAST_SPREAD = 0.1
"""Of the axis on either side of the promise, or a hundredth off would look like a failure."""


def plot_coverage(scores: pd.DataFrame, title: str, path: Path) -> None:
    """Draw by horizon how many speeds the forecasters' intervals hold, beside what they should.

    Args:
        scores: a row a forecaster and horizon, with ``model``, ``baseline``, ``horizon_min`` and
            ``interval_coverage``.
        title: above the plot.
        path: of the PNG; the SVG lies beside it.
    """
    promised = INTERVAL_QUANTILES[1] - INTERVAL_QUANTILES[0]
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 3.6)
        axes = figure.subplots()
        axes.axhline(promised, color=GREY, linestyle="--", label=f"promised {promised:.0%}")
        draw_by_horizon(axes, scores, "interval_coverage", "speeds within the interval, %", title)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, promised - LEAST_SPREAD), max(high, promised + LEAST_SPREAD))
        axes.yaxis.set_major_locator(MultipleLocator(0.05))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        save(figure, path)


def plot_reliability(
    confidence: np.ndarray, right_share: np.ndarray, cells: np.ndarray, title: str, path: Path
) -> None:
    """Draw how often the answers are right by how sure they are, above how many there are.

    On the diagonal a forecaster is right as often as it says; above it is too modest.

    Args:
        confidence: ``[bins]`` mean probability of the answered class, NaN of an empty bin; the bins
            are equal, from 0 to 1.
        right_share: ``[bins]`` share of right classes.
        cells: ``[bins]`` how many there are.
        title: above the plot.
        path: of the PNG; the SVG lies beside it.
    """
    bins = len(cells)
    with mpl.rc_context(RULES):
        figure = new_figure(4.8, 5.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="as sure as right")
        some = cells > 0
        upper.plot(confidence[some], right_share[some], "o-", color=LINES[0], label="answers")
        upper.set(title=title, ylabel="share of right classes, %", xlim=(0, 1), ylim=(0, 1))
        upper.legend(loc="upper left")
        lower.bar((np.arange(bins) + 0.5) / bins, cells, width=0.9 / bins, color=LINES[0])
        lower.set(xlabel="probability of the answered class, %", ylabel="number of cells")
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        for axes in (upper, lower):
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        save(figure, path)
