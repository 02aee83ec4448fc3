"""One process at a time: a lock that says who holds it, and is taken over from the dead."""

from __future__ import annotations

import json
import logging
import os
import shlex
import socket
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from roadgraph.errors import LockError
from roadgraph.masking import without_secrets
from roadgraph.processes import has_ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUIET_S = 2.0  # a wait that is shorter is not worth a word

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Owner:
    """Who holds a lock.

    Attributes:
        host: name of the machine.
        pid: number of the process there.
        command: what it was started with, without the values of settings.
        since: when it got the lock, ISO 8601 in UTC.
    """

    host: str
    pid: int
    command: str
    since: str

    @classmethod
    def here(cls) -> Owner:
        """Return this process, as the owner from now on."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), _command(sys.argv), now)

    @classmethod
    def of(cls, path: Path) -> Owner | None:
        """Return who wrote ``path``; ``None`` if there is no such file, or no whole one yet."""
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Say so in ``path``.

        Raises:
            OSError: it cannot be written.
        """
        try:
            path.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    def age(self) -> str:
        """Return how long it has held the lock, such as ``3 min``."""
        age_s = (datetime.now(UTC) - datetime.fromisoformat(self.since)).total_seconds()
        for unit, length_s in (("days", 172_800), ("h", 7200), ("min", 120)):
            if age_s >= length_s:
                return f"{age_s / {'days': 86_400, 'h': 3600, 'min': 60}[unit]:.0f} {unit}"
        return f"{max(age_s, 0):.0f} s"

    def __str__(self) -> str:
        """Return it for a message."""
        return f"process {self.pid} on {self.host} ({self.command})"


@contextmanager
def alone(path: Path, patience_s: float | None = None) -> Iterator[None]:
    """Keep other processes that ask for the same ``path`` waiting until the block ends.

    The lock, ``.<name>.lock`` beside it, is the operating system's: a process that dies lets go,
    and the next one takes over. Where a network disk has no such locks, the file itself is the
    lock. ``.<name>.owner`` says who holds it.

    Args:
        path: of what only one process may touch at a time.
        patience_s: how long to wait for another one; ``None`` as long as it takes.

    Raises:
        LockError: another process holds it for longer than ``patience_s``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.owner")
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    _acquire(lock, path, place, patience_s)
    try:
        dead = Owner.of(place)
        if dead is not None:
            log.warning(
                "took over the lock of %s from %s, which ended without letting go of it", path, dead
            )
        Owner.here().write(place)
        yield
    finally:
        place.unlink(missing_ok=True)
        lock.release()


def forget_dead_owners(folder: Path) -> None:
    """Remove what processes of this machine said of holding a lock in ``folder`` and have ended.

    Whoever asks for the lock does the same, but nobody may ask for it again.

    Raises:
        OSError: it cannot be removed.
    """
    for place in folder.glob(".*.owner"):
        owner = Owner.of(place)
        # One that cannot be read was cut off. It only tells people who holds the lock.
        if owner is None or (owner.host == socket.gethostname() and has_ended(owner.pid)):
            place.unlink(missing_ok=True)


def _acquire(lock: FileLock, path: Path, place: Path, patience_s: float | None) -> None:
    quiet_s = QUIET_S if patience_s is None else min(QUIET_S, patience_s)
    try:
        lock.acquire(timeout=quiet_s)
        return
    except Timeout:
        owner = Owner.of(place)
    log.warning("waiting for %s, which has held %s for %s", *_told(owner, path))
    try:
        lock.acquire(timeout=-1 if patience_s is None else patience_s - quiet_s)
    except Timeout:
        who, what, age = _told(Owner.of(place), path)
        raise LockError(
            f"{who} has held {what} for {age}, and others wait for it {patience_s:g} s at most "
            "(pipeline.patience_s); wait for its end, or end it; if it ran on another machine "
            f"that is gone, remove {lock.lock_file}"
        ) from None


def _command(arguments: Sequence[str]) -> str:
    """Return a command for others to read: a setting's value may be a secret, so its name stays."""
    program, *others = arguments
    names = [text.partition("=")[0] for text in others]
    return without_secrets(shlex.join([Path(program).name, *names]))


def _told(owner: Owner | None, path: Path) -> tuple[str, Path, str]:
    return (str(owner), path, owner.age()) if owner else ("another process", path, "some time")
