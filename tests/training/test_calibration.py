import numpy as np
import pytest

from roadgraph.dataset.labels import Labels
from roadgraph.evaluation.forecast import Forecast
from roadgraph.training.calibration import speed_error_quantiles


def test_quantiles_of_the_errors_by_horizon_and_without_unlabelled_cells() -> None:
    speed = np.full((12, 1), np.nan, dtype=np.float32)
    speed[1:, 0] = np.arange(11)  # slices 1 .. 11 show 0 .. 10
    labels = Labels(np.zeros((12, 1)), np.zeros(12), speed)
    origins = np.arange(10)
    # Horizon 1 forecasts 0 for 0 .. 9, horizon 2 one more than is seen in 1 .. 10.
    answer = np.stack([np.zeros(10), np.arange(1, 11) + 1.0], axis=1)[:, :, None]
    quantiles = speed_error_quantiles(
        Forecast("toy", origins, None, None, None, answer), labels, (1, 2)
    )
    np.testing.assert_allclose(quantiles, np.array([[0.9, 8.1], [-1.0, -1.0]]))


def test_a_forecast_without_speeds_is_refused_by_its_name() -> None:
    nothing = Forecast("toy", np.arange(3), None, None, None, None)
    labels = Labels(np.zeros((4, 1)), np.zeros(4), np.zeros((4, 1)))
    with pytest.raises(ValueError, match=r"needs a forecast with speeds .*'toy'"):
        speed_error_quantiles(nothing, labels, (1,))
