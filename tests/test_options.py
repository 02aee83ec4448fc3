"""Every option that is allowed works: each goes the whole way on the toy city."""

import shutil
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from roadgraph.comparison.members import members_of
from roadgraph.config import load_settings
from roadgraph.evaluation.parts import ALL
from roadgraph.prediction import run_prediction
from roadgraph.workflow import run_comparison, run_network, run_slices
from tests.toy_city import DAYS, FIRST_DAY, speed_kph_at, write_city

OPTIONS = [
    ["model=mlp", "dataset.window=1", "dataset.horizons_min=[15]"],
    ["slices.minutes=60", "dataset.horizons_min=[60,120]", "evaluation.report_horizons_min=[120]"],
    ["slices.minutes=5", "dataset.horizons_min=[5,60]", "evaluation.report_horizons_min=[5,60]"],
    ["labels.congestion=absolute", "labels.rush_hour=clock", "model.tasks=[congestion,rush_hour]"],
    ["labels.congestion=traffic4cast", "training.class_weights=inverse"],
    ["dataset.fill=mean", "model.speed_from=nothing", "dataset.history_channels=false"],
    ["dataset.fill=last", "model.speed_from=last", "dataset.static_channels=false"],
    ["dataset.observed_channel=false", "training.noise_std=0", "training.decision=likeliest"],
    ["model.graph=self_loops", "model.tasks=[speed]", "training.class_weights=sqrt_inverse"],
    ["evaluation.errors=up_to_horizon", "evaluation.leave_out_last_window=true"],
    ["city.speed_unit=mph", "model.self_loop_weight=3", "size=enhanced"],
    ["model=attention", "model.heads=2", "training.optimizer=rmsprop", "training.schedule=cosine"],
    ["model=attention", "size=enhanced", "training.schedule=exponential", "model.norm=layer"],
    [
        "model=gat",
        "training.optimizer=sgd",
        "training.schedule=one_cycle",
        "training.averaging=ema",
    ],
    ["model=gat", "size=enhanced", "model.residual=false", "model.norm=none", "model.dropout=0"],
    ["model=roadnet", "training.schedule=warmup_cosine", "training.averaging=swa"],
    ["model=roadnet", "size=enhanced", "model.segment_embedding=4", "training.precision=bf16"],
    ["model=roadnet", "model.initialisation=he", "training.recompute_activations=true"],
    [
        "model=gcn",
        "model.initialisation=xavier",
        "training.optimizer=adam",
        "training.accumulate=2",
    ],
    ["training.task_weights=uncertainty", "training.quality_weights=true"],
    ["training.focal_gamma=2", "training.label_smoothing=0.1", "training.speed_loss=absolute"],
    ["training.speed_loss=squared", "training.temperature=false", "evaluation.abstain_below=0.9"],
    ["dataset.hidden_share=0.34", "training.hidden_share=0.3", "dataset.weekday_channels=false"],
    ["task=estimate_hidden", "dataset.hidden_share=0.34", "training.hidden_share=0.5"],
    ["task=nowcast_same_slice", "model=mlp", "training.schedule=constant"],
    ["training.overfit_batches=2", "training.resume=false", "training.profile=true"],
]


RECORDED = ("model.tasks=", "task=", "labels.", "slices.minutes=", "dataset.hidden_share=")
"""What an option that the records in MLflow depend on begins with."""


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The overrides of a city whose network and slices are made as the defaults say."""
    overrides = write_city(tmp_path_factory.mktemp("sliced"))
    settings = load_settings(overrides)
    run_network(settings)
    run_slices(settings)
    return overrides


def in_a_copy(overrides: list[str], folder: Path) -> list[str]:
    """Return the overrides with a workspace of their own in ``folder``."""
    (old,) = (each for each in overrides if each.startswith("workspace="))
    shutil.copytree(old.removeprefix("workspace="), folder)
    return [*overrides, f"workspace={folder}"]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_option_goes_from_fixes_to_predictions(
    options: list[str], sliced: list[str], tmp_path: Path, empty_store: Path
) -> None:
    overrides = [*in_a_copy(sliced, tmp_path / "work"), "training.max_epochs=1", *options]
    recorded = any(option.startswith(RECORDED) for option in options)
    store = f"tracking.uri=sqlite:///{shutil.copy(empty_store, tmp_path)}"
    overrides.append(store if recorded else "tracking.enabled=false")
    if any(option.startswith("dataset.horizons_min=[15]") for option in options):
        overrides.append("evaluation.report_horizons_min=[15]")
    settings = load_settings(overrides)
    if any(option.startswith("slices.") for option in options):
        shutil.rmtree(tmp_path / "work" / "toy" / "slices")
        run_slices(settings)
    title = f"{settings.model.name}-{settings.size}"
    title += "-self-loops" if settings.model.graph == "self_loops" else ""
    comparison = run_comparison(settings, members_of(settings, [title]), [1])
    assert (comparison.recorded is not None) == recorded
    assert comparison.recorded is None or comparison.recorded.left.folders == ()
    scores = comparison.scores
    rows = scores[(scores["model"] == title) & (scores["part"] == ALL)]
    assert rows["horizon_min"].tolist() == list(settings.task_evaluation.report_horizons_min)
    expected = {
        "macro_f1": "congestion", "rush_hour_f1": "rush_hour", "speed_mae_kph": "speed",
    }  # fmt: skip
    for column, task in expected.items():
        assert rows[column].notna().all() == (task in settings.model.tasks), column
    out, *_ = run_prediction(
        settings, comparison.bundles[title], tmp_path / "out.parquet", picture=recorded
    ).files
    # Nothing is hidden in the newest slice of this city, so there is nothing to estimate in it.
    answered = 0 if settings.task == "estimate_hidden" else 3
    assert len(pd.read_parquet(out)) == answered * len(settings.horizons_min)


def rows_on_segments(of_vehicles: bool) -> pl.DataFrame:
    """Return the traffic of the toy city as traversals or as ready aggregates."""
    times = pd.date_range(FIRST_DAY, periods=96 * DAYS, freq="15min")
    rows = [(name, time.isoformat(), speed_kph_at(time)) for time in times for name in "ABC"]
    time = "entered_at" if of_vehicles else "time"
    table = pl.DataFrame(rows, schema=["segment_id", time, "speed_kph"], orient="row")
    return table if of_vehicles else table.with_columns(count=pl.lit(3))


@pytest.mark.parametrize("of_vehicles", [True, False], ids=["traversals", "aggregates"])
def test_data_that_is_on_segments_goes_to_predictions(of_vehicles: bool, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    rows_on_segments(of_vehicles).write_csv(data)
    chosen = ["city.source=measured", f"city.fixes={data}", "training.max_epochs=1", "model=mlp"]
    settings = load_settings([*write_city(tmp_path / "city"), *chosen, "tracking.enabled=false"])
    run_network(settings)
    report, _ = run_slices(settings)
    assert (report.rows_used, report.slices) == (96 * DAYS * 3, 96 * DAYS * 3)
    comparison = run_comparison(settings, members_of(settings, ["mlp-simple"]), [1])
    assert comparison.recorded is None
    out, *_ = run_prediction(
        settings, comparison.bundles["mlp-simple"], tmp_path / "out.parquet"
    ).files
    assert len(pd.read_parquet(out)) == 3 * len(settings.dataset.horizons_min)
