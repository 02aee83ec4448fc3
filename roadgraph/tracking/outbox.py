"""A thread that sends records to MLflow while trainings go on, and waits for nobody."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.tracking.machine import MachineMonitor
from roadgraph.tracking.record import Progress, Sent, append_progress, now_ms, read_sent, write_sent
from roadgraph.tracking.sending import Sender, is_settled, is_unreachable, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.tracking.sending import Serve
    from roadgraph.tracking.store import Store

logger = logging.getLogger(__name__)

TICK_S = 5.0
"""Between two looks for new figures."""
SAMPLE_S = 10.0
"""Between two samples of the machine."""
RETRY_S = 30.0
"""Until a store that failed is tried again."""


@dataclass(frozen=True)
class Left:
    """What could not be sent.

    Attributes:
        folders: of the records.
        reason: why, or "" when all was sent.
    """

    folders: tuple[Path, ...]
    reason: str


class Outbox:
    """Takes records and sends them from a thread of its own, so that a training never waits.

    A record is on disk before it is posted. What the store does not take stays there, and
    :class:`~roadgraph.tracking.sending.Sender` can send it at any later time.

    Args:
        store: to send to.
        serve: see :class:`~roadgraph.tracking.sending.Sender`.
        tick_s: seconds between two looks for new figures.
    """

    def __init__(self, store: Store, serve: Serve | None = None, tick_s: float = TICK_S) -> None:
        self._store = store
        self._sender = Sender(store, serve)
        self._tick_s = tick_s
        self._changed = threading.Condition()
        self._posted: dict[Path, int] = {}
        self._live: dict[Path, int] = {}
        self._woken = False
        self._closing = False
        self._reason = ""
        self._retry_at = 0.0
        self._sample_at = 0.0
        self._monitor = MachineMonitor()
        self._thread = threading.Thread(target=self._work, name="roadgraph-outbox", daemon=True)
        self._thread.start()

    def follow(self, folder: Path, samples: int = 0) -> None:
        """Send the record in ``folder`` as it grows, and sample the machine into it.

        Args:
            folder: of the record.
            samples: of the machine that it has already.
        """
        _mean(folder, self._store)
        with self._changed:
            self._live[folder] = samples
            self._sample_at = 0.0  # each run has a sample at least, however short it is
            self._woken = True
            self._changed.notify()

    def post(self, folder: Path) -> None:
        """Send the record in ``folder``, which is complete or has reached a new state."""
        _mean(folder, self._store)
        with self._changed:
            self._live.pop(folder, None)
            self._posted[folder] = self._posted.get(folder, 0) + 1
            self._changed.notify()

    def unfollow(self, folder: Path) -> None:
        """Leave the record in ``folder`` as it is."""
        with self._changed:
            self._live.pop(folder, None)

    def close(self, patience_s: float) -> Left:
        """Send what is there, for at most ``patience_s``; return what could not be sent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(patience_s)
        with self._changed:
            folders = tuple(
                folder for folder in self._posted if not is_settled(folder, self._store)
            )
        slow = f"it took longer than {patience_s:g} s" if self._thread.is_alive() else ""
        return Left(folders, (slow or self._reason or "sending broke off") if folders else "")

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._posted or self._woken or self._closing, self._tick_s
                )
                self._woken, closing = False, self._closing
            self._sample()
            if closing or time.monotonic() >= self._retry_at:
                self._send_all()
            if closing:
                return
            if time.monotonic() < self._retry_at:
                self._pause()

    def _pause(self) -> None:
        """Wait until the store may be tried again, or the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, self._tick_s)

    def _sample(self) -> None:
        with self._changed:
            live = dict(self._live)
        if not live or time.monotonic() < self._sample_at:
            return
        self._sample_at = time.monotonic() + SAMPLE_S
        try:
            figures = self._monitor.sample()
            at_ms = now_ms()
            for folder, step in live.items():
                append_progress(Progress(step, at_ms, figures, "machine"), folder)
                with self._changed:
                    if folder in self._live:
                        self._live[folder] = step + 1
        except Exception as error:
            # psutil fails on some kernels, a disk may be full; these curves are not worth others.
            logger.warning("the machine's figures cannot be kept (%s)", reason_of(error))
            self._sample_at = math.inf

    def _send_all(self) -> None:
        with self._changed:
            posted, live = dict(self._posted), list(self._live)
        for folder in [*posted, *live]:
            try:
                self._sender.send(folder)
            except Exception as error:
                # Whatever a store does, it must not cost the training.
                self._failed(error)
                if is_unreachable(error):
                    return
                continue
            with self._changed:
                if folder in posted and self._posted[folder] == posted[folder]:
                    del self._posted[folder]

    def _failed(self, error: Exception) -> None:
        reason = reason_of(error)
        log = logger.info if self._reason else logger.warning
        log(
            "the MLflow store %s does not take what it is sent (%s); it is kept and tried again",
            self._store.name,
            reason,
            exc_info=logger.isEnabledFor(logging.INFO),
        )
        self._reason = reason
        self._retry_at = time.monotonic() + RETRY_S


def _mean(folder: Path, store: Store) -> None:
    """Write down that the record is meant for ``store``, before anything is sent."""
    if store.name not in read_sent(folder):
        write_sent(store.name, Sent(), folder)
