import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.dataset.dataset import build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.errors import BundleError, DataError
from roadgraph.models.graph import road_graph
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.predictions import predict_at, predict_newest, signed
from roadgraph.schema import CONGESTION_CLASSES, SLICES
from roadgraph.training import tiling
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.fit import fit
from roadgraph.training.inference import answers
from tests.dataset.toy import MONDAY, toy_settings
from tests.predict.toy import (
    END,
    NETWORK,
    SETTINGS,
    SLICES_TABLE,
    SPEED,
    slices_of,
    trained_bundle,
)
from tests.toy import crossroads_network


def test_the_newest_slice_is_forecast_as_in_evaluation(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    grid = grid_from_slices(SLICES_TABLE, NETWORK.segment_ids, 15)
    dataset = build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), SETTINGS)
    graph = road_graph(dataset.graph, "network")
    expected = answers(
        bundle.model, (graph,), dataset.inputs, np.array([399]), dataset.window, dataset.preparation
    )
    speed = table.pivot(index="horizon_min", columns="segment_id", values="speed").to_numpy()
    np.testing.assert_allclose(speed, expected["speed"][0], rtol=1e-5)
    gridlock = table.pivot(index="horizon_min", columns="segment_id", values="p_gridlock")
    np.testing.assert_allclose(gridlock.to_numpy(), expected["congestion"][0, ..., 0], rtol=1e-4)


def test_a_large_network_is_forecast_in_tiles_with_the_same_answers(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    for name in ("WHOLE_TO_ANSWER", "TILE_TO_ANSWER"):
        monkeypatch.setattr(tiling, name, 2)
    assert len(bundle.tiles(road_graph_of(NETWORK))) == 2
    over_tiles = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    pd.testing.assert_frame_equal(over_tiles, whole, rtol=1e-5, atol=1e-5)


def test_a_city_of_tiles_is_forecast_on_the_tiles_that_it_was_trained_on() -> None:
    """To this model a tile is the city, so the cut matters."""
    training = {"max_epochs": 2, "device": "cpu", "tile_segments": 1, "learning_rate": 0.01}
    settings = toy_settings(model={"name": "attention"}, training=training)
    bundle = trained_bundle(settings)
    grid = grid_from_slices(SLICES_TABLE, NETWORK.segment_ids, 15)
    dataset = build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), settings)
    given = dataset.inputs, np.array([399]), dataset.window, dataset.preparation
    tiles = bundle.tiles(dataset.graph)
    assert [tile.own for tile in tiles] == [1, 1, 1]
    expected = answers(bundle.model, tiles, *given)["speed"][0]
    together = answers(bundle.model, (road_graph(dataset.graph, "network"),), *given)["speed"][0]
    assert np.abs(expected - together).max() > 1e-3
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    speed = table.pivot(index="horizon_min", columns="segment_id", values="speed").to_numpy()
    np.testing.assert_allclose(speed, expected, rtol=1e-5)


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


def hours(count: float) -> pd.Timedelta:
    return pd.Timedelta(hours=count)


def test_what_is_observed_later_changes_nothing(bundle: Bundle) -> None:
    at = END - hours(1)
    poisoned = SPEED.copy()
    poisoned[396:] = 1.0
    table = predict_at(bundle, NETWORK, SLICES_TABLE, 15, at)
    assert predict_at(bundle, NETWORK, slices_of(poisoned), 15, at).equals(table)
    assert predict_newest(bundle, NETWORK, slices_of(SPEED[:396]), 15).equals(table)
    assert table["issued_at"].unique().to_pylist() == [at]


def test_a_time_between_two_slices_is_put_back_to_the_end_of_the_one_before(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    asked = (END - pd.Timedelta(minutes=1)).tz_convert("Asia/Bangkok")
    table = predict_at(bundle, NETWORK, SLICES_TABLE, 15, asked)
    expected = predict_at(bundle, NETWORK, SLICES_TABLE, 15, END - hours(0.25))
    assert table.equals(expected)
    assert "is put back to 2026-01-09T03:45:00+00:00, when a slice ended" in caplog.text


def test_a_forecaster_gives_the_tables_of_each_time(bundle: Bundle) -> None:
    times = [END - hours(80), END - hours(0.25), END, END + hours(0.5), END + hours(7 * 24)]
    forecaster = Forecaster.of(bundle, NETWORK)
    observations = forecaster.observations(SLICES_TABLE, 15)
    for time in times:
        table = forecaster.forecast(observations, time)
        assert table.equals(predict_at(bundle, NETWORK, SLICES_TABLE, 15, time))


def test_late_data_is_forecast_from_where_it_ends_and_beyond_the_models_reach_from_history(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    newest = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    late = predict_at(bundle, NETWORK, SLICES_TABLE, 15, END + hours(0.5)).to_pandas()
    assert "nothing was observed in the 30 minutes before" in caplog.text
    by_model = late[late["basis"] == "observations"]
    assert by_model["horizon_min"].unique().tolist() == [15, 30]
    assert late[late["basis"] == "history"]["horizon_min"].unique().tolist() == [45, 60]
    # What the newest slice said of 45 and 60 minutes is now said of 15 and 30.
    same = ["slice_start", "segment_id", "speed", "speed_p10", "p_gridlock", "congestion"]
    before = newest[newest["horizon_min"] >= 45]
    pd.testing.assert_frame_equal(
        by_model[same].reset_index(drop=True), before[same].reset_index(drop=True)
    )
    beyond = late[late["basis"] == "history"]
    unknown = [f"p_{name}" for name in CONGESTION_CLASSES] + ["p_rush_hour", "speed_p10"]
    assert beyond[unknown].isna().all(axis=None)
    # Friday 05:00 and 05:15 UTC, slots 20 and 21 of the day.
    week = bundle.preparation.history.week[4 * 96 + np.array([20, 21])]
    np.testing.assert_array_equal(beyond["speed"].to_numpy().reshape(2, 3), week)
    assert not late["observed"].any()


def test_ages_are_counted_from_the_end_of_the_slice(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, SLICES_TABLE, 15).to_pandas()
    assert table["data_age_min"].unique().tolist() == [0]
    # Nobody was on C in the last two slices, and the one before it saw it.
    newest = int(np.flatnonzero(~np.isnan(SPEED[:, 2]))[-1])
    ages = table.drop_duplicates("segment_id")["segment_age_min"].tolist()
    assert ages == [0, 0, 15 * (399 - newest)]
    late = predict_at(bundle, NETWORK, SLICES_TABLE, 15, END + hours(7 * 24))
    assert late["data_age_min"].unique().to_pylist() == [7 * 24 * 60]
    assert late["segment_age_min"].null_count == 12
    assert late["basis"].unique().to_pylist() == ["history"]


def test_without_any_observation_before_it_says_from_when_on(bundle: Bundle) -> None:
    with pytest.raises(DataError, match=r"no history before .*ends at 2026-01-05T00:15:00\+00:00"):
        predict_at(bundle, NETWORK, SLICES_TABLE, 15, MONDAY)


def test_a_window_that_the_data_cover_in_part_is_forecast(bundle: Bundle) -> None:
    table = predict_newest(bundle, NETWORK, slices_of(SPEED[:2]), 15)
    assert table["basis"].unique().to_pylist() == ["observations"]
    assert table["speed"].null_count == 0


def test_slices_off_the_clock_are_refused(bundle: Bundle) -> None:
    moved = SLICES_TABLE.to_pandas()
    moved["slice_start"] += pd.Timedelta(minutes=5)
    with pytest.raises(DataError, match=r"00:05:00.* is off the clock of 15-minute slices"):
        predict_newest(bundle, NETWORK, SLICES.conform(pa.Table.from_pandas(moved)), 15)
