"""Batches of origins; the windows themselves are gathered on the device, never copied a sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, IterableDataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


class OriginBatches(IterableDataset[torch.Tensor]):
    """Yields the origins of an epoch as tensors ``[B]``, in a new random order each time or not.

    Args:
        origins: ``[O]`` places in time.
        batch_size: ``B``.
        seed: of the order; None keeps the order of time.
    """

    def __init__(self, origins: np.ndarray, batch_size: int, seed: int | None) -> None:
        super().__init__()
        self._origins = torch.from_numpy(origins)
        self._batch_size = batch_size
        self._order = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Return the number of batches."""
        return math.ceil(len(self._origins) / self._batch_size)

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Go through the origins once."""
        origins = self._origins
        if self._order is not None:
            origins = origins[torch.randperm(len(origins), generator=self._order)]
        yield from origins.split(self._batch_size)


def origin_loader(origins: np.ndarray, batch_size: int, seed: int | None) -> DataLoader:
    """Return a loader of :class:`OriginBatches`, in this process."""
    return DataLoader(OriginBatches(origins, batch_size, seed), batch_size=None)


def windows(inputs: torch.Tensor, origins: torch.Tensor, window: int) -> torch.Tensor:
    """Return the windows that end at ``origins``, ``[B, L, N, C]``, of ``inputs [T, N, C]``."""
    steps = torch.arange(1 - window, 1, device=origins.device)
    return inputs[origins[:, None] + steps]
