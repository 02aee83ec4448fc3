from dataclasses import replace

import pandas as pd
import pytest

from roadgraph.report.scorecard_page.words import (
    READING,
    day_text,
    headline,
    hour_text,
    sentences_of_counts,
    sentences_of_horizons,
)
from roadgraph.settings import CitySettings
from tests.report.scorecard_page.toy import DAY, NAN, class_gain, scorecard, speed_gain

CITY = CitySettings()
BETTER = speed_gain(15, 8.0, 0.15, 0.243)
WORSE = speed_gain(30, 11.0, -0.2, -0.05)
EVEN = speed_gain(45, 9.99, -0.03, 0.04)
CHANCE = speed_gain(60, 9.0, -0.012, 0.2)
CLASSES = [
    class_gain(15, 0.5, 0.04, 0.16),
    class_gain(30, 0.2, -0.3, -0.1),
    class_gain(45, 0.398, -0.01, 0.006),
]
SMALL = speed_gain(15, 8.0, NAN, NAN, hours=5)


def test_the_headline_counts_the_horizons_at_which_the_forecasts_won_beyond_chance() -> None:
    assert headline(scorecard(gains=[BETTER, WORSE, EVEN, CHANCE, *CLASSES[:2]])) == (
        "The forecasts were better than the best baseline, beyond chance, in the speed at **1 of "
        "4 horizons** (worse at 1) and in the classes at **1 of 2 horizons** (worse at 1)."
    )
    # A gain of 10 % may be chance.
    assert "in the speed at **none of 2 horizons**." in headline(scorecard(gains=[EVEN, CHANCE]))
    both = [BETTER, replace(BETTER, horizon_min=30)]
    assert "in the speed at **all 2 horizons**" in headline(scorecard(gains=both))
    assert "in the speed at **its horizon**" in headline(scorecard(gains=[BETTER]))
    assert "in the speed at **no horizon**." in headline(scorecard(gains=[CHANCE]))
    assert "in the speed at **no horizon** (worse)." in headline(scorecard(gains=[WORSE]))


def test_a_small_sample_has_no_verdict() -> None:
    assert headline(scorecard(gains=[SMALL])) == (
        "The sample is too small to tell whether the forecasts were better than the best "
        "baseline: fewer than 6 hours have judged cells."
    )
    # The horizons that have enough are counted alone.
    assert "in the speed at **its horizon**" in headline(
        scorecard(gains=[SMALL, replace(BETTER, horizon_min=30)])
    )
    few = [SMALL, class_gain(15, 0.5, NAN, NAN, hours=1)]
    assert sentences_of_horizons(scorecard(gains=few), CITY) == [
        "**15 minutes ahead:** the speed was 8.00 km/h off on average, the historical average "
        "10.00 km/h, a sample too small to tell which is better (cells in 5 hours); macro F1 was "
        "0.500, that of the persistence 0.400, a sample too small to tell which is better (cells "
        "in 1 hour)."
    ]


def test_a_model_without_a_task_is_not_held_to_it() -> None:
    assert headline(scorecard(gains=CLASSES[:1])) == (
        "The forecasts were better than the best baseline, beyond chance, in the classes at "
        "**its horizon**."
    )
    assert "neither speeds nor classes" in headline(scorecard())
    assert sentences_of_horizons(scorecard(), CITY) == []


def test_each_horizon_says_by_how_much_in_words_and_how_sure_that_is() -> None:
    gains = [BETTER, CLASSES[0], WORSE, CLASSES[1], EVEN, CLASSES[2], CHANCE]
    assert sentences_of_horizons(scorecard(gains=gains), CITY) == [
        "**15 minutes ahead:** the speed was 8.00 km/h off on average, **20.0 % less** than the "
        "best baseline, the historical average (10.00 km/h; 95 % interval 15.0 to 24.3 % less); "
        "macro F1 was 0.500, **0.100 better** than the best baseline, the persistence (0.400; "
        "95 % interval 0.040 to 0.160 better).",
        "**30 minutes ahead:** the speed was 11.00 km/h off on average, **10.0 % more** than the "
        "best baseline, the historical average (10.00 km/h; 95 % interval 5.0 to 20.0 % more); "
        "macro F1 was 0.200, **0.200 worse** than the best baseline, the persistence (0.400; "
        "95 % interval 0.100 to 0.300 worse).",
        "**45 minutes ahead:** the speed was 9.99 km/h off on average, about as much as the "
        "historical average's (10.00 km/h; 95 % interval 3.0 % more to 4.0 % less); macro F1 was "
        "0.398, about that of the persistence (0.400; 95 % interval 0.010 worse to 0.006 better).",
        "**60 minutes ahead:** the speed was 9.00 km/h off on average, about as much as the "
        "historical average's (10.00 km/h; 95 % interval 1.2 % more to 20.0 % less).",
    ]


def test_speeds_are_told_in_the_citys_unit() -> None:
    slower = replace(BETTER, own=1.609344, other=3.218688, gain=0.5)
    told = sentences_of_horizons(scorecard(gains=[slower]), CitySettings(speed_unit="mph"))[0]
    assert "1.0000 mph off on average, **50.0 % less**" in told
    assert "the historical average (2.0000 mph; " in told


def test_the_reading_says_what_the_interval_is_and_where_there_is_none() -> None:
    text = " ".join(READING)
    assert "Where it holds 0 the gain may be chance and counts as a tie" in text
    assert "classes of road, hours, districts and segments have no such interval" in text


def test_forecasts_that_do_not_count_are_told_with_their_reason() -> None:
    counts = {"judged": 1200, "unobserved": 0, "seen": 0, "strangers": 7, "other_length": 9}
    card = replace(scorecard(), counts=counts)
    found = sentences_of_counts(card)
    numbers = [text.partition("**")[2].partition("**")[0] for text in found]
    assert numbers == ["1,200", "0", "7", "9"]
    assert "because nothing was observed on their segment in that slice" in found[1]
    assert "the network does not have their segment" in found[2]
    assert "slices of another length" in found[3]
    assert "made from" in sentences_of_counts(replace(card, counts={**counts, "seen": 3}))[2]


def test_forecasts_in_hindsight_and_answers_that_were_held_back_are_told() -> None:
    counts = {"judged": 1200, "unobserved": 0}
    found = sentences_of_counts(replace(scorecard(), counts=counts, hindsight=1000, held_back=40))
    assert len(found) == 4
    assert found[1].startswith("**1,000** of these were, or may have been, issued in hindsight")
    assert found[2].startswith("**40** of these have a class that was held back for doubt")


@pytest.mark.parametrize(
    ("begin", "text"),
    [("2026-01-17T23:00Z", "06:00 to 07:00"), ("2026-01-18T16:00Z", "23:00 to 00:00")],
)
def test_days_and_hours_are_told_as_people_say_them(begin: str, text: str) -> None:
    assert day_text(DAY) == "Sunday, 18 January 2026"
    assert hour_text(pd.Timestamp(begin), CITY) == text


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    berlin = CitySettings(timezone="Europe/Berlin")
    # On 25 October 2026 the clock goes back from 03:00 CEST to 02:00 CET, at 01:00 UTC.
    begins = pd.date_range("2026-10-24T23:00Z", periods=4, freq="h")
    assert [hour_text(begin, berlin) for begin in begins] == [
        "01:00 to 02:00 CEST",
        "02:00 CEST to 02:00 CET",
        "02:00 CET to 03:00",
        "03:00 to 04:00",
    ]
