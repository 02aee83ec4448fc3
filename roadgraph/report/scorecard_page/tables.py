"""Tables of a scorecard, as people and files get them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.network.osm_tags import RANK
from roadgraph.report.scorecard_page.plots import FEW
from roadgraph.report.tables import figure_text
from roadgraph.verification.checks import LEAST_CELLS
from roadgraph.verification.gains import (
    BETTER,
    LEAST_GAIN,
    MACRO_F1,
    SPEED_MAE,
    TIE,
    WORSE,
    gain_of,
)
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.settings import CitySettings
    from roadgraph.verification.gains import Gain
    from roadgraph.verification.scorecard import Scorecard

SHORT = {PERSISTENCE: "persistence", HISTORICAL_AVERAGE: "average"}
"""Of the baselines in the heads of columns, where there is little room."""

FEW_NOTE = (
    f"A part with fewer than {LEAST_CELLS} cells says so; it is not ranked and has no verdict."
)
RELIABILITY_TABLE = "reliability"


def shown_parts(
    scores: pd.DataFrame,
    first: str,
    city: CitySettings,
    labels: Mapping[str, str] | None = None,
    least_cells: int = LEAST_CELLS,
    verdicts: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the scores of one table as people see them, a row a part.

    The best of a row is in ``**``, a figure that no one has is left out, and the verdict holds the
    forecast against the best baseline by the error of the speed, else by macro F1.

    Args:
        scores: rows of ``parts_of_day.COLUMNS`` of one table.
        first: title of the first column.
        city: its unit of speed.
        labels: what to call the parts; by default by their own names.
        least_cells: a part with fewer has no verdict and nothing marked.
        verdicts: by part; by default by its difference alone, chance or not.
    """
    parts = scores["part"].unique().tolist()
    found = [scores[scores["part"] == part] for part in parts]
    cells = [int(rows["cells"].iloc[0]) for rows in found]
    enough = [count >= least_cells for count in cells]
    names = [labels[part] if labels else part for part in parts]
    shown = {first: names, "cells": [f"{count:,}" for count in cells]}
    for figure, title in (
        ("speed_mae_kph", f"speed MAE, {city.speed_unit}"),
        ("macro_f1", "macro F1"),
    ):
        if scores[figure].isna().all():
            continue
        texts = [
            _marked(by_forecaster(rows, figure), figure, city, marks)
            for rows, marks in zip(found, enough, strict=True)
        ]
        shown[title] = [each[FORECAST] for each in texts]
        for name, short in SHORT.items():
            shown[f"{title.partition(',')[0]} of {short}"] = [each[name] for each in texts]
    coverage = [by_forecaster(rows, "interval_coverage")[FORECAST] for rows in found]
    if not all(map(math.isnan, coverage)):
        shown["within 10-90\u00a0%"] = [
            figure_text(value, "interval_coverage", city) for value in coverage
        ]
    shown["verdict"] = [
        (verdicts[part] if verdicts else _verdict(rows)) if is_enough else FEW
        for part, rows, is_enough in zip(parts, found, enough, strict=True)
    ]
    return pd.DataFrame(shown)


def verdicts_of_horizons(gains: Sequence[Gain]) -> dict[str, str]:
    """Return the verdict of each horizon, by its minutes: beyond chance, or ``tie``."""
    found: dict[str, str] = {}
    for gain in gains:  # the speed comes first
        amount = _amount(gain.gain, gain.figure)
        decided = gain.verdict in (BETTER, WORSE)
        text = f"{gain.verdict} by {amount}" if decided else gain.verdict
        found.setdefault(str(gain.horizon_min), text)
    return found


def by_importance(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of road classes with the important ones first."""
    rank = scores["part"].map(lambda name: RANK.get(name, len(RANK)))
    return scores.iloc[rank.argsort(kind="stable")]


def worst_first(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of parts by the forecast's error, those with few cells at the end."""
    own = scores[scores["model"] == FORECAST].set_index("part")
    error = own["speed_mae_kph"].fillna(1 - own["accuracy"])
    order = pd.DataFrame({"few": own["cells"] < LEAST_CELLS, "error": -error})
    parts = order.sort_values(["few", "error"], kind="stable").index
    place = {part: rank for rank, part in enumerate(parts)}
    return scores.iloc[scores["part"].map(place).argsort(kind="stable")]


def scorecard_csv(scorecard: Scorecard) -> pd.DataFrame:
    """Return all tables of a scorecard as one for programs: km/h, shares, hours in UTC.

    Returns:
        ``day`` (local), ``table``, ``part`` and ``model``, cells and figures. In the table
        ``reliability`` a part is a range of the answers' probability, ``accuracy`` the share of
        right classes and ``confidence`` the mean probability; ``horizon_min`` is 0 for all
        horizons together, and missing in the other tables.
    """
    bins = scorecard.reliability
    told = pd.DataFrame(
        {
            "table": RELIABILITY_TABLE,
            "part": [f"{low:.1f}-{high:.1f}" for low, high in bins[["low", "high"]].to_numpy()],
            "horizon_min": bins["horizon_min"].astype("Int32"),
            "model": FORECAST,
            "cells": bins["cells"].astype("int64"),
            "accuracy": bins["right_share"].astype("float64"),
            "confidence": bins["confidence"].astype("float64"),
        }
    )
    scores = scorecard.scores.assign(
        horizon_min=pd.Series(pd.NA, index=scorecard.scores.index, dtype="Int32"),
        confidence=math.nan,
    )
    tables = [table for table in (scores, told) if len(table)] or [scores]
    table = pd.concat(tables, ignore_index=True).assign(day=scorecard.day.isoformat())
    first = ["day", "table", "part", "horizon_min", "model", "cells"]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _marked(
    values: Mapping[str, float], figure: str, city: CitySettings, marks: bool
) -> dict[str, str]:
    texts = {name: figure_text(value, figure, city) for name, value in values.items()}
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    if not marks or not known:
        return texts
    best = (min if figure == "speed_mae_kph" else max)(known.values())
    winners = [name for name in known if known[name] == best]
    if len(winners) > 1:
        return texts
    return {name: f"**{text}**" if name in winners else text for name, text in texts.items()}


def by_forecaster(rows: pd.DataFrame, figure: str) -> dict[str, float]:
    """Return a figure of one part of the cells by forecaster."""
    return {
        str(name): float(value) for name, value in zip(rows["model"], rows[figure], strict=True)
    }


def _verdict(rows: pd.DataFrame) -> str:
    for figure in (SPEED_MAE, MACRO_F1):
        gain, _ = gain_of(by_forecaster(rows, figure), figure)
        if math.isnan(gain):
            continue
        if abs(gain) <= LEAST_GAIN:
            return TIE
        return f"{BETTER if gain > 0 else WORSE} by {_amount(gain, figure)}"
    return "-"


def _amount(gain: float, figure: str) -> str:
    return f"{abs(gain):.0%}" if figure == SPEED_MAE else f"{abs(gain):.3f}"
