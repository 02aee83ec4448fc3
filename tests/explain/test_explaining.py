from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.explain.explaining import explain_forecast
from roadgraph.explain.explanation import FEATURES, Explanation
from roadgraph.network.network import Network
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.predictions import predict_at
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle, write_bundle
from tests.dataset.toy import toy_settings
from tests.explain.toy import explained, linear_bundle, with_model
from tests.predict.test_parts import with_added
from tests.predict.toy import END, NETWORK, SLICES_TABLE, SPEED, trained_bundle

SLICE = pd.Timedelta(minutes=15)


def predicted(
    bundle: Bundle,
    explanation: Explanation,
    network: Network = NETWORK,
    slices: pa.Table = SLICES_TABLE,
) -> dict[str, Any]:
    """Return the row of the predictions that is explained."""
    table = predict_at(bundle, network, slices, 15, explanation.issued_at).to_pandas()
    mine = (table["segment_id"] == explanation.segment_id) & (
        table["horizon_min"] == explanation.horizon_min
    )
    (row,) = table[mine].to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_of_a_linear_model_the_contributions_are_its_weights_times_what_is_unusual(
    bundle: Bundle,
) -> None:
    found = explained(linear_bundle(bundle, {"mean_speed": 0.5}))
    (account,) = found.accounts
    observed = SPEED[-1, 1]
    typical = bundle.preparation.history.week[399 % 672, 1]  # Monday 00:00 is the first slice
    std, mean = bundle.preparation.speed_std_kph, bundle.preparation.speed_mean_kph
    expected = np.zeros((1, len(FEATURES)))
    expected[0, list(FEATURES).index("speed")] = 0.5 * (observed - typical)
    np.testing.assert_allclose(account.values, expected, atol=1e-4)
    assert account.answer == pytest.approx(mean + 0.5 * (observed - mean), rel=1e-5)
    assert account.ordinary == pytest.approx(mean + 0.5 * (typical - mean), rel=1e-5)
    week = bundle.preparation.history.week[3::4, 1]  # the last slice of every hour
    assert account.week == pytest.approx(mean + 0.5 * (week.mean() - mean), rel=1e-5)
    assert account.time_of_week == pytest.approx(0.5 * (typical - week.mean()), abs=1e-3)
    assert std > 0
    assert found.hears == "nobody"
    row = found.heard.iloc[found.own()]
    assert row["seen"] == found.window
    assert row["observed_kph"] == pytest.approx(SPEED[-found.window :, 1].mean(), rel=1e-5)


def test_below_zero_nothing_is_moved(bundle: Bundle) -> None:
    (account,) = explained(linear_bundle(bundle, {"mean_speed": 0.5}, bias=-50)).accounts
    assert (account.answer, account.ordinary, account.week) == (0, 0, 0)
    assert not account.values.any()


@pytest.mark.parametrize("name", ["mlp", "gcn", "gat", "attention", "roadnet"])
@pytest.mark.parametrize("speed_from", ["last", "typical"])
def test_what_is_explained_is_the_number_that_was_predicted_and_all_of_it(
    bundle: Bundle, name: str, speed_from: str
) -> None:
    chosen = with_model(bundle, name=name, speed_from=speed_from)
    unequal = Adjustment(1.7, 1.0, np.array([1.0, 3, 1, 1]), np.zeros(4))
    chosen = replace(chosen, adjustments=Adjustments.same(unequal, 3))
    found = explained(chosen, horizon_min=45)
    row = predicted(chosen, found)
    speed, congestion = found.accounts
    assert speed.answer == found.speed_kph == pytest.approx(row["speed"], rel=1e-5)
    assert congestion.answered == found.congestion == row["congestion"]
    assert congestion.answer == pytest.approx(row[f"p_{row['congestion']}"], rel=1e-4)
    assert found.probabilities is not None
    assert tuple(found.probabilities) == CONGESTION_CLASSES
    given = {name: row[f"p_{name}"] for name in CONGESTION_CLASSES}
    assert found.probabilities == pytest.approx(given, rel=1e-4)
    assert found.slice_start == row["slice_start"]
    for account in found.accounts:
        assert not account.is_rough
        total = account.week + account.time_of_week + account.values.sum() - account.gap
        assert total == pytest.approx(account.answer, rel=1e-6)
        by_relation = found.by_relation(account)
        assert sum(by_relation.values()) == pytest.approx(float(account.values.sum()))
        # C, which nobody saw lately, was seen in the window.
        assert (by_relation["downstream"] != 0) == (by_relation["upstream"] != 0)
    hears = {"mlp": "nobody", "gcn": "links", "gat": "links"}.get(name, "all")
    assert found.hears == hears
    assert found.heard["segment_id"].nunique() == (1 if hears == "nobody" else 3)


def test_the_temperature_of_unseen_segments_is_theirs(bundle: Bundle) -> None:
    flat = Adjustment(10.0, 1.0, np.ones(4), np.zeros(4))
    seen = replace(flat, congestion_temperature=1.0)
    adjustments = Adjustments(seen, flat, np.array([False, True, False]))
    chosen = replace(with_model(bundle), adjustments=adjustments)
    for segment in ("A", "B"):
        found = explained(chosen, segment)
        row = predicted(chosen, found)
        assert found.probability == pytest.approx(row[f"p_{found.congestion}"], rel=1e-4)


def test_a_class_that_is_not_answered_is_explained_as_what_it_would_be(bundle: Bundle) -> None:
    found = explained(bundle, abstain_below=0.99)
    assert found.abstains
    assert found.congestion == "gridlock"  # which has all the weight
    assert found.probabilities is not None
    assert found.probability == found.probabilities["gridlock"] < 0.99
    assert not explained(bundle).abstains


def test_a_late_forecast_is_explained_from_the_newest_observation(bundle: Bundle) -> None:
    found = explained(bundle, at=END + SLICE)
    assert found.basis == "observations"
    assert found.looked_until == END
    assert found.speed_kph == pytest.approx(predicted(bundle, found)["speed"], rel=1e-5)
    assert found.accounts[0].answer == explained(bundle, horizon_min=45).accounts[0].answer


def test_a_forecast_of_history_has_no_account(bundle: Bundle) -> None:
    found = explained(bundle, at=END + 3 * SLICE)
    assert (found.basis, found.accounts, len(found.heard)) == ("history", (), 0)
    row = predicted(bundle, found)
    assert row["basis"] == "history"
    assert found.speed_kph == row["speed"]
    assert found.congestion == row["congestion"]
    assert (found.probabilities, found.probability) == (None, None)


def test_the_ordinary_week_does_not_depend_on_the_minute_of_the_asking(bundle: Bundle) -> None:
    linear = linear_bundle(bundle, {"mean_speed": 0.5})
    # B was seen in every slice.
    first, second = (explained(linear, at=END - number * SLICE).accounts[0] for number in (0, 1))
    assert first.week == second.week
    assert first.ordinary != second.ordinary


def test_the_forecast_of_an_added_segment_is_moved_by_what_was_observed_on_it_and_around(
    bundle: Bundle,
) -> None:
    network = with_added()
    slices = SLICES_TABLE.to_pandas()
    slow = slices[slices["segment_id"] == "B"].assign(segment_id="AA", mean_speed=5.0)
    table = pa.Table.from_pandas(
        pd.concat([slices, slow]), SLICES_TABLE.schema, preserve_index=False
    )
    forecaster = Forecaster.of(bundle, network)
    observations = forecaster.observations(table, 15)
    found = explain_forecast(forecaster, network, observations, END, "AA")
    assert (found.is_new, found.basis, found.model) == (True, "observations", "gcn-simple")
    row = predicted(bundle, found, network, table)
    assert row["new_segment"]
    speed, congestion = found.accounts
    assert speed.answer == pytest.approx(row["speed"], rel=1e-5)
    assert congestion.answer == pytest.approx(row[f"p_{row['congestion']}"], rel=1e-4)
    moved = found.by_relation(speed)
    assert moved["itself"] < -1
    assert moved["upstream"] != 0
    assert not explained(bundle, "A", network=network).is_new


def test_beside_added_segments_the_model_that_answers_is_explained(
    bundle: Bundle, tmp_path: Path
) -> None:
    chosen = {"name": "roadnet", "segment_embedding": 4}
    settings = toy_settings(model=chosen, training={"max_epochs": 1, "device": "cpu"})
    embedding = trained_bundle(settings, title="roadnet-simple")
    write_bundle(bundle, tmp_path / "gcn-simple")
    network = with_added()
    forecaster = Forecaster.of(embedding, network, tmp_path)
    observations = forecaster.observations(SLICES_TABLE, 15)
    new, old = (
        explain_forecast(forecaster, network, observations, END, name) for name in ("AA", "B")
    )
    assert (new.is_new, new.model) == (True, "gcn-simple")
    assert (old.is_new, old.model) == (False, "roadnet-simple")
    assert old.speed_kph == pytest.approx(predicted(embedding, old)["speed"], rel=1e-5)
    assert old.heard["segment_id"].tolist() == ["A", "B", "C"]
    assert network.segments["segment_id"].iloc[old.heard["place"]].tolist() == ["A", "B", "C"]
