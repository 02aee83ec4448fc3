"""The store of fixes: what was read, by local day, one part an input file.

A trip over midnight, a file that comes late and a file that holds two days all come out right
because the fixes of a day are gathered here from every input before any of them is matched.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.errors import AccountError, DataError
from roadgraph.schema import FIXES, QUARANTINE
from roadgraph.storage import fingerprint, sweep, to_disk, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PART_SCHEMA = pa.schema([*FIXES.schema, pa.field("row", pa.int64())])
FLUSH_ROWS = 1_000_000  # sorted and written at a time
ROW_GROUP_ROWS = 32_768  # what is read at least to find one vehicle


@dataclass(frozen=True)
class Input:
    """What one input file came to when it was read.

    Attributes:
        name: as shown to the user, relative to the folder of fixes.
        sha256: of the file's bytes.
        reading: fingerprint of the settings that it was read with.
        rows_in: data rows in the file.
        refused: rows that went to the quarantine, by rule.
        days: rows that went to each local day (ISO).
        edges: of each local day the digests of what the days beside it look at, as
            :func:`~roadgraph.probes.edges.edges_of` has them; days without any are missing. None
            where an older roadgraph read the file.
    """

    name: str
    sha256: str
    reading: str
    rows_in: int
    refused: dict[str, int]
    days: dict[str, int]
    edges: dict[str, dict[str, str]] | None = None

    @property
    def key(self) -> str:
        """The name of its files in the store."""
        plain = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in self.name)
        return f"{plain[-80:]}-{fingerprint([self.name])[:8]}"


def check_account(what: str, rows_in: int, used: int, refused: dict[str, int]) -> None:
    """Make sure that every row is accounted for.

    Raises:
        AccountError: the rows used and the rows refused are not the rows that came in.
    """
    quarantined = sum(refused.values())
    if rows_in != used + quarantined:
        raise AccountError(
            f"{what}: {rows_in} rows in, but {used} used and {quarantined} quarantined; "
            "nothing was written, please report this"
        )


class FixStore:
    """A folder of fixes.

    ``days/<local day>/<input>.parquet`` holds the rows that can be used as far as a row alone
    tells (the columns of ``schema.FIXES`` and ``row``), ``quarantine/<input>.parquet`` the others,
    ``inputs/<input>.json`` the account. What came from a file stays when the file is gone from the
    folder of fixes, which may be emptied once it was read.

    Only what an account names is in the store: the account goes before its files change and comes
    back after them, so that a file whose reading was killed in the middle is read again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def inputs(self) -> dict[str, Input]:
        """Return the accounts of every input in the store, by name.

        Raises:
            DataError: an account is damaged.
        """
        found = {}
        for path in sorted((self.folder / "inputs").glob("*.json")):
            try:
                account = Input(**json.loads(path.read_text("utf-8")))
            except (ValueError, TypeError, OSError) as error:
                raise DataError(
                    f"{path} is damaged ({error}); remove {self.folder} and read the fixes again"
                ) from error
            found[account.name] = account
        return found

    def days(self) -> list[date]:
        """Return the local days of which there are fixes."""
        folder = self.folder / "days"
        found = (path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
        return sorted(date.fromisoformat(path.name) for path in found if any(path.iterdir()))

    def parts(self, day: date) -> list[Path]:
        """Return the files of a day."""
        return sorted((self.folder / "days" / day.isoformat()).glob("*.parquet"))

    def part(self, day: date, name: Input) -> Path:
        """Return the file of a day's rows from one input."""
        return self.folder / "days" / day.isoformat() / f"{name.key}.parquet"

    def quarantine(self, account: Input) -> Path:
        """Return the file of an input's rows that could not be used by themselves."""
        return self.folder / "quarantine" / f"{account.key}.parquet"

    def recover(self) -> dict[str, Input]:
        """Remove what a run left that was killed: files that no account names, temporary ones.

        Nobody else may write meanwhile.

        Returns:
            The accounts of every input in the store, by name.
        """
        sweep(self.folder)
        sweep(self.folder / "inputs")
        inputs = self.inputs()
        keys = {account.key for account in inputs.values()}
        for kind in ("days/*/*.parquet", "quarantine/*.parquet"):
            for path in self.folder.glob(kind):
                if path.stem not in keys:
                    path.unlink()
        return inputs

    def replace(
        self, account: Input, before: Input | None, written: dict[date, Path], quarantine: Path
    ) -> None:
        """Put an input's newly written files in the place of what was there under its name.

        Args:
            account: of the input as it was read now.
            before: its account in the store, if any.
            written: temporary file of each day's rows.
            quarantine: temporary file of the refused rows.
        """
        # Written elsewhere: a year of accounts is not searched for temporary files each time.
        fresh = quarantine.with_suffix(".json")
        write_json(fresh, asdict(account))
        named = self.folder / "inputs" / f"{account.key}.json"
        targets = [(path, self.part(day, account)) for day, path in written.items()]
        targets.append((quarantine, self.quarantine(account)))
        for _, target in [*targets, (fresh, named)]:
            target.parent.mkdir(parents=True, exist_ok=True)
        # From here on nothing more is written, so a full disk does not stop it in the middle.
        named.unlink(missing_ok=True)
        for day in map(date.fromisoformat, before.days if before else ()):
            if day not in written:
                self.part(day, account).unlink(missing_ok=True)
        for source, target in [*targets, (fresh, named)]:
            source.replace(target)


def refuse_loss(account: Input, before: Input | None) -> None:
    """Make sure that a file which replaces one of the same name does not lose rows of a day.

    Raises:
        DataError: a day of the old file has fewer than half as many rows in the new one.
    """
    for day, rows in (before.days if before else {}).items():
        if 2 * account.days.get(day, 0) < rows:
            raise DataError(
                f"{account.name} was read before and gave {rows} rows of {day}; now it gives "
                f"{account.days.get(day, 0)}. Is it another file of the same name? Then rename "
                "it; to replace the old one, set probes.replace=true"
            )


class PartWriter:
    """Writes one input's rows to a file a local day, sorted by vehicle in large blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0
        self._writers: dict[date, pq.ParquetWriter] = {}
        self.written: dict[date, Path] = {}
        self.days: dict[str, int] = {}

    def add(self, fixes: pl.DataFrame) -> None:
        """Take rows with the columns of ``PART_SCHEMA`` and ``day``."""
        self._waiting.append(fixes)
        self._rows += len(fixes)
        if self._rows >= FLUSH_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is waiting and close the files."""
        self._flush()
        for day, writer in self._writers.items():
            writer.close()
            to_disk(self.written[day])

    def _flush(self) -> None:
        if not self._rows:
            return
        rows = pl.concat(self._waiting).sort("day", "vehicle_id", "timestamp", "row")
        self._waiting, self._rows = [], 0
        for (day,), part in rows.partition_by("day", as_dict=True, maintain_order=True).items():
            if day not in self._writers:
                self.written[day] = self._folder / f"{day.isoformat()}.parquet"
                self._writers[day] = pq.ParquetWriter(
                    self.written[day], PART_SCHEMA, compression="zstd"
                )
            table = part.select(PART_SCHEMA.names).to_arrow().cast(PART_SCHEMA)
            self._writers[day].write_table(table, row_group_size=ROW_GROUP_ROWS)
            self.days[day.isoformat()] = self.days.get(day.isoformat(), 0) + len(part)


class QuarantineWriter:
    """Writes refused rows to one file, as they come; a row more than once never happens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = pq.ParquetWriter(path, QUARANTINE.schema, compression="zstd")
        self.refused: dict[str, int] = {}

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows with ``file``, ``row`` and ``rule``; other columns may be missing."""
        if rows.is_empty():
            return
        missing = [name for name in QUARANTINE.columns if name not in rows.columns]
        full = rows.with_columns(pl.lit(None).alias(name) for name in missing)
        table = full.select(QUARANTINE.columns).to_arrow().cast(QUARANTINE.schema)
        self._writer.write_table(table)
        for rule, count in rows.group_by("rule").len().sort("rule").iter_rows():
            self.refused[rule] = self.refused.get(rule, 0) + count

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        to_disk(self._path)


def read_parts(
    parts: Iterable[Path], begin: Any, end: Any, vehicles: tuple[str, str]
) -> pl.LazyFrame:
    """Return the fixes of some vehicles in a span of time, with ``file`` (the input's key).

    Args:
        parts: files of the store.
        begin: first moment (with its zone).
        end: the moment after the last.
        vehicles: first and last vehicle, in the order of text.
    """
    frames = [pl.scan_parquet(path).with_columns(pl.lit(path.stem).alias("file")) for path in parts]
    first, last = (pl.lit(vehicle) for vehicle in vehicles)
    wanted = pl.col("vehicle_id").is_between(first, last) & pl.col("timestamp").is_between(
        begin, end, closed="left"
    )
    return pl.concat(frames).filter(wanted)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
