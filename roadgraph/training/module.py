"""The training step, as a Lightning module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.training.batches import windows
from roadgraph.training.losses import (
    class_weights,
    congestion_loss,
    rush_hour_loss,
    speed_loss,
)

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import TrainingSettings


class ForecastModule(pl.LightningModule):
    """A model with its data on the device; a batch is a tensor of origins.

    Args:
        model: what is trained.
        graph: the static graph.
        dataset: inputs and labels.
        settings: losses and optimiser.
    """

    inputs: torch.Tensor
    congestion: torch.Tensor
    rush_hour: torch.Tensor
    speed: torch.Tensor
    steps: torch.Tensor
    class_weight: torch.Tensor | None

    def __init__(
        self, model: MultiTaskModel, graph: Graph, dataset: Dataset, settings: TrainingSettings
    ) -> None:
        super().__init__()
        self.model = model
        self.graph = graph
        self.settings = settings
        self.window = dataset.window
        labels = dataset.labels
        preparation = dataset.preparation
        speed = (labels.speed_kph - preparation.speed_mean_kph) / preparation.speed_std_kph
        train = slice(0, dataset.splits.train.stop)
        weights = class_weights(
            torch.from_numpy(labels.congestion[train]),
            len(CONGESTION_CLASSES),
            settings.class_weights,
        )
        for name, value in {
            "inputs": torch.from_numpy(dataset.inputs),
            "congestion": torch.from_numpy(labels.congestion).long(),
            "rush_hour": torch.from_numpy(labels.rush_hour).long(),
            "speed": torch.from_numpy(speed),
            "steps": torch.tensor(dataset.horizons),
            "class_weight": weights,
        }.items():
            # The data moves to the device with the model, but is no part of what is saved.
            self.register_buffer(name, value, persistent=False)

    def setup(self, stage: str) -> None:
        """Bring the graph to where the model goes."""
        del stage
        self.graph = self.graph.to(self.trainer.strategy.root_device)

    def training_step(self, origins: torch.Tensor, index: int) -> torch.Tensor:
        """Return the loss of a batch with noise on its inputs."""
        del index
        x = windows(self.inputs, origins, self.window)
        if self.settings.noise_std:
            x = x + self.settings.noise_std * torch.randn_like(x)
        return self._loss(x, origins, "train")

    def validation_step(self, origins: torch.Tensor, index: int) -> torch.Tensor:
        """Return the loss of a batch."""
        del index
        return self._loss(windows(self.inputs, origins, self.window), origins, "val")

    def _loss(self, x: torch.Tensor, origins: torch.Tensor, stage: str) -> torch.Tensor:
        answers = self.model(x, self.graph)
        targets = origins[:, None] + self.steps
        losses = {}
        if "congestion" in answers:
            losses["congestion"] = self.settings.congestion_weight * congestion_loss(
                answers["congestion"], self.congestion[targets], self.class_weight
            )
        if "rush_hour" in answers:
            losses["rush_hour"] = self.settings.rush_hour_weight * rush_hour_loss(
                answers["rush_hour"], self.rush_hour[targets]
            )
        if "speed" in answers:
            losses["speed"] = self.settings.speed_weight * speed_loss(
                answers["speed"], self.speed[targets]
            )
        total = torch.stack(list(losses.values())).sum()
        shown = {f"{stage}_loss": total, **{f"{stage}_{key}": loss for key, loss in losses.items()}}
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=len(origins))
        return total

    def configure_optimizers(self) -> Any:
        """Return AdamW and the plateau schedule on the validation loss."""
        settings = self.settings
        optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            factor=settings.lr_factor,
            patience=settings.lr_patience,
            min_lr=settings.lr_floor,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"},
        }
