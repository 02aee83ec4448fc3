"""The errors that a user can mend: one clear message each, exit code 2 on the command line."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RoadgraphError(Exception):
    """Something the user can mend; the message names the file, row or key and what to do."""


class SettingsError(RoadgraphError):
    """A setting that does not exist or is out of its range."""


class DataError(RoadgraphError):
    """A file or table that cannot be used as it is."""


class AccountError(RoadgraphError):
    """Rows that came in are neither used nor quarantined: a fault of ours, found before writing."""


class BundleError(RoadgraphError):
    """A trained bundle that is missing, damaged or does not fit the data."""


class TrainingError(RoadgraphError):
    """A training that cannot go on, such as after a loss that is no number."""


class TrackingError(RoadgraphError):
    """An MLflow store that does not take or give what it should."""


class RegistryError(RoadgraphError):
    """A model, version or alias that the registry does not have."""


class PromotionError(RoadgraphError):
    """Two models that cannot be held against each other, or not yet."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the choice nearest to ``word``, or an empty text."""
    found = get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""
