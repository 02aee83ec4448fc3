"""Tables on an HTML page: texts into cells with the kinds that the page's style knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.report.html_page import BOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

NUMBER = re.compile(r"(\*\*)?[-+]?\d[\d,.]*( ± \d[\d,.]*)?(\*\*)?|-|")
"""A cell of figures: a number, with its spread or without, best or not; or none."""


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


def shown_table(table: PageTable, baselines: frozenset[str] = frozenset()) -> ShownTable:
    """Return a table as a template needs it.

    A column of figures alone stands at the right; a row of a model that is among ``baselines`` is
    grey; a cell of a column ``verdict`` has its first word as its kind.
    """
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
