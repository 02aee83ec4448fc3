from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.explain.explanation import Account, Explanation
from roadgraph.explain.words import NOT_THE_LIKELIEST, ORDINARY, Manner, road, sentences

MANNER = Manner(ZoneInfo("Asia/Bangkok"), "km/h")
ISSUED = pd.Timestamp("2026-01-19T01:00Z")  # Monday, 08:00

HEARD = pd.DataFrame(
    {
        "place": range(6),
        "segment_id": ["R12", "R13", "R14", "R11", "R40", "R90"],
        "name": ["Rama IV Road", None, "Rama IV Road", None, None, None],
        "relation": ["itself", "downstream", "downstream", "upstream", "nearby", "elsewhere"],
        "links": [0, 1, 2, 1, 2, 6],
        "metres": [0.0, 0, 412, 0, np.nan, np.nan],
        "observed_kph": [12.0, 9, 24, np.nan, 40, 30],
        "usual_kph": [30.0, 28, 30, 30, 40, 30],
        "seen": [3, 4, 4, 0, 4, 4],
    }
)


def speed(values: list[list[float]], ordinary: float = 23.0, **others: Any) -> Account:
    moved = np.array(values)
    answer = ordinary + float(moved.sum())
    facts = {"week": ordinary + 1, "gap": 0.004, "is_rough": False, "steps": 32, **others}
    return Account("speed", None, answer=answer, ordinary=ordinary, values=moved, **facts)


def congestion(values: list[list[float]], ordinary: float = 0.3, **others: Any) -> Account:
    account = speed(values, ordinary, **{"week": 0.1, "gap": 0.0012, **others})
    return replace(account, quantity="congestion", answered="congested")


LIKELIEST = {"gridlock": 0.2, "congested": 0.62, "moderate": 0.1, "free_flow": 0.08}

ALONE: list[list[float]] = [[-6.0, 0, 0]]
MOVED: list[list[float]] = [
    [-6.0, 0, 0],
    [-2.0, 0, 0],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.3, 0, 0],
    [0.2, 0, 0],
]


def explanation(*accounts: Account, **others: Any) -> Explanation:
    heard = HEARD.iloc[: len(accounts[0].values)] if accounts else pd.DataFrame()
    facts: dict[str, Any] = {
        "segment_id": "R12",
        "name": "Rama IV Road",
        "issued_at": ISSUED,
        "looked_until": ISSUED,
        "slice_start": ISSUED + pd.Timedelta(minutes=15),
        "horizon_min": 30,
        "slice_minutes": 15,
        "window": 4,
        "model": "gcn-simple",
        "hears": "links" if len(heard) > 1 else "nobody",
        "basis": "observations",
        "is_new": False,
        "speed_kph": 14.0,
        "congestion": "congested",
        "probabilities": LIKELIEST,
        "abstains": False,
        "heard": heard,
        "accounts": accounts,
    }
    return Explanation(**{**facts, **others})


def test_a_forecast_is_told_from_the_week_over_the_road_itself_to_the_other_roads() -> None:
    assert sentences(explanation(speed(MOVED)), MANNER) == (
        "The forecast of gcn-simple for R12 (Rama IV Road), from 08:15 to 08:30 on Mon 19 Jan 2026 "
        "(30 minutes after 08:00), is 14.0 km/h.",
        "Over an ordinary week the model says 24.0 km/h on average, and 23.0 km/h at this time of "
        "it: the time of the week makes it 1.0 km/h slower.",
        "What was observed in the 60 minutes before 08:00 makes it 8.0 km/h slower than that.",
        "R12 itself makes it 6.0 km/h slower: 12.0 km/h observed, 30.0 km/h usual.",
        "R13, directly downstream, makes it 2.0 km/h slower: 9.0 km/h observed, 28.0 km/h usual.",
        "R14 (Rama IV Road), 410 m downstream, makes it 0.5 km/h slower: 24.0 km/h observed, "
        "30.0 km/h usual.",
        "R40, nearby, makes it 0.3 km/h faster: 40.0 km/h observed, 40.0 km/h usual.",
        "All roads around it together: roads downstream 2.5 km/h slower, other roads nearby "
        "0.3 km/h faster, the rest of the city 0.2 km/h faster.",
        ORDINARY,
        "The contributions add up but for less than 0.01 km/h (integrated gradients).",
    )


def test_a_class_is_told_in_percentage_points_and_what_was_seen_only_once() -> None:
    values: list[list[float]]
    values = [[0.2, 0.01, -0.04], [0.12, 0, 0], [0, 0, 0], [0.01, 0, 0], [0, 0, 0], [-0.014, 0, 0]]
    told = sentences(explanation(speed(MOVED), congestion(values)), MANNER)
    assert told[8:-2] == (
        "The class answered is congested, with a probability of 62 %.",
        "Over an ordinary week the model says 10 % on average, and 30 % at this time of it: the "
        "time of the week makes it 20 percentage points likelier.",
        "What was observed in the 60 minutes before 08:00 makes it 29 percentage points likelier "
        "than that.",
        "R12 itself makes it 17 percentage points likelier. Of this: speed +20, spread of the "
        "speeds +1, vehicles seen (more or fewer than the city's average) -4 percentage points.",
        "R13, directly downstream, makes it 12 percentage points likelier.",
        "R90, elsewhere in the city, makes it 1 percentage point less likely.",
        "R11, directly upstream, makes it 1 percentage point likelier.",
        "All roads around it together: roads downstream 12 percentage points likelier, roads "
        "upstream 1 percentage point likelier, the rest of the city 1 percentage point less "
        "likely.",
    )
    assert told[-1] == (
        "The contributions add up but for less than 0.01 km/h and 0.12 percentage points of "
        "probability (integrated gradients)."
    )


def test_of_a_model_without_speed_the_class_is_told_with_what_was_seen() -> None:
    told = sentences(explanation(congestion([[0.3, 0, 0]]), speed_kph=None), MANNER)
    assert told[0].endswith("(30 minutes after 08:00):")
    assert told[4] == (
        "R12 itself makes it 30 percentage points likelier: 12.0 km/h observed, 30.0 km/h usual."
    )


def test_of_a_model_that_hears_no_other_road_that_is_said() -> None:
    told = sentences(explanation(speed(ALONE), model="mlp-simple"), MANNER)
    assert "mlp-simple hears no other road for R12, so none moved it." in told


def test_where_no_other_road_moved_it_that_is_said() -> None:
    told = sentences(explanation(speed([[-6.0, 0, 0], [0.01, 0, 0]])), MANNER)
    assert "No other road moved it noticeably." in told


def test_where_nothing_moved_it_no_road_is_named() -> None:
    told = sentences(explanation(speed([[0.01, 0, 0], [-0.02, 0, 0]], week=23.0)), MANNER)
    assert told[1].endswith("23.0 km/h at this time of it: the time of the week hardly moves it.")
    assert told[2:] == (
        "What was observed in the 60 minutes before 08:00 hardly moves it.", ORDINARY, told[-1],
    )  # fmt: skip


def test_roads_whose_contributions_cancel_are_named_all_the_same() -> None:
    told = sentences(explanation(speed([[-2.0, 0, 0], [2.0, 0, 0]])), MANNER)
    assert told[2] == "What was observed in the 60 minutes before 08:00 hardly moves it."
    assert told[3].startswith("R12 itself makes it 2.0 km/h slower")
    assert told[4].startswith("R13, directly downstream, makes it 2.0 km/h faster")


def test_where_nobody_was_seen_on_the_road_itself_that_is_said() -> None:
    unseen = HEARD.iloc[[0, 1]].assign(seen=[0, 4])
    moved = speed([[0.0, 0, 0], [-2.0, 0, 0]])
    told = sentences(explanation(moved, heard=unseen), MANNER)
    assert told[3] == (
        "Nobody was seen on R12 itself: what is usual there stands in, and moves nothing."
    )
    carried = sentences(explanation(speed([[-1.0, 0, 0], [-2.0, 0, 0]]), heard=unseen), MANNER)
    assert carried[3] == (
        "Nobody was seen on R12 itself: an older speed stands in, and makes it 1.0 km/h slower."
    )


def test_a_neighbour_that_nobody_was_seen_on_is_told_so() -> None:
    values: list[list[float]] = [[0.0, 0, 0], [0, 0, 0], [0, 0, 0], [-1.0, 0, 0]]
    told = sentences(explanation(speed(values)), MANNER)
    assert "R11, directly upstream, makes it 1.0 km/h slower: nobody was seen there." in told


@pytest.mark.parametrize(
    ("metres", "links", "expected"),
    [(3.0, 2, "10 m"), (1250.0, 4, "1.2 km"), (np.nan, 2, "2 links"), (np.nan, 1, "1 link")],
)
def test_how_far_a_road_is_away(metres: float, links: int, expected: str) -> None:
    heard = HEARD.iloc[[0, 3]].assign(metres=[0, metres], links=[0, links])
    told = sentences(explanation(speed([[0.0, 0, 0], [1, 0, 0]]), heard=heard), MANNER)
    assert any(each.startswith(f"R11, {expected} upstream, makes it 1.0") for each in told)


def test_a_number_at_its_floor_is_told_as_such() -> None:
    floor = replace(speed(ALONE, ordinary=6.0), answer=0.0)
    told = sentences(explanation(floor, speed_kph=0.0), MANNER)
    assert told[3].startswith("The model's own number is below 0, which is told as 0")


def test_a_class_that_is_not_answered_is_told_as_unsure() -> None:
    told = sentences(explanation(congestion([[0.3, 0, 0]]), abstains=True), MANNER)
    assert told[1] == (
        "No class is answered, because it would be congested with a probability of 62 % alone."
    )


def test_a_class_that_is_not_the_likeliest_is_told_beside_the_likeliest_and_why() -> None:
    likelier = {"gridlock": 0.41, "congested": 0.28, "moderate": 0.2, "free_flow": 0.11}
    asked = explanation(congestion([[0.3, 0, 0]]), probabilities=likelier)
    assert sentences(asked, MANNER)[1] == (
        "The class answered is congested, with a probability of 28 %. The likeliest class is "
        "gridlock, with 41 %. It is not chosen, because each probability is multiplied by a weight "
        "of its class first; the weights were chosen on the validation span, so that rare classes "
        "are found too."
    )
    assert sentences(replace(asked, abstains=True), MANNER)[1] == (
        "No class is answered, because it would be congested with a probability of 28 % alone. The "
        f"likeliest class is gridlock, with 41 %. {NOT_THE_LIKELIEST}"
    )
    close = {"gridlock": 0.384, "congested": 0.376, "moderate": 0.2, "free_flow": 0.04}
    assert sentences(replace(asked, probabilities=close), MANNER)[1] == (
        "The class answered is congested, with a probability of 38 %. The likeliest class is "
        f"gridlock, with slightly more. {NOT_THE_LIKELIEST}"
    )


def test_of_two_classes_that_are_as_likely_neither_is_the_likelier() -> None:
    even = {"gridlock": 0.4, "congested": 0.4, "moderate": 0.1, "free_flow": 0.1}
    asked = explanation(congestion([[0.3, 0, 0]]), probabilities=even)
    assert sentences(asked, MANNER)[1] == (
        "The class answered is congested, with a probability of 40 %."
    )


def test_ordinary_counts_of_vehicles_are_told_as_the_citys() -> None:
    assert "the city's average, not the road's own" in ORDINARY


def test_contributions_that_do_not_add_up_are_told_as_rough() -> None:
    told = sentences(explanation(speed(ALONE, gap=-0.5, is_rough=True)), MANNER)
    assert told[-1] == (
        "The contributions add up but for 0.50 km/h (integrated gradients), which is more than it "
        "should be: read them as rough."
    )


def test_a_late_forecast_says_from_when_it_looks_back() -> None:
    late = explanation(speed(ALONE), looked_until=ISSUED - pd.Timedelta(minutes=15))
    assert sentences(late, MANNER)[1] == (
        "Nothing was observed in the 15 minutes before 08:00, so the model looks back from 07:45."
    )


def test_what_rests_on_history_is_told_as_typical() -> None:
    old = ISSUED - pd.Timedelta(hours=30)
    told = sentences(explanation(basis="history", looked_until=old, probabilities=None), MANNER)
    assert told == (
        "The forecast of what is typical for R12 (Rama IV Road), from 08:15 to 08:30 on Mon 19 Jan "
        "2026 (30 minutes after 08:00), is 14.0 km/h.",
        "The class answered is congested.",
        "Nothing was observed since 02:00 on Sun 18 Jan 2026, and gcn-simple does not forecast "
        "that far from there: the forecast rests on what is typical at that time of the week, and "
        "no observation moved it.",
    )


def test_an_added_segment_is_told_as_one_that_was_never_observed() -> None:
    told = sentences(explanation(speed(MOVED), is_new=True), MANNER)
    assert told[1] == (
        "R12 was added to the network after gcn-simple was trained: what is typical of it is what "
        "is typical of its class of road at its speed limit."
    )
    assert (told[0], *told[2:]) == sentences(explanation(speed(MOVED)), MANNER)


def test_speeds_are_told_in_the_citys_unit() -> None:
    told = sentences(explanation(speed([[-16.09344, 0, 0]])), replace(MANNER, speed_unit="mph"))
    assert told[3] == "R12 itself makes it 10.0 mph slower: 7.5 mph observed, 18.6 mph usual."


def test_a_road_without_a_name_is_its_id() -> None:
    assert [road("R1", name) for name in (None, "Silom")] == ["R1", "R1 (Silom)"]
    assert road("R1", float("nan")) == "R1"  # type: ignore[arg-type]
