import numpy as np

from roadgraph.evaluation.forecast import Forecast

ORIGINS = np.array([7])
PROBABILITY = np.array([[[[0.1, 0.6, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1]]]])


def test_confidence_is_the_probability_of_the_answer_and_not_the_largest() -> None:
    answers = np.array([[[2, 0]]], dtype=np.int8)
    forecast = Forecast("toy", ORIGINS, answers, PROBABILITY, None, None)
    np.testing.assert_array_equal(forecast.confidence, [[[0.2, 0.7]]])


def test_without_classes_or_probabilities_there_is_no_confidence() -> None:
    classes = np.array([[[2, 0]]], dtype=np.int8)
    assert Forecast("toy", ORIGINS, None, None, None, None).confidence is None
    assert Forecast("toy", ORIGINS, classes, None, None, None).confidence is None
