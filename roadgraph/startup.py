"""Imports without the garbage collector, for a quick start.

What a module defines stays until the process ends. Collections would look through it again and
again all the same: with PyTorch and MLflow that takes a fifth of a short command's time.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def imported_for_good() -> Iterator[None]:
    """Collect no garbage meanwhile, and never anything that is there by the end.

    For the start of a process, once: garbage that lies about at that moment stays too.
    """
    with uncollected():
        yield
        gc.freeze()
