"""Plots of a day's forecasts against what was observed, beside the baselines."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.ticker import MaxNLocator

from roadgraph.calendar import city_zone, time_of_day
from roadgraph.report.plots import LINES
from roadgraph.report.style import RULES, new_figure, save
from roadgraph.units import KPH_PER
from roadgraph.verification.checks import LEAST_CELLS
from roadgraph.verification.courses import OBSERVED, P10, P90
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from roadgraph.settings import CitySettings

LOOKS: dict[str, dict[str, Any]] = {
    FORECAST: {"color": LINES[0], "marker": "o", "linestyle": "-"},
    PERSISTENCE: {"color": "#868e96", "marker": "s", "linestyle": "--"},
    HISTORICAL_AVERAGE: {"color": "#495057", "marker": "^", "linestyle": ":"},
}
"""Of every forecaster; told apart by marker and line too."""

FEW = "few cells"
SHADE = "#fff3d6"
LETTERS = 60
"""Of a line of a small picture's title."""
HOUR = pd.Timedelta(hours=1)
AROUND = 3 * HOUR
"""What a picture of an hour shows before and after it."""

PANELS = {"speed_mae_kph": "speed MAE, {unit}", "macro_f1": "macro F1 of the classes"}
"""Figures of a row and the titles of their axes."""


def figure_panels(scores: pd.DataFrame, city: CitySettings) -> list[tuple[str, str, float]]:
    """Return what is drawn of ``scores``: column, title of its axis, and what it is divided by.

    A figure that the model does not give is left out.
    """
    unit = city.speed_unit
    return [
        (column, title.format(unit=unit), KPH_PER[unit] if column.endswith("_kph") else 1.0)
        for column, title in PANELS.items()
        if scores[column].notna().any()
    ]


def plot_horizons(scores: pd.DataFrame, title: str, city: CitySettings, path: Path) -> None:
    """Draw the figures by horizon, a line a forecaster.

    Args:
        scores: rows of ``parts_of_day.COLUMNS``, of the horizons.
        title: above the plot.
        city: its unit of speed.
        path: of the picture.
    """
    panels = figure_panels(scores, city)
    with mpl.rc_context(RULES):
        figure = new_figure(6.6, 3.2)
        found = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (column, axis_title, unit) in zip(found, panels, strict=True):
            for name, look in LOOKS.items():
                rows = scores[scores["model"] == name]
                minutes = rows["part"].astype(int)
                axes.plot(minutes, rows[column] / unit, label=name, markersize=5, **look)
            axes.set(xlabel="horizon, minutes", ylabel=axis_title, xticks=minutes)
        _save_beside_each_other(figure, found[0], title, path)


def plot_parts(
    scores: pd.DataFrame, labels: Sequence[str], title: str, city: CitySettings, path: Path
) -> None:
    """Draw the figures of each part of the cells, a line a part and a mark a forecaster.

    Args:
        scores: rows of ``parts_of_day.COLUMNS``, of one table.
        labels: the parts in the order of the plot, from the top.
        title: above the plot.
        city: its unit of speed.
        path: of the picture.
    """
    panels = figure_panels(scores, city)
    few = dict.fromkeys(scores["part"][scores["cells"] < LEAST_CELLS], f" ({FEW})")
    with mpl.rc_context(RULES):
        figure = new_figure(6.6, 1.5 + 0.3 * len(labels))
        found = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (column, axis_title, unit) in zip(found, panels, strict=True):
            values = _by_part(scores, column).reindex(list(labels)) / unit
            rows = np.arange(len(labels))
            axes.hlines(rows, values.min(axis=1), values.max(axis=1), color="#dee2e6", zorder=1)
            for above, (name, look) in zip((4, 3, 2), LOOKS.items(), strict=True):
                plain = {**look, "linestyle": "none"}
                axes.plot(values[name], rows, label=name, markersize=6, zorder=above, **plain)
            axes.set(xlabel=axis_title, ylim=(len(labels) - 0.5, -0.5))
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.set_yticks(rows, [f"{label}{few.get(label, '')}" for label in labels])
            axes.tick_params(axis="y", length=0)
        _save_beside_each_other(figure, found[0], title, path)


def plot_hours(
    scores: pd.DataFrame, hours: Sequence[str], title: str, city: CitySettings, path: Path
) -> None:
    """Draw the figures by local hour, a line a forecaster; hours with few cells or none are gaps.

    Args:
        scores: rows of ``parts_of_day.COLUMNS``, of the hours.
        hours: beginning in UTC of each hour of the day, as ``scores`` names them, those without
            a cell too.
        title: above the plot.
        city: its time zone and unit of speed.
        path: of the picture.
    """
    panels = figure_panels(scores, city)
    enough = scores[scores["cells"] >= LEAST_CELLS]
    times = pd.DatetimeIndex(pd.to_datetime(list(hours), utc=True))
    gaps = np.full(len(times), np.nan)
    with mpl.rc_context(RULES):
        figure = new_figure(6.6, 1.2 + 1.9 * len(panels))
        found = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (column, axis_title, unit) in zip(found, panels, strict=True):
            values = _by_part(enough, column).reindex(list(hours)) / unit
            for name, look in LOOKS.items():
                axes.plot(_at(times), values.get(name, gaps), label=name, markersize=4, **look)
            axes.set_ylabel(axis_title)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        found[0].set_title(title)
        ends = pd.DatetimeIndex([times[0], times[-1] + HOUR])
        found[0].set_xlim(*_at(ends))
        _local_hours(found[-1], ends, city, "hour that begins at, local time")
        _legend_below(figure, found[0])
        save(figure, path)


def plot_course(
    course: pd.DataFrame,
    title: str,
    city: CitySettings,
    path: Path,
    hour: pd.Timestamp | None = None,
) -> None:
    """Draw the speed over the day: observed, forecast with its interval, and the baselines.

    Args:
        course: the columns ``courses.COURSE`` in km/h, by the start of each slice; of many segments
            ``courses.COURSE_OF_CITY``, which has no interval.
        title: above the plot, in as many lines as it takes.
        city: its time zone and unit of speed.
        path: of the picture.
        hour: draw ``AROUND`` this hour alone, which begins then and is shaded.
    """
    if hour is not None:
        end = hour + HOUR
        course = course[(course.index >= hour - AROUND) & (course.index < end + AROUND)]
    times, speeds = pd.DatetimeIndex(course.index), course / KPH_PER[city.speed_unit]
    with mpl.rc_context(RULES):
        figure = new_figure(5.2, 3.0)
        axes = figure.subplots()
        if hour is not None:
            axes.axvspan(*_at(pd.DatetimeIndex([hour, end])), color=SHADE, zorder=0)
        if P10 in speeds:
            low, high, colour = speeds[P10], speeds[P90], LINES[0]
            axes.fill_between(
                _at(times), low, high, color=colour, alpha=0.18, linewidth=0, label="10 to 90 %"
            )
        for name, look in LOOKS.items():
            plain = {**look, "marker": ""}
            axes.plot(_at(times), speeds[name], label=name, linewidth=1.3, **plain)
        axes.plot(_at(times), speeds[OBSERVED], "o", color="black", markersize=3.5, label=OBSERVED)
        axes.set(ylabel=f"speed, {city.speed_unit}", ylim=(0, None))
        axes.set_title(fill(title, LETTERS), fontsize=10)
        _local_hours(axes, times, city, "local time", 3 if hour is None else 1)
        _legend_below(figure, axes)
        save(figure, path)


def plot_drift(errors: pd.DataFrame, city: CitySettings, title: str, path: Path) -> None:
    """Draw the errors of the forecasts and the baselines day by day, means over the horizons.

    Args:
        errors: from :func:`~roadgraph.verification.errors.errors_by_day`, not empty.
        city: its unit of speed.
        title: above the plot.
        path: of the picture.
    """
    panels = figure_panels(errors, city)
    # Of one of a model's tasks there may be no figure on any day.
    numbers = errors.drop(columns=["model", "horizon_min", "cells"])
    means = numbers.groupby("day", sort=True).mean().astype(float)
    every = pd.date_range(means.index.min(), means.index.max(), freq="D")
    means.index = pd.DatetimeIndex(means.index)
    means = means.reindex(every)  # a day without a verification is a gap in the lines
    with mpl.rc_context(RULES):
        figure = new_figure(6.6, 1.2 + 1.9 * len(panels))
        found = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (column, axis_title, unit) in zip(found, panels, strict=True):
            for name, look in LOOKS.items():
                own = column if name == FORECAST else f"{name}_{column}".replace(" ", "_")
                axes.plot(_at(every), means[own] / unit, label=name, markersize=5, **look)
            axes.set_ylabel(axis_title)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        found[0].set_title(title)
        found[-1].set_xlabel("local day")
        found[-1].set_xticks(_at(every[:: -(-len(every) // 8)]))
        found[-1].xaxis.set_major_formatter(dates.DateFormatter("%d %b"))  # type: ignore[no-untyped-call]
        _legend_below(figure, found[0])
        save(figure, path)


def _by_part(scores: pd.DataFrame, column: str) -> pd.DataFrame:
    return scores.pivot(index="part", columns="model", values=column).astype(float)


def _at(times: pd.DatetimeIndex) -> np.ndarray:
    """Return times as matplotlib takes them: in UTC, without saying so."""
    return (times if times.tz is None else times.tz_convert(None)).to_numpy()


def _local_hours(
    axes: Axes, times: pd.DatetimeIndex, city: CitySettings, title: str, every_h: int = 3
) -> None:
    """Mark every so many local hours between the first and the last of ``times``."""
    zone = city_zone(city.timezone)
    begin = times[0].tz_convert(zone)
    first = times[0] - pd.Timedelta(minutes=begin.minute, seconds=begin.second)
    hours = pd.date_range(first, times[-1], freq=HOUR)
    marked = hours[(hours.tz_convert(zone).hour % every_h == 0) & (hours >= times[0])]
    # The zone's name, where the clock is set back, has a line of its own.
    labels = [time_of_day(time, zone).replace(" ", "\n") for time in marked]
    axes.set_xticks(_at(marked), labels)
    axes.set_xlabel(title)


def _save_beside_each_other(figure: Figure, first: Axes, title: str, path: Path) -> None:
    """Write panels that stand beside each other: one title above, the legend of ``first`` below."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=RULES["axes.titlesize"])
    _legend_below(figure, first)
    save(figure, path)


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
