"""Outcomes and checks of runs that never were."""

from datetime import date

from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.quality.checks import Check

DAY = date(2026, 1, 5)


def check(passed: bool | None = False, reason: str = "0.1 of the cells, 0.4 before") -> Check:
    return Check("coverage", DAY, passed, reason, {"coverage": 0.1})


def failed(reason: str = "a.parquet is damaged") -> Outcome:
    return Outcome("slices", "2026-01-05", "failed", reason)


def checked(*checks: Check) -> Outcome:
    return Outcome("quality", "2026-01-05", "made", "none yet", {}, checks)


def report(*outcomes: Outcome) -> RunReport:
    return RunReport(outcomes)
