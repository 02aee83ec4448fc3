"""The whole way on a toy city: files in, results and predictions out."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from roadgraph.comparison.members import members_of
from roadgraph.errors import (
    BundleError,
    DataError,
    RegistryError,
    SettingsError,
    TrainingError,
)
from roadgraph.evaluation.interpolation import INTERPOLATORS
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.network.network import write_network
from roadgraph.prediction import run_prediction, trained_bundle
from roadgraph.schema import CONGESTION_CLASSES, PREDICTIONS
from roadgraph.settings import Settings
from roadgraph.tracking.registry import promote
from roadgraph.tracking.versions import find_version
from roadgraph.training.bundle import read_bundle
from roadgraph.workflow import (
    Comparison,
    run_comparison,
    run_network,
    run_promotion,
    run_rollback,
    run_slices,
    run_summary,
)
from roadgraph.workspace import Workspace
from tests.toy import straight_network
from tests.toy_city import DAYS, city_settings
from tests.tracking.toy import in_own_store, registered_run, store_of, toy_workspace


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return city_settings(tmp_path_factory.mktemp("city") / "city")


@pytest.fixture(scope="module")
def imported(settings: Settings) -> Settings:
    run_network(settings)
    run_slices(settings)
    return settings


@pytest.fixture(scope="module")
def comparison(imported: Settings) -> Comparison:
    return run_comparison(imported, members_of(imported, ["mlp-simple", "gcn-enhanced"]), [1, 2])


@pytest.fixture
def copied(imported: Settings, comparison: Comparison, tmp_path: Path) -> Settings:
    """The city after the comparison, to train other models in."""
    del comparison
    shutil.copytree(imported.workspace, tmp_path / "work")
    return replace(imported, workspace=str(tmp_path / "work"))


@pytest.fixture(scope="module")
def predictions(imported: Settings, comparison: Comparison) -> pd.DataFrame:
    path, *_ = run_prediction(imported, comparison.bundles["gcn-enhanced"], None).files
    return PREDICTIONS.conform(pq.read_table(path)).to_pandas()


def test_every_fix_is_accounted_for_and_every_slice_is_there(settings: Settings) -> None:
    city, _ = run_network(settings)
    report, workspace = run_slices(settings)
    assert city.network.segment_ids == ["A", "B", "C"]
    assert report.refused == {}
    assert report.rows_used == report.rows_in
    assert report.slices == DAYS * 96 * 3
    days = sorted(path.name for path in workspace.slices.iterdir())
    assert days == [f"2026-01-0{day}" for day in range(5, 5 + DAYS)]
    manifest = json.loads((workspace.slices / days[0] / "manifest.json").read_text("utf-8"))
    assert manifest["rows"] == 96 * 3
    (counts,) = manifest["inputs"].values()
    assert counts["rows"] == counts["used"] == report.rows_in // DAYS
    assert manifest["versions"]["fastmm"]
    assert (workspace.matching / "worst_trips.png").is_file()


def test_the_same_input_gives_the_same_bytes(settings: Settings) -> None:
    run_network(settings)
    tables = []
    for _ in range(2):
        _, workspace = run_slices(settings)
        files = sorted(path for path in workspace.slices.rglob("*") if path.is_file())
        tables.append([path.read_bytes() for path in files])
        shutil.rmtree(workspace.slices)
        shutil.rmtree(workspace.fixes)
    run_slices(settings)
    assert tables[0] == tables[1]


def test_results_show_models_beside_baselines_at_every_horizon(comparison: Comparison) -> None:
    table = comparison.scores[comparison.scores["part"] == ALL]
    names = [
        "persistence", "historical average", "majority class", "gradient boosting",
        "mlp-simple", "gcn-enhanced",
    ]  # fmt: skip
    assert table["model"].unique().tolist() == names
    assert table.groupby("model")["horizon_min"].apply(list).loc["persistence"] == [15, 30, 45, 60]
    assert table.groupby("horizon_min")["cells"].nunique().eq(1).all(), "the same cells for all"
    assert table[~table["baseline"]].groupby("model")["seed"].unique().map(list).to_dict() == {
        "gcn-enhanced": [1, 2],
        "mlp-simple": [1, 2],
    }
    # The toy traffic repeats every day, so its history knows nearly everything.
    history = table[(table["model"] == "historical average") & (table["horizon_min"] == 30)]
    assert history["macro_f1"].item() > 0.9
    assert comparison.truth_scores is None


def test_results_are_written_as_tables_markdown_and_plots(comparison: Comparison) -> None:
    written = pd.read_csv(comparison.folder / "results.csv")
    assert written["model"].tolist() == comparison.scores["model"].tolist()
    text = (comparison.folder / "results.md").read_text("utf-8")
    assert "| gcn-enhanced | 60 |" in text
    assert "Speeds in km/h" in text
    assert "| speed MAE |" in text
    plots = {path.name for path in (comparison.folder / "plots").glob("*.png")}
    drawings = {path.name for path in (comparison.folder / "plots").glob("*.svg")}
    assert drawings == {name.removesuffix(".png") + ".svg" for name in plots}
    models = [f"{title}-seed-{seed}" for title in ("mlp-simple", "gcn-enhanced") for seed in (1, 2)]
    assert plots == {
        *(
            f"{name}-{kind}.png"
            for name in (
                "persistence", "historical-average", "majority-class", "gradient-boosting", *models
            )
            for kind in ("confusion", "rush-hour-confusion", "error-by-hour")
        ),
        *(
            f"{name}-error-map.png"
            for name in ("persistence", "historical-average", "gradient-boosting", *models)
        ),
        *(f"{name}-reliability.png" for name in ("gradient-boosting", *models)),
        *(f"{name}-learning-curves.png" for name in models),
        "macro_f1.png", "speed_mae_kph.png", "interval_coverage.png",
    }  # fmt: skip
    verdicts = pd.read_csv(comparison.folder / "verdicts.csv")
    assert set(verdicts["kind"]) == {"baseline"}
    runs = pd.read_csv(comparison.folder / "runs.csv")
    assert runs.loc[runs["title"] == "mlp-simple", "seed"].tolist() == [1, 2]


def test_the_bundle_is_that_of_the_seed_that_did_best_on_validation(
    comparison: Comparison,
) -> None:
    compared = comparison.compared
    losses = {
        run.facts.seed: run.facts.validation_loss
        for run in compared.runs
        if run.facts.title == "gcn-enhanced"
    }
    best = min(losses, key=lambda seed: losses[seed] or 0.0)
    settings = (comparison.bundles["gcn-enhanced"] / "config.yaml").read_text("utf-8")
    assert yaml.safe_load(settings)["training"]["seed"] == best


def test_what_was_trained_is_not_trained_again_and_gives_the_same_figures(
    copied: Settings, comparison: Comparison
) -> None:
    begun: list[str] = []
    members = members_of(copied, ["mlp-simple", "gcn-enhanced", "mlp-enhanced"])
    again = run_comparison(copied, members, [1, 2], on_run=begun.append)
    assert begun == ["mlp-enhanced, seed 1", "mlp-enhanced, seed 2"]
    same = again.scores[again.scores["model"].isin(comparison.scores["model"])]
    figures = ["macro_f1", "speed_mae_kph", "log_loss"]
    pd.testing.assert_frame_equal(
        same[figures].reset_index(drop=True), comparison.scores[figures].reset_index(drop=True)
    )


def test_other_settings_are_trained_again(copied: Settings) -> None:
    begun: list[str] = []
    longer = replace(copied, training=replace(copied.training, learning_rate=0.002))
    run_comparison(longer, members_of(longer, ["mlp-simple"]), [1], on_run=begun.append)
    assert begun == ["mlp-simple, seed 1"]


def test_a_member_that_fails_is_named_and_the_others_go_on(copied: Settings) -> None:
    (good,) = members_of(copied, ["mlp-simple"])
    bad = replace(good, size="enhanced", training=replace(good.training, learning_rate=1e30))
    comparison = run_comparison(copied, [bad, good], [1])
    (failure,) = comparison.compared.failures
    assert (failure.title, failure.seed) == ("mlp-enhanced", 1)
    assert "mlp-simple" in comparison.bundles
    text = (comparison.folder / "results.md").read_text("utf-8")
    assert "mlp-enhanced with seed 1 failed and is missing" in text


def test_when_every_member_fails_that_is_the_error(copied: Settings) -> None:
    (good,) = members_of(copied, ["mlp-simple"])
    bad = replace(good, training=replace(good.training, learning_rate=1e30))
    with pytest.raises(TrainingError, match="every model failed; the first, mlp-simple: "):
        run_comparison(copied, [bad], [1, 2])


def test_hidden_segments_and_the_interpolators_have_rows_of_their_own(copied: Settings) -> None:
    settings = replace(
        copied,
        dataset=replace(copied.dataset, hidden_share=0.34),
        training=replace(copied.training, hidden_share=0.3),
    )
    comparison = run_comparison(settings, members_of(settings, ["mlp-simple"]), [1])
    rows = comparison.scores[comparison.scores["part"] == HIDDEN_SEGMENTS]
    assert set(INTERPOLATORS) | {"mlp-simple", "gradient boosting"} <= set(rows["model"])
    assert (rows["cells"] > 0).all()


def test_the_trivial_task_is_marked_so(copied: Settings) -> None:
    settings = replace(copied, task="nowcast_same_slice")
    comparison = run_comparison(settings, members_of(settings, ["mlp-simple"]), [1])
    assert "**Trivial:**" in (comparison.folder / "results.md").read_text("utf-8")
    table = comparison.scores
    row = table[(table["model"] == "persistence") & (table["part"] == ALL)]
    assert row["horizon_min"].tolist() == [0]
    assert row["accuracy"].item() == 1


def test_the_summary_adds_up_to_the_models_parameters(imported: Settings) -> None:
    layers = run_summary(imported)
    assert layers["layer"].iloc[-1] == "total"


def test_predictions_have_a_row_for_every_segment_and_horizon(predictions: pd.DataFrame) -> None:
    assert len(predictions) == 3 * 4
    assert (
        predictions.groupby("horizon_min")["segment_id"].apply(list).tolist()
        == [["A", "B", "C"]] * 4
    )
    probability = predictions[[f"p_{name}" for name in CONGESTION_CLASSES]].to_numpy()
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-6)
    assert set(predictions["congestion"]) <= set(CONGESTION_CLASSES)
    assert (predictions["speed_p10"] <= predictions["speed"]).all()
    assert (predictions["speed"] <= predictions["speed_p90"]).all()
    assert ((predictions["p_rush_hour"] > 0.5) == predictions["rush_hour"]).all()
    assert predictions["model"].unique().tolist() == ["gcn-enhanced"]


def test_predictions_are_for_the_slices_after_the_newest(predictions: pd.DataFrame) -> None:
    # The newest slice of the toy begins on Friday at 23:45 local time, 16:45 UTC.
    issued = pd.Timestamp("2026-01-09T17:00Z")
    assert predictions["issued_at"].unique().tolist() == [issued]
    first = predictions.drop_duplicates("horizon_min").set_index("horizon_min")["slice_start"]
    assert first.to_dict() == {
        15: issued,
        30: issued + pd.Timedelta("15min"),
        45: issued + pd.Timedelta("30min"),
        60: issued + pd.Timedelta("45min"),
    }
    assert predictions["observed"].all()


def test_a_segment_without_any_probe_is_predicted_too(
    imported: Settings, comparison: Comparison, tmp_path: Path
) -> None:
    """The taxis never turn back, so nobody drives on the way west."""
    out, picture, drawing = run_prediction(
        imported, comparison.bundles["mlp-simple"], tmp_path / "predictions.csv"
    ).files
    assert len(pd.read_csv(out)) == 12
    assert (picture, drawing) == (out.with_suffix(".png"), out.with_suffix(".svg"))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert drawing.read_text("utf-8").startswith("<?xml")


def test_a_forecast_that_is_not_sure_enough_is_still_drawn(
    imported: Settings, comparison: Comparison, tmp_path: Path
) -> None:
    shy = replace(imported, evaluation=replace(imported.evaluation, abstain_below=1.0))
    out = tmp_path / "predictions.parquet"
    _, picture, _ = run_prediction(shy, comparison.bundles["mlp-simple"], out).files
    assert pq.read_table(out)["congestion"].null_count == 12
    assert picture.is_file()


def test_a_forecast_without_classes_leaves_no_map_of_an_earlier_one(
    copied: Settings, comparison: Comparison, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.parquet"
    drawn = run_prediction(copied, comparison.bundles["mlp-simple"], out).files[1:]
    assert drawn == (out.with_suffix(".png"), out.with_suffix(".svg"))
    of_speed = replace(copied, model=replace(copied.model, tasks=("speed",)))
    speeds = run_comparison(of_speed, members_of(of_speed, ["mlp-simple"]), [1])
    assert run_prediction(of_speed, speeds.bundles["mlp-simple"], out).files == (out,)
    assert not any(file.exists() for file in drawn)


def test_predictions_to_another_kind_of_file_are_refused(
    imported: Settings, comparison: Comparison, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"\.csv, \.geojson, \.geoparquet or \.gpkg file"):
        run_prediction(imported, comparison.bundles["mlp-simple"], tmp_path / "predictions.xlsx")


def test_predicting_without_a_bundle_says_how_to_train_one(
    tmp_path: Path,
) -> None:
    settings = Settings(workspace=str(tmp_path))
    write_network(straight_network(), Workspace.of(settings).network)
    with pytest.raises(RegistryError, match="no registered model 'sample'; train one: roadgraph"):
        run_prediction(settings, None, None)
    with pytest.raises(BundleError, match=r"no bundle .*gcn-simple.*roadgraph train"):
        run_prediction(settings, trained_bundle(settings), None)


def test_predictions_are_the_champions_unless_another_version_is_named(
    copied: Settings, comparison: Comparison, tmp_path: Path, empty_store: Path
) -> None:
    settings = in_own_store(copied, tmp_path, empty_store)
    for title in ("mlp-simple", "gcn-enhanced"):
        registered_run(settings, comparison.bundles[title])
    out = tmp_path / "predictions.parquet"
    for version, title, told in (
        ("champion", "mlp-simple", "toy version 1 (champion)"),
        ("challenger", "gcn-enhanced", "toy version 2 (challenger)"),
        ("2", "gcn-enhanced", "toy version 2"),
    ):
        predicted = run_prediction(settings, None, out, version)
        assert predicted.model == f"{told}: {title}"
        table = pq.read_table(out)
        assert table["model"].unique().to_pylist() == [title]
        assert predicted.registered is not None
        bundle = read_bundle(comparison.bundles[title])
        assert table.schema.metadata == {
            b"roadgraph.bundle": title.encode(),
            b"roadgraph.seen_until": bundle.seen.until.isoformat().encode(),
            b"roadgraph.registered": told.encode(),
            b"roadgraph.run_id": predicted.registered.version.run_id.encode(),
        }
    run_prediction(settings, None, out)
    assert pq.read_table(out)["model"].unique().to_pylist() == ["mlp-simple"]


def test_predictions_of_a_bundle_name_no_registered_version(
    imported: Settings, comparison: Comparison, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.parquet"
    predicted = run_prediction(imported, comparison.bundles["mlp-simple"], out)
    assert (predicted.model, predicted.registered) == ("mlp-simple", None)
    assert set(pq.read_schema(out).metadata) == {b"roadgraph.bundle", b"roadgraph.seen_until"}


def test_a_step_back_through_the_workflow_says_from_which_to_which(
    tmp_path: Path, empty_store: Path
) -> None:
    settings = toy_workspace(tmp_path, empty_store)
    registered_run(settings)
    client = store_of(settings).client()
    promote(client, find_version(client, "toy", registered_run(settings)))
    assert [str(version) for version in run_rollback(settings)] == [
        "version 2 of toy",
        "version 1 of toy",
    ]
    with pytest.raises(RegistryError, match="'toy' has no challenger"):
        run_promotion(settings)


def test_slices_without_a_network_say_how_to_import_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="import the roads first: roadgraph network"):
        run_slices(Settings(workspace=str(tmp_path)))


def test_a_missing_truth_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    settings = city_settings(tmp_path / "city", "city.truth=nowhere.parquet")
    run_network(settings)
    run_slices(settings)
    with pytest.raises(DataError, match=r"truth nowhere\.parquet is missing"):
        run_comparison(settings, [], [1])


def test_slices_of_another_length_are_refused_when_training(tmp_path: Path) -> None:
    overrides = ["slices.minutes=30", "dataset.horizons_min=[30,60]"]
    settings = city_settings(tmp_path / "city")
    run_network(settings)
    run_slices(settings)
    other = city_settings(
        tmp_path / "other", *overrides, "evaluation.report_horizons_min=[30,60]",
        f"workspace={settings.workspace}",
    )  # fmt: skip
    with pytest.raises(DataError, match="holds slices of 15 minutes, not 30"):
        run_comparison(other, [], [1])
