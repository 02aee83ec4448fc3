"""A simulated month of nightly runs: two weeks of the sample city, fed day by day, with faults.

    python benchmarks/simulated_month.py [--folder data/work/simulated-month]

Each evening the day's fixes arrive in a folder and the real command runs once: `roadgraph run --to
<day>`. One day comes late, one never, one file arrives cut off and is sent again the day after, and
one run is killed. A challenger is trained every third day. Nothing is tuned to these days: the
model is small and its epochs are few, so that the whole takes minutes. In the end all slices are
made once more from the same files in one undisturbed run and compared byte by byte. Writes
`month.html` into the folder, prints its path, and ends with 1 if something was not as it must be.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from month.page import write_month_page
from month.story import Evening, Outing, Verdict

from roadgraph.batch.journal import read_journal
from roadgraph.config import load_settings
from roadgraph.errors import ExitCode
from roadgraph.settings import Settings
from roadgraph.slices.store import stored_days
from roadgraph.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
FIXES = ROOT / "data/sample/fixes"
FIRST, LAST = date(2026, 1, 5), date(2026, 1, 18)
LATE, LATE_COMES = date(2026, 1, 10), date(2026, 1, 11)
BROKEN, MENDED = date(2026, 1, 12), date(2026, 1, 13)
KILLED = date(2026, 1, 14)  # a model is due that evening, so there is much to be killed in
MISSING = date(2026, 1, 15)
DRY_RUNS = (LATE_COMES, MENDED, MISSING)
SEED = 6
KILL_BETWEEN = 0.2, 0.6  # of the time that the evening with the training before took
MODEL = (
    "model=mlp",
    "size=simple",
    "training.max_epochs=8",
    "pipeline.first_training_days=4",
    "pipeline.retrain_days=3",
    "promotion.days=3",
)
CHECK_FAILED = re.compile(r"^check failed: ", re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """Where the month takes place.

    Attributes:
        folder: all of it; removed at the start.
    """

    folder: Path

    @property
    def arrived(self) -> Path:
        """The files that came in so far."""
        return self.folder / "arrived"

    @property
    def alerts(self) -> Path:
        """What the alert command was given, one JSON document after the other."""
        return self.folder / "alerts.jsonl"

    def overrides(self, workspace: str = "workspace") -> list[str]:
        """Return the settings of every run."""
        return [
            "city=sample",
            f"city.fixes={self.arrived}",
            f"workspace={self.folder / workspace}",
            f"tracking.uri=sqlite:///{self.folder / 'mlflow.db'}",
            f"pipeline.alert_command=[tee,-a,{self.alerts}]",
            *MODEL,
        ]

    def told(self) -> list[str]:
        """Return what people were told so far."""
        text = self.alerts.read_text("utf-8") if self.alerts.is_file() else ""
        decoder, texts = json.JSONDecoder(), []
        while text := text.lstrip():
            document, end = decoder.raw_decode(text)
            texts.append(document["text"])
            text = text[end:]
        return texts


def main() -> None:
    """Live through the month, check it and write its page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("data/work/simulated-month"))
    os.chdir(ROOT)  # the paths of the page are those of the repository
    stage = Stage(parser.parse_args().folder)
    shutil.rmtree(stage.folder, ignore_errors=True)
    stage.arrived.mkdir(parents=True)
    begun = time.perf_counter()
    settings = load_settings(stage.overrides())
    evenings: list[Evening] = []
    for ahead in range((LAST - FIRST).days + 1):
        evenings.append(evening_of(stage, settings, FIRST + timedelta(days=ahead), evenings))
        outing = evenings[-1].outings[-1]
        print(f"{evenings[-1].day:%a %Y-%m-%d}: {outing.seconds:.0f} s, exit {outing.code}")
    verdicts = verdicts_of(stage, settings, evenings)
    page = stage.folder / "month.html"
    seconds = time.perf_counter() - begun
    write_month_page(page, settings, evenings, verdicts, MODEL, seconds)
    for verdict in verdicts:
        print(f"{'as it must be' if verdict.holds else 'NOT AS IT MUST BE'}: {verdict.text}")
    print(f"{seconds:.0f} s; wrote {page}")
    sys.exit(not all(verdict.holds for verdict in verdicts))


def evening_of(stage: Stage, settings: Settings, day: date, before: list[Evening]) -> Evening:
    """Let the day's files arrive and run the command; return what happened."""
    what = arrive(stage, day)
    journal = Workspace.of(settings).journal
    known = len(read_journal(journal))
    outings = []
    if day in DRY_RUNS:
        outings.append(outing(stage, day, "--dry-run"))
    if day == KILLED:
        seconds = [each.outings[-1].seconds for each in before if each.trained]
        share = random.Random(SEED).uniform(*KILL_BETWEEN)
        outings.append(outing(stage, day, kill_after_s=share * seconds[-1]))
    outings.append(outing(stage, day))
    new = tuple(read_journal(journal)[known:])
    return Evening(day, what, tuple(outings), new, day in (LATE_COMES, MENDED))


def arrive(stage: Stage, day: date) -> str:
    """Put the files of an evening into the folder; return what they are, a sentence."""
    if day == LATE:
        return f"Nothing comes: the fixes of {day} are late."
    if day == MISSING:
        return f"Nothing comes, and the fixes of {day} never will."
    name = f"{day}.parquet"
    if day == BROKEN:
        content = (FIXES / name).read_bytes()
        (stage.arrived / name).write_bytes(content[: len(content) // 2])
        return f"{name} comes, but only the first half of its bytes."
    shutil.copy(FIXES / name, stage.arrived)
    for other, why in ((LATE, "late"), (BROKEN, "whole now")):
        if day == {LATE: LATE_COMES, BROKEN: MENDED}[other]:
            shutil.copy(FIXES / f"{other}.parquet", stage.arrived)
            return f"{name} comes, and with it {other}.parquet, {why}."
    return f"{name} comes."


def outing(stage: Stage, day: date, *also: str, kill_after_s: float | None = None) -> Outing:
    """Run the command of an evening in a process of its own."""
    told = len(stage.told())
    command = ["run", "--to", str(day), *also]
    run = launched([*command, *stage.overrides()], kill_after_s)
    shown = " ".join(["roadgraph", *command, "..."])
    return replace(run, command=shown, alerts=tuple(stage.told()[told:]))


def launched(arguments: list[str], kill_after_s: float | None = None) -> Outing:
    """Run ``roadgraph`` with arguments, and kill it after a time."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "roadgraph", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it started, too
        output, _ = process.communicate()
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    return Outing("", "\n".join(lines), process.returncode, time.perf_counter() - begun)


def verdicts_of(stage: Stage, settings: Settings, evenings: list[Evening]) -> list[Verdict]:
    """Return what must hold after the month, and whether it does."""
    workspace = Workspace.of(settings)
    last = {evening.day: evening.outings[-1] for evening in evenings}
    others = [outing for day, outing in last.items() if day != BROKEN]
    by_checks = [
        ExitCode.CHECKS if CHECK_FAILED.search(outing.output) else ExitCode.OK for outing in others
    ]
    killed = next(evening for evening in evenings if evening.day == KILLED).outings[-2]
    broken = f"{BROKEN}.parquet"
    left = [path for path in workspace.root.rglob(".*") if path.name.count("-") >= 3]
    return [
        Verdict(
            f"The run that met the file cut off ended with {int(ExitCode.FAILED)}, named the file, "
            "told of it by an alert, and made everything else.",
            last[BROKEN].code == ExitCode.FAILED
            and broken in last[BROKEN].output
            and any(broken in text for text in last[BROKEN].alerts),
        ),
        Verdict(
            f"The killed run ended by SIGKILL after {killed.seconds:.1f} s, and the same command "
            "again did what was left.",
            killed.code == -signal.SIGKILL,
        ),
        Verdict(
            f"Every other evening ended with {int(ExitCode.OK)}, or with {int(ExitCode.CHECKS)} "
            "where it names a check that failed.",
            [outing.code for outing in others] == by_checks,
        ),
        same_slices(stage, workspace),
        Verdict("No temporary file is left in the workspace.", not left),
    ]


def same_slices(stage: Stage, workspace: Workspace) -> Verdict:
    """Make all slices of the files that came in once more, in one run, and compare the bytes."""
    arguments = ["run", "--to", str(LAST), "--steps", "network,slices"]
    again = launched([*arguments, *stage.overrides("undisturbed")])
    other = Workspace.of(load_settings(stage.overrides("undisturbed")))
    mine, theirs = digests(workspace.slices), digests(other.slices)
    size = sum((workspace.slices / name).stat().st_size for name in mine)
    return Verdict(
        f"The slices of all {len(stored_days(workspace.slices))} days ({len(mine)} files, "
        f"{size / 1e6:.1f} MB) have the same bytes as those of one undisturbed run over the same "
        "files.",
        again.code == ExitCode.OK and bool(mine) and mine == theirs,
    )


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


if __name__ == "__main__":
    main()
