"""The training step, as a Lightning module."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytorch_lightning as pl
import torch

from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.training.data import StepData, TrainingData
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
from roadgraph.training.streaming import Sent
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
        # What is not hidden is read off the input where the target is the newest slice itself.
        self.hidden_alone = dataset.task == "estimate_hidden"
        weights = {task: getattr(settings, f"{task}_weight") for task in model.tasks}
        self.weighing = tuple(task for task in weights if weights[task])
        self.fixed_weights = TaskWeights(weights, learned=False)
        self.task_weights = TaskWeights(weights, learned=settings.task_weights == "uncertainty")
        self.data = TrainingData(dataset, settings)
        self.on_host: list[TrainingData] = []
        train = slice(0, dataset.splits.train.stop)
        weight = class_weights(
            torch.from_numpy(dataset.labels.congestion[train]),
            len(CONGESTION_CLASSES),
            settings.class_weights,
        )
        self.register_buffer("class_weight", weight, persistent=False)

    def leave_data_on_host(self) -> None:
        """Keep the data from going to the device; batches then come as ``Sent``."""
        self._tiles_on_host = self.tiles
        self.on_host.append(self.data)  # a list is not looked into when a module moves
        del self.data

    def read_on_host(self, batch: torch.Tensor | TileOrigins) -> StepData:
        """Return what the step of ``batch`` reads of data that were left on the host."""
        tile, origins = _tile_and_origins(batch, self._tiles_on_host)
        return self.on_host[0].of(origins, tile)

    def setup(self, stage: str) -> None:
        """Bring the tiles of the graph to where the model goes."""
        del stage
        self.tiles = tuple(tile.to(self.trainer.strategy.root_device) for tile in self.tiles)

    def training_step(self, batch: torch.Tensor | TileOrigins | Sent, index: int) -> torch.Tensor:
        """Return the loss of a batch with noise on its inputs and some segments hidden."""
        del index
        step = self._step(batch, f"{self.settings.seed} {self.current_epoch}")
        if self.settings.noise_std:
            # What was gathered is this step's own.
            step.x.add_(torch.randn_like(step.x), alpha=self.settings.noise_std)
        return self._loss("train", self.task_weights, step)

    def validation_step(self, batch: torch.Tensor | TileOrigins | Sent, index: int) -> torch.Tensor:
        """Return the loss of a batch, with the same segments hidden in every epoch.

        The tasks always weigh what the settings say, so that epochs can be compared.
        """
        del index
        return self._loss("val", self.fixed_weights, self._step(batch, "validation"))

    def _step(self, batch: torch.Tensor | TileOrigins | Sent, chance: str) -> _Step:
        """Return what is known of a batch, some segments hidden.

        What is hidden is a function of ``chance``, the origin and the segment alone, whatever else
        is in the batch and whichever process or device has it.
        """
        sent = None
        if isinstance(batch, Sent):
            batch, sent = batch
        tile, origins = _tile_and_origins(batch, self.tiles)
        data = self.data.of(origins, tile) if sent is None else sent
        if data.unseen is None:
            return _Step(data.x, tile, data, None)
        places = tile.places
        if places is None:
            places = torch.arange(data.x.shape[2], device=data.x.device)
        hidden = shares(chance, origins, places) < self.settings.hidden_share
        x = torch.where(hidden[:, None, :, None], data.unseen, data.x)
        return _Step(x, tile, data, hidden)

    def _loss(self, stage: str, weights: TaskWeights, step: _Step) -> torch.Tensor:
        """Return the loss of a batch, and show it with that of every task.

        In the mean of an epoch, tiles count as much as they have segments.
        """
        cells = len(step.x) * (step.tile.own or 1)
        losses, batch = _of_all_processes(self._losses(step), cells)
        total: torch.Tensor = weights(losses)
        self._show(stage, total, {task: loss.mean() for task, loss in losses.items()}, batch)
        return total

    def _losses(self, step: _Step) -> dict[str, CellLoss]:
        """Return the loss of every task that weighs anything, of this process's cells."""
        x, tile, data, hidden = step
        answers = {name: answer[:, :, : tile.own] for name, answer in self.model(x, tile).items()}
        weight = data.quality  # [B, H, N]
        if self.hidden_alone and hidden is not None:
            only = hidden[:, None, : tile.own].expand(data.speed.shape).to(x.dtype)
            weight = only if weight is None else weight * only
        losses = {}
        if "congestion" in self.weighing:
            losses["congestion"] = congestion_loss(
                answers["congestion"],
                data.congestion.long(),
                self.class_weight,
                weight,
                self.settings.focal_gamma,
                self.settings.label_smoothing,
            )
        if "rush_hour" in self.weighing:
            losses["rush_hour"] = rush_hour_loss(answers["rush_hour"], data.rush_hour.long())
        if "speed" in self.weighing:
            speed = data.speed
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


class _Step(NamedTuple):
    """What is known of a batch: inputs ``[B, L, N, C]``, tile, data, what is hidden ``[B, N]``."""

    x: torch.Tensor
    tile: Graph
    data: StepData
    hidden: torch.Tensor | None


def _tile_and_origins(
    batch: torch.Tensor | TileOrigins, tiles: tuple[Graph, ...]
) -> tuple[Graph, torch.Tensor]:
    if isinstance(batch, TileOrigins):
        return tiles[batch.tile], batch.origins
    return tiles[0], batch


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
