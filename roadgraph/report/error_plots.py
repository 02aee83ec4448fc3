"""Plots of when and where a forecaster errs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from roadgraph.legend import NO_ANSWER
from roadgraph.report.plots import LINES, draw_lines, draw_scale, map_axes
from roadgraph.report.style import RULES, new_figure, save

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from roadgraph.network.network import Network
    from roadgraph.settings.roads_and_probes import Side

HOUR_TICKS = range(0, 25, 3)

ERRORS = LinearSegmentedColormap.from_list(
    "errors", mpl.colormaps["viridis_r"](np.linspace(0.1, 1, 256))
)
"""Light green to dark violet, for colour-blind readers too; without the yellow that white hides."""


def plot_error_by_hour(
    speed_mae: np.ndarray | None, right_share: np.ndarray | None, unit: str, title: str, path: Path
) -> None:
    """Draw errors of the speed above the share of wrong classes, by local hour of the day.

    Args:
        speed_mae: ``[24]`` mean absolute error, NaN of an hour without cells; None leaves it out.
        right_share: ``[24]`` share of right classes, likewise; one of both there must be.
        unit: of ``speed_mae``.
        title: above the plot.
        path: of the PNG; the SVG lies beside it.
    """
    wrong_share = None if right_share is None else 1 - right_share
    shown = [
        (values, label, colour)
        for values, label, colour in (
            (speed_mae, f"speed MAE, {unit}", LINES[0]),
            (wrong_share, "wrong classes, %", LINES[1]),
        )
        if values is not None
    ]
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 0.8 + 1.9 * len(shown))
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (values, label, colour) in zip(panels, shown, strict=True):
            _draw_hours(axes, values, label, colour)
        if wrong_share is not None:
            panels[-1].yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        panels[0].set_title(title)
        panels[-1].set_xlabel("local time of day, hours")
        save(figure, path)


def plot_error_map(
    network: Network,
    speed_mae: np.ndarray,
    most: float,
    unit: str,
    drives_on: Side,
    title: str,
    path: Path,
) -> None:
    """Draw the segments, coloured by their errors of the speed; grey where there is none.

    Args:
        network: with geometry.
        speed_mae: ``[N]`` mean absolute error, NaN of a segment without cells.
        most: end of the colours; a larger error has the last one.
        unit: of both.
        drives_on: see :func:`~roadgraph.report.plots.draw_lines`.
        title: above the plot.
        path: of the PNG; the SVG lies beside it.
    """
    known = ~np.isnan(speed_mae)
    geometry = network.segments.geometry
    scale = ScalarMappable(Normalize(0, most), ERRORS)
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 5.0)
        axes = figure.subplots()
        draw_lines(axes, geometry[~known], drives_on, NO_ANSWER, 0.8)
        colours = scale.to_rgba(speed_mae[known])
        draw_lines(axes, geometry[known], drives_on, colours, 1.6, 2)
        map_axes(axes, network)
        draw_scale(axes)
        axes.set_title(title, pad=18)
        bar = figure.colorbar(scale, ax=axes, extend="max", shrink=0.8)
        bar.set_label(f"speed MAE, {unit}")
        if not known.all():
            grey = Line2D([], [], color=NO_ANSWER, label="no observed cell")
            figure.legend(handles=[grey], loc="outside lower center")
        save(figure, path)


def _draw_hours(axes: Axes, values: np.ndarray, label: str, colour: str) -> None:
    axes.bar(np.arange(len(values)) + 0.5, np.nan_to_num(values), width=0.9, color=colour)
    axes.set(ylabel=label, xlim=(0, len(values)), ylim=(0, None))
    axes.set_xticks(HOUR_TICKS)
    axes.yaxis.set_major_locator(MaxNLocator(4))
