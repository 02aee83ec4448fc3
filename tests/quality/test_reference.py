from datetime import date, timedelta

from roadgraph.quality.reference import Reference, none_like, reference_days

DAYS = [date(2026, 1, 5) + timedelta(days=ahead) for ahead in range(28)]  # Monday to Sunday


def test_a_day_is_held_against_the_same_weekday_of_the_weeks_before() -> None:
    found = reference_days(date(2026, 1, 21), DAYS, 4)
    assert found == Reference((date(2026, 1, 7), date(2026, 1, 14)), "Wednesday")
    assert reference_days(date(2026, 1, 21), DAYS, 1).days == (date(2026, 1, 14),)


def test_without_the_same_weekday_days_of_the_same_kind_stand_in() -> None:
    found = reference_days(date(2026, 1, 8), DAYS, 4)
    assert found == Reference((date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)), "workday")
    sunday = reference_days(date(2026, 1, 11), DAYS, 4)
    assert sunday == Reference((date(2026, 1, 10),), "weekend day")


def test_a_saturday_is_not_held_against_a_friday() -> None:
    assert reference_days(date(2026, 1, 10), DAYS, 4).days == ()
    assert none_like(date(2026, 1, 10)) == (
        "there is no weekend day before 2026-01-10 to compare it with"
    )


def test_neither_the_day_itself_nor_a_later_one_is_a_reference() -> None:
    assert reference_days(date(2026, 1, 5), DAYS, 4).days == ()


def test_a_reference_reads_as_a_phrase() -> None:
    monday = Reference((date(2026, 1, 5),), "Monday")
    assert str(monday) == "2026-01-05 (Monday)"
    assert str(reference_days(date(2026, 1, 21), DAYS, 4)) == (
        "2 days from 2026-01-07 to 2026-01-14 (Wednesday)"
    )
