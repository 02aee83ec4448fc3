import pytest

from roadgraph.errors import (
    BundleError,
    DataError,
    ExitCode,
    RoadgraphError,
    SettingsError,
    TrainingError,
    nearest,
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


def test_schedulers_can_tell_how_a_run_ended() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0, "FAILED": 1, "MISTAKE": 2, "CHECKS": 3, "BUSY": 75,
    }  # fmt: skip
