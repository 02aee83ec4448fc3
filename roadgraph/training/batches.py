"""Batches of origins; the windows themselves are gathered on the device, never copied a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


class OriginBatches(Sampler[torch.Tensor]):
    """Yields the origins of an epoch as tensors ``[B]``, in an order of the epoch or that of time.

    The order is a function of seed and epoch alone, so that a training can be taken up at any
    epoch. Several processes share each batch: process ``rank`` takes every ``processes``-th origin
    of it, so that together they see what one process would.

    Args:
        origins: ``[O]`` places in time.
        batch_size: ``B`` of all processes together.
        seed: of the order; None keeps the order of time.
        rank: of this process.
        processes: that share the batches; at most ``O``.
    """

    def __init__(
        self,
        origins: np.ndarray,
        batch_size: int,
        seed: int | None,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._origins = torch.from_numpy(origins)
        self._batch_size = max(batch_size, processes)
        self._seed = seed
        self._rank = rank
        self._processes = processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of ``epoch``; Lightning calls it before each one."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._sizes())

    def __iter__(self) -> Iterator[torch.Tensor]:
        """Go through this process's share of the origins once."""
        origins = self._origins[self.order(len(self._origins))]
        for batch in origins.split(self._sizes()):
            yield batch[self._rank :: self._processes]

    def order(self, count: int) -> torch.Tensor:
        """Return the numbers below ``count`` in the order of the epoch, or as they are."""
        if self._seed is None:
            return torch.arange(count)
        # A generator's seed has 64 bits: the epoch, below 2^20, goes beside the setting.
        chance = torch.Generator().manual_seed((self._seed << 20) + self._epoch)
        return torch.randperm(count, generator=chance)

    def _sizes(self) -> list[int]:
        """Return the sizes of the batches; none is too small for every process to have a part."""
        whole, left = divmod(len(self._origins), self._batch_size)
        sizes = [self._batch_size] * whole
        if left >= self._processes or not whole:
            return [*sizes, left] if left else sizes
        sizes[-1] += left
        return sizes


class _AsTheyAre(Dataset[Any]):
    """A dataset whose items are the batches of the sampler."""

    def __getitem__(self, index: Any) -> Any:
        return index


def loader_of(batches: Sampler[Any]) -> DataLoader[Any]:
    """Return a loader of ``batches``, read in this process."""
    # With a generator of its own a loader draws nothing from the one that noise comes from.
    return DataLoader(_AsTheyAre(), batch_size=None, sampler=batches, generator=torch.Generator())


def windows(
    inputs: torch.Tensor, origins: torch.Tensor, window: int, places: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the windows that end at ``origins``, ``[B, L, N, C]``, of ``inputs [T, N, C]``.

    One gather writes them segments first, ``[N, B, L, C]`` in memory, as the layers read them; what
    is returned is a view of that. With ``places [M]`` it is of these segments alone.
    """
    steps = origins[:, None] + torch.arange(1 - window, 1, device=origins.device)  # [B, L]
    if places is not None:
        chosen = inputs[steps.flatten(), places[:, None]]  # [M, B * L, C]
        return chosen.unflatten(1, steps.shape).permute(1, 2, 0, 3)
    gathered = inputs.new_empty((inputs.shape[1], steps.numel(), inputs.shape[2]))
    torch.index_select(inputs, 0, steps.flatten(), out=gathered.transpose(0, 1))
    return gathered.unflatten(1, steps.shape).permute(1, 2, 0, 3)
