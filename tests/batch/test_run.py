"""Scheduled runs on a toy city, from fixes to forecasts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from roadgraph.batch import steps
from roadgraph.batch.asked import Asked
from roadgraph.batch.issuer import Issuer
from roadgraph.batch.journal import read_journal
from roadgraph.batch.outcome import Outcome
from roadgraph.batch.run import local_hour, run_batch
from roadgraph.errors import BundleError, DataError, ExitCode, LockError, SettingsError
from roadgraph.locking import Owner
from roadgraph.predict.store import forecasts_of_days, read_forecasts, read_manifest
from roadgraph.settings import Settings
from roadgraph.storage import alone
from roadgraph.workspace import Workspace
from tests.batch.city import (
    DAYS,
    NOW,
    by_step,
    copy_of,
    fixes_of,
    run,
    states,
    with_fifth_day,
)
from tests.kills import ended_process, leave, tree_of

FOURTH, FIFTH = DAYS[3], DAYS[4]


def test_the_first_run_makes_everything_and_the_same_run_again_nothing(
    fed: Settings, trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    workspace = Workspace.of(settings)
    before = tree_of(workspace.root)
    assert {Path(name).parts[0] for name in before} >= {
        "network", "fixes", "slices", "quality", "evaluation", "bundles", "model.json",
        "journal.jsonl", "predictions",
    }  # fmt: skip
    again = run(settings, DAYS[0], FOURTH)
    assert again.exit_code == ExitCode.OK
    assert set(reasons_of_state(states(again))) <= {"fresh", "nothing"}
    assert tree_of(workspace.root) == before


def test_what_a_run_left_that_was_killed_is_swept_where_nothing_is_to_be_made(
    fed: Settings, trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    workspace = Workspace.of(settings)
    left = leave(workspace.evaluation, "2026-01-05", ended_process())
    owner = workspace.journal.with_name(".journal.jsonl.owner")
    replace(Owner.here(), pid=ended_process()).write(owner)
    assert run(settings, DAYS[0], DAYS[0]).exit_code == ExitCode.OK
    assert not left.exists()
    assert not owner.exists()


def reasons_of_state(found: dict[str, list[str]]) -> list[str]:
    return [state for each in found.values() for state in each]


def test_a_new_day_makes_what_rests_on_it_and_nothing_else(
    trained: Settings, tmp_path: Path
) -> None:
    settings = with_fifth_day(trained, tmp_path)
    report = run(settings, FIFTH, FIFTH)
    made = {(outcome.step, outcome.partition) for outcome in report.made}
    assert made == {
        ("slices", f"{FOURTH} to {FIFTH}"),  # its trips of the evening may go on
        ("quality", str(FIFTH)),
        ("predictions", str(FIFTH)),
        ("evaluation", str(FIFTH)),
    }
    workspace = Workspace.of(settings)
    assert len(forecasts_of_days(workspace.forecasts, FIFTH, FIFTH)) == 24
    table = read_forecasts(workspace.forecasts, FIFTH, FIFTH).to_pandas()
    assert (table["basis"] == "observations").all()
    assert (table["data_age_min"] == 0).all()


def test_late_fixes_replace_their_day_and_issue_again_what_rests_on_them(
    trained: Settings, tmp_path: Path
) -> None:
    settings = with_fifth_day(trained, tmp_path)
    whole = pl.read_parquet(fixes_of(settings, FIFTH))
    noon = pd.Timestamp(f"{FIFTH}T05:00", tz="UTC")  # on the city's clock
    late = (pl.col("timestamp") >= noon) & (pl.col("timestamp") < noon + pd.Timedelta(hours=1))
    whole.filter(~late).write_parquet(fixes_of(settings, FIFTH))
    run(settings, FIFTH, FIFTH)
    workspace = Workspace.of(settings)
    before = forecasts_of_days(workspace.forecasts, FIFTH, FIFTH)
    said = {time: path.read_bytes() for time, path in before.items()}
    whole.filter(late).write_parquet(Path(settings.city.fixes, "late.parquet"))
    report = run(settings, FIFTH, FIFTH)
    assert report.exit_code == ExitCode.OK
    assert {"slices", "quality", "predictions", "evaluation"} <= {o.step for o in report.made}
    changed = {
        time.tz_convert("Asia/Bangkok").hour
        for time, path in before.items()
        if path.read_bytes() != said[time]
    }
    # The hour from 12:00 is over at 13:00, and the model sees two slices.
    assert changed == {13, 14}
    kept = forecasts_of_days(workspace.forecasts, FIFTH, FIFTH, as_issued=True)
    assert {time: path.read_bytes() for time, path in kept.items()} == said


def test_a_day_without_data_is_forecast_from_the_last_observation_and_marked_so(
    trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    report = run(settings, FIFTH, FIFTH)
    assert report.exit_code == ExitCode.CHECKS
    assert [check.name for check in report.failed_checks] == ["coverage"]
    table = read_forecasts(Workspace.of(settings).forecasts, FIFTH, FIFTH).to_pandas()
    assert len(table) == 24 * 2 * 3
    ages = table.groupby("issued_at")["data_age_min"].agg(["min", "max"])
    assert ages["min"].tolist() == ages["max"].tolist() == [60 * hour for hour in range(24)]
    # A model of two steps ahead still reaches the second step an hour after the last slice.
    assert (table.loc[table["data_age_min"] >= 120, "basis"] == "history").all()
    (quality,) = by_step(report)["quality"]
    assert quality.figures["coverage"] == 0


def test_a_damaged_file_fails_its_step_alone_and_is_told_of(
    trained: Settings, tmp_path: Path
) -> None:
    settings = with_fifth_day(trained, tmp_path)
    good = fixes_of(settings, FIFTH).read_bytes()
    fixes_of(settings, FIFTH).write_bytes(good[: len(good) // 2])
    told = tmp_path / "told.json"
    command = ("sh", "-c", f"cat > {told}")
    settings = replace(settings, pipeline=replace(settings.pipeline, alert_command=command))
    report = run(settings, FIFTH, FIFTH)
    assert report.exit_code == ExitCode.FAILED
    (failed,) = report.failed
    assert failed.step == "slices"
    assert f"{FIFTH}.parquet" in failed.reason
    assert {"quality", "predictions"} <= {outcome.step for outcome in report.made}
    assert f"{FIFTH}.parquet" in told.read_text()
    journal = read_journal(Workspace.of(settings).journal)
    assert [line["reason"] for line in journal if line["state"] == "failed"] == [failed.reason]
    fixes_of(settings, FIFTH).write_bytes(good)
    assert run(settings, FIFTH, FIFTH).exit_code == ExitCode.OK


def test_a_fault_of_ours_in_one_step_costs_no_other(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_fifth_day(trained, tmp_path)

    def broken(settings: Settings, day: date) -> Outcome:
        raise ZeroDivisionError("a slip of ours")

    monkeypatch.setattr(steps, "make_quality", broken)
    report = run(settings, FIFTH, FIFTH)
    assert [failed.reason for failed in report.failed] == ["ZeroDivisionError: a slip of ours"]
    assert states(report)["predictions"] == ["made"]


def test_without_a_network_nothing_else_is_tried(fed: Settings, tmp_path: Path) -> None:
    settings = replace(
        fed,
        workspace=str(tmp_path / "work"),
        city=replace(fed.city, roads=str(tmp_path / "roads.geojson")),
    )
    report = run(settings, FIFTH, FIFTH)
    assert states(report) == {"network": ["failed"]}
    assert "is missing; set city.roads" in report.failed[0].reason


def test_the_steps_that_were_asked_for_are_done_alone(trained: Settings, tmp_path: Path) -> None:
    settings = with_fifth_day(trained, tmp_path)
    report = run_batch(settings, Asked(FIFTH, FIFTH, ("slices", "predictions")), NOW)
    assert list(states(report)) == ["slices", "predictions"]


def test_another_run_at_the_stores_makes_this_one_end_as_busy(
    trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    settings = replace(settings, pipeline=replace(settings.pipeline, patience_s=0.0))
    with alone(Workspace.of(settings).slices):
        report = run_batch(settings, Asked(FIFTH, FIFTH, ("slices",)), NOW)
        with pytest.raises(LockError):
            steps.make_slices(settings)
    assert report.exit_code == ExitCode.BUSY


def test_days_without_any_data_at_all_and_without_a_day_named_are_refused(
    fed: Settings, tmp_path: Path
) -> None:
    empty = tmp_path / "fixes"
    empty.mkdir()
    settings = replace(
        fed, workspace=str(tmp_path / "work"), city=replace(fed.city, fixes=str(empty))
    )
    report = run(settings)
    assert [failed.step for failed in report.failed] == ["slices"]
    with pytest.raises(SettingsError, match="--to 2027-01-01: this day is still to come"):
        run(settings, None, date(2027, 1, 1))
    with pytest.raises(SettingsError, match="--from 2026-01-09 is after --to 2026-01-05"):
        run(settings, FIFTH, DAYS[0])


def test_a_forecast_says_which_model_made_it_and_what_that_had_seen(trained: Settings) -> None:
    paths = forecasts_of_days(Workspace.of(trained).forecasts)
    manifest = read_manifest(next(iter(paths.values())))
    assert manifest["model"] == {"title": "mlp-simple"}
    assert pd.Timestamp(manifest["seen_until"]) > pd.Timestamp("2026-01-05T00:00Z")
    assert set(manifest["depends_on"]) >= {
        "network", "model", "newest observation", "data before its time", "roadgraph",
    }  # fmt: skip
    schema = pq.read_schema(next(iter(paths.values())))
    assert "data_age_min" in schema.names


def test_a_damaged_forecast_is_issued_again(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    paths = forecasts_of_days(Workspace.of(settings).forecasts)
    path = list(paths.values())[-1]
    good = path.read_bytes()
    path.write_bytes(good[:100])
    report = run(settings, DAYS[0], FOURTH)
    assert states(report)["predictions"] == ["made"]
    assert path.read_bytes() == good


def test_the_checks_of_older_days_are_told_once(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    assert run(settings, FIFTH, FIFTH).exit_code == ExitCode.CHECKS
    assert run(settings, FIFTH, FIFTH).exit_code == ExitCode.CHECKS, "it is the newest day still"
    after = run(settings, FIFTH, date(2026, 1, 10))
    assert {str(check.day) for check in after.failed_checks} == {"2026-01-10"}


def test_other_settings_of_the_slices_issue_forecasts_again_that_rest_on_them(
    trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    parking = replace(settings, probes=replace(settings.probes, parked_minutes=20.0))
    report = run(parking, FOURTH, FOURTH)
    (predictions,) = by_step(report)["predictions"]
    assert (predictions.state, predictions.reason) == ("made", "data before its time changed")


def test_a_model_of_another_network_holds_up_no_new_forecast(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_fifth_day(trained, tmp_path)
    kept = forecasts_of_days(Workspace.of(settings).forecasts, FOURTH, FOURTH)
    said = {time: path.read_bytes() for time, path in kept.items()}

    def cannot(self: Issuer, settings: Settings, identity: Mapping[str, str]) -> Issuer:
        raise BundleError("mlp-simple was trained on another network")

    monkeypatch.setattr(Issuer, "same_as", cannot)
    settings = replace(settings, evaluation=replace(settings.evaluation, abstain_below=0.5))
    report = run(settings, FOURTH, FIFTH)
    (predictions,) = by_step(report)["predictions"]
    assert predictions.figures["times"] == 48
    assert predictions.figures["left as they were issued"] == 24
    assert len(forecasts_of_days(Workspace.of(settings).forecasts, FIFTH, FIFTH)) == 24
    assert {time: path.read_bytes() for time, path in kept.items()} == said


def test_damaged_slices_fail_the_run_with_an_alert_and_not_with_a_traceback(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copy_of(trained, tmp_path)

    def damaged(slices: Path, slice_minutes: int) -> None:
        raise DataError("slices.parquet is damaged")

    monkeypatch.setattr("roadgraph.batch.run.observed_time", damaged)
    told = tmp_path / "told.json"
    command = ("sh", "-c", f"cat > {told}")
    settings = replace(settings, pipeline=replace(settings.pipeline, alert_command=command))
    report = run(settings, FOURTH, FOURTH)
    assert [failed.reason for failed in report.failed] == ["slices.parquet is damaged"]
    assert "slices.parquet is damaged" in told.read_text()


def test_a_journal_that_cannot_be_written_is_a_failure_that_is_told(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_fifth_day(trained, tmp_path)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "journal.jsonl")

    monkeypatch.setattr("roadgraph.batch.run.add_to_journal", full)
    report = run_batch(settings, Asked(FIFTH, FIFTH, ("slices",)), NOW)
    assert [failed.reason for failed in report.failed] == ["journal.jsonl: No space left on device"]


def test_the_night_of_a_day_comes_at_an_hour_of_the_local_clock() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # On this night the clock goes from two to three.
    spring = local_hour(date(2026, 3, 28), 3, berlin)
    assert spring == pd.Timestamp("2026-03-29T01:00Z")
    assert local_hour(date(2026, 1, 1), 3, berlin) == pd.Timestamp("2026-01-02T02:00Z")
