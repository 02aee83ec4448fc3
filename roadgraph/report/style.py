"""One look for every plot, and the files that it is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path

PLOT_FORMATS = (".png", ".svg")
"""Of every plot: pixels for pages, and a drawing for slides that stays sharp at any size."""

MOST_VECTOR_LINES = 20_000
"""A drawing of more lines would open slowly or not at all: they are pixels in it."""

RULES: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.dpi": 150,
    # A road may be named $; between two of them would stand a formula.
    "text.parse_math": False,
    # Texts as outlines look the same where the font is missing.
    "svg.fonttype": "path",
    # Or names in it would be drawn by lot, and the same plot would have other bytes.
    "svg.hashsalt": "roadgraph",
}


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure in the common style, bound to no window."""
    with mpl.rc_context(RULES):
        return Figure(figsize=(width_in, height_in), layout="constrained")


def is_drawable(text: str) -> bool:
    """Return whether the plots' font has every letter of ``text``; it has no Thai, for one."""
    font = font_manager.get_font(font_manager.findfont(RULES["font.family"]))
    return all(font.get_char_index(ord(letter)) for letter in text)


def plot_files(path: Path) -> tuple[Path, ...]:
    """Return the files that a plot named ``path`` is written to, one a format."""
    return tuple(path.with_suffix(suffix) for suffix in PLOT_FORMATS)


def save(figure: Figure, path: Path) -> None:
    """Write ``figure`` as PNG and SVG, each whole or not at all, without a date in them.

    Should the process die between the two, there is no drawing, never that of another plot.

    Args:
        figure: of :func:`new_figure`; its layout is final afterwards.
        path: of the PNG; the SVG lies beside it.
    """
    picture_path, drawing_path = plot_files(path)
    # The inner one takes its place first.
    with (
        whole_file(drawing_path) as drawing,
        whole_file(picture_path) as picture,
        mpl.rc_context(RULES),
    ):
        figure.savefig(picture, metadata={"Software": None})
        figure.set_layout_engine(None)  # it is found; to look for it again takes a drawing more
        _draw_many_lines_as_pixels(figure)
        figure.savefig(drawing, metadata={"Creator": None, "Date": None})
        drawing_path.unlink(missing_ok=True)


def _draw_many_lines_as_pixels(figure: Figure) -> None:
    lines = [each for each in figure.findobj(LineCollection) if isinstance(each, LineCollection)]
    if sum(len(each.get_paths()) for each in lines) > MOST_VECTOR_LINES:
        for each in lines:
            each.set_rasterized(True)
