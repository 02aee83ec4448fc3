"""Tells people of runs that failed and of checks that did, as the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from pipelines.results import FAILED, FILES
from pipelines.schedules import RANGE_END, RANGE_START
from roadgraph.batch.alarm import alert_of_run
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.quality.checks import Check
from roadgraph.settings import Settings

STEP_OF = {"quality_report": "quality"}
"""The step that an asset of another name does."""

PARTITION = "dagster/partition"
TOLD = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}


def alert_sensors_of(settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensors that look at every run that has ended, well or not."""
    return [
        _sensor(status, settings)
        for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
    ]


def report_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> RunReport:
    """Return what became of the steps of a run, with the checks that failed."""
    events = [
        entry.dagster_event
        for entry in instance.all_logs(run.run_id, of_type=TOLD)
        if entry.dagster_event is not None
    ]
    found = [outcome for event in events for outcome in _outcomes_of(event, partition_of(run))]
    if run.status == dg.DagsterRunStatus.FAILURE and not RunReport(tuple(found)).failed:
        # Its process died, or never began.
        reasons = [event.message for event in events if event.is_run_failure]
        reason = next((text for text in reasons if text), "the run ended without a word")
        found.append(Outcome(run.job_name, partition_of(run), "failed", reason))
    return RunReport(tuple(found))


def partition_of(run: dg.DagsterRun) -> str:
    """Return how people are told of the partitions of a run."""
    if RANGE_START in run.tags:
        return f"{run.tags[RANGE_START]} to {run.tags[RANGE_END]}"
    return run.tags.get(PARTITION, "")


def _outcomes_of(event: dg.DagsterEvent, partition: str) -> Iterator[Outcome]:
    if event.is_step_failure:
        yield Outcome(_step_of(event.step_key), partition, "failed", _reason_of(event))
    elif event.is_step_success:
        yield Outcome(_step_of(event.step_key), partition, "made", "")
    elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        evaluation = event.asset_check_evaluation_data
        if not evaluation.passed:
            yield from _failed_check(evaluation, partition)


def _failed_check(evaluation: Any, partition: str) -> Iterator[Outcome]:
    step = _step_of(evaluation.asset_key.to_user_string())
    if evaluation.check_name == FILES:
        yield Outcome(step, partition, "failed", evaluation.description)
        return
    severe = evaluation.severity == dg.AssetCheckSeverity.ERROR
    for day, reason in evaluation.metadata[FAILED].value.items():
        check = Check(
            evaluation.check_name,
            date.fromisoformat(day),
            False,
            reason,
            {},
            "error" if severe else "warning",
        )
        yield Outcome(step, day, "made", "", checks=(check,))


def _step_of(asset: str | None) -> str:
    return STEP_OF.get(asset or "", asset or "")


def _reason_of(event: dg.DagsterEvent) -> str:
    """Return why a step failed, without the traceback."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description)
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else event.message or ""


def _sensor(status: dg.DagsterRunStatus, settings: Settings) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"alert_after_{status.value.lower()}",
        run_status=status,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alert(context: dg.RunStatusSensorContext) -> None:
        report = report_of(context.dagster_run, context.instance)
        for fault in alert_of_run(report, settings, pd.Timestamp.now("UTC")):
            context.log.error(fault)

    return alert
