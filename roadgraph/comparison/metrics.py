"""The names that final figures have in MLflow, so that they sort by span, task, figure, horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from roadgraph.evaluation.skill import with_skill

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roadgraph.comparison.runs import Run

METRIC_NAMES = {
    "accuracy": "congestion/accuracy",
    "macro_f1": "congestion/macro_f1",
    "micro_f1": "congestion/micro_f1",
    "macro_precision": "congestion/macro_precision",
    "macro_auc": "congestion/macro_auc",
    "gridlock_recall": "congestion/recall_gridlock",
    "congested_recall": "congestion/recall_congested",
    "moderate_recall": "congestion/recall_moderate",
    "free_flow_recall": "congestion/recall_free_flow",
    "log_loss": "congestion/log_loss",
    "calibration_error": "congestion/calibration_error",
    "skill_macro_f1": "congestion/skill",
    "answered_share": "congestion/answered_share",
    "accuracy_answered": "congestion/accuracy_answered",
    "macro_f1_answered": "congestion/macro_f1_answered",
    "rush_hour_accuracy": "rush_hour/accuracy",
    "rush_hour_precision": "rush_hour/precision",
    "rush_hour_recall": "rush_hour/recall",
    "rush_hour_f1": "rush_hour/f1",
    "rush_hour_auc": "rush_hour/auc",
    "speed_mae_kph": "speed/mae_kph",
    "speed_rmse_kph": "speed/rmse_kph",
    "skill_speed_mae": "speed/skill",
    "interval_coverage": "speed/interval_coverage",
    "interval_width_kph": "speed/interval_width_kph",
}
SPANS = {ALL: "test", OBSERVED_SEGMENTS: "test_observed", HIDDEN_SEGMENTS: "test_hidden"}
"""Names of the test span on all cells and on those of a part."""
TRUTH_SPAN, VALIDATION_SPAN = "test_truth", "validation"
MEAN = "mean"
"""In place of a horizon: the mean over the reported ones."""


def final_metrics(run: Run, baselines: Sequence[Run]) -> dict[str, float]:
    """Return the figures of a run by name, such as ``test/congestion/macro_f1/30min``.

    Beside each horizon stands the mean over them, ``test/congestion/macro_f1/mean``. Spans are
    :data:`SPANS`, ``test_truth`` (a simulation's true speeds) and ``validation``. What a
    forecaster does not answer is left out.

    Args:
        run: the run.
        baselines: of the same comparison, against the best of which skill is measured.
    """
    figures: dict[str, float] = {}
    for part, span in SPANS.items():
        figures |= _named(_with_skill(run, baselines, "scores"), part, span)
    if run.verdict.truth_scores is not None:
        figures |= _named(_with_skill(run, baselines, "truth_scores"), ALL, TRUTH_SPAN)
    figures |= _named(run.verdict.validation_scores, ALL, VALIDATION_SPAN)
    facts = run.facts
    costs = ("training_seconds", "prediction_ms", "best_epoch", "parameters", "validation_loss")
    for name in costs:
        value = getattr(facts, name)
        if value is not None:
            figures[name] = float(value)
    return figures


def _with_skill(run: Run, baselines: Sequence[Run], which: str) -> pd.DataFrame:
    tables = [
        getattr(each.verdict, which).assign(seed=each.facts.seed, baseline=each.facts.baseline)
        for each in (*baselines, run)
    ]
    table = with_skill(pd.concat(tables, ignore_index=True))
    return table[table["model"] == run.facts.title].tail(len(tables[-1]))


def _named(table: pd.DataFrame, part: str, span: str) -> dict[str, float]:
    rows = table[table["part"] == part]
    return {
        f"{span}/{METRIC_NAMES[column]}/{where}": value
        for column in METRIC_NAMES
        if column in rows
        for where, value in _by_horizon(rows, column)
    }


def _by_horizon(rows: pd.DataFrame, column: str) -> Iterator[tuple[str, float]]:
    known = rows[rows[column].notna()]
    # As wide as the farthest, so that names sort as horizons do.
    digits = max(len(str(rows["horizon_min"].max())), 2)
    for minutes, value in zip(known["horizon_min"], known[column], strict=True):
        yield f"{minutes:0{digits}d}min", float(value)
    if len(known):
        yield MEAN, float(known[column].mean())
