"""Every option that is allowed works: each goes the whole way on the toy city."""

from pathlib import Path

import pandas as pd
import pytest

from roadgraph.config import load_settings
from roadgraph.workflow import members_of, run_comparison, run_network, run_prediction, run_slices
from tests.toy_city import write_city

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
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_option_goes_from_fixes_to_predictions(options: list[str], tmp_path: Path) -> None:
    overrides = [*write_city(tmp_path / "city"), "training.max_epochs=1", *options]
    if any(option.startswith("dataset.horizons_min=[15]") for option in options):
        overrides.append("evaluation.report_horizons_min=[15]")
    settings = load_settings(overrides)
    run_network(settings)
    run_slices(settings)
    title = f"{settings.model.name}-{settings.size}"
    title += "-self-loops" if settings.model.graph == "self_loops" else ""
    comparison = run_comparison(settings, members_of(settings, [title]))
    rows = comparison.scores[comparison.scores["model"] == title]
    assert rows["horizon_min"].tolist() == list(settings.evaluation.report_horizons_min)
    expected = {
        "macro_f1": "congestion", "rush_hour_f1": "rush_hour", "speed_mae_kph": "speed",
    }  # fmt: skip
    for column, task in expected.items():
        assert rows[column].notna().all() == (task in settings.model.tasks), column
    out = run_prediction(settings, comparison.bundles[title], tmp_path / "out.parquet")
    assert len(pd.read_parquet(out)) == 3 * len(settings.dataset.horizons_min)
