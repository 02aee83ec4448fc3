"""Time and memory of `roadgraph slices` on a day of very many fixes.

    python benchmarks/many_fixes.py --fixes 100000000

The day is made of copies of a day of the sample city, each under vehicle names of its own, in
files of ten million rows in a temporary folder (about 1 GB for every 30 million fixes, and as much
again for the stores). The whole command runs in a process of its own whose peak memory is read.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from measuring import REPOSITORY, machine, peak_gib, process

DAY = REPOSITORY / "data" / "sample" / "fixes" / "2026-01-05.parquet"
FILE_ROWS = 10_000_000


def write_day(folder: Path, count: int) -> int:
    """Write at least ``count`` fixes of one day in order of arrival within each copy."""
    day = pl.read_parquet(DAY)
    copies = -(-count // len(day))
    a_file = max(FILE_ROWS // len(day), 1)
    for number, first in enumerate(range(0, copies, a_file)):
        writer = None
        for copy in range(first, min(first + a_file, copies)):
            renamed = pl.concat_str(pl.col("vehicle_id"), pl.lit(f"-{copy:05d}"))
            table = day.with_columns(vehicle_id=renamed).to_arrow()
            writer = writer or pq.ParquetWriter(folder / f"{number:03d}.parquet", table.schema)
            writer.write_table(table)
        if writer:
            writer.close()
    return copies * len(day)


def run(*arguments: str) -> tuple[float, float]:
    """Run a command of roadgraph and return its seconds and the peak memory so far in GiB."""
    start = time.perf_counter()
    process(["-m", "roadgraph", *arguments])
    return time.perf_counter() - start, peak_gib(resource.RUSAGE_CHILDREN)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixes", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, help="where there is room; default: temporary")
    count = parser.parse_args().fixes
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        (folder / "fixes").mkdir()
        count = write_day(folder / "fixes", count)
        places = [f"workspace={folder / 'work'}", f"city.fixes={folder / 'fixes'}"]
        run("network", "city=sample", *places)
        seconds, peak_gib = run("slices", "city=sample", *places)
    print(f"one day of {count:,} fixes, once; {machine('polars', 'fastmm')}\n")
    print("| roadgraph slices | seconds | fixes a second | peak memory, GiB |")
    print("| --- | --- | --- | --- |")
    print(f"| {count:,} fixes | {seconds:.0f} | {count / seconds:,.0f} | {peak_gib:.2f} |")


if __name__ == "__main__":
    main()
