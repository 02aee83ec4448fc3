"""The scorecard of a day as a page to open in a browser, a table for programs and pictures."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from roadgraph.report.html_page import Picture, write_page
from roadgraph.report.scorecard_page.pictures import drawings_of
from roadgraph.report.scorecard_page.sections import drift_section, sections_of
from roadgraph.report.scorecard_page.tables import scorecard_csv
from roadgraph.report.scorecard_page.words import (
    READING,
    day_text,
    headline,
    sentences_of_counts,
    sentences_of_horizons,
)
from roadgraph.storage import whole_file, whole_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.report.scorecard_page.sections import Section
    from roadgraph.settings import Settings
    from roadgraph.verification.scorecard import Scorecard

SCORECARD_FILE, CSV_FILE, PLOTS_FOLDER = "scorecard.html", "scorecard.csv", "plots"
TEMPLATE = "scorecard_page/page.html.jinja"


@dataclass(frozen=True)
class ScorecardPage:
    """What the page shows; every text may hold Markdown's bold and code.

    Attributes:
        title: of the page.
        city: whose roads it is about.
        headline: the verdict in a sentence, or why there is none.
        facts: below the title, names and texts.
        verdicts: what the headline rests on, a sentence a horizon.
        counts: which forecasts count, a sentence each.
        reading: how to read the figures, a sentence each.
        sections: in the order of the page.
    """

    title: str
    city: str
    headline: str
    facts: Mapping[str, str] = field(default_factory=dict)
    verdicts: Sequence[str] = ()
    counts: Sequence[str] = ()
    reading: Sequence[str] = ()
    sections: Sequence[Section] = ()


def write_scorecard(scorecard: Scorecard, settings: Settings, folder: Path) -> tuple[Path, ...]:
    """Write ``scorecard.html``, ``scorecard.csv`` and ``plots/`` into ``folder``.

    The page holds its pictures and needs no other file. Each of the three is written whole or not
    at all. A day without anything to judge has a page that says why.

    Args:
        scorecard: of the day.
        settings: ``city``, ``report.districts`` and ``pipeline.psi_limit`` are used.
        folder: such as ``Workspace.report``; ``plots/`` in it is replaced.

    Returns:
        The page, the table and the folder of pictures.
    """
    page, table, plots = (folder / name for name in (SCORECARD_FILE, CSV_FILE, PLOTS_FOLDER))
    drawings = drawings_of(scorecard, settings.city)
    with whole_folder(plots) as temporary:
        for drawing in drawings:
            drawing.draw(path=temporary / f"{drawing.name}.png")
    pictures: dict[str, list[Picture]] = {}
    for drawing in drawings:
        picture = Picture(drawing.title, plots / f"{drawing.name}.png")
        pictures.setdefault(drawing.section, []).append(picture)
    with whole_file(table) as temporary:
        scorecard_csv(scorecard).to_csv(temporary, index=False)
    write_page(TEMPLATE, page, page=page_of_scorecard(scorecard, settings, pictures))
    return page, table, plots


def remove_scorecard(folder: Path) -> None:
    """Remove what :func:`write_scorecard` wrote into ``folder``, as far as it is there."""
    for name in (SCORECARD_FILE, CSV_FILE):
        (folder / name).unlink(missing_ok=True)
    if (folder / PLOTS_FOLDER).exists():
        shutil.rmtree(folder / PLOTS_FOLDER)


def page_of_scorecard(
    scorecard: Scorecard, settings: Settings, pictures: Mapping[str, Sequence[Picture]]
) -> ScorecardPage:
    """Return the content of the page; ``pictures`` are by the section that they stand in."""
    city = settings.city
    title = f"Scorecard of {day_text(scorecard.day)}"
    clock = {"speeds in": city.speed_unit, "local times of": city.timezone}
    if scorecard.reason:
        return ScorecardPage(
            title,
            city.name,
            f"There is nothing to judge: {scorecard.reason}.",
            clock,
            sections=[drift_section(scorecard.record, settings.pipeline.psi_limit, pictures)],
        )
    judged = f"{scorecard.counts['judged']:,} forecasts"
    if scorecard.hindsight:
        judged += f", {scorecard.hindsight:,} of them issued in hindsight"
    made_by = ", ".join(f"{name} ({count:,})" for name, count in scorecard.models.items())
    return ScorecardPage(
        title,
        city.name,
        headline(scorecard),
        {"judged": judged, "made by": made_by, **clock},
        sentences_of_horizons(scorecard, city),
        sentences_of_counts(scorecard),
        READING,
        sections_of(scorecard, settings, pictures),
    )
