"""The digests of a year of files without reading a year of files each quarter of an hour."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from roadgraph.probes.fix_store import sha256_of
from roadgraph.storage import write_json

SETTLED_NS = 2_000_000_000  # what changed so shortly before may change again within one tick

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """A file as it was when it was hashed."""

    size: int
    mtime_ns: int
    inode: int
    sha256: str


class FileDigests:
    """SHA-256 of files, remembered by size, time of change and inode, as git does.

    A file that had changed less than two seconds before it was hashed is hashed again next time:
    a second change within the same tick of the disk's clock would not show.

    Args:
        path: where the digests are kept from run to run. It may be lost: nothing but time rests
            on it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._read()
        self._before = dict(self._known)

    def sha256(self, file: Path) -> str:
        """Return the SHA-256 of a file's bytes.

        Raises:
            OSError: it cannot be read.
        """
        name = str(file.absolute())
        found = file.stat()
        state = (found.st_size, found.st_mtime_ns, found.st_ino)
        seen = self._known.get(name)
        if seen is not None and (seen.size, seen.mtime_ns, seen.inode) == state:
            return seen.sha256
        begun_ns = time.time_ns()
        digest = sha256_of(file)
        self._known.pop(name, None)
        if begun_ns - found.st_mtime_ns >= SETTLED_NS:
            self._known[name] = _Seen(*state, digest)
        return digest

    def save(self) -> None:
        """Keep what was learned for the next run, and forget files that are gone."""
        if self._known == self._before:
            return
        kept = {name: astuple(seen) for name, seen in self._known.items() if Path(name).exists()}
        write_json(self._path, dict(sorted(kept.items())))
        self._before = dict(self._known)

    def _read(self) -> dict[str, _Seen]:
        if not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text("utf-8"))
            return {name: _Seen(*seen) for name, seen in content.items()}
        except (ValueError, TypeError, AttributeError, OSError) as error:
            log.warning("%s cannot be read (%s); all files are hashed again", self._path, error)
            return {}
