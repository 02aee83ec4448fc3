import pytest

from roadgraph.errors import (
    BundleError,
    DataError,
    ExitCode,
    RoadgraphError,
    SettingsError,
    TrainingError,
    nearest,
    nearest_few,
)


@pytest.mark.parametrize("kind", [SettingsError, DataError, BundleError, TrainingError])
def test_every_error_that_a_user_can_mend_is_a_roadgraph_error(kind: type[Exception]) -> None:
    assert issubclass(kind, RoadgraphError)
    assert str(kind("what to do")) == "what to do"


def test_nearest_names_the_one_choice_that_looks_most_alike() -> None:
    assert nearest("lenght_m", ["length_m", "lanes"]) == "; did you mean 'length_m'?"


def test_nearest_says_nothing_when_no_choice_looks_alike() -> None:
    assert nearest("zzz", ["length_m", "lanes"]) == ""
    assert nearest("lanes", []) == ""


def test_the_nearest_few_begin_with_the_likest_and_then_with_what_begins_alike() -> None:
    ids = [f"s{number:04}" for number in range(300)]
    assert nearest_few("s015x", ids) == ["s0150", "s0151", "s0152"]
    assert nearest_few("s0299 ", ids, 1) == ["s0299"]
    assert nearest_few("zzz", ["a", "b"]) == ["a", "b"]
    assert nearest_few("zzz", []) == []


def test_schedulers_can_tell_how_a_run_ended() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0, "FAILED": 1, "MISTAKE": 2, "CHECKS": 3, "BUSY": 75,
    }  # fmt: skip
