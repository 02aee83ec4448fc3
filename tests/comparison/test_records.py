import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.comparison import records
from roadgraph.comparison.compare import Compared, compare_members
from roadgraph.comparison.members import members_of
from roadgraph.comparison.records import METRIC_NAMES, RECORDED, record_comparison
from roadgraph.comparison.results import write_results
from roadgraph.comparison.runs import Run
from roadgraph.evaluation.parts import ALL
from roadgraph.settings import Settings
from roadgraph.tracking.store import Record
from roadgraph.workspace import Workspace
from tests.comparison.toy import Killed, baseline_run, model_run, quick_settings, toy_judge

FIGURES = {"macro_f1": 0.5, "speed_mae_kph": 4.0}


@dataclass
class Store:
    """Stands for MLflow: keeps the records and gives them the ids run-1, run-2 ..."""

    records: list[Record] = field(default_factory=list)

    def record(self, new: Sequence[Record], settings: Settings, workspace: Workspace) -> list[str]:
        del settings, workspace
        begin = len(self.records) + 1
        self.records += new
        return [f"run-{begin + place}" for place in range(len(new))]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    found = Store()
    monkeypatch.setattr(records, "record_runs", found.record)
    return found


@pytest.fixture(autouse=True)
def _no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def toy_comparison(folder: Path) -> tuple[Compared, list[Settings], Settings]:
    """Return runs of a baseline and of a model with two seeds, its member, and the settings."""
    settings = replace(quick_settings(), workspace=str(folder / "work"))
    runs: list[Run] = [
        baseline_run("majority class", folder / "majority", FIGURES, FIGURES),
        model_run("mlp-simple", 1, folder / "one", FIGURES, {"macro_f1": 0.75}),
        model_run("mlp-simple", 2, folder / "two", FIGURES, FIGURES, loss=0.5),
    ]
    for run in runs:
        run.folder.mkdir()
    compared = Compared(tuple(runs), (), toy_judge(settings))
    return compared, members_of(settings, ["mlp-simple"]), settings


def ids_of(compared: Compared) -> list[dict[str, str]]:
    return [json.loads((run.folder / RECORDED).read_text("utf-8")) for run in compared.runs]


def test_every_run_is_recorded_and_its_id_stands_in_its_folder(
    store: Store, tmp_path: Path
) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    address = record_comparison(compared, members, settings, tmp_path / "results")
    assert address == f"sqlite:///{settings.workspace}/mlflow.db"
    assert [record.title for record in store.records] == [
        "majority class",
        "mlp-simple",
        "mlp-simple",
    ]
    assert ids_of(compared) == [{address: "run-1"}, {address: "run-2"}, {address: "run-3"}]


def test_what_is_recorded_is_not_recorded_twice(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    for _ in range(2):
        record_comparison(compared, members, settings, tmp_path / "results")
    assert len(store.records) == 3


def test_only_what_is_new_is_recorded(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    first = replace(compared, runs=compared.runs[:2])
    record_comparison(first, members, settings, tmp_path / "results")
    record_comparison(compared, members, settings, tmp_path / "results")
    assert [record.settings["training"]["seed"] for record in store.records[1:]] == [1, 2]
    assert list(ids_of(compared)[2].values()) == ["run-3"]


def test_another_store_gets_all_runs_too(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    first = record_comparison(compared, members, settings, tmp_path / "results")
    other = replace(settings, tracking=replace(settings.tracking, uri="sqlite:///other.db"))
    assert record_comparison(compared, members, other, tmp_path / "results") == other.tracking.uri
    assert len(store.records) == 6
    assert ids_of(compared)[0] == {first: "run-1", "sqlite:///other.db": "run-4"}


def test_a_store_that_fails_leaves_the_runs_to_be_recorded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, members, settings = toy_comparison(tmp_path)

    def fail(*arguments: object) -> list[str]:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(records, "record_runs", fail)
        with pytest.raises(Killed):
            record_comparison(compared, members, settings, tmp_path / "results")
    record_comparison(compared, members, settings, tmp_path / "results")
    assert len(store.records) == 3


def test_what_was_recorded_before_a_store_failed_is_not_recorded_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, members, settings = toy_comparison(tmp_path)

    def fail_at_the_third(
        new: Sequence[Record], settings: Settings, workspace: Workspace
    ) -> list[str]:
        if len(store.records) == 2:
            raise Killed
        return store.record(new, settings, workspace)

    with monkeypatch.context() as patched:
        patched.setattr(records, "record_runs", fail_at_the_third)
        with pytest.raises(Killed):
            record_comparison(compared, members, settings, tmp_path / "results")
    assert [(run.folder / RECORDED).is_file() for run in compared.runs] == [True, True, False]
    address = record_comparison(compared, members, settings, tmp_path / "results")
    assert ids_of(compared) == [{address: "run-1"}, {address: "run-2"}, {address: "run-3"}]
    assert len(store.records) == 3


def test_a_run_that_stands_in_a_comparison_twice_is_recorded_once(
    store: Store, tmp_path: Path
) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    twice = replace(compared, runs=(*compared.runs, *compared.runs))
    record_comparison(twice, members, settings, tmp_path / "results")
    assert len(store.records) == 3


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("postgresql://me:secret@db:5432/mlflow", "postgresql://me@db:5432/mlflow"),
        ("https://me:s:e@cret@host/path@1", "https://me@host/path@1"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////a/b@c.db", "sqlite:////a/b@c.db"),
    ],
)
def test_the_password_of_a_store_is_kept_nowhere(
    store: Store, tmp_path: Path, address: str, kept: str
) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    tracking = replace(settings.tracking, uri=address)
    secret = replace(settings, tracking=tracking)
    members = [replace(member, tracking=tracking) for member in members]
    assert record_comparison(compared, members, secret, tmp_path / "results") == address
    assert ids_of(compared) == [{kept: f"run-{place}"} for place in (1, 2, 3)]
    for record in store.records:
        assert "tracking" not in record.settings
        assert address not in repr(record)
    record_comparison(compared, members, secret, tmp_path / "results")
    assert len(store.records) == 3


def test_final_figures_are_named_by_task_figure_and_horizon(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    record_comparison(compared, members, settings, tmp_path / "results")
    baseline, model, _ = (record.metrics for record in store.records)
    assert set(model) == {
        *(f"test/{name}/{minutes}min" for name in METRIC_NAMES.values() for minutes in (15, 30)),
        "training_seconds",
        "prediction_ms",
        "best_epoch",
        "parameters",
        "validation_loss",
    }
    assert model["test/congestion/macro_f1/15min"] == 0.5
    assert model["test/congestion/macro_f1/30min"] == 0.75
    # (0.75 - 0.5) / (1 - 0.5)
    assert model["test/congestion/skill/30min"] == pytest.approx(0.5)
    assert model["test/speed/mae_kph/15min"] == 4
    assert (model["parameters"], model["best_epoch"], model["validation_loss"]) == (1234, 1, 1)
    assert baseline["test/congestion/macro_f1/15min"] == 0.5
    assert baseline["prediction_ms"] == 1
    assert not {"parameters", "best_epoch", "validation_loss"} & set(baseline)


def test_each_seed_has_its_own_figures_settings_and_history(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    record_comparison(compared, members, settings, tmp_path / "results")
    _, first, second = store.records
    assert [record.settings["training"]["seed"] for record in (first, second)] == [1, 2]
    assert [record.settings["model"]["name"] for record in (first, second)] == ["mlp", "mlp"]
    assert first.metrics["test/congestion/macro_f1/30min"] == 0.75
    assert second.metrics["test/congestion/macro_f1/30min"] == 0.5
    assert second.metrics["validation_loss"] == 0.5
    assert [epoch["val_loss"] for epoch in second.history] == [2.5, 0.5]


def test_a_figure_that_is_null_in_a_history_read_again_is_left_out(
    store: Store, tmp_path: Path
) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    history: list[dict[str, float]] = [{"epoch": 0, "val_loss": 1.0, "dead": None}]  # type: ignore[dict-item]
    runs = tuple(replace(run, history=history) for run in compared.runs[1:])
    record_comparison(replace(compared, runs=runs), members, settings, tmp_path / "results")
    assert [dict(epoch) for epoch in store.records[0].history] == [{"epoch": 0, "val_loss": 1.0}]


def test_a_baseline_has_the_settings_of_the_city_alone(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    record_comparison(compared, members, settings, tmp_path / "results")
    content = store.records[0].settings
    assert list(content) == ["city"]
    assert content["city"]["name"] == "toy"
    assert not store.records[0].history


def test_tags_tell_baselines_from_models(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    record_comparison(compared, members, settings, tmp_path / "results")
    common = {
        "task": "forecast",
        "roadgraph": version("roadgraph"),
        "python": platform.python_version(),
    }
    assert store.records[0].tags == {"kind": "baseline", **common}
    assert store.records[1].tags == {
        "kind": "model",
        **common,
        "device": "cpu",
        "diagnosis": "it went well",
    }


def test_table_pictures_and_bundle_go_with_a_run(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    plots = tmp_path / "results" / "plots"
    plots.mkdir(parents=True)
    for name in ("majority-class", "mlp-simple-seed-1", "mlp-simple-seed-2"):
        (plots / f"{name}-confusion.png").touch()
    (plots / "mlp-simple-seed-1-learning-curves.png").touch()
    record_comparison(compared, members, settings, tmp_path / "results")
    baseline, first, second = (dict(record.artifacts) for record in store.records)
    assert baseline == {
        "": tmp_path / "results" / "results.md",
        "plots/confusion": plots / "majority-class-confusion.png",
    }
    assert first == {
        "": tmp_path / "results" / "results.md",
        "plots/confusion": plots / "mlp-simple-seed-1-confusion.png",
        "plots/learning-curves": plots / "mlp-simple-seed-1-learning-curves.png",
        "bundle": tmp_path / "one" / "bundle",
    }
    assert second == {
        "": tmp_path / "results" / "results.md",
        "plots/confusion": plots / "mlp-simple-seed-2-confusion.png",
        "bundle": tmp_path / "two" / "bundle",
    }


def test_the_pictures_of_each_seed_are_its_own(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    folder = tmp_path / "results"
    write_results(compared, settings, folder)
    record_comparison(compared, members, settings, folder)
    first, second = (record.artifacts["plots/learning-curves"] for record in store.records[1:])
    assert first != second
    assert first.read_bytes() != second.read_bytes()


def test_what_says_nothing_is_tagged(store: Store, tmp_path: Path) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    clock = replace(settings.labels, rush_hour="clock")
    nothing = replace(settings, task="nowcast_same_slice", labels=clock)
    record_comparison(compared, members, nothing, tmp_path / "results")
    for record in store.records:
        assert record.tags["trivial"] == "yes"
        assert record.tags["rush_hour"] == "from the clock"


def test_what_a_forecaster_abstained_from_and_how_exact_it_is_is_recorded(
    store: Store, tmp_path: Path
) -> None:
    compared, members, settings = toy_comparison(tmp_path)
    figures = {
        "macro_precision": 0.1,
        "micro_f1": 0.2,
        "rush_hour_auc": 0.3,
        "answered_share": 0.4,
        "accuracy_answered": 0.5,
    }
    run = model_run("mlp-simple", 1, tmp_path / "one", figures)
    one = replace(compared, runs=(compared.runs[0], run))
    record_comparison(one, members, settings, tmp_path / "results")
    metrics = store.records[1].metrics
    names = (
        "congestion/macro_precision",
        "congestion/micro_f1",
        "rush_hour/auc",
        "congestion/answered_share",
        "congestion/accuracy_answered",
    )
    assert [metrics[f"test/{name}/15min"] for name in names] == list(figures.values())


def test_an_mlflow_store_holds_a_comparison_once(finished: Settings) -> None:
    members, folder = members_of(finished, ["mlp-simple"]), Workspace.of(finished).results
    compared = compare_members(finished, members, [2])
    write_results(compared, finished, folder)
    for _ in range(2):
        address = record_comparison(compared, members, finished, folder)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("toy")
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == len(compared.runs)
    scores = compared.scores
    for run, ids in zip(compared.runs, ids_of(compared), strict=True):
        stored = runs[ids[address]]
        assert stored.info.run_name == run.facts.title
        assert stored.data.tags["kind"] == ("baseline" if run.facts.baseline else "model")
        rows = scores[(scores["model"] == run.facts.title) & (scores["seed"] == run.facts.seed)]
        row = rows[(rows["part"] == ALL) & (rows["horizon_min"] == 30)]
        expected = row["macro_f1"].item()
        assert stored.data.metrics["test/congestion/macro_f1/30min"] == pytest.approx(expected)
        assert stored.data.params.get("training.seed") == (
            None if run.facts.baseline else str(run.facts.seed)
        )
    model = ids_of(compared)[-1][address]
    assert {item.path for item in client.list_artifacts(model)} == {"results.md", "bundle", "plots"}
    losses = [point.value for point in client.get_metric_history(model, "val_loss")]
    assert losses == [epoch["val_loss"] for epoch in compared.runs[-1].history]


def test_a_run_that_was_run_again_is_recorded_again(finished: Settings, store: Store) -> None:
    members = members_of(finished, ["mlp-simple"])
    first = compare_members(finished, members, [1])
    record_comparison(first, members, finished, Workspace.of(finished).results)
    longer = [
        replace(member, training=replace(member.training, learning_rate=0.002))
        for member in members
    ]
    again = compare_members(finished, longer, [1])
    record_comparison(again, longer, finished, Workspace.of(finished).results)
    assert [record.title for record in store.records[len(first.runs) :]] == ["mlp-simple"]
    assert store.records[-1].settings["training"]["learning_rate"] == 0.002
