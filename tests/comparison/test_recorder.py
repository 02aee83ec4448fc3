import logging
import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.comparison import compare, recorder
from roadgraph.comparison.compare import Compared, compare_members
from roadgraph.comparison.members import members_of
from roadgraph.comparison.recorder import Recorder
from roadgraph.comparison.results import write_results
from roadgraph.comparison.runs import Run
from roadgraph.errors import TrainingError
from roadgraph.settings import Settings
from roadgraph.tracking.outbox import Left
from roadgraph.tracking.record import (
    Record,
    Sent,
    read_progress,
    read_record,
    record_folder,
    this_process,
    write_record,
    write_sent,
)
from roadgraph.tracking.sending import REGISTER_FILE
from roadgraph.tracking.store import Store
from roadgraph.workspace import Workspace
from tests.comparison.toy import (
    Killed,
    baseline_run,
    compared_of,
    model_run,
    quick_settings,
    toy_judge,
)
from tests.tracking.toy import in_own_store, store_of
from tests.tracking.toy_records import curve, runs_of

KEY = "0123456789abcdef"


@dataclass
class Box:
    """Stands for the outbox: keeps what it is told."""

    posted: list[Path] = field(default_factory=list)
    followed: list[tuple[Path, int]] = field(default_factory=list)
    unfollowed: list[Path] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)

    def post(self, folder: Path) -> None:
        self.posted.append(folder)

    def follow(self, folder: Path, samples: int = 0) -> None:
        self.followed.append((folder, samples))

    def unfollow(self, folder: Path) -> None:
        self.unfollowed.append(folder)

    def close(self, patience_s: float) -> Left:
        self.closed.append(patience_s)
        return Left((), "")


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    found = Box()
    monkeypatch.setattr(recorder, "Outbox", lambda *arguments: found)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(quick_settings(), workspace=str(tmp_path / "work"))


def recording(settings: Settings) -> Recorder:
    """Return a recorder of ``mlp-simple`` that knows of its data."""
    members = members_of(settings, ["mlp-simple"])
    found = Recorder(settings, members, [1, 2], store_of(settings))
    found.data(toy_judge(settings), KEY)
    return found


def record_in(folder: Path) -> Record:
    record = read_record(folder)
    assert record is not None
    return record


def trained(settings: Settings, seed: int = 1) -> Run:
    run = model_run("mlp-simple", seed, Workspace.of(settings).run("mlp-simple", seed, KEY), {})
    run.folder.mkdir(parents=True)
    return run


def test_the_comparison_is_posted_before_its_runs(box: Box, settings: Settings) -> None:
    recording(settings)
    (folder,) = box.posted
    assert record_in(folder).status == "RUNNING"
    assert Workspace.of(settings).records == [folder]
    assert folder.parent == Workspace.of(settings).root / "comparisons"


def test_the_same_comparison_goes_on_in_its_record(box: Box, settings: Settings) -> None:
    recording(settings)
    folder = box.posted[0]
    first = record_in(folder)
    recording(settings)
    again = record_in(folder)
    assert (again.record_id, again.started_ms) == (first.record_id, first.started_ms)


def test_baselines_are_recorded_when_all_of_them_are_there(box: Box, settings: Settings) -> None:
    found = recording(settings)
    folder = Workspace.of(settings).root / "runs"
    for name, macro_f1 in (("persistence", 0.2), ("historical average", 0.6)):
        found.finished(baseline_run(name, folder / name, {"macro_f1": macro_f1}))
    assert len(box.posted) == 1, "skill is against the best of all baselines"
    found.finished(trained(settings))
    assert [record_in(place).title for place in box.posted[1:]] == [
        "persistence",
        "historical average",
        "mlp-simple seed 1",
    ]
    above = {(place.parent / record_in(place).parent).resolve() for place in box.posted[1:]}
    assert above == {box.posted[0].resolve()}
    # (0.2 - 0.6) / (1 - 0.6)
    skill = record_in(box.posted[1]).metrics["test/congestion/skill/15min"]
    assert skill == pytest.approx(-1)


def test_a_training_is_followed_and_its_epochs_are_kept(
    box: Box, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    found = recording(settings)
    (member,) = members_of(settings, ["mlp-simple"])
    run = trained(settings)
    place = record_folder(run.folder)
    with caplog.at_level(logging.INFO), found.training(member, KEY, run.folder) as tell:
        assert box.followed == [(place, 0)]
        assert record_in(place).status == "RUNNING"
        tell({"epoch": 0, "train_loss": 2.0, "val_loss": 3.0})
        tell({"epoch": 1, "train_loss": 1.0, "val_loss": 1.0})
        tell({"epoch": 0, "train_loss": 9.0, "val_loss": 9.0})  # of a refit
    assert box.unfollowed == [place]
    lines = read_progress(place)
    assert [(line.step, line.figures) for line in lines] == [
        (0, {"train_loss": 2.0, "val_loss": 3.0}),
        (1, {"train_loss": 1.0, "val_loss": 1.0}),
    ]
    begun = record_in(place)
    found.finished(run)
    record = record_in(place)
    assert (record.record_id, record.status) == (begun.record_id, "FINISHED")
    assert [line.step for line in read_progress(place)] == [0, 1]
    log = (place / "console.log").read_text("utf-8")
    assert "epoch 1: train_loss 1, val_loss 1" in log
    assert "mlp-simple seed 1 is complete" in log
    assert record.artifacts[""] == (f"{place.name}/console.log",)


def test_a_training_that_was_killed_goes_on_in_its_record(box: Box, settings: Settings) -> None:
    (member,) = members_of(settings, ["mlp-simple"])
    run = trained(settings)
    place = record_folder(run.folder)
    found = recording(settings)
    with suppress(Killed), found.training(member, KEY, run.folder) as tell:
        tell({"epoch": 0, "val_loss": 3.0})
        raise Killed
    killed = record_in(place)
    assert killed.status == "KILLED"
    assert box.posted[-1] == place
    with recording(settings).training(member, KEY, run.folder) as tell:
        tell({"epoch": 0, "val_loss": 3.0})
        tell({"epoch": 1, "val_loss": 1.0})
    again = record_in(place)
    assert again.record_id == killed.record_id
    assert ("failure" in killed.tags, "failure" in again.tags) == (True, False)
    assert [line.step for line in read_progress(place)] == [0, 1]


def test_a_training_whose_process_was_killed_goes_on_in_its_record(
    box: Box, settings: Settings
) -> None:
    (member,) = members_of(settings, ["mlp-simple"])
    run = trained(settings)
    place = record_folder(run.folder)
    common = recording(settings)._common
    assert common is not None
    left = replace(common.of_training(member, KEY, place), process="elsewhere:1:1.00")
    write_record(left, place)
    with recording(settings).training(member, KEY, run.folder):
        record = record_in(place)
    assert (record.record_id, record.process) == (left.record_id, this_process())


def test_a_failed_training_that_was_not_sent_yet_is_set_aside(box: Box, settings: Settings) -> None:
    found = recording(settings)
    (member,) = members_of(settings, ["mlp-simple"])
    folder = Workspace.of(settings).run("mlp-simple", 1, KEY)
    with suppress(TrainingError), found.training(member, KEY, folder):
        raise TrainingError("the loss is NaN")
    write_sent("http://away", Sent(), record_folder(folder))
    with found.training(member, KEY, folder):
        pass
    records = [read_record(place) for place in folder.parent.glob("*.tracking")]
    assert sorted(record.status for record in records if record) == ["FAILED", "RUNNING"]


def test_a_training_that_is_run_anew_has_a_new_record(box: Box, settings: Settings) -> None:
    (member,) = members_of(settings, ["mlp-simple"])
    found = recording(settings)
    run = trained(settings)
    found.finished(run)
    first = record_in(record_folder(run.folder))
    with found.training(member, KEY, run.folder) as tell:
        tell({"epoch": 0, "val_loss": 7.0})
    second = record_in(record_folder(run.folder))
    assert second.record_id != first.record_id
    assert [line.figures for line in read_progress(record_folder(run.folder))] == [
        {"val_loss": 7.0}
    ]


def test_a_training_that_fails_is_recorded_with_its_reason(box: Box, settings: Settings) -> None:
    found = recording(settings)
    (member,) = members_of(settings, ["mlp-simple"])
    folder = Workspace.of(settings).run("mlp-simple", 1, KEY)
    with suppress(TrainingError), found.training(member, KEY, folder) as tell:
        tell({"epoch": 0, "val_loss": 3.0})
        raise TrainingError("the loss is NaN\nin batch 3")
    record = record_in(record_folder(folder))
    assert (record.status, record.tags["failure"]) == ("FAILED", "the loss is NaN")
    assert record.ended_ms is not None
    assert box.posted[-1] == record_folder(folder)
    assert box.unfollowed == [record_folder(folder)]


def test_a_run_that_nobody_watched_gets_the_epochs_of_its_history(
    box: Box, settings: Settings
) -> None:
    found = recording(settings)
    run = trained(settings, seed=2)
    found.finished(run)
    place = record_folder(run.folder)
    assert [line.step for line in read_progress(place)] == [0, 1]
    assert read_progress(place)[1].figures["val_loss"] == 1.0
    assert record_in(place).title == "mlp-simple seed 2"


def test_a_run_that_was_recorded_is_posted_as_it_is(box: Box, settings: Settings) -> None:
    run = trained(settings)
    recording(settings).finished(run)
    place = record_folder(run.folder)
    before = (place / "record.json").read_bytes()
    recording(settings).finished(run)
    assert box.posted[-1] == place
    assert (place / "record.json").read_bytes() == before


def test_a_run_that_was_recorded_goes_under_the_newest_comparison(
    box: Box, settings: Settings
) -> None:
    run = trained(settings)
    recording(settings).finished(run)
    place = record_folder(run.folder)
    first = record_in(place)
    other = replace(settings, promotion=replace(settings.promotion, metric="accuracy"))
    recording(other).finished(run)
    second = record_in(place)
    assert second == replace(first, parent=second.parent)
    assert second.parent != first.parent


def ended(settings: Settings, box: Box, *runs: Run) -> Compared:
    """Record a comparison of ``runs`` to its end."""
    found = recording(settings)
    compared = replace(compared_of(*runs), judge=toy_judge(settings))
    for run in runs:
        found.finished(run)
    results = Workspace.of(settings).results
    results.mkdir(parents=True, exist_ok=True)
    (results / "results.md").write_text("# Results\n", "utf-8")
    found.ended(compared, results)
    found.close()
    return compared


def test_the_best_model_is_put_forward_and_the_results_are_kept(
    box: Box, settings: Settings
) -> None:
    run = trained(settings)
    scores = run.verdict.scores.assign(macro_f1=0.5)
    ended(settings, box, replace(run, verdict=replace(run.verdict, validation_scores=scores)))
    asked = (record_folder(run.folder) / REGISTER_FILE).read_text("utf-8")
    assert '"name": "toy"' in asked
    assert '"validation/macro_f1": "0.5"' in asked
    (kept,) = Workspace.of(settings).root.glob("comparisons/*/results.md")
    assert kept.read_text("utf-8") == "# Results\n"
    assert record_in(record_folder(kept.parent)).status == "FINISHED"
    assert box.closed == [settings.tracking.patience_s]


@pytest.mark.parametrize("task", ["nowcast_same_slice", "forecast"])
def test_what_says_nothing_or_cannot_be_judged_is_not_put_forward(
    box: Box, settings: Settings, task: str
) -> None:
    run = trained(settings)
    macro_f1 = 0.5 if task == "nowcast_same_slice" else float("nan")
    scores = run.verdict.scores.assign(macro_f1=macro_f1)
    changed = replace(settings, task=task)  # type: ignore[arg-type]
    ended(changed, box, replace(run, verdict=replace(run.verdict, validation_scores=scores)))
    assert not (record_folder(run.folder) / REGISTER_FILE).exists()


@pytest.mark.parametrize(
    ("error", "status"), [(TrainingError("all failed"), "FAILED"), (Killed("now"), "KILLED")]
)
def test_a_comparison_that_breaks_off_says_so_and_waits_for_nobody_long(
    box: Box, settings: Settings, error: BaseException, status: str
) -> None:
    recording(settings).give_up(error)
    assert box.closed == [recorder.PATIENCE_AFTER_A_FAILURE_S]
    record = record_in(box.posted[-1])
    assert (record.status, record.tags["failure"]) == (status, str(error))


def test_a_comparison_without_data_leaves_no_record(box: Box, settings: Settings) -> None:
    found = Recorder(settings, [], [1], store_of(settings))
    found.give_up(TrainingError("no data"))
    assert box.posted == []
    assert Workspace.of(settings).records == []


def test_a_full_disk_costs_no_training(
    box: Box, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    (member,) = members_of(settings, ["mlp-simple"])
    found = recording(settings)
    with found.training(member, KEY, trained(settings).folder) as tell, monkeypatch.context() as on:
        on.setattr(recorder, "append_progress", full)
        tell({"epoch": 0, "val_loss": 1.0})
    assert "epoch 0 is not recorded yet" in caplog.text


@pytest.fixture
def store_and_settings(
    finished: Settings, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Store, Settings]:
    monkeypatch.setattr(compare, "draw_pictures", lambda *_: None)
    settings = in_own_store(finished, tmp_path, empty_store)
    return store_of(settings), settings


def test_an_mlflow_store_holds_a_comparison_once(
    store_and_settings: tuple[Store, Settings],
) -> None:
    store, settings = store_and_settings
    workspace, members = Workspace.of(settings), members_of(settings, ["mlp-simple"])
    pages = []
    for _ in range(2):
        found = Recorder(settings, members, [1, 2], store)
        compared = compare_members(settings, members, [1, 2], observer=found)
        write_results(compared, settings, workspace.results)
        found.ended(compared, workspace.results)
        recorded = found.close()
        assert recorded.left == Left((), "")
        pages.append(recorded.pages)
    client: MlflowClient = store.client()
    runs = runs_of(client)
    assert set(runs) == {run.facts.name for run in compared.runs} | {
        name for name in runs if name.startswith("comparison ")
    }
    (parent,) = (run for name, run in runs.items() if name.startswith("comparison "))
    scores = compared.scores
    for run in compared.runs:
        stored = runs[run.facts.name]
        assert stored.data.tags["mlflow.parentRunId"] == parent.info.run_id
        rows = scores[(scores["model"] == run.facts.title) & (scores["seed"] == run.facts.seed)]
        row = rows[(rows["part"] == "all") & (rows["horizon_min"] == 30)].iloc[0]
        metrics = stored.data.metrics
        assert metrics["test/congestion/macro_f1/30min"] == pytest.approx(row["macro_f1"])
        # What is no number is no figure: there is no skill against a baseline without error.
        skill = metrics.get("test/speed/skill/30min", math.nan)
        assert skill == pytest.approx(row["skill_speed_mae"], nan_ok=True)
    trained_run = compared.runs[-1]
    losses = curve(client, runs[trained_run.facts.name], "val_loss")
    assert [value for *_, value in losses] == [epoch["val_loss"] for epoch in trained_run.history]
    assert "| mlp-simple | 15 | 2 |" in parent.data.tags["mlflow.note.content"]
    paths = {item.path for item in client.list_artifacts(parent.info.run_id, "results")}
    assert {"results/results.md", "results/results.csv", "results/plots"} <= paths
    assert pages[0] == pages[1]
    assert pages[0]["mlp-simple seed 2"].endswith(runs["mlp-simple seed 2"].info.run_id)
    assert pages[0][""].endswith(parent.info.run_id)
