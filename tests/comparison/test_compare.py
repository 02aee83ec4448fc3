from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.comparison import compare
from roadgraph.comparison.baselines import run_baseline
from roadgraph.comparison.compare import Compared, Failure, compare_members
from roadgraph.comparison.judging import Judge
from roadgraph.comparison.members import members_of
from roadgraph.comparison.observer import Observer
from roadgraph.comparison.runs import Run
from roadgraph.comparison.training import train_member
from roadgraph.dataset.dataset import Dataset
from roadgraph.dataset.loading import load_dataset
from roadgraph.errors import TrainingError
from roadgraph.evaluation.parts import ALL
from roadgraph.network.network import read_network
from roadgraph.schema import TRUTH
from roadgraph.settings import Settings
from roadgraph.slices.store import read_slices
from roadgraph.workspace import Workspace
from tests.comparison.conftest import SEEDS, TITLES
from tests.comparison.toy import Killed, baseline_run, model_run, quick_settings, toy_judge

BASELINES = ["persistence", "historical average", "majority class", "gradient boosting"]
MODELS = [f"{title}, seed {seed}" for title in TITLES for seed in SEEDS]

Changed = Callable[[Dataset], Dataset]


def begun(settings: Settings, titles: Sequence[str] = TITLES) -> list[str]:
    """Return what a comparison with these settings runs."""
    found: list[str] = []
    compare_members(settings, members_of(settings, titles), SEEDS, on_run=found.append)
    return found


def pictures_of(compared: Compared) -> list[dict[str, int]]:
    """Return the inode of each picture of each run: another one for a file that is new."""
    return [
        {kind: path.stat().st_ino for kind, path in run.pictures.items()} for run in compared.runs
    ]


@pytest.fixture
def nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which take longer than a toy's training."""
    monkeypatch.setattr(compare, "draw_pictures", lambda *_: None)


@pytest.fixture
def nothing_is_run(
    compared: Compared, monkeypatch: pytest.MonkeyPatch, nothing_is_drawn: None
) -> None:
    """Let every run that begins end at once, without a file."""

    def run(*arguments: Any) -> Run:
        del arguments
        return compared.runs[0]

    del nothing_is_drawn
    monkeypatch.setattr(compare, "run_baseline", run)
    monkeypatch.setattr(compare, "train_member", run)


def with_input(dataset: Dataset) -> Dataset:
    inputs = dataset.inputs.copy()
    inputs[-1, -1, -1] += 1
    return replace(dataset, inputs=inputs)


def with_link_weight(dataset: Dataset) -> Dataset:
    return replace(dataset, graph=replace(dataset.graph, weight=dataset.graph.weight * 2))


def with_names(dataset: Dataset) -> Dataset:
    names = tuple(f"new-{name}" for name in dataset.grid.segment_ids)
    return replace(dataset, grid=replace(dataset.grid, segment_ids=names))


def with_network(dataset: Dataset) -> Dataset:
    return replace(dataset, graph=replace(dataset.graph, fingerprint="another"))


def with_free_flow(dataset: Dataset) -> Dataset:
    return replace(dataset, label_free_flow_kph=dataset.label_free_flow_kph + 1)


def with_score_label(dataset: Dataset) -> Dataset:
    congestion = dataset.score_labels.congestion.copy()
    congestion[-1, -1] = (congestion[-1, -1] + 1) % 4
    return replace(dataset, score_labels=replace(dataset.score_labels, congestion=congestion))


def with_rush_hour(dataset: Dataset) -> Dataset:
    return replace(dataset, labels=replace(dataset.labels, rush_hour=1 - dataset.labels.rush_hour))


def write_truth(settings: Settings, path: Path) -> Settings:
    """Write a truth 5 km/h above what was measured and return the settings that name it."""
    slices = read_slices(Workspace.of(settings).slices).to_pandas()
    table = slices[["segment_id", "slice_start"]].assign(
        mean_speed=slices["mean_speed"] + 5, vehicles=1
    )
    pq.write_table(TRUTH.conform(pa.Table.from_pandas(table, preserve_index=False)), path)
    return replace(settings, city=replace(settings.city, truth=str(path)))


def test_baselines_come_first_then_the_members_in_their_order_seed_by_seed(
    compared: Compared,
) -> None:
    assert [(run.facts.title, run.facts.seed) for run in compared.runs] == [
        *((name, 0) for name in BASELINES),
        *((title, seed) for title in TITLES for seed in SEEDS),
    ]
    assert compared.titles == list(TITLES)
    assert compared.failures == ()


def test_scores_have_a_row_a_run_horizon_and_part(compared: Compared) -> None:
    scores = compared.scores
    assert not scores.duplicated(["model", "seed", "horizon_min", "part"]).any()
    rows = scores[scores["part"] == ALL].groupby("model", sort=False)
    assert rows["horizon_min"].apply(list).to_dict() == {
        **{name: [15, 30] for name in BASELINES},
        **{title: [15, 30] * 2 for title in TITLES},
    }
    assert rows["seed"].apply(list).loc["mlp-simple"] == [1, 1, 2, 2]
    assert set(scores.loc[scores["baseline"], "model"]) == set(BASELINES)
    assert set(scores.loc[~scores["baseline"], "model"]) == set(TITLES)


def test_validation_scores_have_a_row_a_run_and_horizon(compared: Compared) -> None:
    scores = compared.validation_scores
    assert set(scores["part"]) == {ALL}
    assert list(zip(scores["model"], scores["seed"], scores["horizon_min"], strict=True)) == [
        (run.facts.title, run.facts.seed, minutes) for run in compared.runs for minutes in (15, 30)
    ]
    assert set(scores.loc[scores["baseline"], "model"]) == set(BASELINES)
    assert (scores.groupby("horizon_min")["cells"].nunique() == 1).all()
    assert scores[["macro_f1", "accuracy"]].notna().all(axis=None)


def test_every_forecaster_is_judged_on_the_same_cells(compared: Compared) -> None:
    cells = compared.scores.groupby(["horizon_min", "part"])["cells"]
    assert (cells.nunique() == 1).all()
    assert (cells.count() == len(BASELINES) + len(TITLES) * len(SEEDS)).all()


def test_skill_is_against_the_best_baseline_of_the_horizon(tmp_path: Path) -> None:
    runs = (
        baseline_run(
            "persistence", tmp_path, {"macro_f1": 0.5, "speed_mae_kph": 5.0}, {"macro_f1": 0.2}
        ),
        baseline_run(
            "majority class", tmp_path, {"macro_f1": 0.1, "speed_mae_kph": 4.0}, {"macro_f1": 0.6}
        ),
        model_run(
            "gcn-simple", 1, tmp_path, {"macro_f1": 0.75, "speed_mae_kph": 3.0}, {"macro_f1": 0.4}
        ),
    )
    scores = Compared(runs, (), toy_judge(quick_settings())).scores
    model = scores[scores["model"] == "gcn-simple"]
    assert model["best_macro_f1"].tolist() == ["persistence", "majority class"]
    # (0.75 - 0.5) / (1 - 0.5) and (0.4 - 0.6) / (1 - 0.6); 1 - 3 / 4
    assert model["skill_macro_f1"].tolist() == pytest.approx([0.5, -0.5])
    assert model["skill_speed_mae"].iloc[0] == pytest.approx(0.25)
    assert scores["seed"].tolist() == [0, 0, 0, 0, 1, 1]
    assert scores["baseline"].tolist() == [True] * 4 + [False] * 2


def test_facts_have_a_row_a_run(compared: Compared) -> None:
    facts = compared.facts
    assert len(facts) == len(compared.runs)
    assert facts.loc[facts["baseline"], "parameters"].isna().all()
    assert facts.loc[facts["baseline"], "validation_loss"].isna().all()
    models = facts[~facts["baseline"]]
    assert (models["parameters"] > 0).all()
    assert list(zip(models["title"], models["seed"], strict=True)) == [
        (title, seed) for title in TITLES for seed in SEEDS
    ]


def test_the_best_run_is_that_of_the_seed_with_the_least_validation_loss(tmp_path: Path) -> None:
    runs = tuple(
        model_run(title, seed, tmp_path, {}, loss=loss)
        for title, losses in (("gcn-simple", (0.9, 0.3, 0.5)), ("mlp-simple", (0.1, 0.2, 0.3)))
        for seed, loss in enumerate(losses, 1)
    )
    compared = Compared(runs, (), toy_judge(quick_settings()))
    assert compared.best_of("gcn-simple").facts.seed == 2
    assert compared.best_of("mlp-simple").facts.seed == 1


def test_a_second_comparison_runs_nothing_and_gives_the_same_scores(
    city: Settings, members: Sequence[Settings], compared: Compared
) -> None:
    found: list[str] = []
    epochs: list[str] = []
    before = pictures_of(compared)
    again = compare_members(
        city, members, SEEDS, lambda title, figures: epochs.append(title), found.append
    )
    assert found + epochs == []
    assert pictures_of(again) == before, "nothing is drawn again"
    pd.testing.assert_frame_equal(again.scores, compared.scores)
    pd.testing.assert_frame_equal(again.validation_scores, compared.validation_scores)
    pd.testing.assert_frame_equal(again.facts, compared.facts)


@pytest.mark.usefixtures("nothing_is_run")
@pytest.mark.parametrize(
    "training",
    [{"device": "auto"}, {"resume": False}, {"seed": 9}],
    ids=str,
)
def test_settings_that_no_figure_depends_on_run_nothing(
    city: Settings, training: dict[str, Any]
) -> None:
    assert begun(replace(city, training=replace(city.training, **training))) == []


@pytest.mark.usefixtures("nothing_is_run")
def test_the_list_of_seeds_and_the_store_of_runs_run_nothing(city: Settings) -> None:
    evaluation = replace(city.evaluation, seeds=(1, 2, 3, 4))
    tracking = replace(city.tracking, uri="sqlite:///elsewhere.db")
    assert begun(replace(city, evaluation=evaluation, tracking=tracking)) == []


@pytest.mark.usefixtures("nothing_is_run")
def test_a_new_seed_and_a_new_member_run_alone(city: Settings) -> None:
    found: list[str] = []
    members = members_of(city, [*TITLES, "mlp-enhanced"])
    compare_members(city, members, [*SEEDS, 3], on_run=found.append)
    assert found == [
        "mlp-simple, seed 3",
        "gcn-enhanced, seed 3",
        *(f"mlp-enhanced, seed {seed}" for seed in (1, 2, 3)),
    ]


@pytest.mark.usefixtures("nothing_is_run")
@pytest.mark.parametrize(
    "training",
    [{"learning_rate": 0.002}, {"max_epochs": 1}, {"hidden_share": 0.3}, {"profile": True}],
    ids=str,
)
def test_another_setting_of_the_training_trains_the_models_again_alone(
    city: Settings, training: dict[str, Any]
) -> None:
    assert begun(replace(city, training=replace(city.training, **training))) == MODELS


@pytest.mark.usefixtures("nothing_is_run")
def test_another_setting_of_one_member_trains_that_one_again_alone(
    city: Settings, members: Sequence[Settings]
) -> None:
    found: list[str] = []
    first, second = members
    longer = replace(second, training=replace(second.training, learning_rate=0.002))
    compare_members(city, [first, longer], SEEDS, on_run=found.append)
    assert found == ["gcn-enhanced, seed 1", "gcn-enhanced, seed 2"]
    found.clear()
    sparser = replace(second, model=replace(second.model, dropout=0.1))
    compare_members(city, [first, sparser], SEEDS, on_run=found.append)
    assert found == ["gcn-enhanced, seed 1", "gcn-enhanced, seed 2"]


@pytest.mark.usefixtures("nothing_is_run")
def test_another_decision_runs_the_baselines_too(city: Settings) -> None:
    likeliest = replace(city, training=replace(city.training, decision="likeliest"))
    assert begun(likeliest) == [*BASELINES, *MODELS]


@pytest.mark.usefixtures("nothing_is_run")
@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("dataset", {"window": 3}),
        ("dataset", {"train_share": 0.5}),
        ("dataset", {"fill": "mean"}),
        ("labels", {"relative_cuts": (0.1, 0.3, 0.6)}),
        ("labels", {"rush_hour": "clock"}),
        ("evaluation", {"errors": "up_to_horizon"}),
        ("evaluation", {"abstain_below": 0.5}),
        ("evaluation", {"report_horizons_min": (30,)}),
    ],
    ids=str,
)
def test_other_labels_inputs_or_ways_to_judge_run_everything(
    city: Settings, group: str, changes: dict[str, Any]
) -> None:
    changed = replace(getattr(city, group), **changes)
    assert begun(replace(city, **{group: changed})) == [*BASELINES, *MODELS]


@pytest.mark.usefixtures("nothing_is_run")
def test_another_task_runs_everything(city: Settings) -> None:
    assert begun(replace(city, task="nowcast_same_slice")) == [*BASELINES, *MODELS]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_two_tasks_never_share_a_run(
    city: Settings, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: dict[str, list[str]] = {}

    def keep(task: str) -> Callable[..., Run]:
        def run(name: str, make: object, judge: Judge, key: str, folder: Path) -> Run:
            del name, make, judge, folder
            keys.setdefault(task, []).append(key)
            return compared.runs[0]

        return run

    # Both look no minute ahead, so that nothing but the task tells them apart.
    for task in ("estimate_hidden", "nowcast_same_slice"):
        monkeypatch.setattr(compare, "run_baseline", keep(task))
        compare_members(replace(city, task=task), [], SEEDS)
    assert len(keys["estimate_hidden"]) == len(BASELINES)
    assert not set(keys["estimate_hidden"]) & set(keys["nowcast_same_slice"])


@pytest.mark.usefixtures("nothing_is_run")
@pytest.mark.parametrize(
    "changed",
    [
        with_input,
        with_link_weight,
        with_score_label,
        with_rush_hour,
        with_names,
        with_network,
        with_free_flow,
    ],
)
def test_other_data_runs_everything(
    city: Settings, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "load_dataset", lambda *asked: changed(load_dataset(*asked)))
    assert begun(city) == [*BASELINES, *MODELS]


@pytest.mark.usefixtures("nothing_is_run")
@pytest.mark.parametrize("column", ["road_class", "length_m"])
def test_other_roads_run_everything(
    city: Settings, column: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = read_network(Workspace.of(city).network)
    dataset = load_dataset(city, Workspace.of(city), network)
    segments = network.segments.copy()
    segments[column] = "primary" if column == "road_class" else segments[column] + 1
    monkeypatch.setattr(compare, "read_network", lambda _: replace(network, segments=segments))
    monkeypatch.setattr(compare, "load_dataset", lambda *_: dataset)
    assert begun(city) == [*BASELINES, *MODELS]


@pytest.mark.usefixtures("nothing_is_run")
def test_a_truth_that_is_new_runs_everything(city: Settings, tmp_path: Path) -> None:
    settings = write_truth(city, tmp_path / "truth.parquet")
    assert begun(settings) == [*BASELINES, *MODELS]


def test_without_a_truth_there_are_no_scores_against_it(compared: Compared) -> None:
    assert compared.truth_scores is None


@pytest.mark.usefixtures("nothing_is_drawn")
def test_scores_against_the_truth_stand_in_a_table_of_their_own(
    fresh: Settings, tmp_path: Path
) -> None:
    settings = write_truth(fresh, tmp_path / "truth.parquet")
    first = compare_members(settings, [], SEEDS)
    again = compare_members(settings, [], SEEDS)
    truth = first.truth_scores
    assert truth is not None
    assert again.truth_scores is not None
    pd.testing.assert_frame_equal(again.truth_scores, truth)
    assert truth["model"].unique().tolist() == BASELINES
    assert {"seed", "baseline", "skill_macro_f1"} <= set(truth.columns)
    # The toy traffic repeats every day, so the history is right but for what was added.
    row = (truth["model"] == "historical average") & (truth["part"] == ALL)
    assert truth.loc[row, "speed_mae_kph"].tolist() == pytest.approx([5, 5], abs=0.1)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_comparison_of_no_member_is_one_of_the_baselines(fresh: Settings) -> None:
    compared = compare_members(fresh, [], SEEDS)
    assert [run.facts.title for run in compared.runs] == BASELINES
    assert compared.titles == []
    assert compared.failures == ()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_an_interrupted_comparison_goes_on_where_it_was(
    fresh: Settings, compared: Compared
) -> None:
    members = members_of(fresh, TITLES)

    def interrupt(title: str) -> None:
        if title == "gcn-enhanced, seed 1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_members(fresh, members, SEEDS, on_run=interrupt)
    found: list[str] = []
    again = compare_members(fresh, members, SEEDS, on_run=found.append)
    assert found == ["gcn-enhanced, seed 1", "gcn-enhanced, seed 2"]
    pd.testing.assert_frame_equal(again.scores, compared.scores)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_an_interrupted_training_goes_on_at_its_epoch(
    finished: Settings, compared: Compared
) -> None:
    settings = replace(finished, training=replace(finished.training, learning_rate=0.003))
    members = members_of(settings, ["mlp-simple"])

    def kill(title: str, figures: dict[str, float]) -> None:
        del title, figures
        raise Killed

    with pytest.raises(Killed):
        compare_members(settings, members, [1], on_epoch=kill)
    told: list[tuple[str, float]] = []
    again = compare_members(
        settings, members, [1], lambda title, figures: told.append((title, figures["epoch"]))
    )
    assert told == [("mlp-simple, seed 1", 1)]
    assert len(again.runs[-1].history) == len(compared.runs[-1].history) == 2


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_member_that_fails_is_listed_and_the_others_go_on(
    finished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(member: Settings, judge: Judge, *rest: Any) -> Run:
        if member.model.name == "roadnet":
            raise ValueError("too few roads\nand a second line")
        if member.training.seed == 3:
            raise RuntimeError
        return train_member(member, judge, *rest)

    monkeypatch.setattr(compare, "train_member", fail)
    members = members_of(finished, ["roadnet-simple", "mlp-simple"])
    compared = compare_members(finished, members, [1, 3, 4])
    assert compared.failures == (
        Failure("roadnet-simple", 1, "too few roads"),
        Failure("roadnet-simple", 3, "too few roads"),
        Failure("roadnet-simple", 4, "too few roads"),
        Failure("mlp-simple", 3, "RuntimeError"),
    )
    assert compared.titles == ["mlp-simple"]
    rows = compared.scores[compared.scores["model"] == "mlp-simple"]
    assert rows["seed"].unique().tolist() == [1, 4]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_member_that_failed_is_tried_again(
    finished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> Run:
        raise ValueError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr(compare, "train_member", fail)
        compare_members(finished, members_of(finished, ["mlp-simple"]), [1, 3])
    found: list[str] = []
    members = members_of(finished, ["mlp-simple"])
    compared = compare_members(finished, members, [1, 3], on_run=found.append)
    assert found == ["mlp-simple, seed 3"]
    assert compared.failures == ()


def test_when_every_member_fails_that_is_an_error_with_the_first_reason(
    finished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(member: Settings, *rest: Any) -> Run:
        raise ValueError(f"no memory for {member.model.name}")

    monkeypatch.setattr(compare, "train_member", fail)
    members = members_of(finished, ["gat-simple", "roadnet-simple"])
    with pytest.raises(TrainingError, match=r"the first, gat-simple: no memory for gat; `"):
        compare_members(finished, members, [1])


def test_a_single_training_that_fails_raises_its_own_error(
    finished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> Run:
        raise ValueError("no memory")

    monkeypatch.setattr(compare, "train_member", fail)
    with pytest.raises(ValueError, match=r"^no memory$"):
        compare_members(finished, members_of(finished, ["gat-simple"]), [1])


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_baseline_that_fails_is_listed_and_the_others_go_on(
    finished: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, *rest: Any) -> Run:
        if name == "gradient boosting":
            raise OSError("libgomp.so.1: cannot open shared object file")
        return run_baseline(name, *rest)

    monkeypatch.setattr(compare, "run_baseline", fail)
    settings = replace(finished, training=replace(finished.training, decision="likeliest"))
    compared = compare_members(settings, [], SEEDS)
    assert compared.failures == (
        Failure("gradient boosting", 0, "libgomp.so.1: cannot open shared object file"),
    )
    assert [run.facts.title for run in compared.runs] == [
        name for name in BASELINES if name != "gradient boosting"
    ]


def test_whoever_watches_costs_no_run(
    city: Settings, compared: Compared, caplog: pytest.LogCaptureFixture
) -> None:
    class Clumsy(Observer):
        def finished(self, run: Run) -> None:
            raise OSError(f"no place for {run.facts.name}")

    again = compare_members(city, members_of(city, TITLES), SEEDS, observer=Clumsy())
    assert [run.facts for run in again.runs] == [run.facts for run in compared.runs]
    assert again.failures == ()
    assert "mlp-simple seed 1 is complete, but could not be recorded" in caplog.text


def test_whoever_watches_is_told_of_data_trainings_and_runs(fresh: Settings) -> None:
    class Notes(Observer):
        def __init__(self) -> None:
            self.said: list[str] = []

        def data(self, judge: Judge, key: str) -> None:
            self.said.append(f"data of {judge.dataset.graph.segments}")

        @contextmanager
        def training(
            self, member: Settings, key: str, folder: Path
        ) -> Iterator[Callable[[dict[str, float]], None]]:
            self.said.append(f"{member.training.seed} begins")
            yield lambda figures: self.said.append(f"epoch {figures['epoch']}")
            self.said.append("it ends")

        def finished(self, run: Run) -> None:
            self.said.append(run.facts.name)

    notes = Notes()
    compare_members(fresh, members_of(fresh, ["mlp-simple"]), [3], observer=notes)
    epochs = ["epoch 0", "epoch 1"]
    assert notes.said == [
        "data of 3", *BASELINES, "3 begins", *epochs, "it ends", "mlp-simple seed 3",
    ]  # fmt: skip


def test_a_run_of_an_older_layout_is_run_again(finished: Settings) -> None:
    workspace = Workspace.of(finished)
    (folder,) = (workspace.root / "runs" / "majority-class").glob("seed-*")
    (folder / "details.npz").unlink()
    found: list[str] = []
    compared = compare_members(finished, [], SEEDS, on_run=found.append)
    assert found == ["majority class"]
    assert {"confusion", "error-by-hour"} <= set(compared.runs[2].pictures)


def test_what_is_named_twice_runs_once(city: Settings, compared: Compared) -> None:
    twice = compare_members(city, members_of(city, [*TITLES, *TITLES]), [*SEEDS, *SEEDS])
    pd.testing.assert_frame_equal(twice.scores, compared.scores)


def test_a_run_whose_validation_loss_is_unknown_is_not_the_best(tmp_path: Path) -> None:
    unknown, known = (model_run("gcn-simple", seed, tmp_path, {}) for seed in (1, 2))
    unknown = replace(unknown, facts=replace(unknown.facts, validation_loss=None))
    compared = Compared((unknown, known), (), toy_judge(quick_settings()))
    assert compared.best_of("gcn-simple").facts.seed == 2


def test_models_that_stand_without_their_control_are_named(tmp_path: Path) -> None:
    titles = ("mlp-simple", "gcn-simple", "gat-simple", "gat-simple-self-loops")
    runs = tuple(model_run(title, 1, tmp_path, {}) for title in titles)
    assert Compared(runs, (), toy_judge(quick_settings())).without_control == ["gcn-simple"]
