"""What the files of ``city.source=measured`` came to when they were read last."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from roadgraph.probes.fix_store import Input
from roadgraph.probes.news import Fault
from roadgraph.slices.measured_files import Span
from roadgraph.slices.planning import shared_dependencies, why_stale
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import fingerprint, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

    OnFault = Callable[[str, Exception], None]
    Manifests = Mapping[date, dict[str, Any]]

VERSIONS = ("roadgraph", "narwhals", "polars", "pyarrow")
"""The packages that slices depend on; a manifest names their versions."""

COUNTS = {"file": pl.String, "slice": pl.Int64, "rows": pl.Int64}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lost:
    """Why a day was left out that would have lost rows.

    Attributes:
        fingerprint: of all that it would have been made from.
        reason: what is wrong with it, and what to do.
    """

    fingerprint: str
    reason: str


@dataclass(frozen=True)
class Record:
    """What is known of the files that were read last.

    Attributes:
        key: of the files and all that their rows depend on.
        accounts: of the files that were used.
        faults: of the others.
        kind: of their rows.
        usual: the slices whose rows count; the others come from stray clocks.
        counts: by the name of a file slices (since 1970) and how many rows of each can be used.
        lost: the days that were left out (ISO).
    """

    key: str = ""
    accounts: tuple[Input, ...] = ()
    faults: tuple[Fault, ...] = ()
    kind: str = ""
    usual: Span = field(default_factory=lambda: Span(0, 0))
    counts: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    lost: Mapping[str, Lost] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """Return the record in ``folder``; ``None`` if there is none, or a damaged one."""
        path = _path(folder)
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text("utf-8"))
            return cls(
                key=content["key"],
                accounts=tuple(Input(**account) for account in content["accounts"]),
                faults=tuple(Fault(**fault) for fault in content["faults"]),
                kind=content["kind"],
                usual=Span(**content["usual"]),
                counts=content["counts"],
                lost={day: Lost(**lost) for day, lost in content["lost"].items()},
            )
        except (ValueError, TypeError, KeyError, OSError) as error:
            log.warning("%s cannot be read (%s); all files are read again", path, error)
            return None

    def known(self, digests: Mapping[str, str], reading: str, quarantine: Path) -> Record:
        """Return what of it holds for the files of now.

        Args:
            digests: of the files, by name.
            reading: fingerprint of all else that their rows depend on.
            quarantine: folder of their refused rows.
        """
        accounts = tuple(
            account
            for account in self.accounts
            if account.reading == reading
            and account.sha256 == digests.get(account.name)
            and account.name in self.counts
            and (quarantine / f"{account.key}.parquet").exists()
        )
        counts = {account.name: self.counts[account.name] for account in accounts}
        return replace(self, accounts=accounts, counts=counts)

    @property
    def first(self) -> tuple[str, str] | None:
        """Name and kind of the first file; None if there is none."""
        return (self.accounts[0].name, self.kind) if self.accounts else None

    def counts_of_files(self) -> pl.DataFrame:
        """Return ``file`` (its name), ``slice`` and ``rows`` of the files."""
        rows = [(name, *row) for name, counts in self.counts.items() for row in counts]
        return pl.DataFrame(rows, COUNTS, orient="row")

    def write(self, folder: Path) -> None:
        """Keep it in ``folder`` in the place of the one before."""
        write_json(_path(folder), asdict(self))


def by_file(counts: pl.DataFrame) -> dict[str, list[list[int]]]:
    """Return the rows of :meth:`Record.counts_of_files` by the name of the file."""
    found: dict[str, list[list[int]]] = {}
    for name, number, rows in counts.select(*COUNTS).iter_rows():
        found.setdefault(name, []).append([number, rows])
    return found


def _path(folder: Path) -> Path:
    return folder / ".newest.json"


def key_of(digests: Mapping[str, str], shared: Mapping[str, str]) -> str:
    """Return what tells whether files have to be read again.

    Args:
        digests: of the files, by name.
        shared: what every day depends on.
    """
    return fingerprint_of(
        {f"file {name}": digest for name, digest in digests.items()} | dict(shared)
    )


def shared_by_days(settings: Settings, network: Network) -> dict[str, str]:
    """Return what every day depends on besides its rows."""
    chosen = asdict(settings.measured)
    return shared_dependencies(settings, network, chosen, "measured", VERSIONS)


def inputs_of_day(accounts: Sequence[Input], day: date) -> dict[str, dict[str, Any]]:
    """Return what the manifest of a day says of each file that has rows of it."""
    return {
        account.name: {
            "sha256": account.sha256,
            "rows": account.rows_in,
            "used": sum(account.days.values()),
            "refused": account.refused,
            "rows_of_day": account.days[day.isoformat()],
        }
        for account in accounts
        if day.isoformat() in account.days
    }


def dependencies_of_day(
    accounts: Sequence[Input], day: date, shared: Mapping[str, str]
) -> dict[str, str]:
    """Return what a day depends on: the accounts of files with rows of it, and the rest."""
    rows = {
        f"rows {name}": fingerprint([json.dumps(account, sort_keys=True)])
        for name, account in inputs_of_day(accounts, day).items()
    }
    return {**rows, **shared}


def stale_of_record(
    record: Record, manifests: Manifests, shared: Mapping[str, str], days: Container[date]
) -> dict[date, tuple[str, ...]]:
    """Return why days are stale.

    One that rests on a file which is broken now stays as it is, and one that would lose rows.
    """
    broken = {fault.name for fault in record.faults}
    lost = lost_still(record, manifests, shared)
    found = {}
    accounts: dict[str, list[Input]] = {}
    for account in record.accounts:
        for text in account.days:
            accounts.setdefault(text, []).append(account)
    for text in sorted(accounts):
        day = date.fromisoformat(text)
        manifest = manifests.get(day)
        now = dependencies_of_day(accounts[text], day, shared)
        if (
            day in days
            and text not in lost
            and not broken & set((manifest or {}).get("inputs", ()))
        ):
            found[day] = why_stale(manifest, now)
    return {day: reasons for day, reasons in found.items() if reasons}


def lost_still(record: Record, manifests: Manifests, shared: Mapping[str, str]) -> dict[str, Lost]:
    """Return the days that were left out, are in the store and would be made from the same."""
    return {
        day: lost
        for day, lost in record.lost.items()
        if manifests.get(date.fromisoformat(day))
        and lost.fingerprint
        == fingerprint_of(dependencies_of_day(record.accounts, date.fromisoformat(day), shared))
    }


def collecting(faults: list[Fault]) -> OnFault:
    """Return what adds a file that cannot be used to ``faults``."""
    return lambda name, error: faults.append(Fault(name, str(error)))
