from datetime import date

from roadgraph.batch.words import shown_days, told


def test_days_in_a_row_are_told_as_a_span() -> None:
    days = [date(2026, 1, day) for day in (9, 5, 6, 7)]
    assert shown_days(days) == "2026-01-05 to 2026-01-07, 2026-01-09"
    assert shown_days([]) == ""
    assert shown_days([date(2026, 1, 31), date(2026, 2, 1)]) == "2026-01-31 to 2026-02-01"


def test_of_many_reasons_the_first_are_told_and_the_others_counted() -> None:
    assert told(("a", "b")) == "a; b"
    assert told(tuple("abcdefg")) == "a; b; c; d; e; and 2 more"
