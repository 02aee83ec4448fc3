import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from roadgraph.calendar import city_zone
from roadgraph.config import settings_to_dict
from roadgraph.dataset.dataset import Dataset
from roadgraph.dataset.preparation import Preparation
from roadgraph.errors import BundleError
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle, read_bundle, write_bundle
from roadgraph.training.fit import Trained, fit
from roadgraph.training.inference import answers
from roadgraph.training.seen_time import SeenTime
from tests.dataset.toy import toy_dataset, toy_settings
from tests.models.toy import model_of

SETTINGS = toy_settings(model={"name": "gcn"}, training={"max_epochs": 2, "device": "cpu"})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(SETTINGS)


@pytest.fixture(scope="module")
def trained(dataset: Dataset) -> Trained:
    return fit(dataset, SETTINGS)


@pytest.fixture
def bundle(dataset: Dataset, trained: Trained) -> Bundle:
    row = {"model": "gcn-simple", "horizon_min": 15, "part": "all", "accuracy": 0.5,
           "macro_f1": 0.25, "speed_mae_kph": 3.0, "speed_rmse_kph": float("nan")}  # fmt: skip
    return Bundle(
        title="gcn-simple",
        model=trained.model,
        preparation=dataset.preparation,
        unseen=dataset.fitted.unseen,
        options=SETTINGS.model,
        settings=settings_to_dict(SETTINGS),
        city="toy",
        timezone="UTC",
        slice_minutes=15,
        window=dataset.window,
        horizons=dataset.horizons,
        adjustments=Adjustments.same(
            Adjustment(1.5, 0.8, np.array([4.0, 2.0, 1.0, 1.0]), np.full(4, 2.0)),
            len(dataset.grid.segment_ids),
        ),
        segment_ids=dataset.grid.segment_ids,
        network_fingerprint="abc",
        seen=SeenTime.of(dataset),
        metrics=[row],
        history=trained.history,
    )


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    write_bundle(bundle, tmp_path / "gcn-simple")
    return tmp_path / "gcn-simple"


def test_what_was_saved_predicts_the_same_numbers(
    bundle: Bundle, folder: Path, dataset: Dataset, trained: Trained
) -> None:
    again = read_bundle(folder)
    origins = np.array([300, 310])
    inputs = again.preparation.inputs(dataset.grid, city_zone("UTC"))
    expected = answers(
        bundle.model, trained.tiles, bundle.preparation.inputs(dataset.grid, city_zone("UTC")),
        origins, bundle.window, bundle.preparation,
    )  # fmt: skip
    got = answers(again.model, trained.tiles, inputs, origins, again.window, again.preparation)
    assert set(got) == {"congestion", "rush_hour", "speed", "speed_interval"}
    for task, answer in got.items():
        np.testing.assert_array_equal(answer, expected[task], task)


def test_a_model_that_hears_all_answers_on_the_tiles_of_its_training(
    bundle: Bundle, dataset: Dataset
) -> None:
    roads = dataset.graph
    hearing_all = dataclasses.replace(bundle, model=model_of("roadnet", "simple"))

    def tiles(of: Bundle, **training: object) -> int:
        return len(dataclasses.replace(of, settings={"training": training}).tiles(roads))

    assert tiles(hearing_all, tile_segments=2, devices=1) == 2
    assert tiles(hearing_all, tile_segments=2, devices=3) == 3
    assert tiles(bundle, tile_segments=2, devices=1) == 1
    # A bundle from before there were tiles.
    assert tiles(hearing_all, devices=1) == 1


def test_everything_else_comes_back_as_it_went_in(bundle: Bundle, folder: Path) -> None:
    again = read_bundle(folder)
    for field in dataclasses.fields(Bundle):
        if field.name not in {"model", "preparation", "unseen", "adjustments", "metrics"}:
            assert getattr(again, field.name) == getattr(bundle, field.name), field.name
    for name in ("preparation", "unseen"):
        one, other = getattr(again, name), getattr(bundle, name)
        for field in dataclasses.fields(Preparation):
            if field.name != "history":
                np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
        np.testing.assert_array_equal(one.history.week, other.history.week)
        assert one.history.slice_minutes == other.history.slice_minutes
    assert not np.array_equal(again.unseen.fill, again.preparation.fill), "two things, not one"
    assert again.adjustments.to_dict() == bundle.adjustments.to_dict()
    assert again.metrics[0]["macro_f1"] == 0.25
    assert again.metrics[0]["speed_rmse_kph"] is None  # JSON has no NaN


def test_every_file_of_the_design_is_there_and_none_is_a_pickle(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "model.safetensors", "segments.safetensors", "config.yaml", "scaler.json",
        "features.json", "classes.json", "metrics.json", "training_history.json",
        "network.json", "README.md",
    }  # fmt: skip
    for path in folder.iterdir():
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
        elif path.suffix == ".safetensors":
            load_file(path)
    assert yaml.safe_load((folder / "config.yaml").read_text("utf-8"))["size"] == "simple"


def test_classes_are_given_by_name(folder: Path) -> None:
    classes = json.loads((folder / "classes.json").read_text("utf-8"))
    assert classes["congestion"] == {"gridlock": 0, "congested": 1, "moderate": 2, "free_flow": 3}
    assert classes["rush_hour"] == {"no": 0, "yes": 1}


def test_the_model_card_shows_the_figures(folder: Path) -> None:
    card = (folder / "README.md").read_text("utf-8")
    assert "# gcn-simple, toy" in card
    assert "| gcn-simple | 15 | 0.500 | 0.250 | 3.00 |" in card


def test_a_missing_bundle_names_those_near_it(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle .*mlp.*near it there are gcn-simple"):
        read_bundle(folder.parent / "mlp")


@pytest.mark.parametrize("name", ["model.safetensors", "scaler.json", "config.yaml"])
def test_a_bundle_without_one_of_its_files_names_the_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"has no {name}"):
        read_bundle(folder)


def test_damaged_json_and_weights_are_errors_that_name_the_bundle(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(BundleError, match=r"gcn-simple is damaged"):
        read_bundle(folder)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "features.json").write_text("{", "utf-8")
    with pytest.raises(BundleError, match=r"gcn-simple is damaged"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("name", "content"), [("config.yaml", "a: [1"), ("features.json", "{}"), ("network.json", "{}")]
)
def test_a_broken_or_older_file_is_an_error_that_names_the_bundle(
    folder: Path, name: str, content: str
) -> None:
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(BundleError, match=r"gcn-simple is damaged"):
        read_bundle(folder)


def test_features_say_which_time_was_seen_and_until_when(bundle: Bundle, folder: Path) -> None:
    features = json.loads((folder / "features.json").read_text("utf-8"))
    assert set(features["seen"]) == {"train", "validation", "test"}
    assert features["seen"]["validation"]["end"] == features["seen_until"]
    assert features["seen_until"] == bundle.seen.until.isoformat()


def test_an_older_bundle_that_does_not_say_what_it_has_seen_must_be_trained_again(
    folder: Path,
) -> None:
    features = json.loads((folder / "features.json").read_text("utf-8"))
    del features["seen"]
    (folder / "features.json").write_text(json.dumps(features), "utf-8")
    with pytest.raises(BundleError, match=r"older one .* train it again: roadgraph train"):
        read_bundle(folder)


def test_an_older_bundle_that_says_nothing_of_unseen_segments_must_be_trained_again(
    folder: Path,
) -> None:
    arrays = load_file(folder / "segments.safetensors")
    old = {name: values for name, values in arrays.items() if not name.startswith("unseen_")}
    save_file(old, folder / "segments.safetensors")
    with pytest.raises(BundleError, match=r"older one that says nothing of segments .* roadgraph"):
        read_bundle(folder)


def test_a_bundle_whose_segments_have_no_figures_is_damaged(folder: Path) -> None:
    save_file({"statics": np.zeros((3, 4))}, folder / "segments.safetensors")
    with pytest.raises(BundleError, match=r"damaged \('fill'\)"):
        read_bundle(folder)


@pytest.mark.parametrize(("fill", "slices"), [("last", 7), ("mean", 4), ("typical", 4)])
def test_a_forecast_looks_back_over_the_window_and_as_far_again_for_the_last_speed(
    bundle: Bundle, fill: str, slices: int
) -> None:
    filled = dataclasses.replace(bundle.preparation, fill_by=fill)
    assert bundle.window == 4
    assert dataclasses.replace(bundle, preparation=filled).slices == slices


def test_weights_of_another_model_are_refused(folder: Path) -> None:
    save_file({"fc1.weight": np.zeros((3, 3), dtype=np.float32)}, folder / "model.safetensors")
    with pytest.raises(BundleError, match="damaged"):
        read_bundle(folder)


def test_the_loaded_model_is_in_evaluation_mode(folder: Path) -> None:
    assert not read_bundle(folder).model.training
