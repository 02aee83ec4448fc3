"""The map page: one HTML file that needs nothing beside itself, neither files nor a network."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from roadgraph.report.html_page import page_template, write_html

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES = resources.files("roadgraph.report.map_page")
TEMPLATE = "map_page/page.html.jinja"
STYLE = "page.css"
SCRIPTS = (
    "data.js",
    "layers.js",
    "text.js",
    "legend.js",
    "times.js",
    "chart.js",
    "search.js",
    "map.js",
    "page.js",
)
"""One after the other they are the page's script."""
LIBRARY = "deck.gl/deck.gl-9.4.0.min.js.gz"


@dataclass(frozen=True)
class MapPage:
    """What the page shows, all of it passed in: the same content gives the same bytes.

    Attributes:
        title: of the page.
        header: what stands on the page beside the numbers, as JSON has it: city, clock, times,
            classes, notes, and in ``arrays`` type, place and shape of each array in the block.
        data: the block of arrays, as :func:`~roadgraph.report.map_page.packing.packed` gives it.
    """

    title: str
    header: Mapping[str, Any]
    data: bytes

    @property
    def size(self) -> int:
        """How many bytes the page's file has."""
        empty = MapPage(self.title, {}, b"")
        beside = len(_rendered(empty).encode()) - len(_json({}))
        return beside + len(_json(self.header).encode()) + len(base64.b64encode(self.data))


def write_map_page(page: MapPage, path: Path) -> None:
    """Write ``page`` into one HTML file, whole or not at all."""
    write_html(_rendered(page), path)


def _rendered(page: MapPage) -> str:
    # Beside training it would slow the start of every command.
    from markupsafe import Markup

    text = page_template(TEMPLATE).render(
        title=page.title,
        style=Markup(_text(STYLE)),
        script=Markup("\n".join(map(_text, SCRIPTS))),
        library=Markup(_library()),
        data=Markup(base64.b64encode(page.data).decode()),
        header=Markup(_json(page.header)),
    )
    return text + "\n"


def _json(header: Mapping[str, Any]) -> str:
    """Return ``header`` as JSON that ends no element of the page."""
    text = json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


@cache
def _text(name: str) -> str:
    return (FILES / name).read_text("utf-8")


@cache
def _library() -> str:
    """Return the library that draws, as base64 of the compressed script."""
    return base64.b64encode(
        (resources.files("roadgraph.report.map_page") / LIBRARY).read_bytes()
    ).decode()
