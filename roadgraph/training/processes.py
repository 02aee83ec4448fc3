"""Distributed data parallel training in processes that this one starts.

Lightning's own ways to start them do not fit: running the script again (``ddp``) would run a whole
pipeline again, and takes no notebook; ``ddp_spawn`` refuses notebooks, and ``ddp_fork`` may hang
after this process has used its threads or a GPU. The processes here are started afresh
(``spawn``) on one function of this module, which works from a script, a notebook and a test alike,
and Lightning finds them as it finds those of ``torchrun``. As with everything that spawns, a
script must call it under ``if __name__ == "__main__":``.
"""

from __future__ import annotations

import os
import queue
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import multiprocessing

from roadgraph.errors import RoadgraphError, TrainingError
from roadgraph.training.loop import Outcome, TrainingJob, train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CPP_LOG_LEVEL = "TORCH_CPP_LOG_LEVEL"
POLL_SECONDS = 0.2
"""How often the processes are looked after while they say nothing."""


def train_in_processes(job: TrainingJob, on_epoch: Callable[[dict[str, float]], None]) -> Outcome:
    """Train in ``training.devices`` processes; ``on_epoch`` is called in this one.

    The first process sends the figures of its epochs and, at the end, history and weights.

    Raises:
        RoadgraphError: that of the process that failed first.
        TrainingError: a process ended without a word, for instance for want of memory.
    """
    count = job.settings.training.devices
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    port = _free_port()
    workers = [
        context.Process(target=_work, args=(rank, count, port, job, said), daemon=True)
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


def _work(rank: int, count: int, port: int, job: TrainingJob, said: Any) -> None:
    """Be process ``rank`` of ``count``."""
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "NODE_RANK": "0",
        "LOCAL_RANK": str(rank),
    }
    if job.device == "cpu":
        torch.set_num_threads(max((os.cpu_count() or 1) // count, 1))

    def tell(figures: dict[str, float]) -> None:
        if rank == 0:
            said.put(("epoch", figures))

    try:
        outcome = train(job, tell, rank)
    except RoadgraphError as error:
        said.put(("error", error))
        return
    torch.distributed.destroy_process_group()
    if rank == 0:
        # As arrays: tensors would travel through shared memory that ends with this process.
        weights = {name: value.numpy() for name, value in outcome.weights.items()}
        said.put(("outcome", (outcome.history, weights, outcome.seconds)))


@contextmanager
def _quiet_reducer() -> Iterator[None]:
    """Silence, in processes started within, that unused weights were looked for and not found."""
    before = os.environ.get(CPP_LOG_LEVEL)
    os.environ.setdefault(CPP_LOG_LEVEL, "ERROR")
    try:
        yield
    finally:
        if before is None:
            del os.environ[CPP_LOG_LEVEL]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
