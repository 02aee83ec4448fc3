"""How much better than the best baseline on the same cells."""

from __future__ import annotations

import pandas as pd

from roadgraph.evaluation.interpolation import INTERPOLATORS
from roadgraph.evaluation.parts import HIDDEN_SEGMENTS, OBSERVED_SEGMENTS

CELLS = ["horizon_min", "part"]
"""Rows that agree in these rest on the same cells."""


def with_skill(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` with its skill against the best baseline of the same horizon and part.

    ``skill_macro_f1 = (f - best) / (1 - best)`` is the share of the way from the best baseline to
    perfection, ``skill_speed_mae = 1 - mae / best`` the share of its error that is gone; both are
    below 0 for a forecaster that is worse. Beside them stand the names of the best baselines,
    ``best_macro_f1`` and ``best_speed_mae``; of equally good ones the first in the table counts.
    Which baselines count is what :func:`counts_as_baseline` says.

    Args:
        table: from :func:`~roadgraph.evaluation.scores.score_table`, with a column ``baseline``.
    """
    baselines = table[counts_as_baseline(table)]
    best_f1 = _best(baselines, "macro_f1", "macro_f1", largest=True)
    best_mae = _best(baselines, "speed_mae_kph", "speed_mae", largest=False)
    joined = table.merge(best_f1, on=CELLS, how="left").merge(best_mae, on=CELLS, how="left")
    room = (1 - joined["of_macro_f1"]).where(joined["of_macro_f1"] < 1)  # none is left at 1
    error = joined["of_speed_mae"].where(joined["of_speed_mae"] > 0)
    joined["skill_macro_f1"] = (joined["macro_f1"] - joined["of_macro_f1"]) / room
    joined["skill_speed_mae"] = 1 - joined["speed_mae_kph"] / error
    joined.index = table.index
    return joined.drop(columns=["of_macro_f1", "of_speed_mae"])


def counts_as_baseline(table: pd.DataFrame) -> pd.Series:
    """Return which rows are those of a baseline that models are held against.

    An interpolator between segments is one on hidden segments alone: in the rows of that part, or
    in all rows where nothing else is judged, which the table shows by having rows neither of
    observed nor of hidden segments (as ``task=estimate_hidden`` leaves it).

    Args:
        table: all parts of a comparison, with the columns ``model``, ``part`` and ``baseline``.
    """
    hidden = table["part"] == HIDDEN_SEGMENTS
    hidden_alone = not (hidden | (table["part"] == OBSERVED_SEGMENTS)).any()
    return table["baseline"] & (~table["model"].isin(INTERPOLATORS) | hidden | hidden_alone)


def _best(baselines: pd.DataFrame, figure: str, name: str, largest: bool) -> pd.DataFrame:
    """Return the columns horizon, part, ``best_<name>`` (the model) and ``of_<name>`` (value)."""
    known = baselines[baselines[figure].notna()].sort_values(
        figure, ascending=not largest, kind="stable"
    )
    return known.drop_duplicates(CELLS)[[*CELLS, "model", figure]].rename(
        columns={"model": f"best_{name}", figure: f"of_{name}"}
    )
