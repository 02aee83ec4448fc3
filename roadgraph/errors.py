"""The errors that a user can mend, one clear message each, and what the command ends with."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from enum import IntEnum
from heapq import nsmallest
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """What the command ends with."""

    OK = 0
    """Everything that was asked for is there."""
    FAILED = 1
    """Something failed for a reason that is no mistake of the user; the rest is there."""
    MISTAKE = 2
    """A setting, a file or a disk has to be mended first; nothing half-written is left."""
    CHECKS = 3
    """Everything was made, but a check failed, so nothing was promoted."""
    BUSY = 75
    """Another run is at the store; try again later (``EX_TEMPFAIL`` of sysexits.h)."""


class RoadgraphError(Exception):
    """Something the user can mend; the message names the file, row or key and what to do."""


class SettingsError(RoadgraphError):
    """A setting that does not exist or is out of its range."""


class DataError(RoadgraphError):
    """A file or table that cannot be used as it is."""


class AccountError(RoadgraphError):
    """Rows that came in are neither used nor quarantined: a fault of ours, found before writing."""


class LockError(RoadgraphError):
    """Another process is at the same store and does not end."""


class BundleError(RoadgraphError):
    """A trained bundle that is missing, damaged or does not fit the data."""


class TrainingError(RoadgraphError):
    """A training that cannot go on, such as after a loss that is no number."""


class TrackingError(RoadgraphError):
    """An MLflow store that does not take or give what it should."""


class RegistryError(RoadgraphError):
    """A model, version or alias that the registry does not have."""


class NothingRegisteredError(RegistryError):
    """A registry in which no model of the city, or no champion, stands yet."""


class PromotionError(RoadgraphError):
    """Two models that cannot be held against each other, or not yet."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the choice nearest to ``word``, or an empty text."""
    found = get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def nearest_few(word: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """Return the ``count`` choices that look most like ``word``, the nearest first.

    Of those that look as much like it, those that begin like it come first.
    """
    matcher = SequenceMatcher(b=word)

    def unlikeness(choice: str) -> tuple[float, int, str]:
        matcher.set_seq1(choice)
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(choice, word, strict=False))
        return -matcher.ratio(), -sum(1 for _ in alike), choice

    return nsmallest(count, choices, key=unlikeness)
