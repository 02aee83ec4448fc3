"""Decisions on figures that were made up, each worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from roadgraph.errors import PromotionError
from roadgraph.evaluation.comparison import FLOOR, FLOOR_KPH
from roadgraph.promotion.decision import (
    Decision,
    decide,
    decide_unopposed,
    mean_figures,
    needed_ahead,
    standard_error,
)
from roadgraph.settings import PromotionSettings
from tests.promotion.toy import contest_by_hand, figures_of

SETTINGS = PromotionSettings()
WORSE, BETTER = {"macro_f1": [0.5, 0.3]}, {"macro_f1": [0.6, 0.4]}
SPEEDS = PromotionSettings(metric="speed_mae_kph")


def said(decision: Decision, words: str) -> str:
    """Return the one reason with these words in it."""
    (found,) = [reason for reason in decision.reasons if words in reason]
    return found


def test_a_challenger_that_is_better_by_more_than_the_spread_is_promoted() -> None:
    decision = decide(contest_by_hand(WORSE, BETTER), SETTINGS, 0.05)
    assert decision.promoted
    assert figures_of(decision).ahead == pytest.approx(0.1)
    assert figures_of(decision).needed == 0.05
    assert said(decision, "of the champion: ") == (
        "macro F1 0.500 of the challenger, 0.400 of the champion: better by 0.100, more than the "
        "spread of 0.050 (spread over the seeds of its training)"
    )


def test_a_challenger_within_the_spread_is_not() -> None:
    decision = decide(contest_by_hand(WORSE, BETTER), SETTINGS, 0.1 + 1e-9)
    assert not decision.promoted
    assert "better by 0.100, not more than the spread of 0.100" in decision.reasons[0]


@pytest.mark.parametrize(("challenger", "word"), [(WORSE, "worse by 0.100"), (BETTER, "the same")])
def test_a_challenger_that_is_worse_or_the_same_is_not(
    challenger: dict[str, list[float]], word: str
) -> None:
    decision = decide(contest_by_hand(BETTER, challenger), SETTINGS, None)
    assert not decision.promoted
    assert word in decision.reasons[0]


def test_of_errors_the_smaller_one_is_better() -> None:
    champion, challenger = {"speed_mae_kph": [5.0, 6.0]}, {"speed_mae_kph": [4.0, 6.0]}
    decision = decide(contest_by_hand(champion, challenger), SPEEDS, 0.4)
    assert decision.promoted
    assert figures_of(decision).ahead == pytest.approx(0.5)
    assert "speed MAE 5.00 km/h of the challenger, 5.50 km/h of the champion" in decision.reasons[0]
    assert not decide(contest_by_hand(challenger, champion), SPEEDS, 0.4).promoted


@pytest.mark.parametrize(
    ("metric", "floor"), [("macro_f1", FLOOR), ("speed_mae_kph", FLOOR_KPH), ("log_loss", FLOOR)]
)
def test_of_a_single_seed_the_floor_is_asked_for(metric: str, floor: float) -> None:
    expected = (floor, "the least difference that is asked of a single seed")
    for error in (None, math.nan, floor / 10):
        assert needed_ahead(metric, error, 3, None, 0.95, "days") == expected
    seeds_agree = needed_ahead(metric, None, 0, floor / 10, 0.95, "days")
    assert seeds_agree == (floor / 10, "spread over the seeds of its training")


@pytest.mark.parametrize(
    ("blocks", "confidence", "quantile"),
    [(3, 0.95, 2.92), (2, 0.95, 6.314), (7, 0.95, 1.943), (3, 0.99, 6.965), (3, 0.5, 0.0)],
)
def test_the_standard_error_counts_as_often_as_a_table_of_students_t_says(
    blocks: int, confidence: float, quantile: float
) -> None:
    needed, source = needed_ahead("macro_f1", 0.1, blocks, 0.0, confidence, "days")
    assert needed == pytest.approx(0.1 * quantile, abs=1e-4)
    if quantile:
        assert source == f"{quantile:.2f} standard errors over {blocks} days"


def test_the_larger_spread_counts_and_is_named() -> None:
    needed, source = needed_ahead("macro_f1", 0.02, 3, 0.05, 0.95, "days")
    assert needed == pytest.approx(0.0584, abs=1e-4)
    assert source == "2.92 standard errors over 3 days"
    seeds = (0.06, "spread over the seeds of its training")
    assert needed_ahead("macro_f1", 0.02, 3, 0.06, 0.95, "days") == seeds
    assert needed_ahead("macro_f1", math.nan, 3, 0.06, 0.95, "days") == seeds


@pytest.mark.parametrize("days", [3, 7])
def test_of_models_that_are_equally_good_one_in_twenty_is_promoted(days: int) -> None:
    """Differences of days are drawn around 0; their mean is what the challenger is ahead by."""
    rng, rounds = np.random.default_rng(1), 400
    index = pd.MultiIndex.from_product([("champion", "challenger"), ("all", *range(days))])
    rows = index.to_frame(index=False, name=["model", "part"]).assign(horizon_min=15)
    promoted = single_errors = 0
    for day in rng.normal(0, 1, (rounds, days)):
        ahead = [day.mean(), *(np.delete(day, place).mean() for place in range(days))]
        scores = rows.assign(accuracy=np.concatenate([np.zeros(days + 1), ahead]))
        error, blocks = standard_error(scores, "accuracy")
        assert error is not None
        promoted += ahead[0] > needed_ahead("accuracy", error, blocks, None, 0.95, "days")[0]
        single_errors += ahead[0] > error
    # 5 % of 400 are 20, give or take 4.4.
    assert 20 - 2 * 4.4 < promoted < 20 + 2 * 4.4
    assert single_errors > 3 * 20


def test_the_standard_error_is_that_of_the_difference_without_each_day() -> None:
    # Without each of three days the difference is 0.10, 0.13 and 0.07; its mean is 0.10, and
    # 2/3 of (0 + 0.03^2 + 0.03^2) is 0.0012.
    without = {
        "a": ({"macro_f1": [0.5, 0.3]}, {"macro_f1": [0.6, 0.4]}),
        "b": ({"macro_f1": [0.2, 0.2]}, {"macro_f1": [0.3, 0.36]}),
        "c": ({"macro_f1": [0.9, 0.9]}, {"macro_f1": [0.97, 0.97]}),
    }
    contest = contest_by_hand(WORSE, BETTER, without=without)
    error, blocks = standard_error(contest.scores, "macro_f1")
    assert blocks == 3
    assert error == pytest.approx(math.sqrt(0.0012))
    # Student's t of 2 degrees of freedom is 2.92 at 0.95: 0.10115.
    decision = decide(contest, SETTINGS, None)
    assert figures_of(decision).needed == pytest.approx(2.92 * math.sqrt(0.0012), abs=1e-5)
    assert not decision.promoted
    assert "not more than the spread of 0.101 (2.92 standard errors over 3 days)" in said(
        decision, "macro F1 0.500"
    )
    # It is 1.886 at 0.9.
    assert decide(contest, PromotionSettings(confidence=0.9), None).promoted


def test_of_a_mean_over_days_of_one_size_it_is_the_standard_error_of_the_mean() -> None:
    days = np.array([0.3, -0.1, 0.2, 0.6])  # differences of four days
    without = {
        str(day): ({"accuracy": [0.0]}, {"accuracy": [np.delete(days, day).mean()]})
        for day in range(4)
    }
    contest = contest_by_hand({"accuracy": [0.0]}, {"accuracy": [days.mean()]}, without=without)
    error, _ = standard_error(contest.scores, "accuracy")
    assert error == pytest.approx(days.std(ddof=1) / math.sqrt(4))


def test_a_day_that_is_hard_for_both_adds_no_spread() -> None:
    without = {
        name: ({"macro_f1": [value]}, {"macro_f1": [value + 0.1]})
        for name, value in (("easy", 0.2), ("hard", 0.8))
    }
    contest = contest_by_hand({"macro_f1": [0.5]}, {"macro_f1": [0.6]}, without=without)
    assert standard_error(contest.scores, "macro_f1")[0] == pytest.approx(0)


def test_one_block_has_no_standard_error() -> None:
    contest = contest_by_hand(WORSE, BETTER, without={"a": (WORSE, BETTER)})
    assert standard_error(contest.scores, "macro_f1") == (None, 1)


def test_a_block_without_a_cell_at_one_horizon_leaves_that_horizon_as_it_is() -> None:
    nothing = float("nan")
    without = {
        "a": ({"macro_f1": [0.5, nothing]}, {"macro_f1": [0.7, nothing]}),
        "b": ({"macro_f1": [0.5, 0.3]}, {"macro_f1": [0.6, 0.4]}),
    }
    # 0.15 and 0.10; half of 2 * 0.025^2.
    error, _ = standard_error(contest_by_hand(WORSE, BETTER, without=without).scores, "macro_f1")
    assert error == pytest.approx(0.025)


@pytest.mark.parametrize(("recall", "promoted"), [([0.35, 0.35], True), ([0.34, 0.34], False)])
def test_a_lower_recall_of_gridlock_than_tolerated_forbids_it(
    recall: list[float], promoted: bool
) -> None:
    champion = {**WORSE, "gridlock_recall": [0.4, 0.4]}
    challenger = {**BETTER, "gridlock_recall": recall}
    decision = decide(contest_by_hand(champion, challenger), SETTINGS, None)
    assert decision.promoted == promoted
    reason = said(decision, "recall of gridlock")
    assert ("worse by 0.060, more than the 0.050 that are tolerated" in reason) != promoted


def test_where_no_gridlock_occurred_its_recall_forbids_nothing_and_says_so() -> None:
    decision = decide(contest_by_hand(WORSE, BETTER), SETTINGS, None)
    assert decision.promoted
    assert "no gridlock was observed" in said(decision, "recall of gridlock cannot be judged")


@pytest.mark.parametrize(
    ("figure", "title"),
    [("gridlock_recall", "recall of gridlock"), ("calibration_error", "calibration error")],
)
def test_a_guarded_figure_that_the_challenger_alone_lacks_forbids_it(
    figure: str, title: str
) -> None:
    champion, lacking = {**WORSE, figure: [0.1, 0.1]}, {**BETTER, figure: [math.nan, math.nan]}
    decision = decide(contest_by_hand(champion, lacking), SETTINGS, None)
    assert not decision.promoted
    assert said(decision, title) == f"{title} is not to be had of the challenger, which forbids it"
    champion, both = {**WORSE, figure: [math.nan, math.nan]}, {**BETTER, figure: [0.1, 0.1]}
    assert decide(contest_by_hand(champion, both), SETTINGS, None).promoted


@pytest.mark.parametrize(("error", "promoted"), [([0.06, 0.08], True), ([0.08, 0.08], False)])
def test_a_larger_calibration_error_than_tolerated_forbids_it(
    error: list[float], promoted: bool
) -> None:
    champion = {**WORSE, "calibration_error": [0.05, 0.05]}
    challenger = {**BETTER, "calibration_error": error}
    decision = decide(contest_by_hand(champion, challenger), SETTINGS, None)
    assert decision.promoted == promoted
    assert ("forbids it" in said(decision, "calibration error")) != promoted


@pytest.mark.parametrize(("figures", "promoted"), [([0.39, 0.37], True), ([0.37, 0.37], False)])
def test_a_worse_metric_on_hidden_segments_than_tolerated_forbids_it(
    figures: list[float], promoted: bool
) -> None:
    # 5 % of 0.4 are tolerated.
    hidden = ({"macro_f1": [0.4, 0.4]}, {"macro_f1": figures})
    decision = decide(contest_by_hand(WORSE, BETTER, hidden=hidden), SETTINGS, None)
    assert decision.promoted == promoted
    assert ("forbids it" in said(decision, "macro F1 on hidden segments")) != promoted


def test_on_hidden_segments_an_error_may_not_grow() -> None:
    champion, challenger = {"speed_mae_kph": [5.0]}, {"speed_mae_kph": [4.0]}
    hidden = ({"speed_mae_kph": [6.0]}, {"speed_mae_kph": [7.0]})
    decision = decide(contest_by_hand(champion, challenger, hidden=hidden), SPEEDS, None)
    assert not decision.promoted
    assert "worse by 1.00 km/h, more than the 0.30 km/h" in said(decision, "hidden segments")


def test_a_guard_alone_promotes_nobody() -> None:
    champion = {**WORSE, "gridlock_recall": [0.1, 0.1]}
    challenger = {**WORSE, "gridlock_recall": [0.9, 0.9]}
    assert not decide(contest_by_hand(champion, challenger), SETTINGS, None).promoted


def test_a_baseline_that_is_better_than_both_is_named_and_forbids_nothing() -> None:
    baselines = {"persistence": {"macro_f1": [0.7, 0.7]}, "historical average": WORSE}
    decision = decide(contest_by_hand(WORSE, BETTER, baselines), SETTINGS, None)
    assert decision.promoted
    assert said(decision, "is better than both") == (
        "persistence is better than both models: macro F1 0.700, 0.500 of the challenger"
    )


def test_a_baseline_without_the_metric_is_not_compared() -> None:
    settings = PromotionSettings(metric="log_loss")
    models = ({"log_loss": [0.9]}, {"log_loss": [0.5]})
    baselines = {"persistence": {"accuracy": [0.9]}}
    decision = decide(contest_by_hand(*models, baselines), settings, None)
    assert not [reason for reason in decision.reasons if "persistence" in reason]


def test_the_table_has_the_means_over_the_horizons() -> None:
    hidden = ({"macro_f1": [0.1, 0.3]}, {"macro_f1": [0.2, 0.4]})
    contest = contest_by_hand(
        WORSE, BETTER, {"persistence": {"accuracy": [0.8, 0.6]}}, None, hidden
    )
    table = mean_figures(contest, "macro_f1").set_index("model")
    assert table.index.tolist() == ["champion", "challenger", "persistence"]
    assert table["macro_f1"].tolist() == pytest.approx([0.4, 0.5, float("nan")], nan_ok=True)
    assert table["hidden"].tolist() == pytest.approx([0.2, 0.3, float("nan")], nan_ok=True)
    assert table.loc["persistence", "accuracy"] == pytest.approx(0.7)


def test_a_model_without_the_metric_is_an_error_that_names_it() -> None:
    contest = contest_by_hand({"speed_mae_kph": [5.0]}, {"speed_mae_kph": [4.0], "macro_f1": [0.3]})
    with pytest.raises(PromotionError, match=r"no macro_f1 of champion from .*promotion\.metric"):
        decide(contest, SETTINGS, None)


def test_days_without_an_observation_are_an_error_that_names_them() -> None:
    nothing = {"macro_f1": [float("nan")]}
    with pytest.raises(PromotionError, match="no segment was observed from 2026-01-05 00:00 to"):
        decide(contest_by_hand(nothing, nothing), SETTINGS, None)


def test_without_an_opponent_there_is_one_reason_and_there_are_no_figures() -> None:
    decision = decide_unopposed("2 segments are new (such as 'A')")
    assert decision.promoted
    assert decision.figures is None
    (reason,) = decision.reasons
    assert "another network than the current one (2 segments are new (such as 'A'))" in reason
    assert "without a contest" in reason
