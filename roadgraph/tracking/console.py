"""What is logged while a run goes on, kept beside its record."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from roadgraph.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONSOLE_FILE = "console.log"


class _Masked(logging.Formatter):
    """Writes no password into a file that goes to a server."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class _AsBefore(logging.Filter):
    """Lets through what roadgraph would have logged at ``level``, and all of others."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level or not record.name.startswith("roadgraph")


@contextmanager
def console_kept(folder: Path) -> Iterator[None]:
    """Append what roadgraph and Lightning log meanwhile to ``console.log`` in ``folder``.

    Roadgraph's lines are kept from ``INFO`` on; nothing that was not shown elsewhere before is
    shown there now.
    """
    handler = logging.FileHandler(folder / CONSOLE_FILE, encoding="utf-8")
    handler.setFormatter(_Masked("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("roadgraph", "lightning", "pytorch_lightning")]
    ours, level = loggers[0], loggers[0].level
    as_before = _AsBefore(ours.getEffectiveLevel())
    others = [*ours.handlers, *logging.getLogger().handlers]
    for other in others:
        other.addFilter(as_before)
    for logger in loggers:
        logger.addHandler(handler)
    ours.setLevel(min(ours.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        ours.setLevel(level)
        for logger in loggers:
            logger.removeHandler(handler)
        for other in others:
            other.removeFilter(as_before)
        handler.close()
