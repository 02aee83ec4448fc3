import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as reference

from roadgraph.evaluation import metrics

LABELS = hnp.arrays(np.int8, st.integers(1, 60), elements=st.integers(0, 3))


@given(label=LABELS, seed=st.integers(0, 100))
@settings(max_examples=100)
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
    micro = reference.f1_score(label, answer, average="micro")
    assert metrics.micro_f1(confusion) == pytest.approx(micro)


@given(label=LABELS, seed=st.integers(0, 100))
@settings(max_examples=100)
def test_precision_recall_and_f1_by_class_and_macro_are_those_of_scikit_learn(
    label: np.ndarray, seed: int
) -> None:
    answer = np.random.default_rng(seed).integers(0, 4, len(label))
    confusion = metrics.confusion_matrix(label, answer, 4)
    figures = (
        metrics.precisions(confusion), metrics.recalls(confusion), metrics.f1s(confusion),
    )  # fmt: skip
    by_class = reference.precision_recall_fscore_support(
        label, answer, labels=range(4), zero_division=np.nan
    )
    macro = reference.precision_recall_fscore_support(
        label, answer, average="macro", zero_division=0
    )
    for mine, theirs, mean in zip(figures, by_class, macro, strict=False):
        np.testing.assert_allclose(mine, theirs)
        assert metrics.macro(mine, confusion) == pytest.approx(mean)


# Scores of one decimal, so that many are tied.
@given(label=LABELS, seed=st.integers(0, 100), decimals=st.sampled_from([1, 6]))
@settings(max_examples=100)
def test_roc_auc_is_that_of_scikit_learn_ties_included(
    label: np.ndarray, seed: int, decimals: int
) -> None:
    probability = np.random.default_rng(seed).random((len(label), 4)).round(decimals)
    areas = []
    for place in range(4):
        positive = label == place
        mine = metrics.roc_auc(positive, probability[:, place])
        if positive.all() or not positive.any():
            assert np.isnan(mine)
            continue
        assert mine == pytest.approx(reference.roc_auc_score(positive, probability[:, place]))
        areas.append(mine)
    macro = metrics.macro_roc_auc(label, probability)
    assert np.isnan(macro) if not areas else macro == pytest.approx(np.mean(areas))


def test_roc_auc_by_hand() -> None:
    positive = np.array([True, True, False, False])
    # pairs: 0.9 beats both, 0.4 beats 0.1 and ties with 0.4
    assert metrics.roc_auc(positive, np.array([0.9, 0.4, 0.4, 0.1])) == 3.5 / 4


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
        metrics.micro_f1(nothing),
        metrics.macro(np.full(4, np.nan), nothing),
        metrics.roc_auc(empty.astype(bool), empty),
        metrics.macro_roc_auc(empty.astype(int), np.empty((0, 4))),
        metrics.interval_coverage(empty, empty, empty),
        metrics.interval_width(empty, empty),
        metrics.pinball_loss(empty, empty, 0.1),
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


def test_reliability_by_hand() -> None:
    confidence, share, size = metrics.reliability(
        np.array([0.8, 1.0, 0.6]), np.array([True, False, True]), bins=4
    )
    np.testing.assert_array_equal(size, [0, 0, 1, 2])
    np.testing.assert_allclose(confidence, [np.nan, np.nan, 0.6, 0.9])
    np.testing.assert_allclose(share, [np.nan, np.nan, 1, 0.5])


def test_the_mean_of_a_group_without_values_is_not_a_number() -> None:
    means = metrics.mean_by_group(np.array([1.0, 4.0, 3.0]), np.array([2, 0, 2]), 4)
    np.testing.assert_array_equal(means, [4, np.nan, 2, np.nan])


def test_errors_of_speeds_by_hand() -> None:
    truth, answer = np.array([10.0, 20.0]), np.array([13.0, 16.0])
    assert metrics.mean_absolute_error(truth, answer) == 3.5
    assert metrics.root_mean_squared_error(truth, answer) == pytest.approx(np.sqrt(12.5))


def test_coverage_counts_both_ends_of_the_interval() -> None:
    truth, low, high = np.array([1.0, 2, 3, 4]), np.full(4, 2.0), np.array([3.0, 3, 3, 9])
    assert metrics.interval_coverage(truth, low, high) == 0.75
    assert metrics.interval_width(low, high) == (1 + 1 + 1 + 7) / 4


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_pinball_loss_is_that_of_scikit_learn(quantile: float) -> None:
    rng = np.random.default_rng(0)
    truth, answer = rng.normal(size=(2, 50))
    expected = reference.mean_pinball_loss(truth, answer, alpha=quantile)
    assert metrics.pinball_loss(truth, answer, quantile) == pytest.approx(expected)
