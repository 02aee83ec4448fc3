"""Plots of trainings, scores, networks and forecasts."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from roadgraph.calendar import time_of_day
from roadgraph.legend import CLASS_COLOURS, CLASS_TITLES, NO_ANSWER, NO_ANSWER_TITLE
from roadgraph.network.osm_tags import RANK
from roadgraph.probes.distance import METRES_PER_DEGREE
from roadgraph.report.style import RULES, new_figure, save
from roadgraph.schema import CONGESTION_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pandas as pd
    from geopandas import GeoSeries
    from matplotlib.axes import Axes

    from roadgraph.network.network import Network
    from roadgraph.settings.roads_and_probes import Side

    Colours = str | Sequence[str] | np.ndarray

LINES = ("#2c7fb8", "#e8590c", "#5e3c99", "#1b7837", "#7a0403", "#8c6d31")
GREYS = ("#495057", "#868e96", "#adb5bd")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def plot_learning_curves(history: Sequence[dict[str, float]], title: str, path: Path) -> None:
    """Draw training and validation loss by epoch; ``title`` stands above them."""
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 3.6)
        axes = figure.subplots()
        epochs = [epoch["epoch"] + 1 for epoch in history]
        for key, name, colour in (
            ("train_loss", "training", "#6c757d"),
            ("val_loss", "validation", "#2c7fb8"),
        ):
            axes.plot(epochs, [epoch[key] for epoch in history], label=name, color=colour)
        losses = [epoch["val_loss"] for epoch in history]
        best = int(np.argmin(losses))
        axes.plot(epochs[best], losses[best], "o", color="#2c7fb8", label="kept")
        axes.set(title=title, xlabel="epoch (number)", ylabel="loss (no unit)")
        axes.legend()
        save(figure, path)


def plot_confusion(
    confusion: np.ndarray, classes: Sequence[str], counted: str, title: str, path: Path
) -> None:
    """Draw a confusion matrix: the share of each true class.

    Args:
        confusion: ``[classes, classes]`` counts, row the label.
        classes: their titles.
        counted: what is counted, such as cells.
        title: above the plot.
        path: of the PNG; the SVG lies beside it.
    """
    with mpl.rc_context(RULES):
        figure = new_figure(4.8, 4.2)
        axes = figure.subplots()
        share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
        for row, column in np.ndindex(share.shape):
            axes.text(
                column,
                row,
                f"{share[row, column]:.0%}\n({confusion[row, column]:,})",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share[row, column] > 0.6 else "black",
            )
        axes.set_xticks(range(len(classes)), classes)
        axes.set_yticks(range(len(classes)), classes)
        axes.spines[:].set_visible(False)
        axes.set(
            title=title,
            xlabel="class forecast",
            ylabel=f"class observed (share of the row in %, number of {counted})",
        )
        save(figure, path)


def plot_scores(table: pd.DataFrame, column: str, axis_title: str, title: str, path: Path) -> None:
    """Draw one score by horizon, a line a forecaster; baselines are dashed grey."""
    with mpl.rc_context(RULES):
        figure = new_figure(6.4, 3.8)
        draw_by_horizon(figure.subplots(), table, column, axis_title, title)
        save(figure, path)


def draw_by_horizon(
    axes: Axes, table: pd.DataFrame, column: str, axis_title: str, title: str
) -> None:
    """Draw a line a forecaster that has the figure ``column``, and the legend beside the axes.

    Baselines are dashed grey and differ in their markers, for there are more of them than greys
    that can be told apart.
    """
    colours, greys, markers = cycle(LINES), cycle(GREYS), cycle(MARKERS)
    for name, rows in table.groupby("model", sort=False):
        if rows[column].isna().all():
            continue
        baseline = bool(rows["baseline"].iloc[0])
        axes.plot(
            rows["horizon_min"],
            rows[column],
            marker=next(markers) if baseline else "o",
            label=str(name),
            color=next(greys) if baseline else next(colours),
            linestyle="--" if baseline else "-",
        )
    axes.set_xticks(sorted(table["horizon_min"].unique()))
    axes.set(title=title, xlabel="horizon, minutes", ylabel=axis_title)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def plot_network(network: Network, drives_on: Side, path: Path) -> None:
    """Draw the segments by road class, the important ones on top, with a scale in kilometres.

    Args:
        network: with geometry.
        drives_on: see :func:`draw_lines`.
        path: of the PNG; the SVG lies beside it.
    """
    segments = network.segments
    with mpl.rc_context(RULES):
        figure = new_figure(8.0, 5.4)
        axes = figure.subplots()
        styles = road_styles(segments["road_class"].unique().tolist())
        for place, (name, (colour, width)) in enumerate(styles.items()):
            rows = segments[segments["road_class"] == name]
            label = f"{name}, {rows['length_m'].sum() / 1000:,.1f} km"
            colours = [colour] * len(rows)
            draw_lines(axes, rows.geometry, drives_on, colours, width, len(styles) - place)
            axes.plot([], [], color=colour, linewidth=width, label=label)
        map_axes(axes, network)
        draw_scale(axes)
        axes.set_title(
            f"{len(segments):,} directed segments, {segments['length_m'].sum() / 1000:,.1f} km, "
            f"{len(network.links):,} links"
        )
        figure.legend(loc="outside right center", ncols=-(-len(styles) // 24))
        save(figure, path)


def road_styles(classes: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Return colour and line width of road classes, the most important first.

    OpenStreetMap's classes come in their order and always have the same colours, a link that of
    its road; other classes follow by name.
    """
    colours = {
        "motorway": "#7a0403",
        "trunk": "#d7301f",
        "primary": "#e8590c",
        "secondary": "#e0a100",
        "tertiary": "#1b7837",
        "unclassified": "#8c6d31",
        "residential": "#2c7fb8",
    }
    others = cycle(("#5e3c99", "#6c757d", "#c51b8a", "#41b6c4", "#a6761d", "#3f007d"))
    styles = {}
    for name in sorted(classes, key=lambda name: (RANK.get(name, len(RANK)), name)):
        base = name.removesuffix("_link")
        colour = colours.get(base) or next(others)
        styles[name] = (colour, 0.8 if name != base else 1.4)
    return styles


def plot_predictions(
    network: Network, predictions: pd.DataFrame, zone: ZoneInfo, drives_on: Side, path: Path
) -> None:
    """Draw the congestion forecast of every segment, one map a horizon, local time above it.

    A segment without an answer, because none was sure enough or none was asked for, is grey.
    """
    horizons = sorted(predictions["horizon_min"].unique())
    with mpl.rc_context(RULES):
        columns = min(len(horizons), 2)
        lines = -(-len(horizons) // columns)
        figure = new_figure(4.6 * columns, 4.0 * lines + 0.5)
        maps = figure.subplots(lines, columns, squeeze=False)
        for axes, horizon in zip(maps.flat, horizons, strict=False):
            rows = predictions[predictions["horizon_min"] == horizon].set_index("segment_id")
            classes = rows["congestion"].reindex(network.segment_ids)
            colours = classes.map(CLASS_COLOURS).fillna(NO_ANSWER)
            draw_lines(axes, network.segments.geometry, drives_on, colours.tolist(), 1.8)
            map_axes(axes, network)
            start = rows["slice_start"].iloc[0]
            clock = time_of_day(start, zone)
            axes.set_title(f"{start.tz_convert(zone):%a %d %b}, {clock} (+{horizon} min)")
        for axes in maps.flat[len(horizons) :]:
            axes.set_visible(False)
        handles: list[Any] = [
            Line2D([], [], color=CLASS_COLOURS[name], linewidth=3, label=CLASS_TITLES[name])
            for name in CONGESTION_CLASSES
        ]
        answers = predictions.groupby("horizon_min")["congestion"].count()
        if (answers < len(network.segment_ids)).any():
            handles.append(Line2D([], [], color=NO_ANSWER, linewidth=3, label=NO_ANSWER_TITLE))
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        issued = predictions["issued_at"].iloc[0]
        when = f"{issued.tz_convert(zone):%Y-%m-%d} {time_of_day(issued, zone)}"
        figure.suptitle(f"Congestion forecast issued {when} local time")
        save(figure, path)


def draw_lines(
    axes: Axes,
    geometry: GeoSeries,
    drives_on: Side,
    colours: Colours,
    width: float,
    order: int = 1,
) -> None:
    """Draw lines moved a little to the side that traffic keeps to, so that both directions show.

    Args:
        axes: longitude and latitude in degrees.
        geometry: lines in the direction of travel.
        drives_on: that side.
        colours: of each line or of all.
        width: of the lines in points.
        order: what has a higher one lies above.
    """
    shifted = beside(geometry, drives_on)
    axes.add_collection(LineCollection(shifted, colors=colours, linewidths=width, zorder=order))


def beside(geometry: GeoSeries, side: Side) -> list[np.ndarray]:
    """Return the points of each line, 8 m to this side of it."""
    points, line = shapely.get_coordinates(geometry, return_index=True)
    if not len(points):
        return []
    last = np.flatnonzero(np.diff(line, append=-1))
    first = np.concatenate([[0], last[:-1] + 1])
    scale = np.cos(np.radians(points[first, 1]))[line]
    direction = np.diff(points, axis=0, append=points[-1:])
    direction[last] = direction[last - 1]
    direction[:, 0] *= scale
    length = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-12)
    left = np.stack([-direction[:, 1] / length / scale, direction[:, 0] / length], axis=1)
    shift_m = 8.0 if side == "left" else -8.0
    return np.split(points + left * shift_m / METRES_PER_DEGREE, first[1:])


def draw_scale(axes: Axes) -> None:
    """Draw a bar of 1, 2 or 5 times a power of ten kilometres above the map's right end."""
    west, east = axes.get_xlim()
    width_km = (
        (east - west) * METRES_PER_DEGREE / 1000 * np.cos(np.radians(np.mean(axes.get_ylim())))
    )
    power_km = 10.0 ** np.floor(np.log10(width_km / 4))
    bar_km = power_km * max(step for step in (1, 2, 5) if step * power_km <= width_km / 4)
    place = axes.transAxes
    bar = Line2D(
        [1 - bar_km / width_km, 1], [1.02, 1.02], transform=place, color="black", linewidth=3,
        solid_capstyle="butt", clip_on=False,
    )  # fmt: skip
    axes.add_line(bar)
    unit = f"{bar_km:g} km" if bar_km >= 1 else f"{bar_km * 1000:g} m"
    axes.text(1, 1.03, unit, transform=place, fontsize=8, ha="right", va="bottom")


def map_axes(axes: Axes, network: Network) -> None:
    """Let the axes span the network, with equal scales in both directions."""
    west, south, east, north = network.segments.total_bounds
    # Room for the lines' shift, and for a road that runs due east.
    margin = 0.02 * max(east - west, north - south) + 20.0 / METRES_PER_DEGREE
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    axes.set_aspect(1 / np.cos(np.radians((south + north) / 2)))
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=4)
    axes.set_xlabel("longitude, degrees", fontsize=8)
    axes.set_ylabel("latitude, degrees", fontsize=8)
