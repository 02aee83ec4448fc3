"""The journal of scheduled runs: a line of JSON for every step that was not fresh already."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from roadgraph.masking import without_secrets
from roadgraph.storage import alone

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from roadgraph.batch.outcome import Outcome


def add_to_journal(path: Path, outcome: Outcome, at: pd.Timestamp, seconds: float) -> None:
    """Add a line about a step, unless all was as new or there was nothing to do.

    Args:
        path: of the journal.
        outcome: of the step.
        at: when it ended.
        seconds: that it took.
    """
    if outcome.state in ("fresh", "nothing"):
        return
    content = asdict(outcome)
    content["checks"] = {
        check.name: {"passed": check.passed, "reason": check.reason} for check in outcome.checks
    }
    line = {
        "at": at.isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "seconds": round(seconds, 2),
        **content,
        "reason": without_secrets(outcome.reason),
    }
    text = json.dumps(line, ensure_ascii=False, default=str) + "\n"
    with alone(path):
        whole = _ends_whole(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(text if whole else "\n" + text)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the lines of the journal; one that a dying run left unfinished is left out."""
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text("utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def _ends_whole(path: Path) -> bool:
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
