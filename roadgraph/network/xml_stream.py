"""Road maps that come as XML, read element by element: plain, gzip or bzip2."""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast
from xml.parsers import expat

from roadgraph.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"
BZIP2_MAGIC = b"BZh"
PBF_MAGIC = b"OSMHeader"  # within the first bytes, after the sizes of the first block
CHUNK_BYTES = 1 << 16
MAX_WHOLE = (1 << 63) - 1


class ElementError(ValueError):
    """An element cannot be used; :func:`stream_xml` adds the file and the line."""


def whole_number(attributes: Mapping[str, str], name: str) -> int:
    """Return an attribute as a whole number that fits into 64 bits.

    Raises:
        ElementError: it is missing, or no such number.
    """
    value = text(attributes, name)
    try:
        whole = int(value)
    except ValueError as error:
        raise ElementError(f"{name} '{value}' is no whole number") from error
    if abs(whole) > MAX_WHOLE:
        raise ElementError(f"{name} '{value}' is too large a number")
    return whole


def number(attributes: Mapping[str, str], name: str) -> float:
    """Return an attribute as a finite number.

    Raises:
        ElementError: it is missing, or no such number.
    """
    value = text(attributes, name)
    try:
        finite = float(value)
    except ValueError as error:
        raise ElementError(f"{name} '{value}' is no number") from error
    if not math.isfinite(finite):
        raise ElementError(f"{name} '{value}' is no finite number")
    return finite


def text(attributes: Mapping[str, str], name: str) -> str:
    """Return an attribute.

    Raises:
        ElementError: it is missing or empty.
    """
    if not attributes.get(name):
        raise ElementError(f"an element has no {name}")
    return attributes[name]


def stream_xml(
    path: Path,
    root: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
) -> None:
    """Read an XML file from its beginning to its end without ever holding it as a whole.

    Args:
        path: the file; whether it is compressed is told by its content, not by its name.
        root: the name that its outermost element must have.
        start: called with the name and the attributes of every element where it begins.
        end: called with the name of every element where it ends.

    Raises:
        DataError: the file is missing, empty, cut short, no XML, of another root, or an element
            raised :class:`ElementError`.
    """
    parser = _parser(path)

    def check_root(name: str, attributes: dict[str, str]) -> None:
        if name != root:
            raise DataError(_wrong_root(path, name, root))
        parser.StartElementHandler = start
        start(name, attributes)

    parser.StartElementHandler = check_root
    parser.EndElementHandler = end
    with _opened(path) as file:
        try:
            parser.ParseFile(file)
        except ElementError as error:
            raise DataError(
                f"{path}, line {parser.CurrentLineNumber}: {error}; mend or remove it"
            ) from error


def root_element(path: Path) -> str:
    """Return the name of a file's outermost element: ``osm``, ``net`` or ``graphml``, say.

    Reads no more than the beginning.

    Raises:
        DataError: the file is missing, empty or no XML.
    """
    found: list[str] = []
    parser = _parser(path)
    parser.StartElementHandler = lambda name, _attributes: found.append(name)
    with _opened(path) as file:
        while not found:
            chunk = file.read(CHUNK_BYTES)
            parser.Parse(chunk, not chunk)
    return found[0]


def read_xml_text(path: Path, root: str) -> str:
    """Return the whole text of an XML file in UTF-8, for a library that wants it so.

    Raises:
        DataError: the file is missing, empty, cut short, no XML, of another root, or not UTF-8.
    """
    found = root_element(path)
    if found != root:
        raise DataError(_wrong_root(path, found, root))
    with _opened(path) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8; save it so") from error


def _parser(path: Path) -> expat.XMLParserType:
    """Return a parser that refuses entities: maps need none, and nested ones can fill memory."""

    def refuse(*_declaration: object) -> None:
        raise DataError(f"{path} declares an XML entity, which no road map needs; remove it")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    return parser


def _wrong_root(path: Path, found: str, root: str) -> str:
    return f"{path} begins with <{found}> and not with <{root}>; is this the right file?"


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressed, and name it in whatever goes wrong while it is read."""
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.roads")
    with path.open("rb") as raw:
        head = raw.read(64)
    if not head:
        raise DataError(f"{path} is empty")
    if PBF_MAGIC in head:
        raise DataError(
            f"{path} is OpenStreetMap in PBF form; convert it to XML first: "
            f"osmium cat {path.name} -o roads.osm.gz"
        )
    try:
        with _decompressed(path, head) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(_damaged(path, "cannot be decompressed", error)) from error
    except (expat.ExpatError, LookupError) as error:  # LookupError: an unknown encoding
        raise DataError(_damaged(path, "is no whole XML file", error)) from error
    except OSError as error:
        raise DataError(_damaged(path, "cannot be read", error)) from error


def _decompressed(path: Path, head: bytes) -> IO[bytes]:
    if head.startswith(GZIP_MAGIC):
        return cast("IO[bytes]", gzip.open(path))
    if head.startswith(BZIP2_MAGIC):
        return cast("IO[bytes]", bz2.open(path))
    return path.open("rb")


def _damaged(path: Path, what: str, error: Exception) -> str:
    return f"{path} {what} ({error}); if it was cut short, get it again"
