"""A comparison as one page to open in a browser, with links to its runs in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.comparison.account import account_of
from roadgraph.report.comparison_page import ComparisonPage, PageRun
from roadgraph.report.html_page import Picture
from roadgraph.report.html_tables import PageTable
from roadgraph.report.tables import cost_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Run
    from roadgraph.settings import Settings

OVERALL = {
    "macro_f1": "macro F1 by horizon",
    "speed_mae_kph": "Error of the speed by horizon",
    "interval_coverage": "Share of the speeds within the interval, by horizon",
}
"""Pictures of the comparison as a whole: name of the file and what it shows."""


def page_of(
    compared: Compared,
    settings: Settings,
    results: Path,
    pages: Mapping[str, str],
    made: datetime,
) -> ComparisonPage:
    """Return the content of the page.

    Args:
        compared: the comparison.
        settings: of the city.
        results: folder that its results were written to.
        pages: address of each run by its name, where there is one; the comparison's own under "".
        made: when, in any time zone.
    """
    account = account_of(compared, settings)
    dataset = compared.judge.dataset
    starts = dataset.grid.slice_starts.tz_convert(dataset.zone)
    facts = {
        "days": f"{starts[0]:%Y-%m-%d} to {starts[-1]:%Y-%m-%d}",
        "test span from": f"{starts[dataset.splits.test.start]:%Y-%m-%d %H:%M}",
        "segments": f"{dataset.graph.segments:,}",
        "slices": f"{dataset.grid.slice_minutes} minutes",
        "observed": f"{dataset.grid.observed.mean():.0%} of the cells",
        "made": f"{made.astimezone(dataset.zone):%Y-%m-%d %H:%M}",
    }
    plots = results / "plots"
    overall = {plots / f"{name}.png": title for name, title in OVERALL.items()}
    return ComparisonPage(
        title=account.title,
        city=settings.city.name,
        facts=facts,
        url=pages.get(""),
        lead=account.lead,
        notes=account.notes,
        tables=[PageTable(each.title, each.rows, each.notes) for each in account.sections],
        pictures=[Picture(title, path) for path, title in overall.items() if path.is_file()],
        runs=[_run(run, pages) for run in compared.runs],
        baselines=frozenset(run.facts.title for run in compared.runs if run.facts.baseline),
    )


def _run(run: Run, pages: Mapping[str, str]) -> PageRun:
    facts = run.facts
    shown = {
        "training": f"{cost_text(facts.training_seconds, 'training_seconds')} s",
        "prediction": f"{cost_text(facts.prediction_ms, 'prediction_ms')} ms",
    }
    if facts.best_epoch is not None:
        shown |= {
            "parameters": f"{facts.parameters:,}",
            "best epoch": str(facts.best_epoch + 1),  # people count from 1, as the diagnosis does
            "diagnosis": str(facts.diagnosis),
        }
    pictures = [
        Picture(kind.replace("-", " "), path) for kind, path in sorted(run.pictures.items())
    ]
    return PageRun(facts.name, pages.get(facts.name), shown, pictures)
