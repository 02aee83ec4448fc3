"""Tables of results, as people and files get them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.comparison import LOWER_IS_BETTER, needed_difference
from roadgraph.units import KPH_PER_MPH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.models.summary import LayerSummary
    from roadgraph.settings import CitySettings

SHORT = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "speed_mae_kph": "speed MAE",
    "speed_rmse_kph": "speed RMSE",
}
"""What fits into a terminal of 80 columns."""

SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "skill_macro_f1": "skill",
    "macro_auc": "ROC AUC",
    "gridlock_recall": "recall gridlock",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "rush_hour_f1": "rush hour F1",
    "speed_mae_kph": "speed MAE",
    "skill_speed_mae": "speed skill",
    "speed_rmse_kph": "speed RMSE",
    "interval_coverage": "interval coverage",
}
COSTS_SHOWN = {
    "parameters": "parameters",
    "training_seconds": "training, s",
    "prediction_ms": "prediction, ms",
}
"""Of :func:`~roadgraph.evaluation.comparison.with_costs`, medians over the seeds."""

FULL = {
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "micro_f1": "micro F1",
    "congested_recall": "recall congested",
    "moderate_recall": "recall moderate",
    "free_flow_recall": "recall free flow",
    "rush_hour_accuracy": "rush hour accuracy",
    "rush_hour_precision": "rush hour precision",
    "rush_hour_recall": "rush hour recall",
    "rush_hour_auc": "rush hour AUC",
}
"""What :data:`SHOWN` leaves out of congestion and rush hour, so that no table is too wide."""

ANSWERED = {
    "answered_share": "answered share",
    "accuracy_answered": "accuracy of the answered",
    "macro_f1_answered": "macro F1 of the answered",
}
PARTS_SHOWN = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "skill_macro_f1": "skill",
    "speed_mae_kph": "speed MAE",
    "skill_speed_mae": "speed skill",
    "interval_coverage": "interval coverage",
}
KINDS = {
    "size": "enhanced against simple",
    "backbone": "backbone against backbone",
    "baseline": "model against the best baseline",
    "graph": "graph against its control",
}
SPEED_DIGITS = {"km/h": 2, "mph": 4}  # published errors in mph have four
COST_DIGITS = {"parameters": 0, "training_seconds": 1, "prediction_ms": 1}
PLACE = ["horizon_min", "part"]
NEVER_BEST = ("interval_coverage", "answered_share", *COST_DIGITS)
"""More is not better: a coverage should be 0.8, and a cost is none of the figures of merit."""


def shown_comparison(
    means: pd.DataFrame,
    city: CitySettings,
    columns: Mapping[str, str] = SHOWN,
    *,
    bold: bool = False,
) -> pd.DataFrame:
    """Return the figures that people see, texts as they print: ``mean ± spread`` of several seeds.

    The unit of speeds stands in no title, so that a table fits; whoever shows it says the unit.

    Args:
        means: from :func:`~roadgraph.evaluation.comparison.means_and_spreads`.
        city: its ``speed_unit`` says whether errors are shown in km/h or mph.
        columns: names of the figures and their titles; those of :data:`COSTS_SHOWN` need
            :func:`~roadgraph.evaluation.comparison.with_costs`.
        bold: mark the best of each horizon and part in Markdown, where it ties with nothing.
    """
    shown = means[["model", "horizon_min"]].rename(columns={"horizon_min": "minutes"})
    if means["part"].nunique() > 1:
        shown["part"] = means["part"]
    shown["seeds"] = means["seeds"]
    for name, title in columns.items():
        winners = (
            clear_winners(means, name) if bold and name not in NEVER_BEST else [False] * len(means)
        )
        shown[title] = [
            f"**{text}**" if wins else text
            for text, wins in zip(_texts(means, name, city), winners, strict=True)
        ]
    return shown


def shown_in_full(means: pd.DataFrame, city: CitySettings) -> pd.DataFrame:
    """Return the figures of congestion and rush hour that the first table leaves out.

    What a forecaster answered, and how well, is shown only where one of them abstained.
    """
    abstained = bool((means["answered_share"] < 1).any())
    return shown_comparison(means, city, {**FULL, **(ANSWERED if abstained else {})}, bold=True)


def clear_winners(means: pd.DataFrame, figure: str) -> pd.Series:
    """Return which rows are the best at ``figure`` of their horizon and part, and tie with none."""
    wins = pd.Series(False, index=means.index)
    for _, rows in means[means[figure].notna()].groupby(PLACE, sort=False):
        ordered = rows.sort_values(figure, ascending=figure in LOWER_IS_BETTER, kind="stable")
        first, others = ordered.iloc[0], ordered.iloc[1:]
        wins[ordered.index[0]] = all(
            abs(first[figure] - other[figure]) >= _needed(figure, first, other)
            and first[figure] != other[figure]
            for _, other in others.iterrows()
        )
    return wins


def shown_verdicts(verdicts: pd.DataFrame, city: CitySettings) -> pd.DataFrame:
    """Return who is better than whom, as people see it; one seed is marked.

    Args:
        verdicts: from :func:`~roadgraph.evaluation.comparison.verdict_table`.
        city: its ``speed_unit`` says whether errors are shown in km/h or mph.
    """
    shown = pd.DataFrame(
        {
            "comparison": verdicts["kind"].map(KINDS),
            "model": verdicts["model"],
            "against": verdicts["against"],
            "figure": verdicts["figure"].map(SHOWN),
        }
    )
    for name, title in (("mean", "mean"), ("mean_against", "against's"), ("needed", "needed")):
        shown[title] = [
            figure_text(value, figure, city)
            for value, figure in zip(verdicts[name], verdicts["figure"], strict=True)
        ]
    shown["verdict"] = [
        f"{verdict} (one seed)" if seeds == 1 else verdict
        for verdict, seeds in zip(verdicts["verdict"], verdicts["seeds"], strict=True)
    ]
    return shown


def shown_layers(layers: Sequence[LayerSummary]) -> pd.DataFrame:
    """Return the layers of a model as people see them."""
    return pd.DataFrame(
        {
            "layer": [layer.name or "(model)" for layer in layers],
            "kind": [layer.kind for layer in layers],
            "parameters": [f"{layer.parameters:,}" for layer in layers],
            "multiply-adds": [f"{layer.flops:,}" for layer in layers],
            "activations, MiB": [f"{layer.activation_bytes / 2**20:.2f}" for layer in layers],
        }
    )


def cost_text(value: float, name: str) -> str:
    """Return parameters, seconds or milliseconds (a key of :data:`COSTS_SHOWN`) as they print."""
    return "-" if pd.isna(value) else f"{value:,.{COST_DIGITS[name]}f}"


def _texts(means: pd.DataFrame, name: str, city: CitySettings) -> list[str]:
    if name in COST_DIGITS:
        return [cost_text(value, name) for value in means[name]]
    return [
        figure_text(mean, name, city)
        + ("" if pd.isna(spread) else f" ± {figure_text(spread, name, city)}")
        for mean, spread in zip(means[name], means[f"{name}_spread"], strict=True)
    ]


def figure_text(value: float, figure: str, city: CitySettings) -> str:
    """Return a figure as it prints, a speed in the city's unit; ``-`` where there is none."""
    if math.isnan(value):
        return "-"
    if not figure.endswith("_kph"):
        return f"{value:.3f}"
    factor = KPH_PER_MPH if city.speed_unit == "mph" else 1.0
    return f"{value / factor:.{SPEED_DIGITS[city.speed_unit]}f}"


def _needed(figure: str, one: pd.Series, other: pd.Series) -> float:
    both = (one, other)
    return needed_difference(
        figure,
        [row[f"{figure}_spread"] for row in both],
        [row["seeds"] for row in both],
        [row["baseline"] for row in both],
    )
