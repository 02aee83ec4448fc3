"""Whether an SQLite database has changed, told from outside, without opening it as one.

It stands on what SQLite says of its files (https://www.sqlite.org/fileformat2.html): outside of
write-ahead mode every change counts up a number in the header, and while one is under way a journal
lies beside the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
VERSIONS = slice(18, 20)
"""Of the header: how the file is written and read; 2 is write-ahead mode."""

ROLLBACK = b"\x01\x01"


def database_state(path: Path) -> str | None:
    """Return a text that is another one after every change of the database in ``path``.

    Returns:
        None where that cannot be told: there is no such file, it cannot be read or is no database,
        a change is under way or was broken off, or the database is in write-ahead mode.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            found = os.fstat(file.fileno())
    except OSError:
        return None
    if not header.startswith(MAGIC) or header[VERSIONS] != ROLLBACK:
        return None
    if path.with_name(f"{path.name}-journal").exists():
        return None
    numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return fingerprint([header.hex(), *map(str, numbers)])
