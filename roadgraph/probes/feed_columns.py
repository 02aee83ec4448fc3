"""Which of a feed's columns are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.errors import DataError, nearest
from roadgraph.schema import FIXES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.settings import ProbesSettings

REQUIRED = ("vehicle_id", "timestamp", "lat", "lon")
VALID = "valid"
"""What we call the column that ``probes.valid_column`` names."""


def place_columns(names: Sequence[str], settings: ProbesSettings, source: str) -> dict[str, int]:
    """Return the place of each of our columns, and of ``VALID``, among a file's columns.

    Args:
        names: the file's columns in their order.
        settings: ``columns`` and ``valid_column``.
        source: the file, for messages.

    Raises:
        DataError: a column is missing or there twice, or ``probes.columns`` names one that does
            not exist.
    """
    FIXES.renaming(settings.columns, names, source, "probes.columns")
    theirs = {name: _their_name(name, names, settings) for name in FIXES.columns}
    if settings.valid_column:
        if settings.valid_column not in names:
            raise DataError(
                f"{source}: column '{settings.valid_column}', which probes.valid_column names, is "
                f"missing (found {', '.join(names)}){nearest(settings.valid_column, names)}"
            )
        theirs[VALID] = settings.valid_column
    places = {}
    for ours, name in theirs.items():
        if name is None:
            if ours in REQUIRED:
                left = [name for name in names if name not in settings.columns.values()]
                raise DataError(
                    f"{source}: column '{ours}' is missing (found {', '.join(left)})"
                    f"{nearest(ours, left) or '.'} Map it with probes.columns.{ours}=NAME"
                )
            continue
        if names.count(name) > 1:
            raise DataError(f"{source}: column '{name}' is there twice; rename one of the two")
        places[ours] = names.index(name)
    return places


def wanted_names(settings: ProbesSettings) -> set[str]:
    """Return the names that a file's columns of ours have, where they are all there."""
    wanted = {settings.columns.get(name, name) for name in FIXES.columns}
    return wanted | {settings.valid_column} - {""}


def _their_name(ours: str, names: Sequence[str], settings: ProbesSettings) -> str | None:
    """Return what the file calls our column, ``None`` where it has none."""
    if ours in settings.columns:
        return settings.columns[ours]
    # A name of ours that was mapped to another column of ours is taken.
    return ours if ours in names and ours not in settings.columns.values() else None
