"""Pictures of trips that fit the roads badly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import shapely
from matplotlib.collections import LineCollection

from roadgraph.probes.distance import METRES_PER_DEGREE
from roadgraph.report.style import RULES, new_figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from roadgraph.network.network import Network

LEAST_WIDTH_M = 400.0  # of a picture, so that a standing vehicle is seen on its street
MARGIN_M = 100.0


def plot_worst_trips(network: Network, trips: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw trips on the roads around them, metres from the middle of each; crosses are unmatched.

    Args:
        network: the roads.
        trips: ``worst`` of a :class:`~roadgraph.probes.match_report.MatchReport`.
        path: of the PNG; the SVG lies beside it.
    """
    columns = min(len(trips), 3)
    rows = -(-len(trips) // columns)
    with mpl.rc_context(RULES):
        figure = new_figure(4.2 * columns, 4.0 * rows + 0.4)
        maps = figure.subplots(rows, columns, squeeze=False)
        for axes, trip in zip(maps.flat, trips, strict=False):
            _draw_trip(axes, network, trip)
        for axes in maps.flat[len(trips) :]:
            axes.set_visible(False)
        figure.suptitle("Trips that fit the roads worst: fixes (dots), unmatched fixes (crosses)")
        save(figure, path)


def _draw_trip(axes: Axes, network: Network, trip: dict[str, Any]) -> None:
    lat, lon = np.array(trip["lat"]), np.array(trip["lon"])
    middle = (lat.min() + lat.max()) / 2, (lon.min() + lon.max()) / 2
    scale = np.array([np.cos(np.radians(middle[0])), 1.0]) * METRES_PER_DEGREE
    fixes = (np.stack([lon, lat], axis=1) - middle[::-1]) * scale
    reach = max(float(np.abs(fixes).max()) + MARGIN_M, LEAST_WIDTH_M / 2)
    span = reach / scale
    window = shapely.box(*(np.array(middle[::-1]) - span), *(np.array(middle[::-1]) + span))
    near = network.segments.geometry.iloc[network.segments.sindex.query(window)]
    lines = [(np.asarray(line.coords)[:, :2] - middle[::-1]) * scale for line in near]
    axes.add_collection(LineCollection(lines, colors="#adb5bd", linewidths=1.6, zorder=1))
    matched = np.array(trip["matched"], dtype=bool)
    axes.plot(*fixes.T, color="#2c7fb8", linewidth=0.8, zorder=2)
    axes.plot(*fixes[matched].T, "o", color="#2c7fb8", markersize=3.5, zorder=3)
    axes.plot(*fixes[~matched].T, "x", color="#e8590c", markersize=6, zorder=3)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_title(
        f"{trip['vehicle_id']}, {trip['started_at'][:16]} UTC\n{trip['fixes']} fixes, "
        f"{trip['score']:.0f} m from the road on average",
        fontsize=9,
    )
    axes.set_xlabel("east, m", fontsize=8)
    axes.set_ylabel("north, m", fontsize=8)
    axes.tick_params(labelsize=7)
