"""How the benchmarks measure and what they print; run those instead.

Steps are timed in turn (A B C, A B C ...), so that a noisy moment of the machine meets all of them.
``torch.utils.benchmark`` and pyperf finish one before the next; of the former this takes the clock,
which waits until a GPU is done.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil

from roadgraph.markdown import markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    Step = Callable[..., object]

REPOSITORY = Path(__file__).parents[1]
UNITS = {"s": 1.0, "ms": 1e3}
ASKED_COLUMNS = ("what was asked", "against", "to reach", "reached", "met")


@dataclass(frozen=True)
class Times:
    """Seconds of a step, a number a repetition.

    Attributes:
        wall: on the clock.
        processor: of this process on all cores together.
    """

    wall: tuple[float, ...]
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """The middle one, s."""
        return statistics.median(self.wall)

    def text(self, unit: str = "s") -> str:
        """Return the median in ``unit``."""
        return _number(UNITS[unit] * self.median)

    def spread(self, unit: str = "s") -> str:
        """Return the shortest and the longest in ``unit``."""
        return "-".join(_number(UNITS[unit] * end(self.wall)) for end in (min, max))


@dataclass(frozen=True)
class Asked:
    """A figure that roadgraph is asked to reach.

    Attributes:
        what: is measured.
        against: which peer in the same run.
        limit: to reach.
        reached: by the medians; None where it was not measured.
        at_least: the limit is a lower one; otherwise an upper one.
        unit: of both numbers, after them.
    """

    what: str
    against: str
    limit: float
    reached: float | None
    at_least: bool = True
    unit: str = "times"

    def row(self) -> tuple[str, ...]:
        """Return the cells of ``ASKED_COLUMNS``."""
        to_reach = f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}"
        if self.reached is None:
            return self.what, self.against, to_reach, "not measured here", "-"
        met = self.reached >= self.limit if self.at_least else self.reached <= self.limit
        reached = f"{_number(self.reached)} {self.unit}"
        return self.what, self.against, to_reach, reached, "yes" if met else "no"


def in_turn(
    steps: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1
) -> dict[str, Times]:
    """Return the times of ``steps``, each of which goes first to warm up.

    Where torch is loaded, a repetition lasts until the GPU is done with it.
    """
    clock = _clock()
    wall: dict[str, list[float]] = {name: [] for name in steps}
    processor: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(-warm_up, repeats):
        for name, step in steps.items():
            gc.collect()  # what one step left behind is not to be swept up in the next one's time
            begun, begun_processor = clock(), time.process_time()
            step()
            if repeat >= 0:
                wall[name].append(clock() - begun)
                processor[name].append(time.process_time() - begun_processor)
    return {name: Times(tuple(wall[name]), tuple(processor[name])) for name in steps}


@contextmanager
def apart(makers: Mapping[str, Callable[[], Step]]) -> Iterator[dict[str, Step]]:
    """Yield steps that are each made and taken in a process of its own.

    What one does to its process, such as to its allocator, then helps or harms no other. A step's
    arguments and answer go through a pipe.

    Args:
        makers: by name; functions of a module, as the processes begin from nothing.
    """
    context = multiprocessing.get_context("spawn")
    ends: dict[str, Connection] = {}
    workers = []
    for name, make in makers.items():
        ends[name], theirs = context.Pipe()
        workers.append(context.Process(target=_serve, args=(make, theirs), daemon=True))
        workers[-1].start()
        theirs.close()
        ends[name].recv()  # one is made after the other
    yield {name: partial(_ask, end) for name, end in ends.items()}
    for end, worker in zip(ends.values(), workers, strict=True):
        end.close()
        worker.join()


def process(arguments: Sequence[str], ends: Sequence[int] = (0,)) -> None:
    """Run Python with ``arguments``; stop with its last words where it fails.

    Args:
        arguments: of the interpreter.
        ends: exit statuses that are none of a failure.
    """
    ended = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    if ended.returncode not in ends:
        sys.exit(f"{' '.join(arguments)} ended with {ended.returncode}:\n{ended.stderr}")


def peak_gib(of: int = resource.RUSAGE_SELF) -> float:
    """Return the memory at its peak of this process, or of the largest of its children."""
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(of).ru_maxrss / unit


def devices() -> list[str]:
    """Return where layers can run: the CPU, and a GPU where there is one."""
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def machine(*libraries: str) -> str:
    """Return what the figures hold for: the machine and the versions of ``libraries``."""
    parts = [
        f"{os.cpu_count()} cores of {_processor()}",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        platform.system(),
        f"Python {platform.python_version()}",
        *(f"{library} {version(library)}" for library in libraries),
    ]
    if "torch" in libraries:
        import torch

        parts.append(f"{torch.get_num_threads()} threads")
        gpu = torch.cuda.is_available()
        parts.append(torch.cuda.get_device_name() if gpu else "no GPU")
    return ", ".join(parts)


def times_table(
    what: str,
    times: Mapping[str, Times],
    peer: str | None = None,
    unit: str = "s",
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Return medians and spread as a Markdown table.

    Args:
        what: heads the first column.
        times: by name.
        peer: the name that the others' speed is held against.
        unit: ``s`` or ``ms``.
        more: further columns, each with its cells by name.
    """
    rows = []
    for name, own in times.items():
        row = {what: name, f"median, {unit}": own.text(unit), f"min-max, {unit}": own.spread(unit)}
        if peer is not None:
            row["times as fast"] = _number(times[peer].median / own.median)
        rows.append(row | {column: cells.get(name, "") for column, cells in (more or {}).items()})
    return markdown(pd.DataFrame(rows))


def asked_table(asked: Sequence[Asked]) -> str:
    """Return what was asked and reached as a Markdown table; the page of all collects them."""
    return markdown(pd.DataFrame([each.row() for each in asked], columns=list(ASKED_COLUMNS)))


def _serve(make: Callable[[], Step], end: Connection) -> None:
    step = make()
    end.send(None)
    while True:
        try:
            arguments = end.recv()
        except EOFError:
            return
        answer = step(*arguments)
        _clock()()  # waits until a GPU is done
        end.send(answer)


def _ask(end: Connection, *arguments: object) -> object:
    end.send(arguments)
    return end.recv()


def _number(value: float) -> str:
    """Return three digits, or all those before the point."""
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"


def _clock() -> Callable[[], float]:
    if "torch" not in sys.modules:
        return time.perf_counter
    from torch.utils.benchmark import timer

    return timer


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.is_file():
        for line in about.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
