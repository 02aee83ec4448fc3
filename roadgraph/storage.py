"""Outputs are written whole or not at all, by one process at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadgraph.exchange import exchange
from roadgraph.locking import alone, forget_dead_owners
from roadgraph.processes import has_ended, host_mark

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

__all__ = [
    "DISK_FAULTS",
    "alone",
    "digest_of_arrays",
    "disk_error",
    "fingerprint",
    "naming_disk",
    "remove_folder",
    "scratch_folder",
    "sweep",
    "sweep_tree",
    "to_disk",
    "whole_file",
    "whole_folder",
    "write_json",
]

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
FORBIDDEN = {errno.EACCES, errno.EPERM}
ABANDONED_S = 86_400  # what another machine has not touched for so long is no one's
TEMPORARY = re.compile(
    r"\.(?P<name>.+)-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[a-z0-9_]{8}(?P<old>-old)?(\.[^.]*)?"
)
"""Hidden, and with who made it, so that the next writer can tell what a dead process left."""

log = logging.getLogger(__name__)

_ours: set[str] = set()  # the temporary paths that this process is writing


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Raises:
        OSError: the disk is full or must not be written; ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.stem)
    # The suffix is kept because some writers choose the format by it.
    with naming_disk(path, DISK_FAULTS | FORBIDDEN):
        handle, name = tempfile.mkstemp(
            prefix=_prefix(path.stem), suffix=path.suffix, dir=path.parent
        )
    os.close(handle)
    temporary = Path(name)
    with _ours_until_the_end(temporary), naming_disk(path):
        try:
            yield temporary
            temporary.chmod(0o644)
            to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its place when the block ends well.

    What was in ``path`` before is gone then; when the block fails it stays as it was. Where the
    system can exchange two folders, whoever reads sees the old one or the new one, never none.

    Raises:
        OSError: the disk is full or must not be written; ``path`` is as it was.
    """
    with scratch_folder(path) as temporary, naming_disk(path):
        temporary.chmod(0o755)
        yield temporary
        for inside in temporary.rglob("*"):
            to_disk(inside)
        to_disk(temporary)
        _take_place(temporary, path)
        to_disk(path.parent)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path``, which need not exist, and remove it in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    with naming_disk(path, DISK_FAULTS | FORBIDDEN):
        temporary = Path(tempfile.mkdtemp(prefix=_prefix(path.name), dir=path.parent))
    with _ours_until_the_end(temporary), naming_disk(path):
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder, if it is there; whoever reads sees all of it or nothing."""
    if path.exists():
        with scratch_folder(path) as temporary:
            path.replace(temporary)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files and folders that processes left which ended in the middle.

    Those of processes that live stay, and those of other machines for a day.

    Args:
        folder: where they lie.
        name: only those that were to become ``name`` (of a file: without its suffix).
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(f".{name or ''}")]
    except FileNotFoundError:  # not made yet, or another process has just removed it
        return
    for found in filter(None, map(TEMPORARY.fullmatch, names)):
        path = folder / found.group()
        if name not in (None, found["name"]) or not _is_abandoned(path, found):
            continue
        final = folder / found["name"]
        with suppress(FileNotFoundError):  # another process sweeps too
            if found["old"] and not final.exists():
                path.replace(final)  # it ended between the two renames of _take_place
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def sweep_tree(folder: Path) -> None:
    """Sweep ``folder`` and every folder in it, and forget who held their locks and has ended.

    What is up to date is not written again, so nobody else would come by what a process left that
    ended between the writing and the tidying. What cannot be removed stays, with a word in the log.
    """
    for place, _, _ in os.walk(folder):
        try:
            sweep(Path(place))
            forget_dead_owners(Path(place))
        except OSError as error:
            log.warning("could not remove what a run that was ended left in %s: %s", place, error)


def to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, would survive a power cut."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming_disk(path: Path, numbers: Container[int] = DISK_FAULTS) -> Iterator[None]:
    """Let an error of a disk that is full or must not be written say what was to be written.

    Args:
        path: what was to be written.
        numbers: of the errors that have to do with it.

    Raises:
        OSError: in the place of an error of the disk, from whichever library.
    """
    try:
        yield
    except Exception as error:
        number = disk_error(error)
        if number not in numbers:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def disk_error(error: Exception) -> int:
    """Return the system's number of an error, also where a library tells it in words; else 0."""
    if isinstance(error, OSError):
        return error.errno or 0
    told = re.search(r"\(os error (\d+)\)", str(error))  # as libraries in Rust do
    return int(told.group(1)) if told else 0


def _prefix(name: str) -> str:
    return f".{name}-{host_mark()}-{os.getpid()}-"


@contextmanager
def _ours_until_the_end(path: Path) -> Iterator[None]:
    _ours.add(str(path))
    try:
        yield
    finally:
        _ours.discard(str(path))


def _is_abandoned(path: Path, found: re.Match[str]) -> bool:
    if found["host"] != host_mark():
        try:
            return time.time() - path.stat().st_mtime > ABANDONED_S
        except FileNotFoundError:
            return False
    pid = int(found["pid"])
    # An old number may be ours today, in a container that always begins with the same ones.
    return str(path) not in _ours if pid == os.getpid() else has_ended(pid)


def _take_place(temporary: Path, path: Path) -> None:
    if not path.exists():
        temporary.replace(path)
    elif not exchange(temporary, path):
        old = temporary.with_name(f"{temporary.name}-old")
        path.replace(old)
        try:
            temporary.replace(path)
        except OSError:
            old.replace(path)
            raise
        shutil.rmtree(old)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as readable JSON, whole or not at all; NaN becomes null."""
    text = json.dumps(_without_nan(content), indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")


def _without_nan(content: Any) -> Any:
    if isinstance(content, float) and not math.isfinite(content):
        return None
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return content


def fingerprint(texts: Iterable[str]) -> str:
    """Return the SHA-256 of ``texts`` in their order, as 64 hex digits."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\x00")
    return digest.hexdigest()


def digest_of_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of arrays in their order, with their shapes and types."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
