"""Settings of the scheduled runs: when they do what, what they check and whom they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from roadgraph.settings.setting import Setting


@dataclass(frozen=True)
class PipelineSettings:
    """Scheduled runs."""

    wait_min: Annotated[
        int,
        Setting(
            "schedule: how long after the end of a slice its fixes are waited for before slices "
            "and forecasts are made",
            "min",
            0,
            59,
        ),
    ] = 1
    start: Annotated[
        str,
        Setting(
            "schedule: local day, such as 2026-01-05, that Dagster's partitions begin with; empty: "
            "the first day in the store of slices"
        ),
    ] = ""
    night_hour: Annotated[int, Setting("schedule: local hour of the nightly run", "h", 0, 23)] = 3
    retrain_days: Annotated[
        int,
        Setting(
            "how many local days after the newest model another one is trained: 1 nightly, 7 "
            "weekly, 0 never",
            "days",
            0,
            366,
        ),
    ] = 1
    first_training_days: Annotated[
        int, Setting("days with slices that the first training waits for", "days", 1, 366)
    ] = 7
    training_days: Annotated[
        int, Setting("newest local days that a training learns from", "days", 2, 3660)
    ] = 56
    catch_up_days: Annotated[
        int,
        Setting(
            "local days up to the newest fixes that a run without --from brings up to date",
            "days",
            1,
            3660,
        ),
    ] = 7
    patience_s: Annotated[
        float,
        Setting("how long a run waits for another one that is at the same store", "s", 0, 86_400),
    ] = 600.0
    coverage_drop: Annotated[
        float,
        Setting(
            "check: how much smaller the share of observed cells may be than on the same weekday "
            "before, as a share of that",
            "1",
            0,
            1,
        ),
    ] = 0.5
    psi_limit: Annotated[
        float,
        Setting(
            "check: population stability index of a feature against the weeks before at most; "
            "below 0.1 is usually called stable, above 0.25 changed",
            "1",
            0.01,
            10,
        ),
    ] = 0.25
    error_rise: Annotated[
        float,
        Setting(
            "check: how much larger the error of the forecasts may be than in the weeks before, "
            "as a share of that",
            "1",
            0,
            10,
        ),
    ] = 0.25
    drift_weeks: Annotated[
        int, Setting("check: weeks before that a day is held against", "weeks", 1, 53)
    ] = 4
    freshness_min: Annotated[
        float,
        Setting("check: how old the newest observation may be when a run ends", "min", 1, 100_000),
    ] = 60.0
    alert_webhook: Annotated[
        str,
        Setting(
            "address that a failed run or check is posted to as JSON; it is a secret, better given "
            "as ROADGRAPH_ALERT_WEBHOOK; empty: none"
        ),
    ] = ""
    alert_command: Annotated[
        tuple[str, ...],
        Setting(
            "command with its arguments that gets the same JSON on standard input; empty: none"
        ),
    ] = ()
    alert_timeout_s: Annotated[
        float, Setting("how long a webhook or command may take", "s", 0.1, 600)
    ] = 10.0
