from datetime import date

import pytest

from roadgraph.batch.asked import NOW, Asked, asked_for
from roadgraph.batch.outcome import STEPS
from roadgraph.errors import SettingsError


def test_without_options_all_steps_of_all_days_are_asked_for() -> None:
    asked = asked_for(None, None, None)
    assert asked == Asked(None, None, STEPS)
    assert date(1999, 1, 1) in asked.slices
    assert date(2999, 1, 1) in asked.slices


def test_days_and_steps_are_read_and_slices_begin_a_day_before() -> None:
    asked = asked_for("2026-01-05", "2026-01-11", "slices, predictions")
    assert asked == Asked(date(2026, 1, 5), date(2026, 1, 11), ("slices", "predictions"))
    days = [day for day in range(1, 32) if date(2026, 1, day) in asked.slices]
    assert days == [4, 5, 6, 7, 8, 9, 10, 11]


def test_up_to_now_the_slices_have_no_last_day() -> None:
    asked = asked_for("2026-01-05", NOW, None)
    assert asked.last == NOW
    assert date(2999, 1, 1) in asked.slices
    assert date(2026, 1, 3) not in asked.slices


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("05.01.2026", None, None), "--from 05.01.2026: is no day; write it as 2026-01-05$"),
        ((None, "tomorrow", None), "--to tomorrow: .* write it as 2026-01-05 or 'now'"),
        ((None, None, "slices,prediction"), "no step 'prediction' .*did you mean 'predictions'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    options: tuple[str | None, str | None, str | None], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        asked_for(*options)
