"""Processes that are ended in the middle, and what must be left of their work."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from roadgraph.processes import host_mark
from roadgraph.storage import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess
    from pathlib import Path


_preloaded: list[str] = []


def context(*modules: str) -> ForkServerContext:
    """Return what starts processes quickly, from one that has imported ``modules`` and no more.

    The process of the tests has threads, which a fork does not survive.
    """
    found = multiprocessing.get_context("forkserver")
    # All processes of the tests have one server, so what one file sets would replace another's.
    _preloaded.extend(name for name in modules if name not in _preloaded)
    found.set_forkserver_preload(_preloaded)
    return found


def begun(processes: ForkServerContext, target: Callable[..., Any], *args: Any) -> BaseProcess:
    """Start ``target(*args)`` in a process of its own; both must be what pickle can send."""
    process = processes.Process(target=target, args=args)
    process.start()
    return process


def kill_at(
    processes: ForkServerContext, delay_s: float, target: Callable[..., Any], *args: Any
) -> bool:
    """Run ``target(*args)`` and end it by SIGKILL after ``delay_s``; say whether it still ran."""
    process = begun(processes, target, *args)
    process.join(delay_s)
    process.kill()
    process.join()
    return process.exitcode != 0


def duration_s(processes: ForkServerContext, target: Callable[..., Any], *args: Any) -> float:
    """Return how long a process takes for ``target(*args)``, its start included."""
    begin = time.perf_counter()
    process = begun(processes, target, *args)
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - begin


def tree_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under ``folder`` by its name, but of hidden ones."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_hidden(path.relative_to(folder).parts)
    }


def leftovers_of(folder: Path) -> list[str]:
    """Return the temporary files and folders, and the owners of locks, that lie in ``folder``."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob(".*")
        if TEMPORARY.fullmatch(path.name) or path.name.endswith(".owner")
    )


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def ended_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder: Path, name: str, pid: int, host: str = "", end: str = "") -> Path:
    """Make a temporary folder as a process leaves it that is killed."""
    path = folder / f".{name}-{host or host_mark()}-{pid}-abcd_123{end}"
    path.mkdir()
    (path / "half.txt").touch()
    return path
