"""What Dagster knows of a city, and a real run of it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from roadgraph.batch.outcome import Outcome
from roadgraph.config import load_settings
from roadgraph.predict.store import stored_times
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.pipelines.toy import NOW, outcome, toy_settings
from tests.toy_city import write_city

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

ASSETS = (
    "network", "slices", "quality_report", "predictions", "evaluation", "model", "promotion",
)  # fmt: skip
WEEK = {
    "dagster/asset_partition_range_start": "2026-01-05",
    "dagster/asset_partition_range_end": "2026-01-09",
}


def graph_of(definitions: Any) -> Any:
    return definitions.resolve_asset_graph()


def test_the_city_of_the_environment_is_what_dagster_opens() -> None:
    from pipelines import definitions

    assert {key.to_user_string() for key in graph_of(definitions.defs).get_all_asset_keys()} == set(
        ASSETS
    )
    assert {schedule.name for schedule in definitions.defs.schedules or ()} == {
        "every_slice", "nightly",
    }  # fmt: skip
    assert {sensor.name for sensor in definitions.defs.sensors or ()} == {
        "forecast_after_success", "forecast_after_failure", "alert_after_success",
        "alert_after_failure",
    }  # fmt: skip


def test_assets_depend_on_what_they_are_made_from(tmp_path: Path) -> None:
    from pipelines.definitions import definitions_of

    graph = graph_of(definitions_of(toy_settings(tmp_path), NOW))
    after = {
        name: {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys}
        for name in ASSETS
    }
    assert after == {
        "network": set(),
        "slices": {"network"},
        "quality_report": {"slices"},
        # The champion forecasts, so a decision that is stopped does not hold them up.
        "predictions": {"slices"},
        "evaluation": {"slices", "predictions"},
        "model": {"slices"},
        "promotion": {"model", "quality_report", "evaluation"},
    }


@pytest.mark.parametrize(
    ("asset", "partition", "parent", "first", "last"),
    [
        ("predictions", "2026-01-07T00:00", "slices", "2026-01-06", "2026-01-07"),
        ("predictions", "2026-01-05T08:15", "slices", "2026-01-05", "2026-01-05"),
        ("evaluation", "2026-01-07", "predictions", "2026-01-06T00:00", "2026-01-07T23:45"),
    ],
)
def test_partitions_follow_from_those_that_they_look_at(
    tmp_path: Path, asset: str, partition: str, parent: str, first: str, last: str
) -> None:
    from pipelines.definitions import definitions_of

    graph = graph_of(definitions_of(toy_settings(tmp_path), NOW))
    below, above = (graph.get(dg.AssetKey(name)) for name in (asset, parent))
    mapping = below.partition_mappings.get(above.key) or dg.TimeWindowPartitionMapping()
    result = mapping.get_upstream_mapped_partitions_result_for_partitions(
        below.partitions_def.subset_with_partition_keys([partition]),
        below.partitions_def,
        above.partitions_def,
    )
    keys = sorted(result.partitions_subset.get_partition_keys())
    assert (keys[0], keys[-1]) == (first, last)


def test_a_store_that_is_busy_is_tried_again_and_its_steps_take_turns(tmp_path: Path) -> None:
    from pipelines.definitions import definitions_of

    assets: Any = definitions_of(toy_settings(tmp_path), NOW).assets
    for asset in assets:
        assert asset.op.retry_policy.max_retries == 2
    pools = {asset.key.to_user_string(): asset.op.pool for asset in assets}
    assert pools["network"] == pools["slices"] == "toy-stores"


@dataclass(frozen=True)
class Made:
    """What a run of the toy city left."""

    workspace: Workspace
    night: Any
    forecast: Any
    verified: Any

    def metadata(self, run: Any, asset: str) -> list[Any]:
        return [
            event.materialization.metadata
            for event in run.get_asset_materialization_events()
            if event.asset_key == dg.AssetKey(asset)
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Made]:
    """Run a night, a slice and the verification of the toy city as the schedules do."""
    from pipelines.definitions import definitions_of

    folder = tmp_path_factory.mktemp("city")
    settings = load_settings([*write_city(folder), "model=mlp", "pipeline.first_training_days=5"])
    workspace = Workspace.of(settings)
    workspace.store.mkdir(parents=True)
    shutil.copyfile(empty_store, workspace.store / "mlflow.db")
    definitions = definitions_of(settings, NOW)
    slice_tags = {"roadgraph/issued_at": "2026-01-09T08:15"}
    with dg.DagsterInstance.ephemeral() as instance:

        def run(job: str, **how: Any) -> Any:
            return definitions.resolve_job_def(job).execute_in_process(instance=instance, **how)

        yield Made(
            workspace,
            run("nightly", tags=WEEK),
            run("newest_predictions", partition_key="2026-01-09T08:15", tags=slice_tags),
            run("newest_slices", partition_key="2026-01-09", tags=slice_tags),
        )


def test_a_night_makes_every_day_and_a_model(made: Made) -> None:
    assert made.night.success
    events = made.night.get_asset_materialization_events()
    days = {
        name: sorted(event.partition for event in events if event.asset_key == dg.AssetKey(name))
        for name in ("slices", "quality_report", "evaluation")
    }
    week = [f"2026-01-0{day}" for day in range(5, 10)]
    assert days == {"slices": week, "quality_report": week, "evaluation": week}
    (network,) = made.metadata(made.night, "network")
    assert network["segments"].value == 3
    slices = made.metadata(made.night, "slices")[0]
    assert slices["rows in"].value == slices["rows used"].value == 5 * 776
    (model,) = made.metadata(made.night, "model")
    assert (model["state"].value, model["model"].value) == ("made", "mlp-simple")
    # The first model of a city is champion and challenger.
    (promotion,) = made.metadata(made.night, "promotion")
    assert promotion["why"].value.startswith("nothing was decided: version 1 of toy is champion")


def test_a_slice_issues_the_newest_forecast_alone(made: Made) -> None:
    assert made.forecast.success
    (predictions,) = made.metadata(made.forecast, "predictions")
    assert predictions["times"].value == 1
    assert predictions["model"].value == "toy version 1 (champion): mlp-simple"
    (time,) = stored_times(made.workspace.forecasts, None, None)
    assert time.isoformat() == "2026-01-09T01:15:00+00:00"


def test_checks_are_told_of_every_day_and_freshness_when_a_slice_is_over(made: Made) -> None:
    found = {each.check_name: each for each in made.night.get_asset_check_evaluations()}
    assert set(found) == {
        "account", "coverage", "error_drift", "feature_drift", "files", "freshness",
    }  # fmt: skip
    assert all(each.passed for each in found.values())
    assert found["account"].description.startswith("2026-01-09: 776 rows in = 776 used")
    assert found["freshness"].description.startswith("no verdict yet for 2026-01-09: asked by")
    again = {each.check_name: each for each in made.verified.get_asset_check_evaluations()}
    assert not again["freshness"].passed  # the toy's fixes are of long ago
    assert "are allowed" in again["freshness"].description


def test_what_is_as_it_was_is_not_made_again(made: Made) -> None:
    (slices,) = made.metadata(made.verified, "slices")
    assert slices["state"].value == "fresh"


def test_without_a_champion_no_forecast_is_said_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.definitions import definitions_of
    from roadgraph.batch import steps

    nothing = Outcome("predictions", "", "nothing", "no model yet")
    monkeypatch.setattr(steps, "make_predictions", lambda *arguments: nothing)
    job = definitions_of(toy_settings(tmp_path), NOW).resolve_job_def("newest_predictions")
    ended = job.execute_in_process(partition_key="2026-01-07T08:15")
    assert ended.success
    assert ended.get_asset_materialization_events() == []


def test_the_promotion_of_a_night_is_that_of_its_newest_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.definitions import definitions_of
    from roadgraph.batch import steps

    asked: list[date] = []

    def make_promotion(settings: Settings, last: date) -> Outcome:
        asked.append(last)
        return outcome("promotion", "nothing", "stopped by a failed check")

    monkeypatch.setattr(steps, "make_promotion", make_promotion)
    job = definitions_of(toy_settings(tmp_path), NOW).resolve_job_def("nightly")
    ended = job.execute_in_process(asset_selection=[dg.AssetKey("promotion")], tags=WEEK)
    assert ended.success
    assert asked == [date(2026, 1, 9)]
