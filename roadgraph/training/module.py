"""The training step, as a Lightning module."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from roadgraph.schema import CONGESTION_CLASSES, MEASURED_FEATURES
from roadgraph.training.batches import windows
from roadgraph.training.losses import (
    CellLoss,
    TaskWeights,
    class_weights,
    congestion_loss,
    interval_loss,
    rush_hour_loss,
    speed_loss,
)
from roadgraph.training.optimisers import make_optimizer
from roadgraph.training.tiling import TileOrigins, tiles_of_graph

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import TrainingSettings


class ForecastModule(pl.LightningModule):
    """A model with its data on the device; a batch is a tensor of origins.

    With ``training.tile_segments`` it is such a tensor and a tile of the road graph
    (:class:`~roadgraph.training.tiling.TileOrigins`): the model is given the tile with its halo,
    and the losses are those of the tile's own segments.

    A task of weight 0 has no loss, neither in the step nor in what is shown.

    Where several processes share a batch, a loss is a mean over the cells of all of them: each
    divides the sum over its own cells by the weight of all, times the number of processes, so that
    the mean of the processes' losses and gradients is what one process would have.

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
        self.tiles = tiles_of_graph(
            model, graph, dataset.graph, settings.tile_segments, settings.devices
        )
        self.settings = settings
        self.window = dataset.window
        # What is not hidden is read off the input where the target is the newest slice itself.
        self.hidden_alone = dataset.task == "estimate_hidden"
        weights = {task: getattr(settings, f"{task}_weight") for task in model.tasks}
        self.weighing = tuple(task for task in weights if weights[task])
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
            "congestion": torch.from_numpy(labels.congestion),
            "rush_hour": torch.from_numpy(labels.rush_hour),
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
        """Bring the tiles of the graph to where the model goes."""
        del stage
        self.tiles = tuple(tile.to(self.trainer.strategy.root_device) for tile in self.tiles)

    def training_step(self, batch: torch.Tensor | TileOrigins, index: int) -> torch.Tensor:
        """Return the loss of a batch with noise on its inputs and some segments hidden."""
        del index
        tile, origins = self._tile_and_origins(batch)
        x = windows(self.inputs, origins, self.window, tile.places)
        x, hidden = self._hide(x, origins, tile, f"{self.settings.seed} {self.current_epoch}")
        if self.settings.noise_std:
            x = x.add_(torch.randn_like(x), alpha=self.settings.noise_std)
        return self._loss("train", self.task_weights, x, origins, tile, hidden)

    def validation_step(self, batch: torch.Tensor | TileOrigins, index: int) -> torch.Tensor:
        """Return the loss of a batch, with the same segments hidden in every epoch.

        The tasks always weigh what the settings say, so that epochs can be compared.
        """
        del index
        tile, origins = self._tile_and_origins(batch)
        x = windows(self.inputs, origins, self.window, tile.places)
        x, hidden = self._hide(x, origins, tile, "validation")
        return self._loss("val", self.fixed_weights, x, origins, tile, hidden)

    def _tile_and_origins(self, batch: torch.Tensor | TileOrigins) -> tuple[Graph, torch.Tensor]:
        if isinstance(batch, TileOrigins):
            return self.tiles[batch.tile], batch.origins
        return self.tiles[0], batch

    def _hide(
        self, x: torch.Tensor, origins: torch.Tensor, tile: Graph, chance: str
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return ``x`` as if some segments had never been observed, and which, ``[B, N]``.

        What is hidden is a function of ``chance``, the origin and the segment alone, whatever else
        is in the batch and whichever process or device has it.
        """
        if self.unseen_inputs is None:
            return x, None
        places = tile.places
        if places is None:
            places = torch.arange(x.shape[2], device=x.device)
        hidden = shares(chance, origins, places) < self.settings.hidden_share
        unseen = windows(self.unseen_inputs, origins, self.window, tile.places)
        return torch.where(hidden[:, None, :, None], unseen, x), hidden

    def _loss(
        self,
        stage: str,
        weights: TaskWeights,
        x: torch.Tensor,
        origins: torch.Tensor,
        tile: Graph,
        hidden: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the loss of a batch, and show it with that of every task.

        In the mean of an epoch, tiles count as much as they have segments.
        """
        losses, batch = _of_all_processes(
            self._losses(x, origins, tile, hidden), len(origins) * (tile.own or 1)
        )
        total: torch.Tensor = weights(losses)
        self._show(stage, total, {task: loss.mean() for task, loss in losses.items()}, batch)
        return total

    def _losses(
        self, x: torch.Tensor, origins: torch.Tensor, tile: Graph, hidden: torch.Tensor | None
    ) -> dict[str, CellLoss]:
        """Return the loss of every task that weighs anything, of this process's cells."""
        answers = {name: answer[:, :, : tile.own] for name, answer in self.model(x, tile).items()}
        targets = origins[:, None] + self.steps
        cells = _cells(targets, tile)
        weight = None if self.quality is None else self.quality[cells]  # [B, H, N]
        if self.hidden_alone and hidden is not None:
            only = hidden[:, None, : tile.own].expand(-1, len(self.steps), -1).to(x.dtype)
            weight = only if weight is None else weight * only
        losses = {}
        if "congestion" in self.weighing:
            losses["congestion"] = congestion_loss(
                answers["congestion"],
                self.congestion[cells].long(),
                self.class_weight,
                weight,
                self.settings.focal_gamma,
                self.settings.label_smoothing,
            )
        if "rush_hour" in self.weighing:
            losses["rush_hour"] = rush_hour_loss(
                answers["rush_hour"], self.rush_hour[targets].long()
            )
        if "speed" in self.weighing:
            speed = self.speed[cells]
            middle = speed_loss(answers["speed"], speed, self.settings.speed_loss, weight)
            ends = interval_loss(answers["speed_interval"], speed, weight)
            losses["speed"] = CellLoss(middle.total + ends.total, middle.weight)
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
        # ``batch`` is that of all processes: they must agree on it, or the mean would be another.
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=batch, sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimiser; :mod:`roadgraph.training.schedules` changes its learning rate.

        No weight decay pulls the weights of the tasks.
        """
        return make_optimizer(
            self.model.parameters(), self.settings, self.task_weights.parameters()
        )


def _cells(targets: torch.Tensor, tile: Graph) -> tuple[torch.Tensor, ...]:
    """Return what picks the tile's own cells at ``targets [B, H]`` out of ``[T, N]``."""
    if tile.places is None:
        return (targets,)
    return targets[:, :, None], tile.places[: tile.own]


def shares(chance: str, origins: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return numbers ``[B, N]`` as if drawn evenly from 0 up to 1, a cell each.

    They are functions of ``chance``, the origin and the place of the segment, in whole numbers on
    the device, so that they agree between processes and devices and nothing waits for the device.

    Args:
        chance: in the place of a seed.
        origins: ``[B]``.
        places: ``[N]`` of the segments in the network.
    """
    seed = int.from_bytes(hashlib.sha256(chance.encode()).digest()[:4], "little")
    of_origin = _mixed(_mixed(origins) ^ seed)  # [B]
    # 24 bits fit into a float32 exactly.
    return (_mixed(of_origin[:, None] ^ _mixed(places)) >> 8) / 2.0**24


def _mixed(number: torch.Tensor) -> torch.Tensor:
    """Return another number of 32 bits for every number of 32 bits, without any order left.

    The multiplicative hash of T. Mueller, https://stackoverflow.com/a/12996028; its factor is small
    enough for 64 bits never to overflow.
    """
    for _ in range(2):
        number = ((number >> 16) ^ number) * 0x45D9F3B & 0xFFFFFFFF
    return (number >> 16) ^ number


def _of_all_processes(losses: dict[str, CellLoss], batch: int) -> tuple[dict[str, CellLoss], int]:
    """Return losses whose mean over the processes is that over all cells, and all batches' size."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return losses, batch
    weights = [loss.weight for loss in losses.values()]
    together = torch.stack([*weights, torch.full_like(weights[0], batch)])
    torch.distributed.all_reduce(together)
    count = torch.distributed.get_world_size()
    *weights, whole = together.unbind()
    found = {
        task: CellLoss(count * loss.total, weight)
        for (task, loss), weight in zip(losses.items(), weights, strict=True)
    }
    return found, int(whole)
