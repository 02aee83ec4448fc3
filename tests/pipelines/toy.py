"""A city's pipeline without its work: steps that do nothing, and what Dagster knows of it."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from roadgraph.batch.outcome import Outcome, State
from roadgraph.quality.checks import Check
from roadgraph.settings import CitySettings, PipelineSettings, Settings

NOW = pd.Timestamp("2026-01-08T03:00", tz="Asia/Bangkok")
DAY = date(2026, 1, 7)


def toy_settings(folder: Path, **pipeline: Any) -> Settings:
    """Return the settings of a city in Bangkok that begins on Monday, 2026-01-05."""
    chosen = PipelineSettings(**{"start": "2026-01-05", **pipeline})
    city = CitySettings(name="toy", timezone="Asia/Bangkok")
    return replace(Settings(), city=city, workspace=str(folder), pipeline=chosen)


def outcome(
    step: str, state: State = "made", reason: str = "new", checks: tuple[Check, ...] = ()
) -> Outcome:
    """Return what became of a step, with one figure."""
    return Outcome(step, "", state, reason, {"rows": 3}, checks)


def check(name: str, passed: bool | None, day: date = DAY, **fields: Any) -> Check:
    """Return a check of a day whose one figure is a share of 0.5."""
    return Check(name, day, passed, f"half of {name}", {"share": 0.5}, **fields)
