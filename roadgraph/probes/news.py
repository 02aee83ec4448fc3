"""Which files of a feed are not in the store of fixes as they are."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from roadgraph.probes.clean import Box
from roadgraph.probes.edges import TRIP_LEAD, TRIP_TAIL
from roadgraph.storage import fingerprint, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.probes.feeds import FeedFile
    from roadgraph.probes.file_digests import FileDigests
    from roadgraph.probes.fix_store import FixStore, Input
    from roadgraph.settings import ProbesSettings, Settings

log = logging.getLogger(__name__)

VERSIONS = ("roadgraph", "polars", "pyarrow")
"""The packages that the store of fixes depends on."""


def box_of(network: Network) -> Box:
    """Return the box around a network's segments."""
    return Box(*(float(value) for value in network.segments.total_bounds))


@dataclass(frozen=True)
class Reading:
    """How every file of a run is read.

    Attributes:
        box: fixes outside it are refused.
        probes: settings of the feed and of the rules.
        timezone: IANA zone of the city's clock, which says where a day begins.
        slice_minutes: a fix belongs to the day in which its slice begins.
    """

    box: Box
    probes: ProbesSettings
    timezone: str
    slice_minutes: int

    @property
    def fingerprint(self) -> str:
        """Of all that a file's rows in the store depend on besides its bytes."""
        chosen = asdict(self.probes) | {"replace": None}
        parts = [repr(chosen), repr(self.box), self.timezone, str(self.slice_minutes)]
        parts.append(f"trips {TRIP_LEAD} {TRIP_TAIL}")
        return fingerprint([*parts, *(f"{name} {version(name)}" for name in VERSIONS)])

    @classmethod
    def of(cls, network: Network, settings: Settings) -> Reading:
        """Return how the files of a city are read."""
        return cls(
            box_of(network), settings.probes, settings.city.timezone, settings.slices.minutes
        )


@dataclass(frozen=True)
class FileToRead:
    """A file that is not in the store as it is.

    Attributes:
        file: to read.
        sha256: of the bytes of the file (of its zip, where it is a member of one).
    """

    file: FeedFile
    sha256: str


@dataclass(frozen=True)
class Fault:
    """Why a file, or a local day, was left out.

    Attributes:
        name: of the file, or the day.
        reason: what is wrong with it, and what to do.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class News:
    """How files differ from what is in the store.

    Attributes:
        known: accounts of the files that are in it as they are.
        fresh: the files that are to be read.
        faults: of those that could not be used before, and have not changed since.
    """

    known: list[Input]
    fresh: list[FileToRead]
    faults: dict[str, Fault]


def digests_path(store: FixStore) -> Path:
    """Return where the digests of the files of fixes are kept from run to run."""
    return store.folder / ".files.json"


def find_news(
    files: Sequence[FeedFile],
    before: Mapping[str, Input],
    store: FixStore,
    reading: Reading,
    digests: FileDigests,
    tolerant: bool = False,
) -> News:
    """Return which files are not in the store as they are; nothing is written.

    Args:
        files: of the folder of fixes.
        before: accounts of what is in the store, by name.
        store: of the city.
        reading: how files are read now.
        digests: of files.
        tolerant: whether a file that could not be used before stays out until it changes.

    Raises:
        OSError: a file cannot be opened (where ``tolerant``, it is a fault).
    """
    remembered = remembered_faults(store) if tolerant and not reading.probes.replace else {}
    news = News([], [], {})
    for file in files:
        try:
            sha256 = digests.sha256(file.path)
        except OSError as error:
            if not tolerant:
                raise
            news.faults[file.name] = Fault(file.name, f"cannot be opened: {error}")
            continue
        known = before.get(file.name)
        if known and (known.sha256, known.reading) == (sha256, reading.fingerprint):
            news.known.append(known)
        elif remembered.get(file.name, ())[:2] == (sha256, reading.fingerprint):
            news.faults[file.name] = Fault(file.name, remembered[file.name][2])
        else:
            news.fresh.append(FileToRead(file, sha256))
    return news


def remembered_faults(store: FixStore) -> dict[str, tuple[str, str, str]]:
    """Return digest, reading and reason of files that could not be used, by name."""
    path = store.folder / ".faults.json"
    if not path.exists():
        return {}
    try:
        return {name: (*fault,) for name, fault in json.loads(path.read_text("utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s); what it names is read again", path, error)
        return {}


def remember_faults(store: FixStore, faults: dict[str, tuple[str, str, str]]) -> None:
    """Keep why files could not be used for the next run, as :func:`remembered_faults` has it."""
    if faults != remembered_faults(store):
        write_json(store.folder / ".faults.json", dict(sorted(faults.items())))
