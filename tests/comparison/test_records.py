from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.comparison.judging import Judge
from roadgraph.comparison.members import members_of
from roadgraph.comparison.records import KEY_TAG, Common, flat
from roadgraph.settings import Settings
from roadgraph.storage import write_json
from roadgraph.tracking.record import record_folder
from roadgraph.workspace import Workspace
from tests.comparison.toy import (
    baseline_run,
    compared_of,
    model_run,
    quick_settings,
    toy_comparison,
    toy_judge,
)

KEY = "0123456789abcdef"


def common_of(folder: Path, settings: Settings | None = None) -> Common:
    settings = replace(settings or quick_settings(), workspace=str(folder / "work"))
    judge: Judge = toy_judge(quick_settings())
    return Common.of(judge, KEY, settings, Workspace.of(settings))


@pytest.fixture
def common(tmp_path: Path) -> Common:
    return common_of(tmp_path)


def test_settings_are_flattened_with_dots() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b.c": 2, "b.d.e": 3}


def test_the_data_are_told_with_days_rows_and_fingerprints(common: Common) -> None:
    slices, network = common.data
    dataset = toy_judge(quick_settings()).dataset
    assert slices.name == "slices of toy"
    assert slices.source == "toy/slices"
    assert slices.profile["rows"] == int(dataset.grid.observed.sum())
    assert slices.profile["segments"] == dataset.graph.segments
    assert slices.profile["days"] == common.days
    assert slices.profile["fingerprint"].startswith(slices.digest)
    assert len(slices.digest) == 32
    assert {"train", "validation", "test"} <= set(slices.profile)
    assert network.digest == dataset.graph.fingerprint[:32]
    assert network.profile == {
        "segments": dataset.graph.segments,
        "links": len(dataset.graph.source),
        "fingerprint": dataset.graph.fingerprint,
    }


def test_other_measurements_have_another_digest(tmp_path: Path, common: Common) -> None:
    judge = toy_judge(quick_settings())
    grid = judge.dataset.grid
    changed = replace(judge.dataset, grid=replace(grid, measured=grid.measured + 1))
    settings = common.settings
    other = Common.of(replace(judge, dataset=changed), KEY, settings, Workspace.of(settings))
    assert other.data[0].digest != common.data[0].digest
    assert other.data[1] == common.data[1]


def test_all_comparisons_of_the_same_data_are_one_record(tmp_path: Path, common: Common) -> None:
    first, second = common.begun(), common_of(tmp_path).begun()
    assert first.record_id == second.record_id
    settings = common.settings
    judge = toy_judge(quick_settings())
    other = Common.of(judge, "other key", settings, Workspace.of(settings))
    assert other.begun().record_id != first.record_id


def test_a_comparison_is_named_after_its_days_and_another_task(tmp_path: Path) -> None:
    forecast = common_of(tmp_path)
    assert forecast.begun().title == f"comparison {forecast.days}"
    estimate = common_of(tmp_path, replace(quick_settings(), task="estimate_hidden"))
    assert estimate.begun().title == f"comparison {forecast.days}, estimate_hidden"
    assert estimate.begun().tags["task"] == "estimate_hidden"


def test_a_comparison_ends_with_its_note_its_results_and_what_failed(
    tmp_path: Path, common: Common
) -> None:
    results = tmp_path / "work" / "toy" / "comparisons" / KEY[:8]
    (results / "plots").mkdir(parents=True)
    (results / "results.md").touch()
    compared = toy_comparison(tmp_path)
    record = common.ended(common.begun(), compared, results)
    assert record.status == "FINISHED"
    assert record.ended_ms is not None
    assert record.artifacts == {
        "results": (f"{KEY[:8]}/results.md",),
        "results/plots": (f"{KEY[:8]}/plots",),
    }
    assert "| gcn-simple | 15 | 2 |" in record.tags["mlflow.note.content"]
    assert record.tags["best seed/gcn-simple"] == "1"
    assert record.parent == ""
    assert "training.max_epochs" not in record.parameters
    assert record.parameters["dataset.window"] == "2"


def test_the_record_of_a_training_has_every_setting_and_its_seed(common: Common) -> None:
    (member,) = members_of(common.settings, ["gcn-enhanced"])
    member = replace(member, training=replace(member.training, seed=7))
    record = common.of_training(member, "k7")
    assert record.title == "gcn-enhanced seed 7"
    assert record.status == "RUNNING"
    assert record.parent == common.begun().record_id
    assert record.parameters["training.seed"] == "7"
    assert record.parameters["model.name"] == "gcn"
    assert record.parameters["size"] == "enhanced"
    assert record.parameters["labels.relative_cuts"] == "[0.25, 0.5, 0.75]"
    assert record.tags["kind"] == "model"
    assert (record.tags["model"], record.tags["seed"]) == ("gcn-enhanced", "7")
    assert record.tags[KEY_TAG] == "k7"
    assert record.tags["version.torch"]
    assert record.data == common.data
    assert record.record_id != common.of_training(member, "k7").record_id


def test_no_record_holds_a_password_or_an_absolute_path(tmp_path: Path) -> None:
    secret = "geheim"
    plain = quick_settings()
    settings = replace(
        plain,
        city=replace(plain.city, roads="/home/ann/roads.osm", fixes="/home/ann/fixes"),
        spark=replace(
            plain.spark, options={"fs.s3a.secret.key": secret, "a.url": "jdbc://c:geheim@d"}
        ),
        tracking=replace(plain.tracking, uri=f"http://ann:{secret}@host"),
    )
    common = common_of(tmp_path, settings)
    (member,) = members_of(common.settings, ["mlp-simple"])
    for record in (common.begun(), common.of_training(member, "k")):
        assert secret not in repr(record)
        assert "/home/ann" not in repr(record)
        assert str(tmp_path) not in repr(record)
        assert record.parameters["spark.options.fs.s3a.secret.key"] == "***"
        assert record.parameters["spark.options.a.url"] == "jdbc://c:***@d"
        assert record.parameters["city.roads"] == "roads.osm"
        assert not any(name.startswith("tracking") for name in record.parameters)


def test_a_finished_run_has_its_figures_its_device_and_its_files(
    tmp_path: Path, common: Common
) -> None:
    baseline = baseline_run("persistence", tmp_path / "p", {"macro_f1": 0.5})
    run = model_run("mlp-simple", 2, tmp_path / "runs" / "seed-2", {"macro_f1": 0.75})
    for name in ("bundle/classes.json", "bundle/training_history.json"):
        write_json(run.folder / name, {})
    (run.folder / "pictures").mkdir()
    (run.folder / "pictures" / "confusion.png").touch()
    beside = record_folder(run.folder)
    beside.mkdir()
    (beside / "console.log").touch()
    (member,) = members_of(common.settings, ["mlp-simple"])
    begun = common.of_training(member, "k")
    record = common.of_run(run, begun, member, [baseline])
    assert (record.record_id, record.started_ms) == (begun.record_id, begun.started_ms)
    assert record.metrics["test/congestion/skill/15min"] == pytest.approx(0.5)
    assert (record.tags["device"], record.tags["diagnosis"]) == ("cpu", "it went well")
    assert record.artifacts == {
        "bundle": ("seed-2/bundle",),
        "plots": ("seed-2/pictures/confusion.png",),
        "": (
            "seed-2/bundle/training_history.json",
            "seed-2/bundle/classes.json",
            "seed-2.tracking/console.log",
        ),
    }
    network = (run.folder.parent / record.network).resolve()
    assert network == Workspace.of(common.settings).network


def test_a_run_whose_training_nobody_watched_begins_when_it_must_have(
    tmp_path: Path, common: Common
) -> None:
    run = model_run("mlp-simple", 2, tmp_path / "seed-2", {})  # trained for 20 s
    (member,) = members_of(common.settings, ["mlp-simple"])
    record = common.of_run(run, None, member, [])
    assert record.ended_ms is not None
    assert record.ended_ms - record.started_ms == pytest.approx(20_000, abs=5_000)
    assert record.title == "mlp-simple seed 2"


def test_a_baseline_is_a_run_of_its_own_without_a_model(tmp_path: Path, common: Common) -> None:
    run = baseline_run("persistence", tmp_path / "p", {"macro_f1": 0.5})
    record = common.of_run(run, None, None, [run])
    assert record.title == "persistence"
    assert record.tags["kind"] == "baseline"
    assert record.parent == common.begun().record_id
    assert record.network == ""
    assert record.artifacts == {}
    assert "device" not in record.tags
    assert "training.seed" not in record.parameters


def test_what_says_nothing_is_tagged(tmp_path: Path) -> None:
    plain = quick_settings()
    nothing = replace(
        plain, task="nowcast_same_slice", labels=replace(plain.labels, rush_hour="clock")
    )
    tags = common_of(tmp_path, nothing).begun().tags
    assert (tags["trivial"], tags["rush_hour"]) == ("yes", "from the clock")
    assert not {"trivial", "rush_hour"} & set(common_of(tmp_path).begun().tags)


def test_a_forecaster_that_failed_is_tagged(tmp_path: Path, common: Common) -> None:
    from roadgraph.comparison.compare import Failure

    compared = compared_of(
        baseline_run("persistence", tmp_path, {"macro_f1": 0.4}),
        failures=(Failure("roadnet-simple", 3, "too few roads"),),
    )
    results = tmp_path / "results"
    results.mkdir()
    record = common.ended(common.begun(), compared, results)
    assert record.tags["failed/roadnet-simple seed 3"] == "too few roads"
