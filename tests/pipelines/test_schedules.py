from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.pipelines.toy import NOW, toy_settings

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def timetable(tmp_path: Path) -> Any:
    return timetable_of(tmp_path)


def timetable_of(folder: Path, **pipeline: Any) -> Any:
    from pipelines.partitions import partitions_of
    from pipelines.schedules import timetable_of

    settings = toy_settings(folder, **pipeline)
    return timetable_of(settings, partitions_of(settings, NOW))


def asked(schedule: Any, at: datetime) -> Any:
    """Return what a schedule asks for at a moment."""
    context = dg.build_schedule_context(scheduled_execution_time=at)
    return schedule(context)


def test_the_crons_are_those_of_the_settings_on_the_citys_clock(tmp_path: Path) -> None:
    slices, nightly = timetable_of(tmp_path, wait_min=2, night_hour=4).schedules
    assert (slices.name, slices.cron_schedule) == ("every_slice", "2,17,32,47 * * * *")
    assert (nightly.name, nightly.cron_schedule) == ("nightly", "0 4 * * *")
    assert {slices.execution_timezone, nightly.execution_timezone} == {"Asia/Bangkok"}


def test_every_slice_asks_for_its_day_and_notes_the_time_to_forecast_from(timetable: Any) -> None:
    slices, _ = timetable.schedules
    request = asked(slices, datetime(2026, 1, 7, 1, 16, tzinfo=UTC))
    assert request.partition_key == "2026-01-07"
    assert request.run_key == "2026-01-07T08:15"
    assert request.tags == {"roadgraph/issued_at": "2026-01-07T08:15"}
    # The last slice of a day is over at midnight, when the next day has begun.
    request = asked(slices, datetime(2026, 1, 6, 17, 1, tzinfo=UTC))
    assert request.partition_key == "2026-01-06"
    assert request.tags == {"roadgraph/issued_at": "2026-01-07T00:00"}


def test_a_long_wait_belongs_to_the_slice_that_it_waits_for(tmp_path: Path) -> None:
    slices, _ = timetable_of(tmp_path, wait_min=20).schedules
    request = asked(slices, datetime(2026, 1, 7, 1, 20, tzinfo=UTC))
    assert request.run_key == "2026-01-07T08:00"


def test_the_night_asks_for_the_days_that_are_caught_up_with(tmp_path: Path) -> None:
    _, nightly = timetable_of(tmp_path, catch_up_days=3).schedules
    night = datetime(2026, 1, 20, 3, 0, tzinfo=ZoneInfo("Asia/Bangkok"))
    request = asked(nightly, night)
    assert request.run_key == "2026-01-19"
    assert request.tags == {
        "dagster/asset_partition_range_start": "2026-01-17",
        "dagster/asset_partition_range_end": "2026-01-19",
    }
    # Not those before the first partition.
    request = asked(nightly, datetime(2026, 1, 7, 3, 0, tzinfo=ZoneInfo("Asia/Bangkok")))
    assert request.tags["dagster/asset_partition_range_start"] == "2026-01-05"


def test_before_a_day_is_over_there_is_nothing_to_do_at_night(timetable: Any) -> None:
    _, nightly = timetable.schedules
    skipped = asked(nightly, datetime(2026, 1, 5, 3, 0, tzinfo=ZoneInfo("Asia/Bangkok")))
    assert skipped.skip_message == "no day is over yet"


@pytest.mark.parametrize("succeeds", [True, False])
def test_forecasts_follow_the_slices_however_they_ended(timetable: Any, succeeds: bool) -> None:
    sensors = {sensor.name: sensor for sensor in timetable.sensors}
    assert set(sensors) == {"forecast_after_success", "forecast_after_failure"}
    sensor = sensors["forecast_after_success" if succeeds else "forecast_after_failure"]
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert [job.name for job in sensor.jobs] == ["newest_predictions"]

    def work() -> None:
        if not succeeds:
            raise dg.Failure("disk full")

    graph = dg.GraphDefinition("newest_slices", node_defs=[dg.op(work)])
    slices = graph.to_job(tags={"roadgraph/issued_at": "2026-01-07T08:15"})
    with dg.DagsterInstance.ephemeral() as instance:
        ended = slices.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor.name,
            dagster_event=instance.all_logs(ended.run_id)[-1].dagster_event,
            dagster_instance=instance,
            dagster_run=instance.get_run_by_id(ended.run_id),
        )
        (request,) = sensor(context)
    assert request.partition_key == "2026-01-07T08:15"
    assert request.tags["roadgraph/issued_at"] == "2026-01-07T08:15"
    assert request.run_key == "2026-01-07T08:15"
