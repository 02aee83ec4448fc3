"""What ``torchrun`` tells the processes that it starts; read without PyTorch."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roadgraph.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.settings import Settings


CPP_LOG_LEVEL = "TORCH_CPP_LOG_LEVEL"
"""Variable of the environment that PyTorch reads when it is imported."""
QUIET = "ERROR"
"""Level at which PyTorch does not say that unused weights were looked for and not found."""


@dataclass(frozen=True)
class Place:
    """Where this process stands among those that ``torchrun`` has started.

    Attributes:
        rank: of this process, from 0.
        processes: on all nodes.
        processes_here: on this node.
    """

    rank: int
    processes: int
    processes_here: int

    @property
    def nodes(self) -> int:
        """How many machines there are."""
        return self.processes // self.processes_here


def place_in_torchrun() -> Place | None:
    """Return the place of this process, or None where it has no others beside it."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    rank, processes, here = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    )
    return Place(rank, processes, here) if processes > 1 else None


def run_beside_others(command: Callable[[], object]) -> None:
    """Run ``command``; of processes that ``torchrun`` has started, the first does.

    The others take part in its trainings and end when it ends.

    Raises:
        TrainingError: this process is one of the others and cannot go on with a training.
    """
    place = place_in_torchrun()
    if place is None:
        command()
        return
    os.environ.setdefault(CPP_LOG_LEVEL, QUIET)
    from roadgraph.training.launched import take_part

    take_part(place, command)


def with_processes_of_torchrun(settings: Settings) -> Settings:
    """Return ``settings`` with ``training.devices`` of as many processes as there are.

    Raises:
        SettingsError: ``training.devices`` names another number, or the nodes have unlike numbers.
    """
    place = place_in_torchrun()
    if place is None:
        return settings
    devices = settings.training.devices
    if devices not in (1, place.processes):
        raise SettingsError(
            f"training.devices={devices}, but torchrun has started {place.processes} processes; "
            "leave training.devices out: under torchrun it is their number"
        )
    if place.processes % place.processes_here:
        raise SettingsError(
            f"torchrun has started {place.processes_here} of {place.processes} processes on this "
            "node; give every node the same --nproc-per-node"
        )
    return replace(settings, training=replace(settings.training, devices=place.processes))
