"""From the settings of a member to its finished run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.comparison.baselines import prediction_ms
from roadgraph.comparison.runs import Facts, Run, write_run
from roadgraph.config import shareable_settings
from roadgraph.models.registry import model_title
from roadgraph.training.adjustment import Adjustments, fit_adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.fit import Trained, fit
from roadgraph.training.inference import answers
from roadgraph.training.seen_time import SeenTime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from roadgraph.comparison.judging import Judge, Verdict
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings


def train_member(
    member: Settings,
    judge: Judge,
    key: str,
    folder: Path,
    checkpoints: Path,
    on_epoch: Callable[[dict[str, float]], None],
) -> Run:
    """Train a model, adjust it on the validation span, judge it and keep it in ``folder``.

    Args:
        member: settings of the model; ``training.seed`` is its seed.
        judge: of the test span.
        key: of all that the figures depend on.
        folder: of the run.
        checkpoints: where an interrupted training is taken up from.
        on_epoch: called with the figures of every finished epoch.
    """
    dataset = judge.dataset
    title = model_title(member.model, member.size)
    trained = fit(dataset, member, on_epoch, checkpoints=checkpoints, trace=checkpoints)
    adjustments = fit_adjustments(
        partial(_answers, trained.validated, trained.tiles, dataset), dataset, member.training
    )

    def forecast(model: MultiTaskModel, origins: np.ndarray) -> Forecast:
        given = _answers(model, trained.tiles, dataset, origins, None)
        return adjustments.forecast(title, origins, given)

    forecaster = partial(forecast, trained.model)
    verdict = judge.verdict(forecaster, partial(forecast, trained.validated))
    facts = Facts(
        title,
        member.training.seed,
        baseline=False,
        key=key,
        training_seconds=trained.seconds,
        prediction_ms=prediction_ms(forecaster, judge.origins),
        parameters=sum(value.numel() for value in trained.model.parameters()),
        best_epoch=trained.best_epoch,
        validation_loss=trained.validation_loss,
        device=trained.device,
        diagnosis=trained.diagnosis,
    )
    bundle = _bundle(trained, dataset, member, verdict, adjustments)
    return write_run(facts, verdict, trained.history, bundle, folder)


def _answers(
    model: MultiTaskModel,
    tiles: tuple[Graph, ...],
    dataset: Dataset,
    origins: np.ndarray,
    unseen: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Return the model's answers; the segments of ``unseen`` ``[N]`` are not looked at."""
    inputs = dataset.inputs
    if unseen is not None:
        inputs = np.where(unseen[:, None], dataset.unseen_inputs, inputs)
    return answers(model, tiles, inputs, origins, dataset.window, dataset.preparation)


def _bundle(
    trained: Trained,
    dataset: Dataset,
    member: Settings,
    verdict: Verdict,
    adjustments: Adjustments,
) -> Bundle:
    rows = verdict.scores.to_dict("records")
    return Bundle(
        title=model_title(member.model, member.size),
        model=trained.model,
        preparation=dataset.preparation,
        unseen=dataset.fitted.unseen,
        options=member.model,
        settings=shareable_settings(member),
        city=member.city.name,
        timezone=member.city.timezone,
        slice_minutes=dataset.grid.slice_minutes,
        window=dataset.window,
        horizons=dataset.horizons,
        adjustments=adjustments,
        segment_ids=dataset.grid.segment_ids,
        network_fingerprint=dataset.graph.fingerprint,
        seen=SeenTime.of(dataset),
        metrics=[{str(name): value for name, value in row.items()} for row in rows],
        history=trained.history,
    )
