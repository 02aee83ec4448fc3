import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from roadgraph.alerting import WEBHOOK
from roadgraph.errors import DataError
from tests.pipelines.toy import NOW, check, outcome, toy_settings

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

DAYS = {
    "dagster/asset_partition_range_start": "2026-01-06",
    "dagster/asset_partition_range_end": "2026-01-07",
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return settings whose alerts a command writes to ``told.json``."""
    monkeypatch.delenv(WEBHOOK, raising=False)
    tell = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + b'\\n')"
    command = (sys.executable, "-S", "-c", tell, str(tmp_path / "told.json"))
    return toy_settings(tmp_path, alert_command=command)


def told_after(settings: Any, asset: str, **run: Any) -> list[dict[str, str]]:
    """Run one asset, let the sensor look at the run, and return the alerts that were sent."""
    from pipelines.alerts import alert_sensors_of
    from pipelines.assets import assets_of
    from pipelines.partitions import partitions_of

    assets = {
        each.key.to_user_string(): each
        for each in assets_of(settings, partitions_of(settings, NOW))
    }
    with dg.DagsterInstance.ephemeral() as instance:
        ended = dg.materialize(
            list(assets.values()),
            selection=[assets[asset]],
            instance=instance,
            raise_on_error=False,
            **run,
        )
        kind = "success" if ended.success else "failure"
        sensor = next(
            each for each in alert_sensors_of(settings) if each.name == f"alert_after_{kind}"
        )
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        ends = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
        event = next(
            entry.dagster_event
            for entry in instance.all_logs(ended.run_id)
            if entry.dagster_event.event_type in ends
        )
        context = dg.build_run_status_sensor_context(
            sensor.name, event, instance, instance.get_run_by_id(ended.run_id)
        )
        sensor(context)
    told = Path(settings.workspace) / "told.json"
    lines = told.read_text("utf-8").splitlines() if told.is_file() else []
    return [alert for line in lines for alert in json.loads(line)["alerts"]]


def test_a_step_that_failed_is_told_with_its_reason(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roadgraph.batch import steps

    def make_slices(*arguments: Any) -> None:
        raise DataError("fixes: no space is left")

    monkeypatch.setattr(steps, "make_slices", make_slices)
    (alert,) = told_after(settings, "slices", partition_key="2026-01-07")
    assert (alert["kind"], alert["step"]) == ("failure", "slices")
    assert (alert["partition"], alert["reason"]) == ("2026-01-07", "fixes: no space is left")


def test_a_fault_of_ours_is_told_by_its_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import assets
    from roadgraph.batch import steps

    def make_network(settings: Any) -> None:
        raise KeyError("lanes")

    monkeypatch.setattr(assets, "RETRY", dg.RetryPolicy(max_retries=0))
    monkeypatch.setattr(steps, "make_network", make_network)
    (alert,) = told_after(settings, "network")
    assert (alert["step"], alert["partition"]) == ("network", "")
    assert alert["reason"] == "KeyError: 'lanes'"


def test_files_that_were_left_out_are_told_though_the_run_went_well(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roadgraph.batch import steps

    broken = outcome("slices", "failed", "a.csv: no column lat")
    monkeypatch.setattr(steps, "make_slices", lambda *arguments: broken)
    (alert,) = told_after(settings, "slices", tags=DAYS)
    assert (alert["kind"], alert["reason"]) == ("failure", "a.csv: no column lat")
    assert alert["partition"] == "2026-01-06 to 2026-01-07"


def test_a_check_that_failed_is_told_for_its_day(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from roadgraph.batch import steps

    def make_evaluation(settings: Any, day: date) -> Any:
        passed = day != date(2026, 1, 6)
        return outcome("evaluation", checks=(check("error_drift", passed, day),))

    monkeypatch.setattr(steps, "make_evaluation", make_evaluation)
    (alert,) = told_after(settings, "evaluation", tags=DAYS)
    assert (alert["kind"], alert["step"]) == ("check", "error_drift")
    assert (alert["partition"], alert["reason"]) == ("2026-01-06", "half of error_drift")


def test_a_run_that_went_well_is_not_told(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from roadgraph.batch import steps

    monkeypatch.setattr(steps, "make_network", lambda settings: outcome("network"))
    assert told_after(settings, "network") == []


def test_a_run_whose_process_died_is_told(settings: Any) -> None:
    from pipelines.alerts import report_of

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.DagsterRun("nightly", tags={"dagster/partition": "2026-01-07"})
        instance.add_run(run)
        instance.report_run_failed(run, "Detected run worker status UNKNOWN")
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None
        (failed,) = report_of(ended, instance).failed
    assert (failed.step, failed.partition) == ("nightly", "2026-01-07")
    assert "Detected run worker status UNKNOWN" in failed.reason
