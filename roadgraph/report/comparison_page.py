"""A comparison as one HTML page that needs nothing beside itself, neither files nor a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roadgraph.report.html_page import write_page
from roadgraph.report.html_tables import shown_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.report.html_page import Picture
    from roadgraph.report.html_tables import PageTable

TEMPLATE = "comparison_page.html.jinja"


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


def write_comparison_page(page: ComparisonPage, path: Path) -> None:
    """Write ``page`` into one HTML file with its pictures in it, whole or not at all.

    Raises:
        DataError: a picture is missing or is no PNG file, or the address of a run is not that of
            a web page.
    """
    tables = [shown_table(table, page.baselines) for table in page.tables]
    write_page(TEMPLATE, path, page=page, tables=tables)
