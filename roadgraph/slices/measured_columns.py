"""Which columns a file of measured data has, and so what its rows are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.errors import DataError, nearest
from roadgraph.schema import AGGREGATES, TRAVERSALS, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.settings import MeasuredSettings


@dataclass(frozen=True)
class RowKind:
    """What a row of measured data is.

    Attributes:
        table: names and units of its columns.
        time: the column that says when.
        required: columns that must be there; the others have defaults.
    """

    table: Table
    time: str
    required: tuple[str, ...]


TRAVERSAL_ROWS = RowKind(TRAVERSALS, "entered_at", ("segment_id", "entered_at", "speed_kph"))
"""One vehicle on one segment, matched already."""
AGGREGATE_ROWS = RowKind(AGGREGATES, "time", ("segment_id", "time", "speed_kph", "count"))
"""All vehicles on one segment in some minutes."""
OUR_NAMES = tuple(dict.fromkeys((*TRAVERSALS.columns, *AGGREGATES.columns)))


@dataclass(frozen=True)
class MeasuredColumns:
    """The columns of a file that are ours.

    Attributes:
        kind: what its rows are.
        names: our names to the file's.
    """

    kind: RowKind
    names: Mapping[str, str]


def find_columns(found: Sequence[str], settings: MeasuredSettings, source: str) -> MeasuredColumns:
    """Find our columns among those of a file.

    A file with ``entered_at`` holds traversals, one with ``time`` and ``count`` aggregates.

    Args:
        found: the file's columns.
        settings: ``columns`` is used.
        source: the file, for messages.

    Raises:
        DataError: a column is missing or there twice, or ``measured.columns`` names one that does
            not exist.
    """
    _check_mapping(found, settings, source)
    names = {ours: _their_name(ours, found, settings) for ours in OUR_NAMES}
    if names["entered_at"]:
        kind = TRAVERSAL_ROWS
    elif names["time"] and names["count"]:
        kind = AGGREGATE_ROWS
    else:
        raise DataError(
            f"{source}: no column 'entered_at' (rows of single vehicles), nor 'time' and 'count' "
            f"(ready aggregates) (found {', '.join(found)}){nearest('entered_at', found)} "
            "Map it with measured.columns.entered_at=NAME"
        )
    placed = {ours: name for ours in kind.table.columns if (name := names[ours])}
    for ours in kind.required:
        if ours not in placed:
            raise DataError(
                f"{source}: column '{ours}' is missing (found {', '.join(found)})"
                f"{nearest(ours, found)} Map it with measured.columns.{ours}=NAME"
            )
    for name in placed.values():
        if list(found).count(name) > 1:
            raise DataError(f"{source}: column '{name}' is there twice; rename one of the two")
    return MeasuredColumns(kind, placed)


def wanted_names(settings: MeasuredSettings) -> set[str]:
    """Return the names that a file's columns of ours have, where they are all there."""
    return {settings.columns.get(name, name) for name in OUR_NAMES}


def _check_mapping(found: Sequence[str], settings: MeasuredSettings, source: str) -> None:
    for ours, theirs in settings.columns.items():
        if ours not in OUR_NAMES:
            raise DataError(
                f"measured.columns.{ours}: measured data has no such column (there are "
                f"{', '.join(OUR_NAMES)}){nearest(ours, OUR_NAMES)}"
            )
        if theirs not in found:
            raise DataError(
                f"{source}: column '{theirs}', which measured.columns.{ours} names, is missing "
                f"(found {', '.join(found)}){nearest(theirs, found)}"
            )


def _their_name(ours: str, found: Sequence[str], settings: MeasuredSettings) -> str | None:
    """Return what the file calls our column, ``None`` where it has none."""
    if ours in settings.columns:
        return settings.columns[ours]
    # A name of ours that was mapped to another column of ours is taken.
    return ours if ours in found and ours not in settings.columns.values() else None
