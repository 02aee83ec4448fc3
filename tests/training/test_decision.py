import numpy as np

from roadgraph.evaluation.metrics import confusion_matrix, macro_f1
from roadgraph.training.decision import decide, macro_f1_weights


def test_the_class_with_the_largest_weighted_probability_is_answered() -> None:
    probability = np.array([[0.3, 0.7], [0.1, 0.9]])
    assert decide(probability, np.ones(2)).tolist() == [1, 1]
    assert decide(probability, np.array([3.0, 1.0])).tolist() == [0, 1]


def test_weights_find_a_rare_class_that_is_never_the_likeliest() -> None:
    # Class 0 has 40 % where it occurs and 10 % elsewhere: never above a half.
    label = np.array([0] * 5 + [1] * 95)
    first = np.where(label == 0, 0.4, 0.1)
    probability = np.stack([first, 1 - first], axis=1)
    weights = macro_f1_weights(probability, label)
    assert decide(probability, weights).tolist() == label.tolist()


def test_weights_are_never_worse_than_the_likeliest_class() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        probability = rng.dirichlet(np.ones(4), 200)
        label = rng.integers(0, 4, 200)

        def score(weights: np.ndarray, p: np.ndarray = probability, y: np.ndarray = label) -> float:
            return macro_f1(confusion_matrix(y, decide(p, weights), 4))

        assert score(macro_f1_weights(probability, label)) >= score(np.ones(4))


def test_perfect_probabilities_keep_their_weights() -> None:
    label = np.array([0, 1, 2, 3])
    np.testing.assert_array_equal(macro_f1_weights(np.eye(4), label), np.ones(4))
