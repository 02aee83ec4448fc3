import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.errors import BundleError
from roadgraph.network.network import Network
from roadgraph.predict.added_segments import grown_bundle
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.parts import network_difference
from roadgraph.predict.predictions import predict_at, predict_newest
from roadgraph.schema import STATIC_FEATURES
from roadgraph.training.bundle import Bundle, digest_of_bundle, write_bundle
from tests.dataset.toy import toy_settings
from tests.predict.toy import NETWORK, SLICES_TABLE, trained_bundle
from tests.toy import network_of, straight_segments


def with_added(road_class: str = "residential", limit_kph: float = 100.0) -> Network:
    """Return A, B, C and, between A and B in the order of ids, AA: from the end of C on."""
    segments = straight_segments()
    added = segments.iloc[[2]].assign(
        segment_id="AA", from_node="n3", to_node="n4", road_class=road_class,
        speed_limit_kph=limit_kph,
    )  # fmt: skip
    return network_of(pd.concat([segments, added], ignore_index=True))


def test_free_flow_of_each_segment_is_that_of_the_model_that_answers_for_it(
    bundle: Bundle,
) -> None:
    own = bundle.preparation.statics[:, STATIC_FEATURES.index("free_flow_kph")]
    np.testing.assert_array_equal(Forecaster.of(bundle, NETWORK).free_flow_kph, own)
    grown = Forecaster.of(bundle, with_added()).free_flow_kph
    ids = with_added().segment_ids
    np.testing.assert_array_equal(grown[[ids.index(name) for name in NETWORK.segment_ids]], own)
    assert np.isfinite(grown).all()


def test_a_network_does_not_differ_from_itself(bundle: Bundle) -> None:
    assert network_difference(bundle, NETWORK) == ""


@pytest.mark.parametrize("road_class", ["residential", "of a new kind"])
def test_an_added_segment_is_prepared_as_never_observed_at_its_own_limit(
    bundle: Bundle, road_class: str
) -> None:
    grown = grown_bundle(bundle, with_added(road_class))
    assert grown.segment_ids == ("A", "AA", "B", "C")
    old = [0, 2, 3]
    for own, before in ((grown.preparation, bundle.preparation), (grown.unseen, bundle.unseen)):
        np.testing.assert_array_equal(own.history.week[:, old], before.history.week)
        np.testing.assert_array_equal(own.fill[old], before.fill)
        np.testing.assert_array_equal(own.statics[old], before.statics)
        # The old segments have a limit of 50 km/h, the new one of 100.
        typical = 2 * bundle.unseen.history.week.mean(axis=1)
        np.testing.assert_allclose(own.history.week[:, 1], typical, rtol=1e-5)
        speeds = 2 * bundle.unseen.fill[:, :2].mean(axis=0)
        np.testing.assert_allclose(own.fill[1, :2], speeds, rtol=1e-5)
        assert own.statics[1, STATIC_FEATURES.index("speed_limit_kph")] == 100
    assert grown.adjustments.is_unseen.tolist() == [False, True, False, False]


def test_an_added_segment_is_forecast_and_marked(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    table = predict_newest(bundle, with_added(), SLICES_TABLE, 15).to_pandas()
    assert table["segment_id"].tolist() == ["A", "AA", "B", "C"] * 4
    assert table["new_segment"].tolist() == [False, True, False, False] * 4
    assert table["speed"].notna().all()
    assert table[table["new_segment"]]["segment_age_min"].isna().all()
    assert "1 segments were added since gcn-simple was trained" in caplog.text


@pytest.fixture(scope="module")
def embedding() -> Bundle:
    chosen = {"name": "roadnet", "segment_embedding": 4}
    settings = toy_settings(model=chosen, training={"max_epochs": 1, "device": "cpu"})
    return trained_bundle(settings, title="roadnet-simple")


def test_where_weights_belong_to_segments_another_model_forecasts_the_added_ones(
    bundle: Bundle, embedding: Bundle, tmp_path: Path
) -> None:
    write_bundle(bundle, tmp_path / "gcn-simple")
    write_bundle(embedding, tmp_path / "roadnet-simple")
    table = predict_at(embedding, with_added(), SLICES_TABLE, 15, beside=tmp_path).to_pandas()
    models = table.groupby("segment_id")["model"].unique().map(list).to_dict()
    assert models == {
        "A": ["roadnet-simple"],
        "AA": ["gcn-simple"],
        "B": ["roadnet-simple"],
        "C": ["roadnet-simple"],
    }
    alone = predict_newest(embedding, NETWORK, SLICES_TABLE, 15).to_pandas()
    old = table[~table["new_segment"]].reset_index(drop=True)
    # The ages of all, one of which is unknown, are floats in pandas.
    pd.testing.assert_frame_equal(old, alone, check_dtype=False)
    other = predict_newest(bundle, with_added(), SLICES_TABLE, 15).to_pandas()
    new = table["new_segment"]
    columns = ["speed", "speed_p90", "p_gridlock", "congestion"]
    pd.testing.assert_frame_equal(table[new][columns], other[new][columns])
    assert (table.groupby("horizon_min")["p_rush_hour"].nunique() == 1).all()


def test_what_two_models_look_at_and_have_seen_is_the_most_of_both(
    bundle: Bundle, embedding: Bundle, tmp_path: Path
) -> None:
    later = bundle.seen.until + pd.Timedelta(days=3)
    seen = dataclasses.replace(bundle.seen, validation=(bundle.seen.validation[0], later))
    write_bundle(dataclasses.replace(bundle, seen=seen), tmp_path / "gcn-simple")
    farther = dataclasses.replace(embedding, window=embedding.window + 5)
    both = Forecaster.of(farther, with_added(), tmp_path)
    assert (both.slices, both.seen_until) == (farther.slices, later)
    assert both.others == {"gcn-simple": digest_of_bundle(tmp_path / "gcn-simple")}
    alone = Forecaster.of(embedding, NETWORK, tmp_path)
    assert (alone.slices, alone.seen_until) == (embedding.slices, embedding.seen.until)
    assert alone.others == {}


def test_where_old_links_changed_too_the_other_model_forecasts_all(
    bundle: Bundle, embedding: Bundle, tmp_path: Path
) -> None:
    write_bundle(bundle, tmp_path / "gcn-simple")
    grown = with_added()
    cut = dataclasses.replace(grown, links=grown.links[grown.links["from_segment"] != "A"])
    table = predict_at(embedding, cut, SLICES_TABLE, 15, beside=tmp_path)
    assert table["model"].unique().to_pylist() == ["gcn-simple"]


def test_without_such_a_model_it_says_how_to_train_one(
    embedding: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "damaged").mkdir()
    with pytest.raises(BundleError, match=r"1 segments were added .*model.segment_embedding=0"):
        predict_at(embedding, with_added(), SLICES_TABLE, 15, beside=tmp_path)
    assert "damaged has no model.safetensors" in caplog.text
