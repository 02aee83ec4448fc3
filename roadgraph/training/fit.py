"""One training from untrained weights to the best ones."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint

from roadgraph.errors import SettingsError
from roadgraph.models.graph import Graph, road_graph
from roadgraph.models.registry import build_model
from roadgraph.training.batches import origin_loader
from roadgraph.training.module import ForecastModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        model: with the weights of the best epoch, on the CPU, ready to predict.
        graph: that it was trained on, on the CPU.
        history: losses and learning rate, one entry an epoch.
        best_epoch: place in ``history`` with the lowest validation loss.
        seconds: of training.
        device: on which it ran.
    """

    model: MultiTaskModel
    graph: Graph
    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    device: str


class _History(Callback):
    """Gathers the figures of every epoch and tells ``on_epoch`` about them."""

    def __init__(self, on_epoch: Callable[[dict[str, float]], None]) -> None:
        self.epochs: list[dict[str, float]] = []
        self._on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        del module
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.epochs.append({"epoch": trainer.current_epoch, **figures, "learning_rate": rate})
        self._on_epoch(self.epochs[-1])


def choose_device(device: str) -> str:
    """Return ``gpu`` or ``cpu`` for the setting ``training.device``.

    Raises:
        SettingsError: a GPU is asked for and there is none.
    """
    if device == "auto":
        return "gpu" if torch.cuda.is_available() else "cpu"
    if device == "gpu" and not torch.cuda.is_available():
        raise SettingsError("training.device=gpu: no GPU was found; use auto or cpu")
    return device


def fit(
    dataset: Dataset,
    settings: Settings,
    on_epoch: Callable[[dict[str, float]], None] = lambda figures: None,
) -> Trained:
    """Train the model that ``settings`` describe; stop early and keep the best weights.

    The best epoch is the one with the lowest loss on the validation span; the test span is not
    touched.

    Args:
        dataset: inputs, labels and splits.
        settings: ``model``, ``size`` and ``training`` are used.
        on_epoch: called with the figures of every finished epoch.
    """
    options = settings.training
    # Lightning announces seed and devices on its own loggers at level INFO.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric.utilities.seed").setLevel(logging.WARNING)
    pl.seed_everything(options.seed, verbose=False)
    model = build_model(
        settings.model,
        settings.size,
        dataset.preparation.channels,
        dataset.window,
        dataset.horizons,
    )
    graph = road_graph(dataset.graph, settings.model.graph, settings.model.self_loop_weight)
    reach = max(dataset.horizons)
    train = dataset.splits.train.origins(dataset.window, reach)
    validation = dataset.splits.validation.origins(dataset.window, reach)
    history = _History(on_epoch)
    device = choose_device(options.device)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="roadgraph-checkpoints-") as folder:
        best = ModelCheckpoint(folder, monitor="val_loss", save_weights_only=True)
        trainer = pl.Trainer(
            accelerator=device,
            devices=1,
            max_epochs=options.max_epochs,
            gradient_clip_val=options.clip_norm,
            callbacks=[EarlyStopping("val_loss", patience=options.patience), best, history],
            logger=False,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with warnings.catch_warnings():
            _expect_lightning_warnings()
            trainer.fit(
                ForecastModule(model, graph, dataset, options),
                origin_loader(train, options.batch_size, options.seed),
                origin_loader(validation, options.batch_size, None),
            )
        _load_best(model, Path(best.best_model_path))
    losses = [epoch["val_loss"] for epoch in history.epochs]
    return Trained(
        model.cpu().eval(),
        graph,
        history.epochs,
        losses.index(min(losses)),
        time.perf_counter() - started,
        device,
    )


def _load_best(model: MultiTaskModel, checkpoint: Path) -> None:
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)["state_dict"]
    model.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})


def _expect_lightning_warnings() -> None:
    """Silence what Lightning warns of and what is meant to be so here."""
    for expected in (
        ".*does not have many workers.*",  # windows are gathered on the device
        ".*GPU available but not used.*",  # training.device=cpu is a wish
        ".*`IterableDataset` has `__len__` defined.*",  # one process reads it
        ".*treespec.*",  # inside Lightning's own use of torch
    ):
        warnings.filterwarnings("ignore", message=expected, category=Warning)
