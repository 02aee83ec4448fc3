import pandas as pd
import pytest

from roadgraph.report.scorecard_page.words import (
    day_text,
    gain_of,
    headline,
    hour_text,
    sentences_of_counts,
    sentences_of_horizons,
)
from roadgraph.settings import CitySettings
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE
from tests.report.scorecard_page.toy import DAY, NAN, part, scorecard

CITY = CitySettings()
BETTER = part("horizon", "15")
WORSE = part("horizon", "30", (11.0, 12.0, 10.0), (0.2, 0.3, 0.4))
EVEN = part("horizon", "45", (9.99, 12.0, 10.0), (0.398, 0.3, 0.4))


def test_the_headline_counts_the_horizons_at_which_the_forecasts_won() -> None:
    assert headline(scorecard(BETTER, WORSE, EVEN)) == (
        "The forecasts were better than the best baseline in the speed at **1 of 3 horizons** and "
        "in the classes at **1 of 3 horizons**."
    )
    assert "in the speed at **none of 2 horizons**" in headline(scorecard(WORSE, EVEN))
    assert "in the classes at **all 2 horizons**" in headline(
        scorecard(BETTER, BETTER.assign(part="30"))
    )
    assert "in the speed at **its horizon**" in headline(scorecard(BETTER))
    assert "in the speed at **no horizon**" in headline(scorecard(WORSE))


def test_a_model_without_a_task_is_not_held_to_it() -> None:
    classes = part("horizon", "15", (NAN, NAN, NAN))
    assert headline(scorecard(classes)) == (
        "The forecasts were better than the best baseline in the classes at **its horizon**."
    )
    neither = part("horizon", "15", (NAN, NAN, NAN), (NAN, NAN, NAN))
    assert "neither speeds nor classes" in headline(scorecard(neither))
    assert sentences_of_horizons(scorecard(neither), CITY) == []


def test_each_horizon_says_by_how_much_in_words() -> None:
    found = sentences_of_horizons(scorecard(BETTER, WORSE, EVEN), CITY)
    assert found == [
        "**15 minutes ahead:** the speed was 8.00 km/h off on average, **20.0% less** than the "
        "best baseline, the historical average (10.00 km/h); macro F1 was 0.500, **0.100 better** "
        "than the best baseline, the historical average (0.400).",
        "**30 minutes ahead:** the speed was 11.00 km/h off on average, **10.0% more** than the "
        "best baseline, the historical average (10.00 km/h); macro F1 was 0.200, **0.200 worse** "
        "than the best baseline, the historical average (0.400).",
        "**45 minutes ahead:** the speed was 9.99 km/h off on average, about as much as the "
        "historical average's (10.00 km/h); macro F1 was 0.398, about that of the historical "
        "average (0.400).",
    ]


def test_speeds_are_told_in_the_citys_unit() -> None:
    slower = part("horizon", "15", (1.609344, 3.218688, 8.0))
    told = sentences_of_horizons(scorecard(slower), CitySettings(speed_unit="mph"))[0]
    assert "1.0000 mph off on average, **50.0% less**" in told
    assert "the persistence (2.0000 mph)" in told


def test_a_gain_is_a_share_of_an_error_and_a_difference_of_macro_f1() -> None:
    values = {FORECAST: 0.5, PERSISTENCE: 0.25, HISTORICAL_AVERAGE: NAN}
    assert gain_of(values, "speed_mae_kph") == (-1.0, PERSISTENCE)
    assert gain_of(values, "macro_f1") == (0.25, PERSISTENCE)
    perfect = {FORECAST: 0.5, PERSISTENCE: 0.0, HISTORICAL_AVERAGE: 1.0}
    assert gain_of(perfect, "speed_mae_kph")[0] != gain_of(perfect, "speed_mae_kph")[0]  # NaN


def test_forecasts_that_do_not_count_are_told_with_their_reason() -> None:
    counts = {"judged": 1200, "unobserved": 0, "seen": 0, "strangers": 7}
    found = sentences_of_counts(counts)
    assert [text.partition("**")[2].partition("**")[0] for text in found] == ["1,200", "0", "7"]
    assert "the network does not have their segment" in found[2]
    assert "made from" in sentences_of_counts({**counts, "seen": 3})[2]


@pytest.mark.parametrize(
    ("begin", "text"),
    [("2026-01-17T23:00Z", "06:00 to 07:00"), ("2026-01-18T16:00Z", "23:00 to 00:00")],
)
def test_days_and_hours_are_told_as_people_say_them(begin: str, text: str) -> None:
    assert day_text(DAY) == "Sunday, 18 January 2026"
    assert hour_text(pd.Timestamp(begin), CITY) == text
