"""Distributed data parallel training in the processes that ``torchrun`` has started.

The first process goes through the command as it would alone. The others wait for trainings; each
is sent to them with its data, so that they need the code and nothing else of the pipeline: they
read no tables, take no locks and write no files. They meet in the store that ``torchrun`` opens
for them. A process group lasts for one training, and what the first process does between two of
them may take as long as it likes.

An error that all processes meet, such as a loss that is NaN, ends the training alone. Any other
ends its process, and ``torchrun`` then ends the others, or starts all again where
``--max-restarts`` lets it: the training goes on after its last whole epoch.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import time
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from roadgraph.errors import TrainingError
from roadgraph.training.loop import Outcome, TrainingJob, train
from roadgraph.training.processes import (
    logging_to,
    one_line_of,
    sharing_cores,
    warn_of_batch_norms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytorch_lightning as pl

    from roadgraph.training.torchrun import Place

logger = logging.getLogger(__name__)

TRAIN, END = "train", "end"
PATIENCE = timedelta(days=30)
"""How long a process waits for the next training."""

END_SECONDS = 60.0
"""How long a process waits for its end by ``torchrun``; usually it comes within one."""

_OF_THE_OTHERS = re.compile("by peer|gloo|nccl", re.IGNORECASE)
_crew: ContextVar[Crew | None] = ContextVar("crew", default=None)


def take_part(place: Place, command: Callable[[], object]) -> None:
    """Run ``command`` in the first process, and its trainings in all.

    Args:
        place: of this process.
        command: what the first process does; its trainings have the others beside them.

    Raises:
        TrainingError: this process cannot go on with a training.
    """
    store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
    if place.rank:
        # Nothing is lost with this process; torchrun need not wait for it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        with logging_to(None, logging.WARNING):
            serve_trainings(place, store)
        return
    crew = Crew(place, store)
    token = _crew.set(crew)
    try:
        command()
    finally:
        _crew.reset(token)
        crew.dismiss()


def crew() -> Crew | None:
    """Return the processes that wait for trainings of this one, or None."""
    return _crew.get()


class Crew:
    """The processes of ``torchrun``, as the first of them calls on them.

    Args:
        place: of the first process.
        store: in which they meet.
    """

    def __init__(self, place: Place, store: Store) -> None:
        self.place = place
        self._store = store
        self._trainings = 0
        self._lost = ""

    def train(self, job: TrainingJob, on_epoch: Callable[[dict[str, float]], None]) -> Outcome:
        """Train in all processes; ``on_epoch`` is called in this one.

        Raises:
            TrainingError: one that all processes have met, or one after which they are no longer
                together.
        """
        if self._lost:
            raise TrainingError(self._lost)
        warn_of_batch_norms(job)
        number = self._trainings
        self._trainings += 1
        self._store.set(_key(number), TRAIN)
        try:
            return _train(job, on_epoch, self.place, self._store, number)
        except TrainingError:
            raise
        except Exception as error:
            _wait_for_the_end(error)
            self._lost = f"training process 0 failed: {one_line_of(error)}"
            raise TrainingError(self._lost) from error

    def dismiss(self) -> None:
        """Let the other processes end."""
        self._store.set(_key(self._trainings), END)


def serve_trainings(place: Place, store: Store) -> None:
    """Be one of the other processes until the first one lets them end.

    Raises:
        TrainingError: this process cannot go on, or the first one is gone.
    """
    number = 0
    try:
        while True:
            store.wait([_key(number)], PATIENCE)
            if store.get(_key(number)).decode() == END:
                return
            try:
                _train(None, lambda figures: None, place, store, number)
            except TrainingError as error:
                # The first process meets it too, and tells of it.
                logger.info("%s", error)
            number += 1
    # Whatever it is, it would end this process with a traceback among those of others.
    except Exception as error:
        _wait_for_the_end(error)
        raise TrainingError(
            f"training process {place.rank} failed: {one_line_of(error)}"
        ) from error


def _wait_for_the_end(error: Exception) -> None:
    """Give ``torchrun`` the time to end this process where another one has ended.

    It asks for the end within a moment. The run then counts as interrupted, and is taken up as
    one, while an error would make it one that failed.
    """
    if isinstance(error, distributed.DistError) or _OF_THE_OTHERS.search(str(error)):
        logger.warning(
            "another training process has ended; this one cannot go on. The same command goes on "
            "after the last whole epoch"
        )
        time.sleep(END_SECONDS)


def _key(number: int) -> str:
    return f"roadgraph/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/training {number}"


def _train(
    job: TrainingJob | None,
    on_epoch: Callable[[dict[str, float]], None],
    place: Place,
    store: Store,
    number: int,
) -> Outcome:
    """Train the job of the first process, which alone has it, in all."""
    with _process_group(place, PrefixStore(_key(number), store)):
        sent: list[Any] = [job]
        distributed.broadcast_object_list(sent, 0, device=torch.device("cpu"))
        job = sent[0]
        assert isinstance(job, TrainingJob)
        _check_sight(job, place)
        with sharing_cores(job, place.processes_here):
            return train(job, on_epoch, place.rank, place.nodes, (EndAtOnce(),))


@contextmanager
def _process_group(place: Place, store: Store) -> Iterator[None]:
    """Have the process group that Lightning finds; nothing after the block finds it."""
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(
        backend, store=store, rank=place.rank, world_size=place.processes
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _check_sight(job: TrainingJob, place: Place) -> None:
    """Let no process begin anew where others go on from the state of the training.

    Raises:
        TrainingError: some see the state and some do not; all processes raise it.
    """
    if job.checkpoint is None:
        return
    sees: list[bool] = [False] * place.processes
    distributed.all_gather_object(sees, job.checkpoint.is_file())
    if len(set(sees)) > 1:
        blind = ", ".join(str(rank) for rank, seen in enumerate(sees) if not seen)
        raise TrainingError(
            f"training processes {blind} do not see {job.checkpoint}; the workspace must lie on "
            "storage that all nodes share, and torchrun must start in the same folder on each"
        )


class EndAtOnce(Callback):
    """Lets a process end when ``torchrun`` asks it to.

    Lightning would first tell the other processes, of which one may be gone, and then wait for the
    end of a batch, which may never come. What is written takes its place in one move.
    """

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the place of Lightning's handler, which puts the one before back at the end."""
        del trainer, module
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
