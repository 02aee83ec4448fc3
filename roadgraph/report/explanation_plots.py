"""The small map of what moved a forecast, and beside it the way to the forecast in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize

from roadgraph.explain.words import RELATION_WORDS, road
from roadgraph.legend import CLASS_TITLES
from roadgraph.probes.distance import METRES_PER_DEGREE
from roadgraph.report.plots import beside, draw_lines, draw_scale, map_axes
from roadgraph.report.style import RULES, is_drawable, new_figure, save
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from geopandas import GeoSeries
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from roadgraph.explain.explanation import Account, Explanation
    from roadgraph.explain.words import Manner
    from roadgraph.network.network import Network
    from roadgraph.settings.roads_and_probes import Side

LESS, MORE = "#e8590c", "#2c7fb8"
"""Slower and faster. Of a class, less likely and likelier; told apart by colour-blind readers."""

HARDLY = "#d5d9dd"
ROADS = "#ced4da"
MOVES = LinearSegmentedColormap.from_list("moves", (LESS, HARDLY, MORE))

NAMED = 3  # other roads that are labelled
DRAWN_SHARE = 0.02
"""A road that moved the forecast by this share of what the strongest did is drawn in colour."""

WITHIN_SHARE = 0.1
"""A road that moved it by this share lies within the map, if it is not far off."""

LEAST_REACH_M, MARGIN_M = 400.0, 80.0
LEAST_AXIS = 1e-3
"""Of the bars, where all of them are 0."""


def plot_explanation(
    network: Network, explanation: Explanation, manner: Manner, drives_on: Side, path: Path
) -> None:
    """Draw which roads moved a forecast, and by how much.

    The number that is drawn is the speed where the model forecasts one, else the probability of the
    class that is answered.

    Args:
        network: the roads, with geometry.
        explanation: with at least one account.
        manner: unit and clock.
        drives_on: see :func:`~roadgraph.report.plots.draw_lines`.
        path: of the PNG; see :func:`~roadgraph.report.style.save`.
    """
    account = explanation.accounts[0]
    whose = road(explanation.segment_id, explanation.name)
    with mpl.rc_context(RULES):
        figure = new_figure(9.6, 4.6)
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_roads(figure, left, network, explanation, account, manner, drives_on)
        _draw_steps(right, explanation, account, manner)
        figure.suptitle(
            f"{whose if is_drawable(whose) else explanation.segment_id}, forecast for "
            f"{manner.day(explanation.slice_start)}, {manner.clock(explanation.slice_start)} to "
            f"{manner.clock(explanation.slice_end)} (+{explanation.horizon_min} min)"
        )
        save(figure, path)


def _draw_roads(
    figure: Figure,
    axes: Axes,
    network: Network,
    explanation: Explanation,
    account: Account,
    manner: Manner,
    drives_on: Side,
) -> None:
    """Draw the roads around the segment by how much each moved the number."""
    heard = explanation.heard
    moved = account.of_segments * _factor(account, manner)
    most = max(float(np.abs(moved).max()), 1e-9)
    scale = Normalize(-most, most)
    lines = network.segments.geometry.iloc[heard["place"]]
    window = _window(lines.iloc[_near(explanation, moved)])
    around = network.segments.geometry.iloc[network.segments.sindex.query(shapely.box(*window))]
    draw_lines(axes, around, drives_on, ROADS, 1.2)
    share = np.abs(moved) / most
    own = explanation.own()
    draw_lines(axes, lines.iloc[[own]], drives_on, "black", 7.0, 2)
    for row in np.argsort(share, kind="stable"):
        if share[row] >= DRAWN_SHARE or row == own:
            colour, width = MOVES(scale(moved[row])), 1.5 + 3 * share[row]
            draw_lines(axes, lines.iloc[[row]], drives_on, [colour], width, 3)
    _draw_heading(axes, lines.iloc[[own]], drives_on)
    map_axes(axes, network)
    _look_at(axes, window)
    draw_scale(axes)
    strong = [row for row in explanation.strongest(account, NAMED) if share[row] >= DRAWN_SHARE]
    for row in (own, *strong):
        _draw_label(axes, lines.iloc[row], heard["segment_id"].iloc[row], window, row == own)
    bar = figure.colorbar(ScalarMappable(scale, MOVES), ax=axes, location="bottom", shrink=0.7)
    bar.set_label(_axis_title(account, manner, "moved by what was observed on each road"), size=8)
    bar.ax.tick_params(labelsize=7)
    axes.set_title("Which roads moved it")


def _draw_steps(axes: Axes, explanation: Explanation, account: Account, manner: Manner) -> None:
    """Draw the way from an ordinary week to the forecast, a bar a step."""
    names, changes = ["time of the week"], [account.time_of_week]
    by_relation = explanation.by_relation(account)
    for relation, change in by_relation.items():
        if relation == "itself":
            names.append(f"{explanation.segment_id} itself")
        elif (explanation.heard["relation"] == relation).any():
            names.append(RELATION_WORDS[relation])
        else:
            continue
        changes.append(change)
    factor = _factor(account, manner)
    ends = np.cumsum([account.week, *changes]) * factor
    sizes = np.diff(ends)
    rows = np.arange(1, len(names) + 1)
    axes.barh(0, ends[0], color="#868e96")
    axes.barh(rows, sizes, left=ends[:-1], color=np.where(sizes < 0, LESS, MORE))
    axes.barh(len(names) + 1, account.answer * factor, color="#343a40")
    texts = [
        manner.number(account, account.week),
        *(f"{size + 0.0:+.1f}" for size in sizes.round(1)),
    ]
    texts.append(manner.number(account, account.answer))
    right = [*np.maximum(ends, np.append(0, ends[:-1])), account.answer * factor]
    reach = max(*right, LEAST_AXIS)
    for row, (text, at) in enumerate(zip(texts, right, strict=True)):
        axes.text(at + 0.02 * reach, row, text, va="center", fontsize=8)
    axes.set_yticks(range(len(names) + 2), ["ordinary week", *names, "forecast"], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(min(0.0, float(ends.min())), 1.25 * reach)
    axes.set_xlabel(_axis_title(account, manner, ""), fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title("From an ordinary week to the forecast")


def _near(explanation: Explanation, moved: np.ndarray) -> np.ndarray:
    """Return which rows the map has to show: those that moved the number and are no far ones."""
    near = (explanation.heard["relation"] != "elsewhere").to_numpy()
    chosen = near & (np.abs(moved) >= WITHIN_SHARE * np.abs(moved).max())
    chosen[explanation.own()] = True
    return np.flatnonzero(chosen)


def _window(lines: Sequence[shapely.LineString]) -> np.ndarray:
    """Return west, south, east and north of a map of these lines, in degrees."""
    west, south, east, north = shapely.total_bounds(np.asarray(lines))
    lon, lat = (west + east) / 2, (south + north) / 2
    metres = METRES_PER_DEGREE * np.array([np.cos(np.radians(lat)), 1.0])
    half = np.array([east - west, north - south]) / 2 + MARGIN_M / metres
    # As wide as high, or nearly: the panel is.
    reach_m = max(float((half * metres).max()), LEAST_REACH_M)
    half = np.maximum(half, reach_m / metres * np.array([1.0, 0.75]))
    return np.array([lon - half[0], lat - half[1], lon + half[0], lat + half[1]])


def _look_at(axes: Axes, window: np.ndarray) -> None:
    axes.set_xlim(window[0], window[2])
    axes.set_ylim(window[1], window[3])


def _draw_heading(axes: Axes, line: GeoSeries, drives_on: Side) -> None:
    """Draw an arrow in the driving direction on the middle of a line."""
    drawn = shapely.LineString(beside(line, drives_on)[0])
    begin, end = (drawn.interpolate(share, normalized=True).coords[0] for share in (0.4, 0.6))
    arrow = {
        "arrowstyle": "-|>,head_length=0.8,head_width=0.3", "mutation_scale": 14,
        "facecolor": "white", "edgecolor": "black", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0,
    }  # fmt: skip
    axes.annotate("", xy=end, xytext=begin, arrowprops=arrow, zorder=5)


def _draw_label(
    axes: Axes, line: shapely.LineString, text: str, window: np.ndarray, bold: bool
) -> None:
    """Write a segment's id beside its middle, unless that is not on the map."""
    lon, lat = np.asarray(line.interpolate(0.5, normalized=True).coords[0])[:2]
    west, south, east, north = window
    if not (west < lon < east and south < lat < north):
        return
    # Away from the middle of the map, where the segment itself is.
    right, above = lon >= (west + east) / 2, lat >= (south + north) / 2
    axes.annotate(
        text, (lon, lat), xytext=(8 if right else -8, 8 if above else -8),
        textcoords="offset points", fontsize=8, zorder=6, fontweight="bold" if bold else "normal",
        ha="left" if right else "right", va="bottom" if above else "top",
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
    )  # fmt: skip


def _factor(account: Account, manner: Manner) -> float:
    """Return by what the account's numbers are multiplied for the city's unit or per cent."""
    return 1 / KPH_PER[manner.speed_unit] if account.quantity == "speed" else 100.0


def _axis_title(account: Account, manner: Manner, how: str) -> str:
    if account.quantity == "speed":
        return f"speed {how}, {manner.speed_unit}" if how else f"speed, {manner.speed_unit}"
    assert account.answered is not None
    what = f"probability of {CLASS_TITLES[account.answered]}"
    return f"{what} {how}, percentage points" if how else f"{what}, %"
