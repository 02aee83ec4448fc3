import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as reference

from roadgraph.evaluation import metrics

LABELS = hnp.arrays(np.int8, st.integers(1, 60), elements=st.integers(0, 3))


@given(label=LABELS, seed=st.integers(0, 100))
@settings(max_examples=100, deadline=None)
def test_confusion_accuracy_and_macro_f1_are_those_of_scikit_learn(
    label: np.ndarray, seed: int
) -> None:
    answer = np.random.default_rng(seed).integers(0, 4, len(label))
    confusion = metrics.confusion_matrix(label, answer, 4)
    np.testing.assert_array_equal(
        confusion, reference.confusion_matrix(label, answer, labels=range(4))
    )
    assert metrics.accuracy(confusion) == pytest.approx(reference.accuracy_score(label, answer))
    expected = reference.f1_score(label, answer, average="macro", zero_division=0)
    assert metrics.macro_f1(confusion) == pytest.approx(expected)


def test_recall_of_a_class_without_labels_is_not_a_number() -> None:
    confusion = np.array([[3, 1], [0, 0]])
    recall = metrics.recalls(confusion)
    assert recall[0] == 0.75
    assert np.isnan(recall[1])


def test_nothing_to_score_gives_not_a_number() -> None:
    nothing = np.zeros((4, 4), dtype=int)
    empty = np.empty(0)
    for value in (
        metrics.accuracy(nothing),
        metrics.macro_f1(nothing),
        metrics.log_loss(empty.astype(int), np.empty((0, 4))),
        metrics.expected_calibration_error(empty.astype(int), np.empty((0, 4))),
        metrics.mean_absolute_error(empty, empty),
        metrics.root_mean_squared_error(empty, empty),
    ):
        assert np.isnan(value)


def test_log_loss_of_two_answers_by_hand() -> None:
    probability = np.array([[0.5, 0.5], [0.2, 0.8]])
    # -(ln 0.5 + ln 0.8) / 2
    assert metrics.log_loss(np.array([0, 1]), probability) == pytest.approx(0.4581, abs=1e-4)


def test_calibration_error_by_hand() -> None:
    # Two bins of 15: confidence 0.9 with half right, confidence 0.6 all right.
    probability = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    label = np.array([0, 1, 0, 0])
    # (2 * |0.9 - 0.5| + 2 * |0.6 - 1|) / 4
    assert metrics.expected_calibration_error(label, probability) == pytest.approx(0.4)


def test_errors_of_speeds_by_hand() -> None:
    truth, answer = np.array([10.0, 20.0]), np.array([13.0, 16.0])
    assert metrics.mean_absolute_error(truth, answer) == 3.5
    assert metrics.root_mean_squared_error(truth, answer) == pytest.approx(np.sqrt(12.5))
