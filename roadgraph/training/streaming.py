"""Data that stay on the host: what a step reads is sent while the step before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch.utils.data import DataLoader, Sampler

    from roadgraph.training.data import StepData, TrainingData
    from roadgraph.training.tiling import TileOrigins

DEVICE_SHARE = 0.5
"""Of a GPU's free memory; data that take more stay on the host, as the steps need memory too."""


class Sent(NamedTuple):
    """A batch and what its step reads.

    Attributes:
        batch: origins, or a tile and origins.
        data: on the device of the training.
    """

    batch: torch.Tensor | TileOrigins
    data: StepData


def stays_on_host(data: TrainingData, wish: str, device: str) -> bool:
    """Return whether the setting ``training.data_on`` leaves the data on the host.

    Args:
        data: of the training.
        wish: the setting; ``auto`` leaves there what is larger than ``DEVICE_SHARE`` allows.
        device: ``cpu`` or ``gpu``.
    """
    if wish != "auto" or device == "cpu":
        return wish == "host"
    free_bytes, _ = torch.cuda.mem_get_info()
    return data.nbytes > DEVICE_SHARE * free_bytes


class StreamedBatches:
    """The batches of a loader with their data; Lightning takes it for a loader.

    On a GPU a batch goes through pinned memory on a stream of its own, one ahead of the step that
    runs, so that at most three of them are there at a time, however large the dataset is.

    Args:
        loader: yields batches.
        read: gives what the step of a batch reads, on the host.
        device: gives the device of the training once it runs.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        read: Callable[[torch.Tensor | TileOrigins], StepData],
        device: Callable[[], torch.device],
    ) -> None:
        self._loader = loader
        self._read = read
        self._device = device
        # Lightning tells it the epoch, and asks for both.
        self.sampler: Sampler[Any] | Any = loader.sampler
        self.batch_sampler = None

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._loader)

    def __iter__(self) -> Iterator[Sent]:
        """Yield every batch when the next one is on its way."""
        device = self._device()
        if device.type != "cuda":
            for batch in self._loader:
                yield Sent(batch, self._read(batch))
            return
        ahead: tuple[Sent, torch.cuda.Event] | None = None
        copies = torch.cuda.Stream(device)
        for batch in self._loader:
            following = self._send(batch, device, copies)
            if ahead is not None:
                yield _arrived(*ahead, device)
            ahead = following
        if ahead is not None:
            yield _arrived(*ahead, device)

    def _send(
        self, batch: torch.Tensor | TileOrigins, device: torch.device, copies: torch.cuda.Stream
    ) -> tuple[Sent, torch.cuda.Event]:
        host = self._read(batch)
        with torch.cuda.stream(copies):
            sent = host.changed(lambda part: part.pin_memory().to(device, non_blocking=True))
            return Sent(batch, sent), copies.record_event()


def _arrived(sent: Sent, arrival: torch.cuda.Event, device: torch.device) -> Sent:
    """Let the training's stream wait for the copy, and the memory for the training."""
    stream = torch.cuda.current_stream(device)
    stream.wait_event(arrival)
    for part in sent.data:
        if part is not None:
            part.record_stream(stream)
    return sent
