"""The files of a comparison: tables and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.comparison import graph_sentences, means_and_spreads, verdict_table
from roadgraph.evaluation.parts import ALL
from roadgraph.report.plots import plot_confusion, plot_learning_curves, plot_scores
from roadgraph.report.tables import PARTS_SHOWN, markdown, shown_comparison, shown_verdicts
from roadgraph.storage import whole_folder

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Run
    from roadgraph.settings import CitySettings, Settings

TRIVIAL = (
    "**Trivial:** with `task=nowcast_same_slice` a label is computed from a speed that is among "
    "the inputs. These figures say nothing about forecasts."
)


def write_results(compared: Compared, settings: Settings, folder: Path) -> None:
    """Write tables and pictures of a comparison into ``folder``, whole or not at all.

    ``results.csv`` has a row a run, horizon and part; ``comparison.csv`` means and spreads over
    the seeds, ``verdicts.csv`` who is better than whom, ``runs.csv`` parameters and times;
    ``results.md`` is for people.
    """
    scores, truth = compared.scores, compared.truth_scores
    with whole_folder(folder) as temporary:
        scores.to_csv(temporary / "results.csv", index=False)
        means_and_spreads(scores).to_csv(temporary / "comparison.csv", index=False)
        verdict_table(scores).to_csv(temporary / "verdicts.csv", index=False)
        compared.facts.to_csv(temporary / "runs.csv", index=False)
        if truth is not None:
            truth.to_csv(temporary / "results_truth.csv", index=False)
        (temporary / "results.md").write_text(_text(compared, settings), "utf-8")
        _draw(compared, scores, temporary / "plots")


def shown_facts(compared: Compared) -> pd.DataFrame:
    """Return parameters and times of each forecaster, as people see them."""
    facts = compared.facts
    rows = facts.groupby("title", sort=False).agg(
        parameters=("parameters", "first"),
        seeds=("seed", "nunique"),
        training_s=("training_seconds", "median"),
        prediction_ms=("prediction_ms", "median"),
        training=("diagnosis", "first"),
    )
    return pd.DataFrame(
        {
            "model": rows.index,
            "parameters": [
                "-" if pd.isna(value) else f"{int(value):,}" for value in rows["parameters"]
            ],
            "seeds": rows["seeds"].to_numpy(),
            "training, s": [f"{value:.1f}" for value in rows["training_s"]],
            "prediction, ms": [f"{value:.1f}" for value in rows["prediction_ms"]],
            "diagnosis": ["-" if pd.isna(value) else value for value in rows["training"]],
        }
    )


def notes_of(compared: Compared, settings: Settings) -> list[str]:
    """Return what must be read beside the figures, a sentence each."""
    notes = []
    if settings.task == "nowcast_same_slice":
        notes.append(TRIVIAL)
    if settings.labels.rush_hour == "clock":
        notes.append("Rush hour is a function of the clock here, so its score says nothing.")
    notes += graph_sentences(verdict_table(compared.scores))
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
    lines = [
        f"# Results, {city.name}, test span, cells with an observation",
        "",
        f"Speeds in {city.speed_unit}; mean and, of several seeds, their standard deviation. "
        "Baselines and models on the same cells; skill is against the best baseline.",
        "",
        *(f"* {note}" for note in notes_of(compared, settings)),
        "",
        markdown(shown_comparison(_means(scores), city, bold=True)),
        "## Better, worse or tie",
        "",
        "Over all horizons; a difference below the larger spread over the seeds is a tie.",
        "",
        markdown(shown_verdicts(verdict_table(scores), city)),
        "## Runs",
        "",
        markdown(shown_facts(compared)),
    ]
    if truth is not None:
        lines += [
            "## The same against the simulator's truth, every segment with a vehicle",
            "",
            markdown(shown_comparison(_means(truth), city, bold=True)),
        ]
    lines += ["## By kind of segment and time of day", "", markdown(_by_part(scores, city))]
    return "\n".join(lines)


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    return means_and_spreads(scores[scores["part"] == ALL])


def _by_part(scores: pd.DataFrame, city: CitySettings) -> pd.DataFrame:
    parts = scores[scores["part"] != ALL]
    return shown_comparison(means_and_spreads(parts), city, PARTS_SHOWN)


def _draw(compared: Compared, scores: pd.DataFrame, folder: Path) -> None:
    first: dict[str, Run] = {}
    for run in compared.runs:
        first.setdefault(run.facts.title, run)
    for title, run in first.items():
        name = title.replace(" ", "-")
        if run.history:
            plot_learning_curves(run.history, title, folder / f"{name}-learning-curves.png")
        if run.verdict.confusion is not None:
            plot_confusion(
                run.verdict.confusion,
                f"{title}\nCongestion {compared.judge.confusion_minutes} minutes ahead, test span",
                folder / f"{name}-confusion.png",
            )
    means = _means(scores)
    for column, axis_title, subject in (
        ("macro_f1", "macro F1", "Congestion on the test span"),
        ("speed_mae_kph", "mean absolute error, km/h", "Speed on the test span"),
    ):
        if means[column].notna().any():
            plot_scores(means, column, axis_title, subject, folder / f"{column}.png")
