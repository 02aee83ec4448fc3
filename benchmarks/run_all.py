"""Runs all benchmarks and writes one page of what they print.

    python benchmarks/run_all.py [--quick] [NAME ...]

Each benchmark is a program of its own that prints Markdown; it shows while it runs. The page begins
with all that was asked and what was reached. With names, those alone run, and with `--quick` all at
sizes that show no more than that they work; both leave the page as it is. The exit status is 1
when a benchmark failed.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from measuring import ASKED_COLUMNS, REPOSITORY, asked_table, machine

from roadgraph.markdown import markdown

FOLDER = Path(__file__).parent
PAGE = FOLDER / "RESULTS.md"
ASKED_HEADER = asked_table([]).splitlines()[0]
INTRODUCTION = """\
# Benchmarks

What roadgraph was asked to reach, and what it reached against peers in the same run. `make bench`
measures all of it and writes this page; each section is one command. Steps that are held against
each other take turns and warm up first. Figures are medians with the shortest and the longest run
beside them, ratios are those of medians. A limit is what no way of doing it can avoid. So that all
fits into some 20 minutes on 2 cores, some run here at smaller sizes or with fewer repetitions
than the programs have by themselves; the command that was run stands in each section.
"""


@dataclass(frozen=True)
class Benchmark:
    """One program.

    Attributes:
        name: of its file.
        arguments: on the page.
        quick: with ``--quick``.
    """

    name: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it is."""
        return FOLDER / f"{self.name}.py"

    def about(self) -> tuple[str, str]:
        """Return the title and the text of its docstring."""
        words = ast.get_docstring(ast.parse(self.path.read_text())) or self.name
        title, _, text = words.partition("\n")
        return title.rstrip("."), text.strip("\n")


BENCHMARKS = (
    Benchmark("training_step", ("--repeats", "3"), quick=("--repeats", "1")),
    Benchmark("gcn_layer"),
    Benchmark("gat_layer"),
    Benchmark("los_loop_tgcn", ("--epochs", "2"), quick=("--epochs", "1")),
    Benchmark(
        "prediction", ("gcn-enhanced", "roadnet-simple"), quick=("--segments", "5000", "gcn-simple")
    ),
    Benchmark(
        "country",
        ("--work", "200000"),
        quick=("--work", "20000", "--tile", "5000", "5000", "10000"),
    ),
    Benchmark("matching"),
    Benchmark("slicing", ("3",), ("0.2",)),
    Benchmark("many_fixes", ("--fixes", "1000000"), ("--fixes", "100000")),
    Benchmark(
        "tracking", ("--model", "mlp", "--repeats", "1"), ("--repeats", "1", "--model", "mlp")
    ),
    Benchmark("pipeline", ("--repeats", "1", "--days", "1"), ("--repeats", "1", "--days", "1")),
)


@dataclass(frozen=True)
class Ran:
    """What came of a benchmark.

    Attributes:
        benchmark: that ran.
        arguments: it was given.
        status: it ended with.
        seconds: it took.
        text: the Markdown that it printed.
    """

    benchmark: Benchmark
    arguments: tuple[str, ...]
    status: int
    seconds: float
    text: str

    @property
    def title(self) -> str:
        """Its heading on the page."""
        return self.benchmark.about()[0]

    def section(self) -> str:
        """Return its section, without what was asked, which stands at the top."""
        _, about = self.benchmark.about()
        command = " ".join(["python", f"benchmarks/{self.benchmark.path.name}", *self.arguments])
        blocks = [f"## {self.title}", about, f"Here: `{command}`, {self.seconds:.0f} s."]
        if self.status:
            blocks.append(f"**Failed** with exit status {self.status}.")
        blocks += [block for block in blocks_of(self.text) if not is_asked(block)]
        return "\n\n".join(blocks) + "\n"

    def asked(self) -> list[list[str]]:
        """Return the rows of what was asked, and the name of the benchmark."""
        tables = [block for block in blocks_of(self.text) if is_asked(block)]
        rows = [line for table in tables for line in table.splitlines()[2:]]
        return [[*row.strip("| ").split(" | "), self.benchmark.name] for row in rows]


def blocks_of(text: str) -> list[str]:
    """Return the parts of ``text`` between empty lines."""
    return [block.strip("\n") for block in text.split("\n\n") if block.strip()]


def is_asked(block: str) -> bool:
    """Return whether a part of the text is a table of what was asked."""
    return block.startswith(ASKED_HEADER)


def run(benchmark: Benchmark, arguments: tuple[str, ...]) -> Ran:
    """Run a benchmark and show what it prints."""
    begun = time.perf_counter()
    running = subprocess.Popen(
        [sys.executable, str(benchmark.path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines = []
    assert running.stdout is not None
    for line in running.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    status = running.wait()
    return Ran(benchmark, arguments, status, time.perf_counter() - begun, "".join(lines))


def page(ran: list[Ran]) -> str:
    """Return all of it in Markdown."""
    asked = pd.DataFrame(
        [row for each in ran for row in each.asked()], columns=[*ASKED_COLUMNS, "benchmark"]
    )
    took = pd.DataFrame(
        {
            "benchmark": [each.benchmark.name for each in ran],
            "took, s": [f"{each.seconds:.0f}" for each in ran],
            "ended": ["failed" if each.status else "well" for each in ran],
        }
    )
    total_s = sum(each.seconds for each in ran)
    made = f"Made on {datetime.now(UTC):%Y-%m-%d} of {revision()} in {total_s / 60:.0f} minutes on:"
    return "\n".join(
        [
            INTRODUCTION,
            f"{made} {machine('torch', 'torch_geometric')}.\n",
            markdown(asked),
            *(each.section() for each in ran),
            "## How long it took\n",
            markdown(took),
        ]
    )


def revision() -> str:
    """Return the commit, and whether files differ from it."""
    words = {"commit": ("rev-parse", "--short", "HEAD"), "changes": ("status", "--porcelain")}
    try:
        said = {
            name: subprocess.run(
                ["git", *own], cwd=REPOSITORY, capture_output=True, text=True, check=True
            ).stdout.strip()
            for name, own in words.items()
        }
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return f"commit {said['commit']}" + (" with changes" if said["changes"] else "")


def main() -> None:
    """Run them and write the page."""
    names = [each.name for each in BENCHMARKS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="small sizes: do they work?")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names):
        parser.error(f"no such benchmark: {min(unknown)}; there are {', '.join(names)}")
    chosen = [each for each in BENCHMARKS if not given.names or each.name in given.names]
    ran = []
    for number, each in enumerate(chosen, start=1):
        print(f"\n## {number} of {len(chosen)}: {each.about()[0]}\n", flush=True)
        ran.append(run(each, each.quick if given.quick else each.arguments))
        print(f"{each.name} took {ran[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    whole = len(chosen) == len(BENCHMARKS) and not given.quick
    if whole:
        PAGE.write_text(page(ran))
    failed = [each.benchmark.name for each in ran if each.status]
    print(
        f"{len(ran)} benchmarks in {sum(each.seconds for each in ran):.0f} s"
        + (f"; the page is {PAGE.relative_to(REPOSITORY)}" if whole else "")
        + (f"; failed: {', '.join(failed)}" if failed else ""),
        file=sys.stderr,
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
