"""The training step, as a Lightning module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from roadgraph.schema import CONGESTION_CLASSES, MEASURED_FEATURES
from roadgraph.training.batches import windows
from roadgraph.training.losses import (
    TaskWeights,
    class_weights,
    congestion_loss,
    interval_loss,
    rush_hour_loss,
    speed_loss,
)
from roadgraph.training.optimisers import make_optimizer

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
    unseen_inputs: torch.Tensor | None
    congestion: torch.Tensor
    rush_hour: torch.Tensor
    speed: torch.Tensor
    quality: torch.Tensor | None
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
        # What is not hidden is read off the input where the target is the newest slice itself.
        self.hidden_alone = dataset.task == "estimate_hidden"
        weights = {task: getattr(settings, f"{task}_weight") for task in model.tasks}
        self.fixed_weights = TaskWeights(weights, learned=False)
        self.task_weights = TaskWeights(weights, learned=settings.task_weights == "uncertainty")
        labels = dataset.labels
        preparation = dataset.preparation
        speed = (labels.speed_kph - preparation.speed_mean_kph) / preparation.speed_std_kph
        train = slice(0, dataset.splits.train.stop)
        quality = dataset.grid.measured[:, :, MEASURED_FEATURES.index("quality_score")]
        for name, value in {
            "inputs": torch.from_numpy(dataset.inputs),
            "unseen_inputs": (
                torch.from_numpy(dataset.unseen_inputs) if settings.hidden_share else None
            ),
            "congestion": torch.from_numpy(labels.congestion).long(),
            "rush_hour": torch.from_numpy(labels.rush_hour).long(),
            "speed": torch.from_numpy(speed),
            "quality": torch.from_numpy(quality).nan_to_num() if settings.quality_weights else None,
            "steps": torch.tensor(dataset.horizons),
            "class_weight": class_weights(
                torch.from_numpy(labels.congestion[train]),
                len(CONGESTION_CLASSES),
                settings.class_weights,
            ),
        }.items():
            # The data moves to the device with the model, but is no part of what is saved.
            self.register_buffer(name, value, persistent=False)

    def setup(self, stage: str) -> None:
        """Bring the graph to where the model goes."""
        del stage
        self.graph = self.graph.to(self.trainer.strategy.root_device)

    def training_step(self, origins: torch.Tensor, index: int) -> torch.Tensor:
        """Return the loss of a batch with noise on its inputs and some segments hidden."""
        del index
        x, hidden = self._hide(windows(self.inputs, origins, self.window), origins, None)
        if self.settings.noise_std:
            x = x + self.settings.noise_std * torch.randn_like(x)
        losses = self._losses(x, origins, hidden)
        total = self.task_weights(losses)
        self._show("train", total, losses, len(origins))
        return total

    def validation_step(self, origins: torch.Tensor, index: int) -> torch.Tensor:
        """Return the loss of a batch, with the same segments hidden in every epoch.

        The tasks always weigh what the settings say, so that epochs can be compared.
        """
        x = windows(self.inputs, origins, self.window)
        x, hidden = self._hide(x, origins, torch.Generator().manual_seed(index))
        losses = self._losses(x, origins, hidden)
        total = self.fixed_weights(losses)
        self._show("val", total, losses, len(origins))
        return total

    def _hide(
        self, x: torch.Tensor, origins: torch.Tensor, chance: torch.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return ``x`` as if some segments had never been observed, and which, ``[B, N]``."""
        if self.unseen_inputs is None:
            return x, None
        batch, _, segments, _ = x.shape
        # Drawn on the CPU, so that a seed hides the same segments on every device.
        hidden = torch.rand(batch, segments, generator=chance) < self.settings.hidden_share
        hidden = hidden.to(x.device)
        unseen = windows(self.unseen_inputs, origins, self.window)
        return torch.where(hidden[:, None, :, None], unseen, x), hidden

    def _losses(
        self, x: torch.Tensor, origins: torch.Tensor, hidden: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        """Return the loss of every task."""
        answers = self.model(x, self.graph)
        targets = origins[:, None] + self.steps
        weight = None if self.quality is None else self.quality[targets]  # [B, H, N]
        if self.hidden_alone and hidden is not None:
            only = hidden[:, None].expand(-1, len(self.steps), -1).to(x.dtype)
            weight = only if weight is None else weight * only
        losses = {}
        if "congestion" in answers:
            losses["congestion"] = congestion_loss(
                answers["congestion"],
                self.congestion[targets],
                self.class_weight,
                weight,
                self.settings.focal_gamma,
                self.settings.label_smoothing,
            )
        if "rush_hour" in answers:
            losses["rush_hour"] = rush_hour_loss(answers["rush_hour"], self.rush_hour[targets])
        if "speed" in answers:
            speed = self.speed[targets]
            losses["speed"] = speed_loss(
                answers["speed"], speed, self.settings.speed_loss, weight
            ) + interval_loss(answers["speed_interval"], speed, weight)
        return losses

    def _show(
        self, stage: str, total: torch.Tensor, losses: dict[str, torch.Tensor], batch: int
    ) -> None:
        shown: dict[str, Any] = {
            f"{stage}_loss": total,
            **{f"{stage}_{key}": loss for key, loss in losses.items()},
        }
        if stage == "train" and self.settings.task_weights == "uncertainty":
            shown |= {f"weight_{task}": self.task_weights.weight(task) for task in losses}
        # Lightning takes the mean size of the processes' batches in whole numbers.
        size = batch * self.trainer.world_size
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser; :mod:`roadgraph.training.schedules` changes its learning rate.

        No weight decay pulls the weights of the tasks.
        """
        return make_optimizer(
            self.model.parameters(), self.settings, self.task_weights.parameters()
        )
