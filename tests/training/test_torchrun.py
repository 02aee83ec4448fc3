from dataclasses import replace

import pytest

from roadgraph.errors import SettingsError
from roadgraph.settings import Settings
from roadgraph.training import launched
from roadgraph.training.torchrun import (
    CPP_LOG_LEVEL,
    Place,
    place_in_torchrun,
    run_beside_others,
    with_processes_of_torchrun,
)


def launch(monkeypatch: pytest.MonkeyPatch, rank: int, processes: int, here: int) -> None:
    """Set what ``torchrun`` sets."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "night")
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    monkeypatch.setenv(CPP_LOG_LEVEL, "WARNING")


def with_devices(devices: int) -> Settings:
    settings = Settings()
    return replace(settings, training=replace(settings.training, devices=devices))


def test_a_process_knows_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, 5, 8, 4)
    place = place_in_torchrun()
    assert place == Place(5, 8, 4)
    assert place.nodes == 2


def test_without_torchrun_or_alone_under_it_nothing_is_different(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    # Other ways to start processes set these as well.
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert place_in_torchrun() is None
    assert with_processes_of_torchrun(with_devices(4)) == with_devices(4)
    launch(monkeypatch, 0, 1, 1)
    assert place_in_torchrun() is None
    assert with_processes_of_torchrun(with_devices(4)) == with_devices(4)
    called: list[str] = []
    run_beside_others(lambda: called.append("command"))
    assert called == ["command"]


def test_beside_others_each_process_takes_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, 1, 2, 2)
    parts: list[object] = []
    monkeypatch.setattr(launched, "take_part", lambda *part: parts.append(part))

    def command() -> None: ...

    run_beside_others(command)
    assert parts == [(Place(1, 2, 2), command)]


@pytest.mark.parametrize("devices", [1, 4])
def test_devices_are_the_processes_of_torchrun(
    monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    launch(monkeypatch, 0, 4, 2)
    assert with_processes_of_torchrun(with_devices(devices)) == with_devices(4)


def test_another_number_of_devices_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, 0, 4, 2)
    text = r"training\.devices=3, but torchrun has started 4 processes; leave training\.devices out"
    with pytest.raises(SettingsError, match=text):
        with_processes_of_torchrun(with_devices(3))


def test_nodes_with_unlike_numbers_of_processes_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launch(monkeypatch, 0, 5, 3)
    with pytest.raises(SettingsError, match="3 of 5 processes on this node; give every node"):
        with_processes_of_torchrun(with_devices(1))
