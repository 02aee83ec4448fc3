"""The files of a comparison: tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.comparison import (
    FLOOR,
    FLOOR_KPH,
    graph_sentences,
    means_and_spreads,
    verdict_table,
    with_costs,
)
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from roadgraph.report.calibration_plots import plot_coverage
from roadgraph.report.plots import plot_confusion, plot_learning_curves, plot_scores
from roadgraph.report.tables import (
    COSTS_SHOWN,
    PARTS_SHOWN,
    SHOWN,
    cost_text,
    markdown,
    shown_comparison,
    shown_in_full,
    shown_verdicts,
)
from roadgraph.storage import whole_folder

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Facts
    from roadgraph.settings import CitySettings, Settings

TRIVIAL = (
    "**Trivial:** with `task=nowcast_same_slice` a label is computed from a speed that is among "
    "the inputs. These figures say nothing about forecasts."
)
TRIVIAL_IN_TITLES = "(trivial: nowcast)"
PICTURES = ("confusion", "learning-curves")
"""Of each run."""


def write_results(compared: Compared, settings: Settings, folder: Path) -> None:
    """Write tables and pictures of a comparison into ``folder``, whole or not at all.

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
        (temporary / "results.md").write_text(_text(compared, settings), "utf-8")
        _draw(compared, trivial, temporary / "plots")


def is_trivial(settings: Settings) -> bool:
    """Return whether a label is computed from a speed that is among the inputs."""
    return settings.task == "nowcast_same_slice"


def picture_name(facts: Facts, kind: str) -> str:
    """Return the file name of a run's picture of a kind of :data:`PICTURES`."""
    seed = "" if facts.baseline else f"-seed-{facts.seed}"
    return f"{facts.title.replace(' ', '-')}{seed}-{kind}.png"


def verdicts_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Return who is better than whom on all cells, on observed and on hidden segments.

    Without hidden segments the last two are left out, for observed segments are then all.
    """
    tables = [verdict_table(scores, part=part) for part in (OBSERVED_SEGMENTS, HIDDEN_SEGMENTS)]
    found = [table for table in tables if len(table)]
    return pd.concat([verdict_table(scores), *found], ignore_index=True)


def shown_facts(compared: Compared) -> pd.DataFrame:
    """Return parameters and times of each forecaster, as people see them."""
    facts = compared.facts
    rows = facts.groupby("title", sort=False).agg(
        seeds=("seed", "nunique"), diagnosis=("diagnosis", "first")
    )
    costs = with_costs(rows.index.to_frame(name="model"), facts)
    texts = {
        title: [cost_text(value, name) for value in costs[name]]
        for name, title in COSTS_SHOWN.items()
    }
    diagnoses = ["-" if pd.isna(value) else value for value in rows["diagnosis"]]
    shown = pd.DataFrame({"model": rows.index, **texts, "diagnosis": diagnoses})
    shown.insert(2, "seeds", rows["seeds"].to_numpy())
    return shown


def notes_of(compared: Compared, settings: Settings) -> list[str]:
    """Return what must be read beside the figures, a sentence each."""
    notes = []
    if is_trivial(settings):
        notes.append(TRIVIAL)
    if settings.labels.rush_hour == "clock":
        notes.append("Rush hour is a function of the clock here, so its score says nothing.")
    verdicts = verdicts_of(compared.scores)
    notes += graph_sentences(verdicts[verdicts["part"] != OBSERVED_SEGMENTS])
    notes += [
        f"{title} stands without its control, so nothing shows whether the graph helps; "
        f"`roadgraph compare --models {title}` trains it too."
        for title in compared.without_control
    ]
    notes += [
        f"{item.title} with seed {item.seed} failed and is missing: {item.reason}"
        for item in compared.failures
    ]
    return notes


def _text(compared: Compared, settings: Settings) -> str:
    city = settings.city
    scores, truth = compared.scores, compared.truth_scores
    means = with_costs(_means(scores), compared.facts)
    cells, meaning, true_cells = _cells_of(settings)
    lines = [
        f"# Results, {city.name}, test span, {cells}",
        "",
        f"A cell (a segment in a time slice) has a label where it was observed. {meaning}",
        "",
        f"Speeds in {city.speed_unit}; mean and, of several seeds, their standard deviation. "
        "Baselines and models on the same cells; skill is against the best baseline. Times are "
        "medians over the seeds: of the training, and of a forecast of all segments.",
        "",
        *(f"* {note}" for note in notes_of(compared, settings)),
        "",
        markdown(shown_comparison(means, city, {**SHOWN, **COSTS_SHOWN}, bold=True)),
        "## Congestion and rush hour in full",
        "",
        markdown(shown_in_full(means, city)),
        "## Better, worse or tie",
        "",
        "Over all horizons; a difference below the larger spread over the seeds is a tie. A model "
        f"with one seed has no spread: a difference below {FLOOR:g} (of speed errors "
        f"{FLOOR_KPH:g} km/h) is a tie then.",
        "",
        *_verdicts(scores, city),
        "## Runs",
        "",
        markdown(shown_facts(compared)),
    ]
    if truth is not None:
        lines += [
            f"## The same against the simulator's truth, {true_cells}",
            "",
            markdown(shown_comparison(_means(truth), city, bold=True)),
        ]
    lines += ["## By kind of segment and time of day", "", markdown(_by_part(scores, city))]
    return "\n".join(lines)


def _cells_of(settings: Settings) -> tuple[str, str, str]:
    """Return which cells are judged, a sentence about them, and which of the simulator's truth."""
    if settings.task == "estimate_hidden":
        return (
            "hidden segments, every cell with a label",
            "Hidden segments alone are judged: the observations of all others are looked at.",
            "every hidden segment with a vehicle",
        )
    return (
        "every cell with a label",
        "Hidden segments are judged too, although no forecaster sees their observations.",
        "every segment with a vehicle",
    )


def _verdicts(scores: pd.DataFrame, city: CitySettings) -> list[str]:
    lines = []
    verdicts = verdicts_of(scores)
    for part in (ALL, OBSERVED_SEGMENTS, HIDDEN_SEGMENTS):
        rows = verdicts[verdicts["part"] == part]
        if part == ALL:
            lines.append(markdown(shown_verdicts(rows, city)))
        elif len(rows):
            lines += [f"### On {part}", "", markdown(shown_verdicts(rows, city))]
    return lines


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    return means_and_spreads(scores[scores["part"] == ALL])


def _by_part(scores: pd.DataFrame, city: CitySettings) -> pd.DataFrame:
    parts = scores[scores["part"] != ALL]
    return shown_comparison(means_and_spreads(parts), city, PARTS_SHOWN)


def _draw(compared: Compared, trivial: bool, folder: Path) -> None:
    mark = f"\n{TRIVIAL_IN_TITLES}" if trivial else ""
    for run in compared.runs:
        facts = run.facts
        title = facts.title if facts.baseline else f"{facts.title}, seed {facts.seed}"
        confusion, curves = (folder / picture_name(facts, kind) for kind in PICTURES)
        if run.history:
            plot_learning_curves(run.history, f"{title}: learning curves{mark}", curves)
        if run.verdict.confusion is not None:
            ahead = f"Congestion {compared.judge.confusion_minutes} minutes ahead, test span"
            plot_confusion(run.verdict.confusion, f"{title}\n{ahead}{mark}", confusion)
    means = _means(compared.scores)
    for column, axis_title, subject in (
        ("macro_f1", "macro F1", "Congestion on the test span"),
        ("speed_mae_kph", "mean absolute error, km/h", "Speed on the test span"),
    ):
        if means[column].notna().any():
            plot_scores(means, column, axis_title, f"{subject}{mark}", folder / f"{column}.png")
    if means["interval_coverage"].notna().any():
        title = f"Intervals of the speed on the test span{mark}"
        plot_coverage(means, title, folder / "interval_coverage.png")
