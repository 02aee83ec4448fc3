"""Gains of a day whose errors and classes are written by hand, hour by hour."""

from collections.abc import Sequence

import numpy as np
import pytest

from roadgraph.evaluation.metrics import confusion_matrix, macro_f1
from roadgraph.schema import NO_LABEL
from roadgraph.verification.gains import (
    BETTER,
    TIE,
    TOO_SMALL,
    WORSE,
    Gain,
    gain_of,
    gains_by_horizon,
)
from roadgraph.verification.judged import FORECASTERS, Judged
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

NAN = float("nan")


def judged(
    errors: Sequence[Sequence[float] | np.ndarray],
    label: Sequence[int] | None = None,
    answers: Sequence[Sequence[int]] | None = None,
) -> Judged:
    """Return a cell an hour, with errors and answers by forecaster: forecast, persistence, average.

    Without labels no class is judged.
    """
    count = len(errors[0])
    nothing = [[0] * count] * 3
    return Judged(
        horizon_min=np.full(count, 15),
        targets=np.arange(count),
        segments=np.zeros(count, dtype=np.int64),
        label=np.array([NO_LABEL] * count if label is None else label, dtype=np.int8),
        answer={
            name: np.array(each, dtype=np.int8)
            for name, each in zip(FORECASTERS, answers or nothing, strict=True)
        },
        confidence=np.full(count, NAN),
        error_kph={
            name: np.array(each, dtype=np.float32)
            for name, each in zip(FORECASTERS, errors, strict=True)
        },
        within=np.full(count, NAN),
        width_kph=np.full(count, NAN),
    )


def only_gain(cells: Judged, hours: np.ndarray | None = None) -> Gain:
    """Return the one gain; every cell lies in an hour of its own where ``hours`` are not given."""
    (gain,) = gains_by_horizon(cells, np.arange(len(cells.label)) if hours is None else hours)
    return gain


def test_hours_that_are_alike_leave_no_doubt() -> None:
    gain = only_gain(judged([[8.0] * 6, [12.0] * 6, [10.0] * 6]))
    assert (gain.horizon_min, gain.figure, gain.baseline) == (
        15, "speed_mae_kph", HISTORICAL_AVERAGE,
    )  # fmt: skip
    assert (gain.own, gain.other, gain.hours) == (8, 10, 6)
    assert (gain.gain, gain.low, gain.high) == pytest.approx((0.2, 0.2, 0.2))
    assert gain.verdict == BETTER


def test_the_interval_is_that_of_the_hours_that_may_be_drawn() -> None:
    # Of 6 hours k good ones are drawn, binomial with 1/2: the gain is k / 3 - 1. No good one has
    # a probability of 1 / 64 = 1.6 %, one at most 7 / 64 = 11 %, so 2.5 % lie at one of six.
    gain = only_gain(judged([[0, 20] * 3, [30] * 6, [10] * 6]))
    assert [gain.gain, gain.low, gain.high] == pytest.approx([0, -2 / 3, 2 / 3])
    assert gain.verdict == TIE


def test_forecast_and_baseline_get_the_same_hours() -> None:
    # The hours differ tenfold, but in each of them the forecast errs 10 % less.
    average = np.array([2.0, 20, 2, 20, 2, 20, 2, 20])
    gain = only_gain(judged([average * 0.9, average * 2, average]))
    assert (gain.low, gain.high) == pytest.approx((0.1, 0.1))


def test_the_best_baseline_is_that_of_the_whole_day() -> None:
    # Persistence is better in most hours, but over the day it errs more.
    gain = only_gain(judged([[9.0] * 8, [1.0] * 6 + [90.0] * 2, [10.0] * 8]))
    assert (gain.baseline, gain.other) == (HISTORICAL_AVERAGE, 10)
    assert (gain.low, gain.high) == pytest.approx((0.1, 0.1))


def test_cells_of_an_hour_are_drawn_together() -> None:
    # As above with 6 hours, each of them 100 times: as single cells they would leave no doubt.
    cells = judged([[0, 20] * 300, [30] * 600, [10] * 600])
    gain = only_gain(cells, np.arange(600) % 6)
    assert [gain.low, gain.high] == pytest.approx([-2 / 3, 2 / 3])
    assert gain.hours == 6


def test_classes_are_judged_by_their_macro_f1() -> None:
    label, wrong = [0, 1, 2, 3] * 2, [1, 1, 2, 3] * 2
    cells = judged([[NAN] * 8] * 3, label, [label, wrong, [3] * 8])
    gain = only_gain(cells)
    # Persistence: F1 of 0, 2/3, 1 and 1.
    assert (gain.figure, gain.baseline) == ("macro_f1", PERSISTENCE)
    assert [gain.own, gain.other] == pytest.approx([1, 8 / 12])
    assert gain.other == pytest.approx(
        macro_f1(confusion_matrix(np.array(label), np.array(wrong), 4))
    )
    assert gain.gain == pytest.approx(1 / 3)
    # Hours without a 0 leave no gain at all, those with nothing but it one of 1.
    assert 0 <= gain.low < 1 / 3 < gain.high <= 1


def test_a_class_that_does_not_occur_counts_in_no_mean() -> None:
    cells = judged([[NAN] * 6] * 3, [3] * 6, [[3] * 6, [2] * 6, [3, 3, 3, 2, 2, 2]])
    gain = only_gain(cells)
    # The average: 3 of 6 are right, F1 of free flow 2/3, of moderate 0.
    assert [gain.own, gain.other] == pytest.approx([1, 1 / 3])


def test_with_few_hours_there_is_no_interval() -> None:
    cells = judged([[8.0] * 5 + [NAN], [12.0] * 6, [10.0] * 5 + [NAN]])
    gain = only_gain(cells)
    assert (gain.hours, gain.verdict) == (5, TOO_SMALL)
    assert np.isnan([gain.low, gain.high]).all()


def test_without_an_error_of_the_best_baseline_there_is_no_gain() -> None:
    cells = judged([[8.0] * 6, [0.0] * 6, [10.0] * 6])
    assert gains_by_horizon(cells, np.arange(6)) == ()
    # Where it errs in some hours, days of the others alone are left out.
    some = only_gain(judged([[1.0] * 6, [0.0] * 5 + [12.0], [10.0] * 6]))
    assert some.gain == pytest.approx(0.5)
    assert some.high >= 0.75  # that hour twice


def test_each_horizon_has_its_own() -> None:
    cells = judged([[8.0] * 6 + [11.0] * 6, [12.0] * 12, [10.0] * 12])
    cells.horizon_min[6:] = 30
    found = gains_by_horizon(cells, np.arange(12))
    assert [(each.horizon_min, each.verdict) for each in found] == [(15, BETTER), (30, WORSE)]


def test_a_gain_within_half_a_percent_is_a_tie_however_sure() -> None:
    gain = only_gain(judged([[9.96] * 6, [12.0] * 6, [10.0] * 6]))
    assert (gain.verdict, gain.low > 0) == (TIE, True)


def test_the_same_day_has_the_same_interval() -> None:
    cells = judged([[8.0, 9, 10, 4, 12, 30], [12.0] * 6, [10.0, 14, 9, 5, 5, 40]])
    assert only_gain(cells) == only_gain(cells)


def test_a_gain_is_a_share_of_an_error_and_a_difference_of_macro_f1() -> None:
    values = {FORECAST: 0.5, PERSISTENCE: 0.25, HISTORICAL_AVERAGE: NAN}
    assert gain_of(values, "speed_mae_kph") == (-1.0, PERSISTENCE)
    assert gain_of(values, "macro_f1") == (0.25, PERSISTENCE)
    perfect = {FORECAST: 0.5, PERSISTENCE: 0.0, HISTORICAL_AVERAGE: 1.0}
    assert np.isnan(gain_of(perfect, "speed_mae_kph")[0])
    unknown = {FORECAST: NAN, PERSISTENCE: 0.0, HISTORICAL_AVERAGE: 1.0}
    assert gain_of(unknown, "macro_f1")[1] == ""
