"""A stream of bytes into chunks of whole, numbered lines of UTF-8."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.feed_files import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD_BYTES = 4096

BYTE_ORDER_MARKS = {  # UTF-32's begin as UTF-16's do, so they come first
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
OTHER_FORMATS = {b"\x1f\x8b": ".gz", b"PK\x03\x04": ".zip", b"PAR1": ".parquet"}

NO_CHARACTER = "\udcff"
"""Stands where bytes are no character; written as UTF-8 it is invalid, so that the line is."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # used for decoding alone
    return NO_CHARACTER, error.end


codecs.register_error("roadgraph.mark", _mark)


@dataclass(frozen=True)
class Lines:
    r"""Some consecutive lines of a file.

    Attributes:
        data: their bytes, each line ended by one ``\n``; UTF-8 but for what the file has wrong.
        first: the number of the first one in its file, from 1.
    """

    data: bytes
    first: int

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def ends(self) -> np.ndarray:
        """``[n]`` where each line ends, in bytes."""
        return np.flatnonzero(np.frombuffer(self.data, np.uint8) == ord("\n"))

    @cached_property
    def starts(self) -> np.ndarray:
        """``[n]`` where each line starts, in bytes."""
        return np.concatenate([[0], self.ends + 1])[:-1]

    def line(self, index: int) -> bytes:
        """Return the bytes of one line, without its end."""
        return self.data[self.starts[index] : self.ends[index]]

    def text(self, index: int) -> str:
        """Return one line to show; bytes that are no character are written as ``\\xff``."""
        marked = NO_CHARACTER.encode("utf-8", "surrogatepass")
        return self.line(index).replace(marked, b"\xff").decode("utf-8", "backslashreplace")

    def after(self, count: int) -> Lines:
        """Return the lines behind the first ``count``."""
        if count == 0:
            return self
        return Lines(self.data[self.ends[count - 1] + 1 :], self.first + count)

    def is_blank(self, index: int) -> bool:
        """Whether a line holds nothing but white space."""
        return not self.line(index).strip()

    def not_utf8(self) -> list[int]:
        """Return which lines hold bytes that are no character."""
        if self.data.isascii() or _is_utf8(self.data):
            return []
        return [index for index in range(len(self)) if not _is_utf8(self.line(index))]

    def as_array(self) -> pa.Array:
        r"""Return the lines as an Arrow array of bytes, each with its ``\n``, without a copy."""
        offsets = np.concatenate([[0], self.ends + 1]).astype(np.int64)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_binary(), len(self), buffers)


def whole_lines(
    pieces: Iterable[bytes], encoding: str, name: str, chunk_bytes: int
) -> Iterator[Lines]:
    r"""Yield the lines of a file in chunks; a line ends at ``\n``, ``\r\n`` or ``\r``.

    Args:
        pieces: the file's bytes.
        encoding: how they stand for characters, unless a byte order mark says otherwise.
        name: the file, for messages.
        chunk_bytes: about how much of the file a chunk holds.

    Raises:
        DamagedError: as ``pieces`` does; the whole lines before that place have been yielded.
        DataError: the file is of another format, UTF-16 without a byte order mark, or has a line
            longer than a chunk.
        SettingsError: there is no such encoding.
    """
    rest, first = b"", 1
    waiting: list[bytes] = []
    size = 0
    try:
        for piece in _utf8(pieces, encoding, name):
            waiting.append(piece)
            size += len(piece)
            if size < chunk_bytes:
                continue
            data, rest = _cut(b"".join(waiting))
            if not data:
                raise DataError(
                    f"{name}, line {first} is longer than {chunk_bytes:,} bytes; is this a text "
                    "file with a line a fix?"
                )
            lines = Lines(data, first)
            yield lines
            first += len(lines)
            waiting, size = [rest], len(rest)
    except DamagedError:
        data, _ = _cut(b"".join(waiting))  # the last line may have lost its end
        if data:
            yield Lines(data, first)
        raise
    last = b"".join(waiting)
    if last:
        yield Lines(_with_one_end(last if last.endswith((b"\n", b"\r")) else last + b"\n"), first)


def _cut(data: bytes) -> tuple[bytes, bytes]:
    r"""Return the whole lines of ``data``, ended by ``\n`` alone, and the bytes behind them."""
    # A \r in the last place is left: its \n may be about to come.
    end = 1 + max(data.rfind(b"\n"), data.rfind(b"\r", 0, max(len(data) - 1, 0)))
    return _with_one_end(data[:end]), data[end:]


def _with_one_end(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _utf8(pieces: Iterable[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """Yield ``pieces`` as UTF-8; bytes that are no character leave invalid UTF-8 behind."""
    source = iter(pieces)
    head, damage = b"", None
    try:
        while len(head) < HEAD_BYTES and (piece := next(source, b"")):
            head += piece
    except DamagedError as error:  # what came before it is read all the same
        damage = error
    for mark, marked in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            head, encoding = head[len(mark) :], marked
            break
    else:
        _check_head(head, encoding, name)
    decoder = None
    if _codec(encoding) != "utf-8":
        decoder = codecs.getincrementaldecoder(encoding)("roadgraph.mark")
    yield _encoded(head, decoder)
    if damage is not None:
        raise damage
    for piece in source:
        yield _encoded(piece, decoder)
    yield _encoded(b"", decoder, final=True)


def _encoded(piece: bytes, decoder: codecs.IncrementalDecoder | None, final: bool = False) -> bytes:
    if decoder is None:
        return piece
    return decoder.decode(piece, final).encode("utf-8", "surrogatepass")


def _check_head(head: bytes, encoding: str, name: str) -> None:
    for magic, suffix in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise DataError(f"{name} is a {suffix} file by its content; name it *{suffix}")
    # Of UTF-16, every other byte of ASCII text is 0; a damaged text has a few at most.
    if _codec(encoding) == "utf-8" and head.count(0) > len(head) / 5:
        raise DataError(
            f"{name} is full of zero bytes: is it UTF-16 without a byte order mark? "
            "Then set probes.encoding=utf-16-le"
        )


def _codec(encoding: str) -> str:
    """Return Python's own name of ``encoding``.

    Raises:
        SettingsError: no text can be read in it.
    """
    try:
        line = "a,1\n".encode(encoding)  # refuses what codes no text, such as bz2
        codecs.getincrementaldecoder(encoding)("roadgraph.mark").decode(line, final=True)
    except (LookupError, ValueError) as error:
        raise SettingsError(
            f"probes.encoding: no encoding '{encoding}'; use one such as utf-8, utf-16-le, cp874"
        ) from error
    return codecs.lookup(encoding).name


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
