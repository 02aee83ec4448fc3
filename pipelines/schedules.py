"""When what runs: slices and forecasts every slice, the rest at night."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg
import pandas as pd

from pipelines.partitions import ISSUED, Partitions, cron_of
from roadgraph.settings import Settings

NIGHTLY = ("network", "slices", "quality_report", "evaluation", "model", "promotion")
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Timetable:
    """The jobs of a city and what starts them."""

    jobs: list[dg.UnresolvedAssetJobDefinition]
    schedules: list[dg.ScheduleDefinition]
    sensors: list[dg.SensorDefinition]


def timetable_of(settings: Settings, partitions: Partitions) -> Timetable:
    """Return when the assets of the city are made, as ``conf/pipeline`` says."""
    newest_slices = _job("newest_slices", "slices")
    newest_predictions = _job("newest_predictions", "predictions")
    nightly = _job("nightly", *NIGHTLY)
    return Timetable(
        jobs=[newest_slices, newest_predictions, nightly],
        schedules=[
            every_slice_of(settings, partitions, newest_slices),
            nightly_of(settings, partitions, nightly),
        ],
        sensors=[
            forecasting_of(status, newest_slices, newest_predictions)
            for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
        ],
    )


def every_slice_of(
    settings: Settings, partitions: Partitions, job: dg.UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Return the schedule that asks for the slices of the day whenever a slice is over."""
    wait_min = settings.pipeline.wait_min

    @dg.schedule(
        name="every_slice",
        job=job,
        cron_schedule=cron_of(partitions.slice_minutes, partitions.shift_min + wait_min),
        execution_timezone=settings.city.timezone,
        description="The slices of today; the forecasts follow.",
    )
    def every_slice(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = pd.Timestamp(context.scheduled_execution_time.timestamp(), unit="s", tz="UTC")
        newest = (at - pd.Timedelta(minutes=wait_min)).floor(f"{partitions.slice_minutes}min")
        issued = partitions.time_key(newest)
        return dg.RunRequest(
            run_key=issued, partition_key=partitions.day_key(newest), tags={ISSUED: issued}
        )

    return every_slice


def forecasting_of(
    status: dg.DagsterRunStatus,
    slices: dg.UnresolvedAssetJobDefinition,
    predictions: dg.UnresolvedAssetJobDefinition,
) -> dg.SensorDefinition:
    """Return the sensor that issues forecasts when the slices have ended in one way.

    Dagster runs only assets of the same partitions together. Forecasts are issued also where the
    slices could not be made: from the last observation and what is typical.
    """

    @dg.run_status_sensor(
        name=f"forecast_after_{status.value.lower()}",
        run_status=status,
        monitored_jobs=[slices],
        request_job=predictions,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def forecasting(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
        issued = context.dagster_run.tags.get(ISSUED)
        if issued is not None:
            yield dg.RunRequest(run_key=issued, partition_key=issued, tags={ISSUED: issued})

    return forecasting


def nightly_of(
    settings: Settings, partitions: Partitions, job: dg.UnresolvedAssetJobDefinition
) -> dg.ScheduleDefinition:
    """Return the schedule of the night: the newest days again, then model and promotion."""

    @dg.schedule(
        name="nightly",
        job=job,
        cron_schedule=f"0 {settings.pipeline.night_hour} * * *",
        execution_timezone=settings.city.timezone,
        description="The newest days with what came late, the model if it is due, the promotion.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        today = context.scheduled_execution_time.date()
        begin = today - timedelta(days=settings.pipeline.catch_up_days)
        days = [
            key
            for key in partitions.days.get_partition_keys(context.scheduled_execution_time)
            if begin.isoformat() <= key < today.isoformat()
        ]
        if not days:
            return dg.SkipReason("no day is over yet")
        return dg.RunRequest(run_key=days[-1], tags={RANGE_START: days[0], RANGE_END: days[-1]})

    return nightly


def _job(name: str, *assets: str) -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(name, selection=dg.AssetSelection.assets(*assets))
