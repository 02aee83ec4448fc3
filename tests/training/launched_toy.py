"""Trainings for ``torchrun``: ``torchrun ... -m tests.training.launched_toy FOLDER``.

The first one meets a loss that is NaN, in one of its two processes alone. In the second training
the second process dies, as of a loss of power; it goes on in the next attempt.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import TrainingError
from roadgraph.schema import NO_LABEL
from roadgraph.settings import Settings
from roadgraph.training import loop
from roadgraph.training.checkpoints import EpochSeeds
from roadgraph.training.fit import fit
from roadgraph.training.torchrun import run_beside_others, with_processes_of_torchrun
from tests.dataset.toy import toy_dataset, toy_settings

WEIGHTS, STATES, FAULT, EPOCHS = "weights.pt", "states", "fault.txt", "epochs.txt"


def settings_for(size: str = "simple", norm: str = "batch", **training: object) -> Settings:
    """Return settings of three epochs in which nothing is drawn."""
    quick = {
        "max_epochs": 3, "device": "cpu", "batch_size": 63, "learning_rate": 0.01, "noise_std": 0,
        "hidden_share": 0.4,
    }  # fmt: skip
    return toy_settings(
        size=size, model={"name": "gcn", "norm": norm}, training={**quick, **training}
    )


def uneven_dataset() -> Dataset:
    """Return a dataset of which the halves of a batch have unlike numbers of labels."""
    dataset = toy_dataset(toy_settings(), slices=300)
    labels = dataset.labels
    odd = np.arange(300) % 2 == 1
    without = odd & (np.random.default_rng(0).random(300) < 0.7)
    congestion, speed = labels.congestion.copy(), labels.speed_kph.copy()
    congestion[without], speed[without] = NO_LABEL, np.nan
    return replace(dataset, labels=replace(labels, congestion=congestion, speed_kph=speed))


class Mortal(EpochSeeds):
    """Seeds as its base does, until the last epoch."""

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Die, or go on."""
        first_attempt = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
        if first_attempt and trainer.global_rank == 1 and trainer.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        super().on_train_epoch_start(trainer, module)


def main() -> None:
    """Train twice; the folder gets the message of the one, weights and epochs of the other."""
    folder = Path(sys.argv[1])
    dataset, settings = uneven_dataset(), with_processes_of_torchrun(settings_for())
    inputs = dataset.inputs.copy()
    inputs[60] = np.nan
    try:
        fit(replace(dataset, inputs=inputs), settings)
    except TrainingError as error:
        (folder / FAULT).write_text(str(error), "utf-8")

    def on_epoch(figures: dict[str, float]) -> None:
        with (folder / EPOCHS).open("a", encoding="utf-8") as file:
            file.write(f"{figures['epoch']:.0f}\n")

    trained = fit(dataset, settings, on_epoch, folder / STATES)
    torch.save(trained.model.state_dict(), folder / WEIGHTS)


if __name__ == "__main__":
    vars(loop)["EpochSeeds"] = Mortal
    run_beside_others(main)
