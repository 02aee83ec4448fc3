"""What each local day of slices depends on, and which of them are stale."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.probes.edges import FIRST, LAST, TRIP_LEAD, TRIP_TAIL
from roadgraph.staleness import NEW, OLDER, changes, fingerprint_of
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path
    from zoneinfo import ZoneInfo

    import pandas as pd

    from roadgraph.network.network import Network
    from roadgraph.probes.fix_store import FixStore, Input
    from roadgraph.settings import Settings

VERSIONS = ("roadgraph", "fastmm", "polars", "pyarrow", "pyproj", "shapely")
"""The packages that slices of fixes depend on; a manifest names their versions."""


@dataclass(frozen=True)
class DayPlan:
    """A local day to build.

    Attributes:
        day: the day.
        begin: first moment of its slices (UTC).
        end: the moment after them.
        parts: files of fixes of the day, and those of the days beside it that are looked at.
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
    def rows(self) -> int:
        """How many fixes of the store belong to the day."""
        return sum(account.days[self.day.isoformat()] for account in self.inputs.values())

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

    A day depends on its own files of fixes, on the fixes of the days beside it right before and
    after it, on the network, on the settings of probes and slices and on the versions that match
    and aggregate.

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
    lead_min, tail_min = (span.total_seconds() / 60 for span in (TRIP_LEAD, TRIP_TAIL))
    shared["trips"] = f"{lead_min:g} min before and {tail_min:g} min after"
    days = store.days()
    # What no account names is left from a run that was killed, and about to be read again.
    parts_of = {
        day: tuple(path for path in store.parts(day) if path.stem in inputs) for day in days
    }
    plans = []
    for day in days:
        if not parts_of[day]:
            continue
        begin, end = span_of_day(day, zone, settings.slices.minutes)
        own = {path.stem: inputs[path.stem] for path in parts_of[day]}
        plan = DayPlan(day, begin, end, parts_of[day], shared, own)
        looked_at = {
            path: (f"fixes {day} {own[path.stem].name}", own[path.stem].sha256)
            for path in parts_of[day]
        }
        looked_at |= _beside(plan, parts_of, inputs, zone)
        depends_on = dict(looked_at[path] for path in sorted(looked_at)) | shared
        plans.append(replace(plan, parts=tuple(sorted(looked_at)), depends_on=depends_on))
    return plans


def _beside(
    plan: DayPlan,
    parts_of: Mapping[date, tuple[Path, ...]],
    inputs: Mapping[str, Input],
    zone: ZoneInfo,
) -> dict[Path, tuple[str, str]]:
    """Return name and digest of what is looked at of the days beside, by the file it lies in."""
    since, until = (time.tz_convert(zone).strftime("%H:%M") for time in (plan.first, plan.last))
    found = {}
    for ahead, edge, when in ((-1, LAST, f"from {since}"), (1, FIRST, f"until {until}")):
        day = plan.day + timedelta(days=ahead)
        for path in parts_of.get(day, ()):
            account = inputs[path.stem]
            if account.edges is None:  # then all that is known of its fixes is the file
                found[path] = (f"fixes {day} {account.name}", account.sha256)
            elif digest := account.edges.get(day.isoformat(), {}).get(edge):
                found[path] = (f"fixes {day} {when} {account.name}", digest)
    return found


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
        manifest: of the stored day, as :func:`~roadgraph.slices.store.find_manifests` has it;
            ``None`` if there is none.
        depends_on: what the day depends on now.
    """
    if manifest is None:
        return (NEW,)
    if not manifest:
        return ("its manifest or its slices are damaged",)
    before = manifest.get("depends_on")
    return (OLDER,) if before is None else changes(before, depends_on)
