"""Where the files of a feed are, and their bytes: plain, compressed, or members of a zip."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import struct
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from roadgraph.errors import DataError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

TEXT_SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz", ".tsv", ".tsv.gz")
SUFFIXES = (*TEXT_SUFFIXES, ".parquet")
PIECE_BYTES = 1 << 20

# What the standard library raises where a file cannot be opened or its bytes make no sense.
# NotImplementedError is a method of packing that it does not know; struct.error, ValueError and
# OverflowError come from damaged tables of contents, UnicodeDecodeError among them.
FAULTS = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    struct.error,
    ValueError,
    OverflowError,
)


class DamagedError(DataError):
    """A file that breaks off or makes no sense from some place on."""


@dataclass(frozen=True)
class FeedFile:
    """One readable file of a feed: a plain file or a member of a zip.

    Attributes:
        path: the file, or the zip that holds it.
        name: what messages and accounts call it, relative to the feed's folder; a member stands
            behind its zip, such as ``2024-01.zip/20240105.csv``.
        member: its name within the zip; empty for a plain file.
    """

    path: Path
    name: str
    member: str = ""

    @property
    def is_parquet(self) -> bool:
        """Whether this is a Parquet file, by its name."""
        return self.name.lower().endswith(".parquet")


def feed_files(
    path: Path, on_fault: Callable[[str, Exception], None] | None = None
) -> list[FeedFile]:
    """Return the files of the feed at ``path`` in the order of their names.

    A folder is searched with its sub-folders, a zip for its members; hidden files and the
    ``__MACOSX`` folders that macOS packs into zips are left out.

    Args:
        path: a file or a folder.
        on_fault: is told of each zip that cannot be opened, which is left out then; ``None`` to
            stop there.

    Raises:
        DataError: there is no file, none of a known format, or a zip that cannot be opened or
            holds no such file.
    """
    if path.is_file():
        found = [(path, path.name)]
        if not path.name.lower().endswith((*SUFFIXES, ".zip")):
            raise DataError(f"{path}: no format of fixes (known are {_known()}); rename the file")
    elif path.is_dir():
        names = ((file, file.relative_to(path).as_posix()) for file in path.rglob("*"))
        found = [
            (file, name)
            for file, name in names
            if not _is_hidden(name) and name.lower().endswith((*SUFFIXES, ".zip"))
            if file.is_file()
        ]
    else:
        raise DataError(f"fixes {path} are missing; set city.fixes to a file or folder")
    files: list[FeedFile] = []
    faults = 0
    for file, name in found:
        try:
            files += _members(file, name) if _is_zip(name) else [FeedFile(file, name)]
        except DataError as error:
            if on_fault is None:
                raise
            on_fault(name, error)
            faults += 1
    if not files and not faults:
        raise DataError(f"{path}: no file of fixes in it (looked for {_known()})")
    return sorted(files, key=lambda file: file.name)


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def pieces(file: FeedFile) -> Iterator[bytes]:
    """Yield the bytes of ``file`` as they come, decompressed.

    Raises:
        DamagedError: the file cannot be opened, breaks off or is damaged; all bytes before that
            place have been yielded.
    """
    try:
        with contextlib.ExitStack() as opened:
            stream = _stream(file, opened)
            while piece := stream.read1(PIECE_BYTES):
                yield piece
    except EOFError as error:
        raise DamagedError(f"{file.name} breaks off in the middle; fetch it again") from error
    except FAULTS as error:
        raise DamagedError(
            f"{file.name} cannot be read, or is damaged ({_reason(error)}); fetch it again"
        ) from error


@contextlib.contextmanager
def seekable(file: FeedFile) -> Iterator[IO[bytes]]:
    """Open ``file`` for reading from any place; a zip's member is unpacked to a temporary file.

    Raises:
        DamagedError: the file cannot be opened or unpacked.
    """
    with contextlib.ExitStack() as opened:
        if file.member:
            whole = opened.enter_context(tempfile.TemporaryFile())
            for piece in pieces(file):
                whole.write(piece)
            whole.seek(0)
            yield whole
        else:
            try:
                stream = opened.enter_context(file.path.open("rb"))
            except OSError as error:
                raise DamagedError(f"{file.name} cannot be read ({_reason(error)})") from error
            yield stream


def _stream(file: FeedFile, opened: contextlib.ExitStack) -> io.BufferedReader:
    """Open ``file``; the members of ``opened`` close it."""
    stream: IO[bytes]
    if file.member:
        packed = opened.enter_context(zipfile.ZipFile(file.path))
        stream = opened.enter_context(packed.open(file.member))
    else:
        stream = opened.enter_context(file.path.open("rb"))
    if file.name.lower().endswith(".gz"):
        stream = cast("IO[bytes]", opened.enter_context(gzip.GzipFile(fileobj=stream)))
    return cast("io.BufferedReader", stream)


def _members(path: Path, name: str) -> list[FeedFile]:
    try:
        with zipfile.ZipFile(path) as packed:
            infos = [
                info
                for info in packed.infolist()
                if not info.is_dir()
                and info.filename.lower().endswith(SUFFIXES)
                and not _is_hidden(info.filename)
            ]
    except FAULTS as error:
        raise DataError(f"{name} is no readable zip ({_reason(error)}); fetch it again") from error
    if not infos:
        raise DataError(f"{name}: no file of fixes in this zip (looked for {', '.join(SUFFIXES)})")
    seen: set[str] = set()
    for info in infos:
        if info.flag_bits & 1:
            raise DataError(f"{name}/{info.filename} is encrypted; unpack it with its password")
        if info.filename in seen:
            raise DataError(f"{name} holds '{info.filename}' twice; unpack it and keep one")
        seen.add(info.filename)
    return [FeedFile(path, f"{name}/{info.filename}", info.filename) for info in infos]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _known() -> str:
    return ", ".join((*SUFFIXES, ".zip"))


def _reason(error: BaseException) -> str:
    """Return the first line of what ``error`` says, or its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
