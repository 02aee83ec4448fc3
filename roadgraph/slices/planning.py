"""What each local day of slices depends on, and which of them are stale."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.staleness import NEW, OLDER, changes, fingerprint_of
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.probes.fix_store import FixStore, Input
    from roadgraph.settings import Settings

TRIP_LEAD = pd.Timedelta(minutes=60)
TRIP_TAIL = pd.Timedelta(minutes=10)
"""How much of the days around it is matched along with a day, so that its trips are whole."""

VERSIONS = ("roadgraph", "fastmm", "polars", "pyarrow", "pyproj", "shapely")
"""The packages that slices of fixes depend on; a manifest names their versions."""


@dataclass(frozen=True)
class DayPlan:
    """A local day to build.

    Attributes:
        day: the day.
        begin: first moment of its slices (UTC).
        end: the moment after them.
        parts: files of fixes of the day and of the days beside it.
        depends_on: all that its slices depend on, by name.
        inputs: that have rows of the day, by key.
    """

    day: date
    begin: pd.Timestamp
    end: pd.Timestamp
    parts: tuple[Path, ...]
    depends_on: dict[str, str]
    inputs: dict[str, Input]

    @cached_property
    def fingerprint(self) -> str:
        """Of all that its slices depend on."""
        return fingerprint_of(self.depends_on)

    @property
    def own_parts(self) -> tuple[Path, ...]:
        """The files of fixes of the day itself."""
        return tuple(path for path in self.parts if path.parent.name == self.day.isoformat())

    @property
    def first(self) -> pd.Timestamp:
        """The first moment whose fixes are matched along."""
        return self.begin - TRIP_LEAD

    @property
    def last(self) -> pd.Timestamp:
        """The moment after the last one whose fixes are matched along."""
        return self.end + TRIP_TAIL


def plan_days(
    store: FixStore,
    network: Network,
    settings: Settings,
    accounts: Mapping[str, Input] | None = None,
) -> list[DayPlan]:
    """Return a plan for every day of the store of fixes, in their order.

    A day depends on its own fixes and those of the days beside it, on the network, on the
    settings of probes and slices and on the versions that match and aggregate.

    Args:
        store: of the city.
        network: what the fixes are matched to.
        settings: ``city``, ``probes`` and ``slices`` are used.
        accounts: of the store's inputs by name, where they are known already.
    """
    known = store.inputs() if accounts is None else accounts
    inputs = {account.key: account for account in known.values()}
    zone = city_zone(settings.city.timezone)
    shared = shared_dependencies(settings, network, asdict(settings.probes), "probes", VERSIONS)
    days = store.days()
    # What no account names is left from a run that was killed, and about to be read again.
    parts_of = {
        day: tuple(path for path in store.parts(day) if path.stem in inputs) for day in days
    }
    plans = []
    for day in days:
        if not parts_of[day]:
            continue
        around = (day + timedelta(days=ahead) for ahead in (-1, 0, 1))
        parts = tuple(path for other in around for path in parts_of.get(other, ()))
        fixes = {fixes_of(path.parent.name, inputs[path.stem]): path for path in parts}
        of_fixes = {name: inputs[path.stem].sha256 for name, path in fixes.items()}
        begin, end = span_of_day(day, zone, settings.slices.minutes)
        own = {path.stem: inputs[path.stem] for path in parts_of[day]}
        plans.append(DayPlan(day, begin, end, parts, of_fixes | shared, own))
    return plans


def fixes_of(day: str, account: Input) -> str:
    """Return what the fixes of a day from one file are called among dependencies."""
    return f"fixes {day} {account.name}"


def shared_dependencies(
    settings: Settings,
    network: Network,
    chosen: Mapping[str, Any],
    group: str,
    packages: Iterable[str],
) -> dict[str, str]:
    """Return what every day of a city depends on, by name.

    Args:
        settings: of the city.
        network: its roads.
        chosen: the settings of how its data is read; ``replace`` is none.
        group: what they are called.
        packages: whose versions count.
    """
    shapes = network.segments.geometry.to_wkb(hex=True) if network.has_geometry else ()
    own = {name: value for name, value in chosen.items() if name != "replace"}
    return {
        "network": fingerprint([network.fingerprint(), *shapes]),
        "city.source": settings.city.source,
        "city.timezone": settings.city.timezone,
        **{f"{group}.{name}": str(value) for name, value in own.items()},
        **{f"slices.{name}": str(value) for name, value in asdict(settings.slices).items()},
        **{name: version(name) for name in packages},
    }


def why_stale(manifest: dict[str, Any] | None, depends_on: Mapping[str, str]) -> tuple[str, ...]:
    """Return why a day is to be built; empty where it is not.

    Args:
        manifest: of the stored day; ``None`` if there is none.
        depends_on: what the day depends on now.
    """
    if manifest is None:
        return (NEW,)
    if not manifest:
        return ("its manifest is damaged",)
    before = manifest.get("depends_on")
    return (OLDER,) if before is None else changes(before, depends_on)
