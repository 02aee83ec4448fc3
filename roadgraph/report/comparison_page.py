"""A comparison as one HTML page that needs nothing beside itself, neither files nor a network."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from roadgraph.errors import DataError
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from markupsafe import Markup

log = logging.getLogger(__name__)

TEMPLATE = "comparison_page.html.jinja"
PNG_START = b"\x89PNG\r\n\x1a\n"  # PNG specification, section 5.2
BOLD = re.compile(r"\*\*(.+?)\*\*")
CODE = re.compile(r"`(.+?)`")
NUMBER = re.compile(r"(\*\*)?[-+]?\d[\d,.]*( ± \d[\d,.]*)?(\*\*)?|-|")
"""A cell of figures: a number, with its spread or without, best or not; or none."""


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: below it, and read to those who do not see it.
        path: of a PNG file.
    """

    title: str
    path: Path


@dataclass(frozen=True)
class PageTable:
    """A table on the page.

    Attributes:
        title: above it.
        rows: texts as people see them, the best in ``**``; a row whose ``model`` is one of the
            page's baselines is grey.
        notes: sentences between the title and the table.
    """

    title: str
    rows: pd.DataFrame
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class PageRun:
    """A run on the page.

    Attributes:
        name: of the run, such as ``gcn-enhanced seed 2``.
        url: where the tracking server shows it; None without a server.
        facts: what to know of it, names and texts.
        pictures: of it alone.
    """

    name: str
    url: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class ComparisonPage:
    """What the page shows, all of it passed in: the same content gives the same bytes.

    Every text may hold Markdown's ``**bold**`` and `` `code` ``, and no other markup.

    Attributes:
        title: of the page.
        city: whose roads it is about.
        facts: below the title, names and texts, such as days, segments and when it was made.
        url: where the tracking server shows the comparison; None without a server.
        lead: sentences that say what was judged.
        notes: what must be read beside the figures, a sentence each.
        tables: in the order of the page.
        pictures: of the comparison as a whole.
        runs: in the order of the page.
        baselines: titles of the forecasters that are baselines.
    """

    title: str
    city: str
    facts: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    lead: Sequence[str] = ()
    notes: Sequence[str] = ()
    tables: Sequence[PageTable] = ()
    pictures: Sequence[Picture] = ()
    runs: Sequence[PageRun] = ()
    baselines: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ShownCell:
    """A cell as the template needs it: ``spread`` follows the mean, such as ``± 0.01``."""

    text: str
    spread: str
    kind: str


@dataclass(frozen=True)
class ShownTable:
    """A table as the template needs it: kinds are classes of the page's style."""

    title: str
    notes: Sequence[str]
    heads: list[tuple[str, str]]
    rows: list[tuple[str, list[ShownCell]]]


def write_comparison_page(page: ComparisonPage, path: Path) -> None:
    """Write ``page`` into one HTML file with its pictures in it, whole or not at all.

    Raises:
        DataError: a picture is missing or is no PNG file, or the address of a run is not that of
            a web page.
    """
    # Beside training it would slow the start of every command.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("roadgraph", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "marked": _marked,
        "inlined": _inlined,
        "web_address": _web_address,
    }
    shown = [_shown(table, page.baselines) for table in page.tables]
    text = environment.get_template(TEMPLATE).render(page=page, tables=shown) + "\n"
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8", newline="\n")
    log.info("%s: %.1f MB", path, len(text.encode()) / 1e6)


def _marked(text: str) -> Markup:
    """Return ``text`` as HTML that shows it, with its bold and code."""
    from markupsafe import Markup, escape

    html = BOLD.sub(r"<strong>\1</strong>", str(escape(text)))
    return Markup(CODE.sub(r"<code>\1</code>", html))  # escaped above


def _inlined(picture: Picture) -> str:
    if not picture.path.is_file():
        raise DataError(
            f"{picture.path}: the picture '{picture.title}' of the comparison page is missing; "
            "draw it first or leave it out"
        )
    content = picture.path.read_bytes()
    if not content.startswith(PNG_START):
        raise DataError(
            f"{picture.path}: the picture '{picture.title}' of the comparison page is not PNG; "
            "save it as PNG"
        )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _web_address(url: str, name: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(
            f"run '{name}': '{url}' is no web address; give one with http:// or https://, or none"
        )
    return url


def _shown(table: PageTable, baselines: frozenset[str]) -> ShownTable:
    texts = table.rows.astype(str)
    columns = [str(column) for column in texts.columns]
    kinds = [
        "number" if all(map(NUMBER.fullmatch, texts.iloc[:, place])) else ""
        for place in range(len(columns))
    ]
    models = texts["model"].tolist() if "model" in columns else [""] * len(texts)
    rows = []
    for place, cells in enumerate(texts.itertuples(index=False, name=None)):
        kind = "baseline" if models[place] in baselines else ""
        if place and models[place] != models[place - 1]:
            kind += " another"
        shown = map(_cell, cells, columns, kinds)
        rows.append((kind.strip(), list(shown)))
    return ShownTable(table.title, table.notes, list(zip(columns, kinds, strict=True)), rows)


def _cell(text: str, column: str, kind: str) -> ShownCell:
    best = BOLD.fullmatch(text)
    plain = best[1] if best else text
    if column == "verdict":
        kind = plain.partition(" ")[0]
    mean, sign, spread = plain.partition(" ± ") if kind == "number" else (plain, "", "")
    return ShownCell(mean, f"{sign}{spread}", f"{kind} best" if best else kind)
