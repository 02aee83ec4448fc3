"""One training from untrained weights to the ones to keep."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from roadgraph.dataset.tiles import number_of_tiles
from roadgraph.errors import SettingsError
from roadgraph.training.checkpoints import checkpoint_path, forget, training_fingerprint
from roadgraph.training.compilation import compile_mode
from roadgraph.training.diagnosis import diagnose, learned_by_heart
from roadgraph.training.launched import crew
from roadgraph.training.loop import (
    Outcome,
    TrainingJob,
    loss_in_validation,
    refill_batch_norm,
    settings_in_force,
    train,
    untrained,
)
from roadgraph.training.processes import train_in_processes
from roadgraph.training.tiling import tiles_to_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings, TrainingSettings

logger = logging.getLogger(__name__)

TRACE = "trace.json"
"""Name of the trace that ``training.profile`` writes."""


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        model: with the weights that ``training.averaging`` keeps, on the CPU, ready to predict.
        validated: that has not seen the validation span; ``model`` itself without
            ``training.refit``.
        graph: that it was trained on, on the CPU.
        tiles: of ``graph``, on which it answers.
        history: one entry an epoch: losses in all and by task, ``learning_rate`` (of the last
            step), ``grad_norm/<layer>`` and ``dead_relu/<layer>`` (share of units).
        best_epoch: place in ``history`` with the lowest validation loss.
        seconds: of all epochs, also those before it was taken up.
        device: on which it ran.
        validation_loss: of ``validated``.
        diagnosis: one line on how the training went.
    """

    model: MultiTaskModel
    validated: MultiTaskModel
    graph: Graph
    tiles: tuple[Graph, ...]
    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    device: str
    validation_loss: float
    diagnosis: str


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
    checkpoints: Path | None = None,
    trace: Path | None = None,
) -> Trained:
    """Train the model that ``settings`` describe; stop early and keep the best weights.

    The best epoch is the one with the lowest loss on the validation span; the test span is not
    touched.

    A training that was killed is taken up after its last whole epoch when it is called again with
    the same folder, dataset and settings (but those in
    :data:`~roadgraph.training.checkpoints.NOT_OF_THE_NUMBERS`); on the CPU it ends with the same
    numbers as one that was not killed. Its history is complete, but ``on_epoch`` is told of the
    epochs that follow alone.

    Args:
        dataset: inputs, labels and splits.
        settings: ``model``, ``size`` and ``training`` are used.
        on_epoch: called with the figures of every finished epoch, after its state was saved.
        checkpoints: folder for the state of the training, a file for every training that differs;
            it is deleted when the training is complete. None saves nothing.
        trace: folder in which ``training.profile`` writes ``trace.json``; None takes the one
            around ``checkpoints``, or the current one.

    Raises:
        SettingsError: devices or precision that this machine does not have, more processes or
            tiles than there are slices or segments to share, or what cannot be compiled.
        TrainingError: a loss is NaN or infinite.
    """
    settings = settings_in_force(settings)
    options = settings.training
    device = choose_device(options.device)
    job = TrainingJob(
        dataset,
        settings,
        device,
        *_checkpoint(dataset, settings, checkpoints),
        _trace_folder(trace, checkpoints) / TRACE if options.profile else None,
    )
    _check(job)
    model, graph, outcome = _trained(job, on_epoch)
    losses = [epoch["val_loss"] for epoch in outcome.history]
    best_epoch, validation_loss = losses.index(min(losses)), min(losses)
    if options.averaging == "swa":
        validation_loss = loss_in_validation(job, model, graph)
    validated, seconds, jobs = model, outcome.seconds, [job]
    if options.refit:
        # The mean of the last quarter needs all epochs.
        epochs = options.max_epochs if options.averaging == "swa" else best_epoch + 1
        jobs.append(_refitting(job, epochs))
        model, graph, refitted = _trained(jobs[-1], on_epoch)
        seconds += refitted.seconds
    for each in jobs:
        if each.checkpoint is not None:
            forget(each.checkpoint)
    trained = Trained(
        model.cpu().eval(),
        validated.cpu().eval(),
        graph,
        tiles_to_answer(model, graph, dataset.graph, options.tile_segments, options.devices),
        outcome.history,
        best_epoch,
        seconds,
        device,
        validation_loss,
        _diagnosis(outcome.history, options, validation_loss),
    )
    logger.info("%s", trained.diagnosis)
    return trained


def _trained(
    job: TrainingJob, on_epoch: Callable[[dict[str, float]], None]
) -> tuple[MultiTaskModel, Graph, Outcome]:
    options = job.settings.training
    outcome = _way_to_train(options.devices)(job, on_epoch)
    model, graph = untrained(job)
    model.load_state_dict(outcome.weights)
    if options.averaging == "swa":
        refill_batch_norm(job, model, graph)
    return model, graph, outcome


def _way_to_train(
    devices: int,
) -> Callable[[TrainingJob, Callable[[dict[str, float]], None]], Outcome]:
    if devices == 1:
        return train
    launched = crew()
    return train_in_processes if launched is None else launched.train


def _refitting(job: TrainingJob, epochs: int) -> TrainingJob:
    """Return the second training, with a state of its own."""
    path = job.checkpoint
    return replace(
        job,
        checkpoint=None if path is None else path.with_stem(f"{path.stem}-refit"),
        fingerprint=f"{job.fingerprint} {epochs}",
        trace=None,
        refit_epochs=epochs,
    )


def _checkpoint(
    dataset: Dataset, settings: Settings, folder: Path | None
) -> tuple[Path | None, str]:
    if folder is None:
        return None, ""
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint = training_fingerprint(dataset, settings)
    return checkpoint_path(folder, fingerprint), fingerprint


def _trace_folder(trace: Path | None, checkpoints: Path | None) -> Path:
    if trace is not None:
        return trace
    return Path() if checkpoints is None else checkpoints.parent


def _check(job: TrainingJob) -> None:
    """Refuse what this machine or these data cannot do, before anything is trained."""
    options = job.settings.training
    if options.precision == "fp16" and job.device == "cpu":
        raise SettingsError(
            "training.precision=fp16 needs a GPU, and this training runs on the CPU; use bf16 or 32"
        )
    launched = crew()
    here = options.devices if launched is None else launched.place.processes_here
    if job.device == "gpu" and here > torch.cuda.device_count():
        raise SettingsError(
            f"training.devices={options.devices}: {torch.cuda.device_count()} GPUs were found"
            + ("" if launched is None else f" for the {here} processes of this node")
        )
    tiles = 1
    if options.tile_segments:
        tiles = _check_tiles(job.dataset.graph.segments, options)
    # Here, as an error of settings in several processes would be one of each.
    compile_mode(options, job.device, 1, tiles)
    if options.tile_segments:
        return
    fewest = min(len(origins) for origins in job.origins)
    if options.devices > fewest:
        raise SettingsError(
            f"training.devices={options.devices}: there are only {fewest} slices to share"
        )


def _check_tiles(segments: int, options: TrainingSettings) -> int:
    """Return the number of tiles of the road graph."""
    tiles = number_of_tiles(segments, options.tile_segments, options.devices)
    if tiles > segments:
        raise SettingsError(
            f"training.tile_segments={options.tile_segments} with "
            f"training.devices={options.devices}: {segments} segments cannot be cut into {tiles} "
            "tiles; use larger tiles"
        )
    return tiles


def _diagnosis(
    history: list[dict[str, float]], options: TrainingSettings, validation_loss: float
) -> str:
    if options.overfit_batches:
        return learned_by_heart(history, options.overfit_batches)
    text = diagnose(history).text
    if options.averaging != "swa":
        return text
    return f"{text}; the averaged weights that are kept have {validation_loss:.4g} in validation"
