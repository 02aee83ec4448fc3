"""The errors of the forecasts day by day, beside those of the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.parts import ALL
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE
from roadgraph.verification.verification import read_verification, verified_days

if TYPE_CHECKING:
    from datetime import date

    from roadgraph.workspace import Workspace

FIGURES = ("speed_mae_kph", "macro_f1")
BASELINES = (PERSISTENCE, HISTORICAL_AVERAGE)
ON = ["day", "model", "horizon_min", "cells"]
COLUMNS = [
    *ON,
    *FIGURES,
    *(f"{name}_{figure}".replace(" ", "_") for name in BASELINES for figure in FIGURES),
]


def errors_by_day(workspace: Workspace, first: date, last: date, part: str = ALL) -> pd.DataFrame:
    """Return the error of the forecasts of each verified day, beside the baselines'.

    Args:
        workspace: where the verifications are.
        first: local day to begin with.
        last: local day to end with.
        part: of the cells, such as ``basis observations``.

    Returns:
        A row a day and horizon: ``day``, ``model`` (that forecast, or several), ``horizon_min``,
        ``cells``, ``speed_mae_kph`` (km/h), ``macro_f1``, and both of ``persistence_`` and of
        ``historical_average_``. A day without anything to judge has no row.

    Raises:
        DataError: a verification is damaged.
    """
    tables = [pd.DataFrame(columns=COLUMNS)]
    for day in verified_days(workspace):
        if not first <= day <= last:
            continue
        found = read_verification(workspace, day)
        scores = found.scores[found.scores["part"] == part].set_index("horizon_min")
        rows = {name: scores[scores["model"] == name] for name in (FORECAST, *BASELINES)}
        table = rows[FORECAST][["cells", *FIGURES]].copy()
        for name in BASELINES:
            for figure in FIGURES:
                table[f"{name}_{figure}".replace(" ", "_")] = rows[name][figure]
        table = table.reset_index().assign(day=day, model=", ".join(found.models))
        if len(table):
            tables.append(table[COLUMNS])
    # An empty first table would take the types of the columns away.
    return pd.concat(tables[1:] or tables, ignore_index=True)
