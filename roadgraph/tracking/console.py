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


@contextmanager
def console_kept(folder: Path) -> Iterator[None]:
    """Append what roadgraph and Lightning log meanwhile to ``console.log`` in ``folder``.

    Loggers keep their levels: what is not logged is not kept.
    """
    handler = logging.FileHandler(folder / CONSOLE_FILE, encoding="utf-8")
    handler.setFormatter(_Masked("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("roadgraph", "lightning", "pytorch_lightning")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
