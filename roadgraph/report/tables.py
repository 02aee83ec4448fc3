"""The table of results, as people and files get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.units import KPH_PER_MPH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadgraph.settings import CitySettings

SHORT = {
    "model": "model",
    "horizon_min": "min",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "gridlock_recall": "recall gridlock",
    "rush_hour_f1": "rush F1",
    "speed_mae": "speed MAE",
    "speed_rmse": "speed RMSE",
}
"""What fits into a terminal of 80 columns."""

SHOWN = {
    "model": "model",
    "horizon_min": "minutes",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "gridlock_recall": "recall gridlock",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "rush_hour_f1": "rush hour F1",
    "speed_mae": "speed MAE",
    "speed_rmse": "speed RMSE",
}
SPEED_DIGITS = {"km/h": 2, "mph": 4}  # published errors in mph have four


def shown_results(
    scores: pd.DataFrame, city: CitySettings, columns: Mapping[str, str] = SHOWN
) -> pd.DataFrame:
    """Return the columns that people see, errors in the city's unit of speed, texts as they print.

    Args:
        scores: from :func:`~roadgraph.evaluation.scores.score_table`.
        city: its ``speed_unit`` says whether errors are shown in km/h or mph.
        columns: names of the scores and their titles.

    The unit stands in no title, so that a table fits; whoever shows it says the unit.
    """
    factor = KPH_PER_MPH if city.speed_unit == "mph" else 1.0
    table = scores.assign(
        speed_mae=scores["speed_mae_kph"] / factor, speed_rmse=scores["speed_rmse_kph"] / factor
    )
    table = table[list(columns)].rename(columns=dict(columns))
    for column in table.columns[2:]:
        digits = SPEED_DIGITS[city.speed_unit] if column.startswith("speed") else 3
        table[column] = [
            "-" if pd.isna(value) else f"{value:.{digits}f}" for value in table[column]
        ]
    return table


def markdown(table: pd.DataFrame) -> str:
    """Return ``table`` in Markdown."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows) + "\n"
