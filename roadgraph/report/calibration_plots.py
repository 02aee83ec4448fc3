"""Plots of how many speeds an interval holds beside what it promises."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
from roadgraph.report.style import RULES, new_figure, save

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LINES = ("#2c7fb8", "#e8590c", "#5e3c99", "#1b7837", "#7a0403", "#8c6d31")
GREY = "#adb5bd"


def plot_coverage(scores: pd.DataFrame, title: str, path: Path) -> None:
    """Draw by horizon how many speeds the forecasters' intervals hold, beside what they should.

    Args:
        scores: rows of one part, with ``model``, ``horizon_min`` and ``interval_coverage``; of
            several seeds the mean is drawn.
        title: above the plot.
        path: of the PNG.
    """
    promised = INTERVAL_QUANTILES[1] - INTERVAL_QUANTILES[0]
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 3.6)
        axes = figure.subplots()
        axes.axhline(promised, color=GREY, linestyle="--", label=f"promised {promised:.0%}")
        colours = cycle(LINES)
        known = scores[scores["interval_coverage"].notna()]
        for name, rows in known.groupby("model", sort=False):
            mean = rows.groupby("horizon_min")["interval_coverage"].mean()
            axes.plot(mean.index, mean, marker="o", color=next(colours), label=str(name))
        axes.set_xticks(sorted(scores["horizon_min"].unique()))
        axes.set(title=title, xlabel="horizon, minutes", ylabel="speeds within the interval")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        save(figure, path)
