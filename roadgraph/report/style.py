"""One look for every plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path

CLASS_COLOURS = dict(
    zip(CONGESTION_CLASSES, ("#7a0403", "#e8590c", "#f2c14e", "#2c7fb8"), strict=True)
)
"""Dark red to blue: told apart by colour-blind readers and by lightness alone."""

CLASS_TITLES = dict(
    zip(CONGESTION_CLASSES, ("gridlock", "congested", "moderate", "free flow"), strict=True)
)

RULES: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 150,
}


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure in the common style, bound to no window."""
    with mpl.rc_context(RULES):
        return Figure(figsize=(width_in, height_in), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as PNG, whole or not at all, without a date in it."""
    with whole_file(path) as temporary, mpl.rc_context(RULES):
        figure.savefig(temporary, metadata={"Software": None})
