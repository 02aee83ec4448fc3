"""Distributed data parallel training in processes that this one starts.

Lightning's own ways to start them do not fit: running the script again (``ddp``) would run a whole
pipeline again, and takes no notebook; ``ddp_spawn`` refuses notebooks, and ``ddp_fork`` may hang
after this process has used its threads or a GPU. The processes here are started afresh
(``spawn``) on one function of this module, which works from a script, a notebook and a test alike,
and Lightning finds them as it finds those of ``torchrun``. As with everything that spawns, a
script must call it under ``if __name__ == "__main__":``.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
from contextlib import contextmanager
from logging.handlers import QueueHandler
from typing import TYPE_CHECKING, Any

import torch
from torch import multiprocessing

from roadgraph.errors import RoadgraphError, TrainingError
from roadgraph.training.averaging import batch_norms
from roadgraph.training.loop import Outcome, TrainingJob, train, untrained
from roadgraph.training.torchrun import CPP_LOG_LEVEL, QUIET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often the processes are looked after while they say nothing."""


def train_in_processes(job: TrainingJob, on_epoch: Callable[[dict[str, float]], None]) -> Outcome:
    """Train in ``training.devices`` processes; ``on_epoch`` is called in this one.

    The first process sends the figures of its epochs, what it logs and, at the end, history and
    weights.

    Raises:
        RoadgraphError: that of the process that failed first.
        TrainingError: another error of that process, named by its kind; or a process ended without
            a word, for instance for want of memory.
    """
    count = job.settings.training.devices
    warn_of_batch_norms(job)
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    port = _free_port()
    level = logging.getLogger("roadgraph").getEffectiveLevel()
    workers = [
        context.Process(target=_work, args=(rank, count, port, job, said, level), daemon=True)
        for rank in range(count)
    ]
    try:
        with _quiet_reducer():
            for worker in workers:
                worker.start()
        return _listen(said, workers, on_epoch)
    finally:
        for worker in workers:
            # Lightning would put off a polite signal to a batch that may never end; what these
            # processes write takes its place in one move, so nothing is left half done.
            if worker.is_alive():
                worker.kill()
            if worker.pid is not None:
                worker.join()


def warn_of_batch_norms(job: TrainingJob) -> None:
    """Say so where several processes reach other figures than one."""
    if job.device == "cpu" and batch_norms(untrained(job)[0]):
        logger.warning(
            "training.devices=%d on the CPU: batch norm takes the statistics of each process's own "
            "part of a batch, and keeps those of the first, so the figures are not those of "
            "training.devices=1; model.norm=layer has no such statistics",
            job.settings.training.devices,
        )


@contextmanager
def sharing_cores(job: TrainingJob, processes: int) -> Iterator[None]:
    """Take a share of this machine's cores, of which ``processes`` train on the CPU."""
    before = torch.get_num_threads()
    if job.device == "cpu":
        torch.set_num_threads(max((os.cpu_count() or 1) // processes, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _listen(said: Any, workers: list[Any], on_epoch: Callable[[dict[str, float]], None]) -> Outcome:
    while True:
        kind, value = _next_word(said, workers)
        if kind == "error":
            raise value
        if kind == "outcome":
            for worker in workers:
                worker.join()
            history, weights, seconds = value
            tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
            return Outcome(history, tensors, seconds)
        if kind == "log":
            logging.getLogger(value.name).handle(value)
        else:
            on_epoch(value)


def _next_word(said: Any, workers: list[Any]) -> tuple[str, Any]:
    while True:
        # Whether they live is asked before the wait: their last word comes first.
        ended = [rank for rank, worker in enumerate(workers) if worker.exitcode not in (None, 0)]
        try:
            return said.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if ended:
                codes = ", ".join(f"{rank}: {workers[rank].exitcode}" for rank in ended)
                raise TrainingError(
                    f"a training process ended without a word (exit codes {codes}); "
                    "training.devices=1 or a smaller training.batch_size needs less memory"
                ) from None


def _work(
    rank: int, count: int, port: int, job: TrainingJob, said: Any, level: int = logging.WARNING
) -> None:
    """Be process ``rank`` of ``count``; what the first logs, from ``level`` on, is sent."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
    }

    def tell(figures: dict[str, float]) -> None:
        if rank == 0:
            said.put(("epoch", figures))

    try:
        with logging_to(said if rank == 0 else None, level), sharing_cores(job, count):
            outcome = train(job, tell, rank)
    except RoadgraphError as error:
        said.put(("error", error))
        return
    # Whatever it is, it would end this process without a word.
    except Exception as error:
        said.put(("error", TrainingError(f"training process {rank} failed: {one_line_of(error)}")))
        return
    torch.distributed.destroy_process_group()
    if rank == 0:
        # As arrays: tensors would travel through shared memory that ends with this process.
        weights = {name: value.numpy() for name, value in outcome.weights.items()}
        said.put(("outcome", (outcome.history, weights, outcome.seconds)))


def one_line_of(error: Exception) -> str:
    """Return the kind of an error and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Sender(QueueHandler):
    """Sends what is logged as a word of the process."""

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.put(("log", record))  # type: ignore[attr-defined]


@contextmanager
def logging_to(said: Any, level: int) -> Iterator[None]:
    """Send what roadgraph logs instead of writing it; None sends and writes nothing."""
    log = logging.getLogger("roadgraph")
    before = log.level, log.propagate
    handler = logging.NullHandler() if said is None else _Sender(said)
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]


@contextmanager
def _quiet_reducer() -> Iterator[None]:
    """Silence, in processes started within, that unused weights were looked for and not found."""
    before = os.environ.get(CPP_LOG_LEVEL)
    os.environ.setdefault(CPP_LOG_LEVEL, QUIET)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CPP_LOG_LEVEL]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
