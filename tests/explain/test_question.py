from dataclasses import replace

import pandas as pd
import pytest

from roadgraph.errors import BundleError, DataError, SettingsError
from roadgraph.training.bundle import Bundle
from tests.explain.toy import explained


def test_thirty_minutes_or_the_nearest_horizon_is_explained_unless_another_is_asked_for(
    bundle: Bundle,
) -> None:
    assert explained(bundle).horizon_min == 30
    far = replace(bundle, horizons=(1, 3, 4, 5))
    assert explained(far).horizon_min == 15
    with pytest.raises(SettingsError, match="--horizon 50: gcn-simple forecasts 15, 30, 45, 60 "):
        explained(bundle, horizon_min=50)


def test_a_segment_that_does_not_exist_is_refused_with_the_nearest_ones(bundle: Bundle) -> None:
    with pytest.raises(SettingsError, match=r"--segment AB: .* nearest to it are 'A', 'B', 'C'"):
        explained(bundle, "AB")


def test_a_time_without_data_is_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match="no history before 2025"):
        explained(bundle, at=pd.Timestamp("2025-01-01T00:00Z"))


def test_a_model_of_rush_hour_alone_has_no_forecast_of_a_segment(bundle: Bundle) -> None:
    chosen = replace(bundle, options=replace(bundle.options, tasks=("rush_hour",)))
    with pytest.raises(BundleError, match="forecasts neither speed nor congestion"):
        explained(chosen)


def test_a_segment_that_was_seen_is_none_that_a_model_of_hidden_ones_estimates(
    bundle: Bundle,
) -> None:
    hidden = replace(bundle, settings={**bundle.settings, "task": "estimate_hidden"})
    with pytest.raises(DataError, match=r"--segment A: .* this one was observed in the slice that"):
        explained(hidden, "A")
    assert explained(hidden, "C").speed_kph is not None  # nobody was on C in the end
