"""How a text file separates its columns, and which of them are ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.feed_columns import place_columns, wanted_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.settings import ProbesSettings

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


@dataclass(frozen=True)
class Dialect:
    """How a text file is laid out.

    Attributes:
        delimiter: the character between two columns.
        width: how many columns a row has.
        places: our columns, and ``feed_columns.VALID``, by their place in a row.
        has_header: whether the first line holds the names of the columns.
    """

    delimiter: str
    width: int
    places: Mapping[str, int]
    has_header: bool

    @property
    def has_decimal_comma(self) -> bool:
        """Whether a comma in a number can only be a decimal comma."""
        return self.delimiter != ","


def find_dialect(head: Sequence[str], settings: ProbesSettings, source: str) -> Dialect:
    """Find out the layout of a file.

    Args:
        head: its first lines that are not blank, at least one.
        settings: ``delimiter``, ``header_columns``, ``columns`` and ``valid_column``.
        source: the file, for messages.

    Raises:
        DataError: no delimiter makes columns of it, or a column is missing or there twice.
        SettingsError: ``probes.delimiter`` cannot be one.
    """
    delimiter = _set_delimiter(settings) or _found_delimiter(head, settings)
    width = max(len(_split_anyhow(line, delimiter)) for line in head)
    if width < 2:
        wanted = f"no {settings.delimiter!r}" if settings.delimiter else "no , ; tab or |"
        raise DataError(
            f"{source} has one column: there is {wanted} in its first line {head[0][:120]!r}; "
            "set probes.delimiter to what stands between two columns"
        )
    first = [name.strip() for name in _split_anyhow(head[0], delimiter)]
    names = _header(first, settings) if settings.header_columns else first
    if names is None:
        places = place_columns(settings.header_columns, settings, source)
        return Dialect(delimiter, len(settings.header_columns), places, has_header=False)
    return Dialect(delimiter, len(names), place_columns(names, settings, source), has_header=True)


def split_line(line: str, delimiter: str) -> list[str] | None:
    """Return the fields of one line, or ``None`` where its quotes make no sense.

    A quoted field may hold delimiters, and quotes as pairs of them; it does not go on in the next
    line.
    """
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return None


def _split_anyhow(line: str, delimiter: str) -> list[str]:
    return split_line(line, delimiter) or line.split(delimiter)


def _header(first: list[str], settings: ProbesSettings) -> list[str] | None:
    """Return the names in the file's order where ``first`` is a header, else ``None``."""
    known = {_plain(name): name for name in settings.header_columns}
    names = [known.get(_plain(field)) for field in first]
    return None if None in names else [name for name in names if name is not None]


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def _set_delimiter(settings: ProbesSettings) -> str:
    delimiter = DELIMITERS.get(settings.delimiter, settings.delimiter)
    may_be_part_of_a_field = delimiter.isalnum() or delimiter in '"+-.: \r\n'
    if delimiter and (len(delimiter) > 1 or not delimiter.isascii() or may_be_part_of_a_field):
        raise SettingsError(
            f"probes.delimiter: must be one character that stands in no field, or "
            f"{', '.join(DELIMITERS)} (found {settings.delimiter!r})"
        )
    return delimiter


def _found_delimiter(head: Sequence[str], settings: ProbesSettings) -> str:
    """Return the delimiter that makes most sense of the first lines."""
    wanted = wanted_names(settings)

    def sense(delimiter: str) -> tuple[int, int]:
        rows = [_split_anyhow(line, delimiter) for line in head]
        if settings.header_columns:
            fitting = sum(len(row) == len(settings.header_columns) for row in rows)
        else:
            fitting = len(wanted & {name.strip() for name in rows[0]})
        return fitting, len(rows[0])

    return max(DELIMITERS.values(), key=sense)
