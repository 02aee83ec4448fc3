"""A trace of the first steps, for chrome://tracing or ui.perfetto.dev."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback
from torch.profiler import ProfilerActivity, profile

from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytorch_lightning as pl

logger = logging.getLogger(__name__)

TRACED_STEPS = 10
"""Batches from the first on that a trace shows."""


class StepTrace(Callback):
    """Records operators, kernels and memory of the first steps.

    Args:
        path: of the trace, written when the steps are over or the training ends before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = TRACED_STEPS
        self._profiler: profile | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begin."""
        del trainer, module
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self._profiler = profile(activities=activities, profile_memory=True)
        self._profiler.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """End with the last of the steps."""
        del trainer, module, outputs, batch, index
        self._left -= 1
        if self._left == 0:
            self._finish()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """End a shorter training."""
        del trainer, module
        self._finish()

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Record no more after an error; write nothing then."""
        del trainer, module, stage
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None

    def _finish(self) -> None:
        if self._profiler is None:
            return
        self._profiler.stop()
        with whole_file(self._path) as path:
            self._profiler.export_chrome_trace(str(path))
        self._profiler = None
        logger.info("the trace of the first steps is in %s", self._path)
