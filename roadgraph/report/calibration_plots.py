"""Plots of how many speeds an interval holds beside what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.ticker import MultipleLocator, PercentFormatter

from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
from roadgraph.report.plots import draw_by_horizon
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
        path: of the PNG.
    """
    promised = INTERVAL_QUANTILES[1] - INTERVAL_QUANTILES[0]
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 3.6)
        axes = figure.subplots()
        axes.axhline(promised, color=GREY, linestyle="--", label=f"promised {promised:.0%}")
        draw_by_horizon(axes, scores, "interval_coverage", "speeds within the interval", title)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, promised - LEAST_SPREAD), max(high, promised + LEAST_SPREAD))
        axes.yaxis.set_major_locator(MultipleLocator(0.05))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        save(figure, path)
