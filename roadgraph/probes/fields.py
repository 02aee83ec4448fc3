"""Lines of text into the fields of our columns, with an account of every line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from roadgraph.probes.dialect import split_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadgraph.probes.dialect import Dialect
    from roadgraph.probes.text_lines import Lines

# What a line is to the reader.
PLAIN, QUOTED, BLANK, BAD_ROW, BAD_ENCODING = range(5)
RULES = {BAD_ROW: "bad_row", BAD_ENCODING: "bad_encoding"}
PARSER_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fields:
    """The rows among some lines.

    Attributes:
        columns: our columns as text, stripped of white space, each ``[n]``.
        lines: ``[n]`` which of the lines each row is, rising.
        refused: which lines are no row that can be split, with the rule that says so.
    """

    columns: dict[str, pa.Array]
    lines: np.ndarray
    refused: dict[int, str]

    @property
    def rows_in(self) -> int:
        """How many of the lines are rows: all that are not blank."""
        return len(self.lines) + len(self.refused)


def split_lines(lines: Lines, dialect: Dialect) -> Fields:
    """Split ``lines`` into the fields of our columns; blank lines are no rows.

    What becomes of a line never depends on the lines around it. A fast parser reads those that
    it cannot misread; the others, whose quotes hold delimiters or make no sense, are split one by
    one.
    """
    kinds = _kinds(lines, dialect)
    plain = np.flatnonzero(kinds == PLAIN)
    columns = _parsed(lines, kinds == PLAIN, dialect)
    slow = {i: _split(lines, i, dialect) for i in np.flatnonzero(kinds == QUOTED).tolist()}
    split = {i: fields for i, fields in slow.items() if fields is not None}
    places = plain
    if split:
        places = np.concatenate([plain, list(split)])
        order = np.argsort(places)
        places = places[order]
        columns = {
            name: pa.concat_arrays([column, _texts(fields[place] for fields in split.values())])
            .take(pa.array(order))
            for (name, column), place in zip(columns.items(), dialect.places.values(), strict=True)
        }  # fmt: skip
    refused = {i: "bad_row" for i, fields in slow.items() if fields is None}
    for kind, rule in RULES.items():
        refused.update(dict.fromkeys(np.flatnonzero(kinds == kind).tolist(), rule))
    columns = {name: pc.utf8_trim_whitespace(column) for name, column in columns.items()}
    fields = Fields(columns, places, dict(sorted(refused.items())))
    assert fields.rows_in == np.count_nonzero(kinds != BLANK)
    return fields


def _kinds(lines: Lines, dialect: Dialect) -> np.ndarray:
    """Return ``[n]`` what each line is."""
    data = np.frombuffer(lines.data, np.uint8)
    has_width = _count(data, dialect.delimiter, lines) == dialect.width - 1
    kinds = np.where(has_width, PLAIN, BAD_ROW)
    if b'"' in lines.data:
        quoted = _count(data, '"', lines) > 0
        kinds[quoted & ~(has_width & _is_simply_quoted(lines, dialect.delimiter))] = QUOTED
    suspects = np.flatnonzero(kinds == BAD_ROW)
    if dialect.delimiter == "\t" and len(data):  # a row of tabs alone has the right width
        suspects = np.flatnonzero(np.add.reduceat(data > ord(" "), lines.starts) == 0)
    kinds[[i for i in suspects.tolist() if lines.is_blank(i)]] = BLANK
    kinds[lines.not_utf8()] = BAD_ENCODING
    return kinds


def _count(data: np.ndarray, character: str, lines: Lines) -> np.ndarray:
    """Return ``[n]`` how often ``character`` is in each line."""
    places = np.flatnonzero(data == ord(character))
    return np.diff(np.searchsorted(places, lines.ends), prepend=0)


def _is_simply_quoted(lines: Lines, delimiter: str) -> np.ndarray:
    """Return ``[n]`` whether a line's quotes enclose whole fields, and no delimiter."""
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"{d}]|"")*"|[^"{d}]*)'
    pattern = f"^{field}(?:{d}{field})*\n$"
    return np.asarray(pc.match_substring_regex(lines.as_array(), pattern))


def _parsed(lines: Lines, kept: np.ndarray, dialect: Dialect) -> dict[str, pa.Array]:
    """Parse the ``kept`` lines, all of which have the right number of columns."""
    names = [str(place) for place in range(dialect.width)]
    used = {ours: str(place) for ours, place in dialect.places.items()}
    if not kept.any():
        return dict.fromkeys(used, pa.array([], pa.string()))
    lengths = lines.ends + 1 - lines.starts
    data = lines.data
    if not kept.all():
        data = np.frombuffer(data, np.uint8)[np.repeat(kept, lengths)].tobytes()
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(
            column_names=names,
            # The parser needs a line's end in every block.
            block_size=max(PARSER_BLOCK_BYTES, 1 + int(lengths.max())),
        ),
        csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if b'"' in data else False,
            ignore_empty_lines=False,
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(used.values(), pa.string()),
            include_columns=list(dict.fromkeys(used.values())),
            strings_can_be_null=False,
            check_utf8=False,  # the lines have been checked
        ),
    )
    assert table.num_rows == np.count_nonzero(kept)
    return {ours: pa.concat_arrays(table[name].chunks) for ours, name in used.items()}


def _split(lines: Lines, index: int, dialect: Dialect) -> list[str] | None:
    fields = split_line(lines.line(index).decode("utf-8"), dialect.delimiter)
    return fields if fields is not None and len(fields) == dialect.width else None


def _texts(values: Iterable[str]) -> pa.Array:
    return pa.array(list(values), pa.string())
