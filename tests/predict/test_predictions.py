import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.config import settings_to_dict
from roadgraph.dataset.dataset import build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.errors import BundleError, DataError
from roadgraph.models.graph import road_graph
from roadgraph.predict.predictions import network_difference, predict_newest, signed
from roadgraph.schema import CONGESTION_CLASSES, SLICES
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.fit import fit
from roadgraph.training.inference import answers
from roadgraph.training.seen_time import SeenTime
from tests.dataset.toy import MONDAY, toy_settings, waves
from tests.toy import crossroads_network, straight_network

NETWORK = straight_network()
SETTINGS = toy_settings(model={"name": "gcn"}, training={"max_epochs": 1, "device": "cpu"})


def slices_of(speed: np.ndarray) -> pa.Table:
    """Return slices of A, B and C with these speeds ``[T, 3]``; NaN is not observed."""
    time, place = np.nonzero(~np.isnan(speed))
    seen = speed[time, place]
    frame = pd.DataFrame(
        {
            "segment_id": np.array(["A", "B", "C"])[place],
            "slice_start": MONDAY + pd.to_timedelta(15 * time, unit="min"),
            "mean_speed": seen,
            "median_speed": seen,
            "speed_std": 0.0,
            "count_probes": 1,
            "quality_score": 0.5,
        }
    )
    return SLICES.conform(pa.Table.from_pandas(frame, preserve_index=False))


SPEED = waves(400, 3)
SPEED[-2:, 2] = np.nan  # nobody on C at the end
SLICES_TABLE = slices_of(SPEED)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    grid = grid_from_slices(SLICES_TABLE, NETWORK.segment_ids, 15)
    dataset = build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), SETTINGS)
    trained = fit(dataset, SETTINGS)
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
            Adjustment(1.0, 1.0, np.array([1e6, 1, 1, 1]), np.array([1.0, 2, 3, 99])), 3
        ),
        segment_ids=tuple(NETWORK.segment_ids),
        network_fingerprint=NETWORK.fingerprint(),
        seen=SeenTime.of(dataset),
        metrics=[],
        history=[],
    )


def test_the_newest_slice_is_forecast_as_in_evaluation(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    grid = grid_from_slices(SLICES_TABLE, NETWORK.segment_ids, 15)
    dataset = build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), SETTINGS)
    graph = road_graph(dataset.graph, "network")
    expected = answers(
        bundle.model, graph, dataset.inputs, np.array([399]), dataset.window, dataset.preparation
    )
    speed = table.pivot(index="horizon_min", columns="segment_id", values="speed").to_numpy()
    np.testing.assert_allclose(speed, expected["speed"][0], rtol=1e-5)
    gridlock = table.pivot(index="horizon_min", columns="segment_id", values="p_gridlock")
    np.testing.assert_allclose(gridlock.to_numpy(), expected["congestion"][0, ..., 0], rtol=1e-4)


def test_observed_says_which_segments_the_newest_slice_saw(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert table.groupby("segment_id")["observed"].unique().map(list).to_dict() == {
        "A": [True],
        "B": [True],
        "C": [False],
    }


def test_the_interval_is_the_models_widened_by_the_margin_and_never_below_zero(
    bundle: Bundle,
) -> None:
    without = dataclasses.replace(bundle.adjustments.seen, interval_margins_kph=np.zeros(4))
    narrow = dataclasses.replace(bundle, adjustments=Adjustments.same(without, 3))
    wide = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    plain = predict_newest(narrow, NETWORK, SLICES_TABLE, 15).to_pandas()
    first = wide["horizon_min"] == 15
    np.testing.assert_allclose(
        wide.loc[first, "speed_p90"], plain.loc[first, "speed_p90"] + 1, rtol=1e-5
    )
    np.testing.assert_allclose(
        wide.loc[first, "speed_p10"], plain.loc[first, "speed_p10"] - 1, rtol=1e-5
    )
    assert (wide.loc[wide["horizon_min"] == 60, "speed_p10"] == 0).all()


@pytest.mark.parametrize(("asked", "trained"), [(1.0, 0.0), (0.0, 1.0)])
def test_below_the_least_probability_of_the_call_or_the_bundle_no_class_is_answered(
    bundle: Bundle, asked: float, trained: float
) -> None:
    settings = {**bundle.settings, "evaluation": {"abstain_below": trained}}
    other = dataclasses.replace(bundle, settings=settings)
    table = predict_newest(other, NETWORK, SLICES_TABLE, 15, asked)
    assert table["congestion"].null_count == 12
    assert table["p_gridlock"].null_count == 0


def test_the_probability_that_counts_is_that_of_the_answer(bundle: Bundle) -> None:
    plain = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert (plain["congestion"] == "gridlock").all()
    level = float(plain["p_gridlock"].median())
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15, level).to_pandas()
    np.testing.assert_array_equal(table["congestion"].isna(), plain["p_gridlock"] < level)
    assert 0 < table["congestion"].isna().sum() < 12


def test_where_hidden_segments_are_estimated_those_that_are_measured_have_no_row(
    bundle: Bundle,
) -> None:
    settings = {**bundle.settings, "task": "estimate_hidden"}
    estimating = dataclasses.replace(bundle, settings=settings)
    table = predict_newest(estimating, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert table["segment_id"].unique().tolist() == ["C"]
    assert not table["observed"].any()


def test_the_class_is_decided_by_the_bundles_weights(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert (table["congestion"] == "gridlock").all()
    none = Adjustments.same(Adjustment.none(4), 3)
    plain = dataclasses.replace(bundle, adjustments=none)
    table = predict_newest(plain, NETWORK, SLICES_TABLE, 15).to_pandas()
    columns = [f"p_{name}" for name in CONGESTION_CLASSES]
    likeliest = table[columns].idxmax(axis=1).str.removeprefix("p_")
    assert table["congestion"].tolist() == likeliest.tolist()


def test_a_task_that_the_model_lacks_leaves_its_columns_empty(bundle: Bundle) -> None:
    settings = toy_settings(model={"tasks": ["speed"]}, training={"max_epochs": 1})
    grid = grid_from_slices(SLICES_TABLE, NETWORK.segment_ids, 15)
    dataset = build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), settings)
    alone = dataclasses.replace(bundle, model=fit(dataset, settings).model)
    table = predict_newest(alone, NETWORK, SLICES_TABLE, 15)
    for name in ("congestion", "p_gridlock", "rush_hour", "p_rush_hour"):
        assert table[name].null_count == 12, name
    assert table["speed"].null_count == 0


def test_another_network_is_refused_with_the_difference(bundle: Bundle) -> None:
    with pytest.raises(
        BundleError,
        match=r"3 segments are missing \(such as 'A'\) and 8 segments are new \(such as 'east",
    ):
        predict_newest(bundle, crossroads_network(), SLICES_TABLE, 15)


def test_whose_network_changed_is_told_what_helps(bundle: Bundle) -> None:
    with pytest.raises(
        BundleError,
        match=r"one: roadgraph train, then roadgraph promote, or .*--model challenger$",
    ):
        predict_newest(bundle, crossroads_network(), SLICES_TABLE, 15)


def test_a_network_does_not_differ_from_itself(bundle: Bundle) -> None:
    assert network_difference(bundle, NETWORK) == ""


def test_what_made_them_stands_in_the_schema_and_the_rows_stay(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15)
    noted = signed(table, {"registered": "toy version 3 (champion)"})
    assert noted.schema.metadata[b"roadgraph.registered"] == b"toy version 3 (champion)"
    assert noted.equals(table)


def test_slices_that_the_bundle_does_not_look_at_change_nothing(bundle: Bundle) -> None:
    gappy = SPEED.copy()
    gappy[1 - bundle.slices :, 0] = np.nan
    whole = predict_newest(bundle, NETWORK, slices_of(gappy), 15)
    older = gappy.copy()
    older[: -bundle.slices] = 3.0
    assert predict_newest(bundle, NETWORK, slices_of(older), 15).equals(whole)
    older[-bundle.slices] = 3.0
    assert not predict_newest(bundle, NETWORK, slices_of(older), 15).equals(whole)


def test_the_same_segments_with_other_links_are_refused(bundle: Bundle) -> None:
    cut = dataclasses.replace(NETWORK, links=NETWORK.links.iloc[:1])
    with pytest.raises(BundleError, match="the same segments, but other links"):
        predict_newest(bundle, cut, SLICES_TABLE, 15)


def test_slices_of_another_length_are_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="slices of 15 minutes, these have 5"):
        predict_newest(bundle, NETWORK, SLICES_TABLE, 5)


def test_a_quiet_spell_before_the_newest_slice_is_part_of_the_window(bundle: Bundle) -> None:
    quiet = SPEED.copy()
    quiet[-9:-1] = np.nan
    table = predict_newest(bundle, NETWORK, slices_of(quiet), 15).to_pandas()
    assert len(table) == 12
    assert table["issued_at"].iloc[0] == MONDAY + pd.Timedelta(minutes=15 * 400)


def test_rush_hour_is_that_of_the_slice_for_every_segment(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert (table.groupby("horizon_min")["p_rush_hour"].nunique() == 1).all()
    assert ((table["p_rush_hour"] > 0.5) == table["rush_hour"]).all()


def test_too_short_a_history_is_refused(bundle: Bundle) -> None:
    short = slices_of(SPEED[:2])
    with pytest.raises(DataError, match=r"sees 4 slices, but .* reach back over 2 only"):
        predict_newest(bundle, NETWORK, short, 15)
