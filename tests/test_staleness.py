from hypothesis import given
from hypothesis import strategies as st

from roadgraph.staleness import changes, fingerprint_of
from roadgraph.storage import fingerprint

named = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)


def test_the_fingerprint_is_that_of_names_and_values_in_the_order_of_the_names() -> None:
    expected = fingerprint(["network", "abc", "polars", "2.1.0"])
    assert fingerprint_of({"polars": "2.1.0", "network": "abc"}) == expected


@given(named, named)
def test_there_are_changes_exactly_where_the_fingerprints_differ(
    before: dict[str, str], now: dict[str, str]
) -> None:
    assert bool(changes(before, now)) == (fingerprint_of(before) != fingerprint_of(now))


def test_a_change_is_shown_with_both_values() -> None:
    before = {"probes.max_gap_s": "120.0", "polars": "2.1.0", "probes.zone": ""}
    now = {"probes.max_gap_s": "90.0", "polars": "2.1.0", "probes.zone": "UTC"}
    assert changes(before, now) == ("probes.max_gap_s 120.0 -> 90.0", "probes.zone (empty) -> UTC")


def test_a_digest_or_a_long_value_is_just_changed() -> None:
    before = {"network": "0f" * 32, "model": "gru"}
    assert changes(before, {"network": "1f" * 32, "model": "x" * 61}) == (
        "network changed",
        "model changed",
    )


def test_what_comes_and_what_goes_is_named_in_the_order_of_now() -> None:
    before = {"fixes a.csv": "1", "fixes b.csv": "2"}
    now = {"network": "n", "fixes b.csv": "2"}
    assert changes(before, now) == ("network is new", "fixes a.csv is gone")


def test_what_was_never_made_has_one_reason() -> None:
    assert changes(None, {"network": "n"}) == ("none yet",)
