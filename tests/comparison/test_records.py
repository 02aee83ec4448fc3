from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.comparison.compare import Failure
from roadgraph.comparison.judging import Judge
from roadgraph.comparison.members import members_of
from roadgraph.comparison.records import Common, flat
from roadgraph.comparison.runs import KEY_TAG
from roadgraph.settings import PromotionSettings, Settings
from roadgraph.storage import write_json
from roadgraph.tracking.record import record_folder, this_process
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


def common_of(
    folder: Path,
    settings: Settings | None = None,
    titles: Sequence[str] = ("mlp-simple",),
    seeds: Sequence[int] = (1, 2),
    judge: Judge | None = None,
    key: str = KEY,
) -> Common:
    settings = replace(settings or quick_settings(), workspace=str(folder / "work"))
    members = members_of(settings, titles)
    return Common.of(judge or toy_judge(quick_settings()), key, settings, members, seeds)


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
    other = common_of(tmp_path, judge=replace(judge, dataset=changed))
    assert other.data[0].digest != common.data[0].digest
    assert other.data[1] == common.data[1]


def test_the_same_comparison_is_one_record(tmp_path: Path, common: Common) -> None:
    again = common_of(tmp_path)
    assert again.begun().record_id == common.begun().record_id
    assert again.folder == common.folder


def test_another_comparison_is_another_record(tmp_path: Path, common: Common) -> None:
    plain = quick_settings()
    others = (
        common_of(tmp_path, key="other data"),
        common_of(tmp_path, titles=("mlp-simple", "gcn-simple")),
        common_of(tmp_path, seeds=(1,)),
        common_of(tmp_path, replace(plain, promotion=PromotionSettings(metric="accuracy"))),
        common_of(tmp_path, quick_settings(training={"max_epochs": 3})),
    )
    found = {each.begun().record_id for each in (common, *others)}
    assert len(found) == 6
    assert len({each.folder for each in (common, *others)}) == 6


def test_a_comparison_is_named_after_its_models_its_days_and_another_task(tmp_path: Path) -> None:
    one = common_of(tmp_path)
    assert one.begun().title == f"comparison of mlp-simple, {one.days}"
    titles = ("mlp-simple", "gcn-simple", "gat-simple", "mlp-enhanced", "gcn-enhanced")
    estimate = replace(quick_settings(), task="estimate_hidden")
    many = common_of(tmp_path, estimate, titles=titles)
    assert many.begun().title == (
        f"comparison of mlp-simple, gcn-simple, gat-simple, 2 more (estimate_hidden), {one.days}"
    )
    assert many.begun().tags["task"] == "estimate_hidden"


def test_a_comparison_ends_with_its_note_its_results_and_what_failed(
    tmp_path: Path, common: Common
) -> None:
    results = common.kept
    (results / "plots").mkdir(parents=True)
    (results / "results.md").touch()
    compared = toy_comparison(tmp_path)
    record = common.ended(common.begun(), compared)
    assert record.status == "FINISHED"
    assert record.ended_ms is not None
    assert record.artifacts == {
        "results": (f"{results.name}/results.md",),
        "results/plots": (f"{results.name}/plots",),
    }
    assert "| gcn-simple | 15 | 2 |" in record.tags["mlflow.note.content"]
    assert record.tags["best seed/gcn-simple"] == "1"
    assert record.parent == ""
    assert "training.max_epochs" not in record.parameters
    assert record.parameters["dataset.window"] == "2"


def test_the_record_of_a_training_has_every_setting_and_its_seed(
    tmp_path: Path, common: Common
) -> None:
    (member,) = members_of(common.settings, ["gcn-enhanced"])
    member = replace(member, training=replace(member.training, seed=7))
    place = tmp_path / "work" / "toy" / "runs" / "gcn-enhanced" / "seed-7.tracking"
    record = common.of_training(member, "k7", place)
    assert record.title == "gcn-enhanced seed 7"
    assert record.status == "RUNNING"
    assert (place.parent / record.parent).resolve() == common.folder.resolve()
    assert record.process == this_process()
    assert record.parameters["training.seed"] == "7"
    assert record.parameters["model.name"] == "gcn"
    assert record.parameters["size"] == "enhanced"
    assert record.parameters["labels.relative_cuts"] == "[0.25, 0.5, 0.75]"
    assert record.tags["kind"] == "model"
    assert (record.tags["model"], record.tags["seed"]) == ("gcn-enhanced", "7")
    assert record.tags[KEY_TAG] == "k7"
    assert record.tags["version.torch"]
    assert record.data == common.data
    assert record.record_id != common.of_training(member, "k7", place).record_id


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
    for record in (common.begun(), common.of_training(member, "k", common.folder)):
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
    for name in ("confusion.png", "confusion.svg", "scene.json"):
        (run.folder / "pictures" / name).touch()
    beside = record_folder(run.folder)
    assert common.place_of(run) == beside
    beside.mkdir()
    (beside / "console.log").touch()
    (member,) = members_of(common.settings, ["mlp-simple"])
    begun = common.of_training(member, "k", beside)
    record = common.of_run(run, begun, member, [baseline])
    assert (record.record_id, record.started_ms) == (begun.record_id, begun.started_ms)
    assert record.metrics["test/congestion/skill/15min"] == pytest.approx(0.5)
    assert (record.tags["device"], record.tags["diagnosis"]) == ("cpu", "it went well")
    assert record.artifacts == {
        "bundle": ("seed-2/bundle",),
        "plots": ("seed-2/pictures/confusion.png", "seed-2/pictures/confusion.svg"),
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
    place = common.place_of(run)
    assert place.parent == common.folder.parent, "each comparison has its own"
    assert place.name == f"{common.kept.name}-persistence.tracking"
    assert (place.parent / record.parent).resolve() == common.folder.resolve()
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
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"macro_f1": 0.4}),
        failures=(Failure("roadnet-simple", 3, "too few roads"),),
    )
    common.kept.mkdir(parents=True)
    record = common.ended(common.begun(), compared)
    assert record.tags["failed/roadnet-simple seed 3"] == "too few roads"
