"""The training loop of one process: Lightning's trainer with all that watches it."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from pytorch_lightning.strategies import DDPStrategy

from roadgraph.dataset.splits import Span
from roadgraph.models.graph import road_graph
from roadgraph.models.registry import build_model
from roadgraph.training.averaging import Averaging, BatchNormPass, batch_norms
from roadgraph.training.batches import OriginBatches, loader_of
from roadgraph.training.checkpoints import EpochSeeds, LastEpoch, Progress, usable_checkpoint
from roadgraph.training.compilation import Compilation, compile_mode
from roadgraph.training.memory import keep_freed_memory
from roadgraph.training.module import ForecastModule
from roadgraph.training.nonfinite import FiniteLoss
from roadgraph.training.profiling import StepTrace
from roadgraph.training.schedules import RateSchedule
from roadgraph.training.streaming import StreamedBatches, stays_on_host
from roadgraph.training.tiling import TileBatches
from roadgraph.training.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from torch.utils.data import DataLoader, Sampler

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings, TrainingSettings

logger = logging.getLogger(__name__)

PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}

SELF_CHECK_STEPS = 600
"""Steps of the optimiser that a self-check has at least, before anything stops it."""

LIGHTNING_LOGGERS = (
    "pytorch_lightning.utilities.rank_zero",
    "pytorch_lightning.trainer.connectors.checkpoint_connector",
    "lightning_fabric.utilities",
)
"""Where Lightning announces devices, processes and how it reads a checkpoint, at level INFO."""


@dataclass(frozen=True)
class TrainingJob:
    """All that a training process needs.

    Attributes:
        dataset: inputs, labels and splits.
        settings: as they are in force (:func:`settings_in_force`).
        device: ``cpu`` or ``gpu``.
        checkpoint: file of the state; None keeps none.
        fingerprint: of the training.
        trace: file for the trace of the first steps; None writes none.
        refit_epochs: train on the training and the validation span for so many epochs and keep the
            last weights; None: train on the one, validate on the other and keep the best.
    """

    dataset: Dataset
    settings: Settings
    device: str
    checkpoint: Path | None = None
    fingerprint: str = ""
    trace: Path | None = None
    refit_epochs: int | None = None

    @property
    def origins(self) -> tuple[np.ndarray, np.ndarray]:
        """Where to train and where to validate, the same few batches in a self-check."""
        options, reach = self.settings.training, max(self.dataset.horizons)
        splits, window = self.dataset.splits, self.dataset.window
        train = splits.train.origins(window, reach)
        if options.overfit_batches:
            train = train[: options.overfit_batches * options.batch_size]
            return train, train
        if self.refit_epochs is not None:
            train = Span(splits.train.start, splits.validation.stop).origins(window, reach)
        return train, splits.validation.origins(window, reach)


@dataclass(frozen=True)
class Outcome:
    """What a training process hands back: history, weights to keep (on the CPU), time it took."""

    history: list[dict[str, float]]
    weights: dict[str, torch.Tensor]
    seconds: float


def settings_in_force(settings: Settings) -> Settings:
    """Return ``settings`` so that a self-check, where one is asked for, can learn by heart.

    Nothing is drawn (noise, dropout, hiding), nothing pulls the answers or the weights away from
    what fits best (label smoothing, weight decay, averages), the learning rate stays as it is set,
    and there are ``SELF_CHECK_STEPS`` steps before early stopping may end it.
    """
    options = settings.training
    if not options.overfit_batches:
        return settings
    steps = -(-options.overfit_batches // batches_a_step(options, options.overfit_batches))
    epochs = -(-SELF_CHECK_STEPS // steps)
    return replace(
        settings,
        model=replace(settings.model, dropout=0.0),
        training=replace(
            options,
            noise_std=0.0,
            hidden_share=0.0,
            label_smoothing=0.0,
            weight_decay=0.0,
            averaging="none",
            schedule="constant",
            max_epochs=max(options.max_epochs, epochs),
            patience=max(options.patience, epochs),
            refit=False,
        ),
    )


def batches_a_step(options: TrainingSettings, batches: int) -> int:
    """Return how many of an epoch's ``batches`` add up their gradients for a step.

    It is ``training.accumulate``, but not more than there are. Lightning divides every batch's
    gradient by this number, and makes a step at the end of the epoch with whatever is left: the
    gradient of an incomplete last group is smaller by as much as the group is, so that every batch
    counts alike. Adam and its kin, which go by the direction, hardly notice.
    """
    return min(options.accumulate, batches)


def untrained(job: TrainingJob) -> tuple[MultiTaskModel, Graph]:
    """Return the model with the weights of the seed, and its graph, on the CPU."""
    settings, dataset = job.settings, job.dataset
    pl.seed_everything(settings.training.seed, verbose=False)
    model = build_model(
        settings.model,
        settings.size,
        dataset.preparation.channels,
        dataset.window,
        dataset.horizons,
        dataset.graph.segments,
    )
    model.recompute = settings.training.recompute_activations
    graph = road_graph(dataset.graph, settings.model.graph, settings.model.self_loop_weight)
    return model, graph


def train(
    job: TrainingJob,
    on_epoch: Callable[[dict[str, float]], None],
    rank: int = 0,
    nodes: int = 1,
    more: Sequence[pl.Callback] = (),
) -> Outcome:
    """Train in this process, beside others where ``training.devices`` says so.

    Args:
        job: what to train.
        on_epoch: called with the figures of every finished epoch.
        rank: of this process.
        nodes: machines that share the processes evenly.
        more: callbacks that act before all others.

    Raises:
        TrainingError: a loss is NaN or infinite.
    """
    options = job.settings.training
    model, graph = untrained(job)
    module = _module(job, model, graph)
    train_origins, validation_origins = job.origins
    share = (rank, options.devices)
    batches = _batches(job, module, train_origins, options.seed, *share)
    mode = compile_mode(options, job.device, options.max_epochs * len(batches), len(module.tiles))
    rate, averaging = RateSchedule(options), Averaging(options)
    watch = Watch(model, compiled=mode is not None)
    refit = job.refit_epochs is not None
    progress = Progress(
        on_epoch, rate, averaging, watch, job.checkpoint, job.fingerprint, last=refit
    )
    callbacks: list[pl.Callback] = [
        *more,
        EpochSeeds(options.seed),
        FiniteLoss(model, job.dataset.preparation.channels),
        watch,
        averaging,
        rate,
        progress,
    ]
    if job.refit_epochs is not None:
        callbacks.append(LastEpoch(job.refit_epochs))
    elif options.averaging != "swa":
        callbacks.append(EarlyStopping("val_loss", patience=options.patience))
    if job.trace is not None and rank == 0:
        callbacks.append(StepTrace(job.trace))
    if mode is not None:
        callbacks.append(Compilation(mode))
    if options.keep_memory and job.device == "cpu":
        keep_freed_memory()
    trainer = quiet_trainer(
        job,
        strategy=_strategy(module) if options.devices > 1 else "auto",
        devices=options.devices // nodes,
        num_nodes=nodes,
        max_epochs=options.max_epochs,
        gradient_clip_val=options.clip_norm,
        accumulate_grad_batches=batches_a_step(options, len(batches)),
        sync_batchnorm=options.devices > 1 and job.device == "gpu",
        callbacks=callbacks,
    )
    with expected_warnings():
        trainer.fit(
            module,
            batches,
            _batches(job, module, validation_origins, None, *share),
            ckpt_path=_state_to_resume(job),
            weights_only=True,
        )
    return Outcome(progress.history, averaging.kept(progress.best), progress.seconds)


def refill_batch_norm(job: TrainingJob, model: MultiTaskModel, graph: Graph) -> None:
    """Give a model whose weights were averaged the statistics of its own batches."""
    if batch_norms(model):
        _validate(job, model, graph, job.origins[0], BatchNormPass())


def loss_in_validation(job: TrainingJob, model: MultiTaskModel, graph: Graph) -> float:
    """Return the loss of a trained model on the validation span."""
    return _validate(job, model, graph, job.origins[1])


def _validate(
    job: TrainingJob,
    model: MultiTaskModel,
    graph: Graph,
    origins: np.ndarray,
    *callbacks: pl.Callback,
) -> float:
    module = _module(job, model, graph)
    with expected_warnings():
        figures = quiet_trainer(job, callbacks=list(callbacks)).validate(
            module, _batches(job, module, origins, None), verbose=False
        )
    return float(figures[0]["val_loss"])


def _module(job: TrainingJob, model: MultiTaskModel, graph: Graph) -> ForecastModule:
    options = job.settings.training
    module = ForecastModule(model, graph, job.dataset, options)
    if stays_on_host(module.data, options.data_on, job.device):
        module.leave_data_on_host()
    return module


def _batches(
    job: TrainingJob,
    module: ForecastModule,
    origins: np.ndarray,
    seed: int | None,
    rank: int = 0,
    processes: int = 1,
) -> DataLoader[Any] | StreamedBatches:
    """Return the batches of an epoch: of origins or, over tiles, of tiles and origins.

    Where the data stay on the host, they come with what their steps read.
    """
    options = job.settings.training
    tiles, share = len(module.tiles), (rank, processes)
    batches: Sampler[Any]
    if tiles == 1:
        batches = OriginBatches(origins, options.batch_size, seed, *share)
    else:
        batches = TileBatches(tiles, origins, options.batch_size, seed, *share)
    loader = loader_of(batches)
    if not module.on_host:
        return loader
    return StreamedBatches(loader, module.read_on_host, lambda: module.device)


def quiet_trainer(job: TrainingJob, **more: Any) -> pl.Trainer:
    """Return a trainer that shows, logs and writes nothing of its own."""
    for name in LIGHTNING_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    with expected_warnings():
        return pl.Trainer(
            accelerator=job.device,
            precision=PRECISIONS[job.settings.training.precision],
            logger=False,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,  # the batches are shared out already
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=True,
            **{"devices": 1, **more},
        )


def _strategy(module: ForecastModule) -> DDPStrategy:
    """Return data parallel training of processes that roadgraph or torchrun has started.

    Whether every weight is used in every step depends on tasks and backbone, so unused ones are
    looked for. The data are the same in every process and are not sent around.
    """
    data = [name for name, _ in module.named_buffers() if not name.startswith("model.")]
    torch.nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(
        module, data
    )
    return DDPStrategy(find_unused_parameters=True)


def _state_to_resume(job: TrainingJob) -> Path | None:
    path = job.checkpoint
    if path is None or not job.settings.training.resume:
        return None
    if not usable_checkpoint(path, job.fingerprint):
        return None
    logger.info("going on with the interrupted training in %s", path)
    return path


@contextmanager
def expected_warnings() -> Iterator[None]:
    """Silence what Lightning and PyTorch warn of and what is meant to be so here."""
    with warnings.catch_warnings():
        for expected in (
            ".*does not have many workers.*",  # windows are gathered on the device
            ".*GPU available but not used.*",  # training.device=cpu is a wish
            ".*treespec.*",  # inside Lightning's own use of torch
            ".*find_unused_parameters=True was specified.*",  # see _strategy
        ):
            warnings.filterwarnings("ignore", message=expected, category=Warning)
        yield
