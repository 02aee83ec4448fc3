"""A toy city on which scheduled runs are tried: two days of fixes, and a trained model."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from roadgraph.batch.asked import Asked
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.batch.run import Watch, run_batch
from roadgraph.settings import Settings

DAYS = [date(2026, 1, day) for day in range(5, 10)]
NOW = pd.Timestamp("2026-01-20T00:00Z")  # long after the toy's five days


def run(settings: Settings, first: date | None = None, last: date | None = None) -> RunReport:
    return run_batch(settings, Asked(first, last), NOW, Watch())


def fixes_of(settings: Settings, day: date) -> Path:
    return Path(settings.city.fixes, f"{day}.parquet")


def by_step(report: RunReport) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in report.outcomes:
        found.setdefault(outcome.step, []).append(outcome)
    return found


def states(report: RunReport) -> dict[str, list[str]]:
    return {
        step: [outcome.state for outcome in outcomes] for step, outcomes in by_step(report).items()
    }


def copy_of(settings: Settings, folder: Path) -> Settings:
    """Return the settings of a copy of the city: of what came in and of what was made."""
    work, fixes = folder / "work", folder / "fixes"
    shutil.copytree(settings.workspace, work)
    shutil.copytree(settings.city.fixes, fixes)
    return replace(settings, workspace=str(work), city=replace(settings.city, fixes=str(fixes)))


def with_fifth_day(trained: Settings, folder: Path) -> Settings:
    """Return a copy of the city into which the fixes of the fifth day have come."""
    settings = copy_of(trained, folder)
    path = fixes_of(settings, DAYS[4])
    shutil.copyfile(Path(trained.workspace).parent / path.name, path)
    return settings


HOURLY = (
    "slices.minutes=60",
    "dataset.horizons_min=[60,120]",
    "evaluation.report_horizons_min=[60,120]",
    "model=mlp",
    "tracking.enabled=false",
    "pipeline.first_training_days=4",
    "pipeline.retrain_days=0",
)
