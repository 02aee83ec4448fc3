from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from roadgraph.alerting import Alert
from roadgraph.batch import alarm
from roadgraph.batch.alarm import alert_of_run
from roadgraph.batch.outcome import Outcome, RunReport
from roadgraph.settings import PipelineSettings, Settings
from tests.batch.toy import check, checked, failed, report

AT = pd.Timestamp("2026-01-06T03:00:00Z")
HOUR = pd.Timedelta(hours=1)
WELL = Outcome("slices", "", "fresh", "no fixes have changed")


class Told:
    """Stands for the webhook; ``broken`` for one that does not answer."""

    def __init__(self) -> None:
        self.alerts: list[list[Alert]] = []
        self.broken = False

    def __call__(self, alerts: Sequence[Alert], settings: PipelineSettings) -> list[str]:
        if alerts:
            self.alerts.append(list(alerts))
        return ["the webhook does not answer"] if self.broken and alerts else []


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(alarm, "send_alert", told)
    return told


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings(), workspace=str(tmp_path))


def test_failed_steps_and_checks_are_told_of_together(told: Told, settings: Settings) -> None:
    alert_of_run(report(failed(), checked(check(False), check(True))), settings, AT)
    ((first, second),) = told.alerts
    assert (first.kind, first.step, first.partition) == ("failure", "slices", "2026-01-05")
    assert first.reason == "a.parquet is damaged"
    assert (second.kind, second.step, second.partition) == ("check", "coverage", "2026-01-05")
    assert second.city == "sample"
    assert second.log.endswith("journal.jsonl")


def test_a_fault_is_told_of_once_a_day_and_when_its_reason_changes(
    told: Told, settings: Settings
) -> None:
    def run(reason: str, hours: int) -> int:
        before = len(told.alerts)
        alert_of_run(report(failed(reason)), settings, AT + hours * HOUR)
        return len(told.alerts) - before

    assert run("a is damaged", 0) == 1
    assert run("a is damaged", 1) == 0
    assert run("b is damaged", 2) == 1
    assert run("b is damaged", 25) == 0
    assert run("b is damaged", 26) == 1


def test_the_figures_of_a_check_are_no_new_reason(told: Told, settings: Settings) -> None:
    for age in (75, 90):
        alert_of_run(report(checked(check(False, f"{age} minutes old"))), settings, AT)
    assert len(told.alerts) == 1


def test_a_fault_that_comes_back_is_told_of_again(told: Told, settings: Settings) -> None:
    for each in (failed(), WELL, failed()):
        alert_of_run(report(each), settings, AT)
    assert len(told.alerts) == 2


def test_a_run_of_other_steps_forgets_nothing(told: Told, settings: Settings) -> None:
    other = Outcome("predictions", "", "made", "one missing")
    for each in (failed(), other, failed()):
        alert_of_run(report(each), settings, AT)
    assert len(told.alerts) == 1


def test_an_alert_that_could_not_be_sent_is_tried_again(told: Told, settings: Settings) -> None:
    told.broken = True
    assert alert_of_run(report(failed()), settings, AT) == ["the webhook does not answer"]
    told.broken = False
    assert alert_of_run(report(failed()), settings, AT) == []
    assert len(told.alerts) == 2


def test_where_all_is_well_nobody_is_told_and_nothing_is_written(
    told: Told, settings: Settings, tmp_path: Path
) -> None:
    assert alert_of_run(RunReport((WELL,)), settings, AT) == []
    assert told.alerts == []
    assert not list(tmp_path.rglob("alerts.json"))


def test_a_disk_that_is_full_keeps_nobody_from_being_told(
    told: Told, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(alarm, "alone", full)
    alert_of_run(report(failed()), settings, AT)
    assert len(told.alerts) == 1


def test_a_damaged_memory_of_what_was_told_is_begun_anew(
    told: Told, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "sample" / "alerts.json"
    path.parent.mkdir()
    path.write_text('{"failure slices": ["2026"]}')
    alert_of_run(report(failed()), settings, AT)
    alert_of_run(report(failed()), settings, AT)
    assert len(told.alerts) == 1
