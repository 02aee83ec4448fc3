"""The files of a comparison: tables and pictures."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from roadgraph.comparison.account import (
    TRIVIAL_IN_TITLES,
    account_of,
    is_trivial,
    means_of_all,
    verdicts_of,
)
from roadgraph.evaluation.comparison import means_and_spreads, with_costs
from roadgraph.report.calibration_plots import plot_coverage
from roadgraph.report.plots import plot_scores
from roadgraph.storage import whole_folder

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Facts
    from roadgraph.settings import Settings


def write_results(compared: Compared, settings: Settings, folder: Path) -> None:
    """Write tables and pictures of a comparison into ``folder``, whole or not at all.

    The pictures of the runs are those that lie in their folders.

    ``results.csv`` has a row a run, horizon and part; ``comparison.csv`` means and spreads over
    the seeds beside parameters and times, ``verdicts.csv`` who is better than whom, ``runs.csv``
    the facts of each run; ``results.md`` is for people.
    """
    trivial = is_trivial(settings)
    scores = compared.scores.assign(trivial=trivial)
    means = with_costs(means_and_spreads(scores), compared.facts).assign(trivial=trivial)
    tables = {
        "results": scores,
        "comparison": means,
        "verdicts": verdicts_of(scores).assign(trivial=trivial),
        "runs": compared.facts,
    }
    truth = compared.truth_scores
    if truth is not None:
        tables["results_truth"] = truth.assign(trivial=trivial)
    with whole_folder(folder) as temporary:
        for name, table in tables.items():
            table.to_csv(temporary / f"{name}.csv", index=False)
        (temporary / "results.md").write_text(account_of(compared, settings).markdown(), "utf-8")
        _draw(compared, trivial, temporary / "plots")


def picture_name(facts: Facts, picture: Path) -> str:
    """Return the name, among those of all runs, of a run's picture such as ``confusion.png``."""
    seed = "" if facts.baseline else f"-seed-{facts.seed}"
    return f"{facts.title.replace(' ', '-')}{seed}-{picture.name}"


def _draw(compared: Compared, trivial: bool, folder: Path) -> None:
    mark = f"\n{TRIVIAL_IN_TITLES}" if trivial else ""
    folder.mkdir()
    for run in compared.runs:
        for picture in run.picture_files:
            shutil.copyfile(picture, folder / picture_name(run.facts, picture))
    means = means_of_all(compared.scores)
    for column, axis_title, subject in (
        ("macro_f1", "macro F1, 0-1", "Congestion on the test span"),
        ("speed_mae_kph", "mean absolute error, km/h", "Speed on the test span"),
    ):
        if means[column].notna().any():
            plot_scores(means, column, axis_title, f"{subject}{mark}", folder / f"{column}.png")
    if means["interval_coverage"].notna().any():
        title = f"Intervals of the speed on the test span{mark}"
        plot_coverage(means, title, folder / "interval_coverage.png")
