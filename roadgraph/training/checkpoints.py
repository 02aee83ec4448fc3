"""The history of a training, its best weights, and the state from which it can be taken up."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.callbacks.checkpoint import Checkpoint

from roadgraph.training.averaging import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.settings import Settings
    from roadgraph.training.averaging import Averaging
    from roadgraph.training.schedules import RateSchedule
    from roadgraph.training.watch import Watch

logger = logging.getLogger(__name__)

PART = ".part"
"""Suffix of a state while it is being written."""

NOT_OF_THE_NUMBERS = (
    "device",
    "resume",
    "profile",
    "decision",
    "temperature",
    "data_on",
    "compile",
    "keep_memory",
)
"""Settings of training with which an interrupted training may go on after they were changed.

``device``, ``compile``: a training may move to another machine, though its numbers then differ in
the last digits. ``decision`` and ``temperature`` come after it. ``max_epochs`` is not among them:
most schedules and the mean of the last quarter depend on it.
"""


def training_fingerprint(dataset: Dataset, settings: Settings) -> str:
    """Return a text that two trainings share only when one can go on where the other stopped.

    It covers the settings of model and training, the versions of PyTorch and Lightning, and every
    array that a training reads.
    """
    training = asdict(settings.training)
    for name in NOT_OF_THE_NUMBERS:
        del training[name]
    described = {
        "model": asdict(settings.model),
        "size": settings.size,
        "task": settings.task,
        "training": training,
        "horizons": dataset.horizons,
        "window": dataset.window,
        "splits": asdict(dataset.splits),
        "channels": list(dataset.preparation.channels),
        "versions": [torch.__version__, version("pytorch-lightning")],
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
    roads, labels = dataset.graph, dataset.labels
    for array in (
        dataset.inputs, labels.congestion, labels.rush_hour, labels.speed_kph,
        dataset.grid.measured, roads.source, roads.target, roads.weight,
        *((dataset.unseen_inputs,) if settings.training.hidden_share else ()),
        *places_of_tiles(dataset, settings),
    ):  # fmt: skip
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(memoryview(np.ascontiguousarray(array).data).cast("B"))
    return digest.hexdigest()


def places_of_tiles(dataset: Dataset, settings: Settings) -> tuple[np.ndarray, ...]:
    """Return what else tiles of the road graph depend on."""
    midpoints_m = dataset.graph.midpoints_m
    return () if midpoints_m is None or not settings.training.tile_segments else (midpoints_m,)


def checkpoint_path(folder: Path, fingerprint: str) -> Path:
    """Return where the state of a training stands; trainings that differ have files that differ."""
    return folder / f"training-{fingerprint[:16]}.ckpt"


def forget(path: Path) -> None:
    """Delete the state of a training that is complete, and what a kill left half written."""
    path.unlink(missing_ok=True)
    path.with_suffix(PART).unlink(missing_ok=True)


def usable_checkpoint(path: Path, fingerprint: str) -> bool:
    """Return whether ``path`` holds a state of this training; a damaged file is told of."""
    if not path.is_file():
        return False
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
        found = state["callbacks"][Progress.__qualname__]["fingerprint"]
    # The reader of a damaged file raises whatever the damage leads to.
    except Exception as error:
        logger.warning("%s cannot be read (%s): the training starts anew", path, error)
        return False
    return bool(found == fingerprint)


class EpochSeeds(Callback):
    """Seeds Python, NumPy and PyTorch anew for every epoch.

    Noise, dropout and hiding are then functions of the seed, the epoch and the process, and a
    training that is taken up needs no state of a generator.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Seed all generators."""
        del module
        text = f"{self._seed} {trainer.current_epoch} {trainer.global_rank}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
        pl.seed_everything(number, verbose=False)


class LastEpoch(Callback):
    """Ends a training after so many epochs, while schedules go by ``max_epochs``."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop after the last epoch."""
        del module
        trainer.should_stop = trainer.should_stop or trainer.current_epoch + 1 >= self._epochs


class Progress(Checkpoint):
    """What remains of every epoch; the last to act at its end, when all else has its new state.

    It adds the figures to the history, keeps the best weights, saves the state of the training
    and then tells ``on_epoch``.

    Attributes:
        history: figures, one entry an epoch.
        best: weights of the epoch with the lowest validation loss, or of the last one.
        seconds: that the epochs took, also those before a training was taken up.

    Args:
        on_epoch: called with the figures of every finished epoch.
        rate: the learning rate.
        averaging: what is validated.
        watch: figures of gradients and units.
        path: of the state; None saves none.
        fingerprint: of the training.
        last: keep the weights of the last epoch, whatever its loss.
    """

    def __init__(
        self,
        on_epoch: Callable[[dict[str, float]], None],
        rate: RateSchedule,
        averaging: Averaging,
        watch: Watch,
        path: Path | None,
        fingerprint: str,
        last: bool = False,
    ) -> None:
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.seconds = 0.0
        self._last = last
        self._on_epoch = on_epoch
        self._rate = rate
        self._averaging = averaging
        self._watch = watch
        self._path = path
        self._fingerprint = fingerprint
        self._best_loss = float("inf")
        self._stopped = False

    @property
    def state_key(self) -> str:
        """The name in the state of the training."""
        return type(self).__qualname__

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Train no further where early stopping had ended the training that is taken up."""
        del module
        trainer.should_stop = self._stopped
        self._began = time.perf_counter() - self.seconds

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Note, keep, save and tell."""
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        figures |= {"learning_rate": self._rate.rate, **self._watch.figures()}
        self.history.append({"epoch": trainer.current_epoch, **figures})
        if self._last or figures["val_loss"] < self._best_loss:
            self._best_loss = figures["val_loss"]
            assert isinstance(module.model, torch.nn.Module)
            self.best = weights_of(self._averaging.validated(module.model))
        self._stopped = trainer.should_stop
        self.seconds = time.perf_counter() - self._began
        if self._path is not None:
            self._save(trainer, self._path)
        self._on_epoch(self.history[-1])

    def _save(self, trainer: pl.Trainer, path: Path) -> None:
        """Save in one move; of several processes all must call, and the first writes."""
        part = path.with_suffix(PART)
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            part.replace(path)

    def state_dict(self) -> dict[str, Any]:
        """Return what a training that is taken up goes on with."""
        return {
            "fingerprint": self._fingerprint,
            "history": self.history,
            "best": self.best,
            "best_loss": self._best_loss,
            "stopped": self._stopped,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.history = state_dict["history"]
        self.best = state_dict["best"]
        self._best_loss = state_dict["best_loss"]
        self._stopped = state_dict["stopped"]
        self.seconds = state_dict["seconds"]
