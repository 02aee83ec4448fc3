"""Scores of a toy day, written by hand."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from roadgraph.verification.errors import COLUMNS as ERRORS
from roadgraph.verification.gains import MACRO_F1, SPEED_MAE, Gain
from roadgraph.verification.judged import FORECASTERS
from roadgraph.verification.parts_of_day import COLUMNS
from roadgraph.verification.record import Record
from roadgraph.verification.scorecard import Scorecard
from roadgraph.verification.scoring import HISTORICAL_AVERAGE, PERSISTENCE

NAN = float("nan")
DAY = date(2026, 1, 18)


def part(
    table: str,
    name: str,
    speed_mae_kph: tuple[float, float, float] = (8.0, 12.0, 10.0),
    macro_f1: tuple[float, float, float] = (0.5, 0.3, 0.4),
    cells: int = 1000,
    interval_coverage: float = 0.79,
) -> pd.DataFrame:
    """Return the rows of a part, figures by forecaster: forecast, persistence, average."""
    return pd.DataFrame(
        {
            "table": table,
            "part": name,
            "model": FORECASTERS,
            "cells": cells,
            "speed_mae_kph": speed_mae_kph,
            "macro_f1": macro_f1,
            "accuracy": macro_f1,
            "interval_coverage": [interval_coverage, NAN, NAN],
            "interval_width_kph": [20.0, NAN, NAN],
        }
    )[COLUMNS]


def record(errors: pd.DataFrame | None = None) -> Record:
    """Return a record in which nothing is stored but perhaps the errors of some days."""
    return Record(pd.DataFrame(columns=ERRORS) if errors is None else errors, (), (), "", ())


def scorecard(*parts: pd.DataFrame, gains: Sequence[Gain] = ()) -> Scorecard:
    """Return a scorecard with these rows, these gains and nothing else."""
    scores = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return Scorecard(DAY, "", record(), scores=scores, gains=tuple(gains))


def speed_gain(minutes: int, own: float, low: float, high: float, hours: int = 24) -> Gain:
    """Return the gain of a speed MAE over the historical average's 10 km/h."""
    return Gain(minutes, SPEED_MAE, HISTORICAL_AVERAGE, own, 10.0, 1 - own / 10, low, high, hours)


def class_gain(minutes: int, own: float, low: float, high: float, hours: int = 24) -> Gain:
    """Return the gain of a macro F1 over persistence's 0.4."""
    return Gain(minutes, MACRO_F1, PERSISTENCE, own, 0.4, own - 0.4, low, high, hours)
