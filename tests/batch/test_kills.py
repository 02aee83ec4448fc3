"""A city's workspace after scheduled runs that were killed, and after two at the same time."""

import random
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.batch.city import DAYS, fixes_of, run
from tests.kills import begun, context, duration_s, kill_at, leftovers_of, tree_of

KILLS = 50
MOST_IN_A_ROW = 9  # a run that goes on after a kill is killed as well
FIRST, SECOND = DAYS[:2]
PROCESSES = context(
    "tests.batch.test_kills",
    # What a run imports only when it needs it, so that a child spends its time on its work.
    "roadgraph.batch.issuer",
    "roadgraph.quality.report",
    "roadgraph.slices.from_probes",
    "roadgraph.verification.verification",
    "roadgraph.verification.checks",
)
OF_THE_RUN = ("journal.jsonl", "alerts.json")  # what happened, and so of another run another


def bring_up_to_date(settings: Settings, first: date, last: date) -> None:
    report = run(settings, first, last)
    assert not report.failed, report.failed


def made(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of all that runs in ``folder`` have made."""
    found = tree_of(folder / "work")
    return {name: sha for name, sha in found.items() if Path(name).name not in OF_THE_RUN}


def in_folder(settings: Settings, folder: Path) -> Settings:
    city = replace(settings.city, fixes=str(folder / "fixes"))
    return replace(settings, workspace=str(folder / "work"), city=city)


@pytest.fixture(scope="module")
def city(trained: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city whose stores have half a day; the whole day has come since."""
    folder = tmp_path_factory.mktemp("killed")
    settings = in_folder(trained, folder)
    before, root = Workspace.of(trained), Workspace.of(settings).root
    for part in (before.network, before.bundles):
        shutil.copytree(part, root / part.name)
    shutil.copyfile(before.model_record, root / before.model_record.name)
    (folder / "fixes").mkdir()
    whole = pl.read_parquet(fixes_of(trained, FIRST))
    whole.head(len(whole) // 2).write_parquet(fixes_of(settings, FIRST))
    bring_up_to_date(settings, FIRST, FIRST)
    shutil.copyfile(fixes_of(trained, FIRST), fixes_of(settings, FIRST))
    return folder


def test_after_a_kill_at_any_moment_the_next_run_ends_in_the_same_bytes(
    city: Path, trained: Settings, tmp_path: Path
) -> None:
    longest_s, undisturbed = 0.0, {}
    for name in ("warm", "timed"):  # the first one starts the server of the processes
        folder = Path(shutil.copytree(city, tmp_path / name))
        settings = in_folder(trained, folder)
        longest_s = duration_s(PROCESSES, bring_up_to_date, settings, FIRST, FIRST)
        undisturbed = made(folder)
    moments = random.Random(6)
    killed = tries = 0
    while killed < KILLS:
        folder = Path(shutil.copytree(city, tmp_path / str(tries)))
        settings = in_folder(trained, folder)
        for _ in range(moments.randint(1, MOST_IN_A_ROW)):
            tries += 1
            assert tries < 4 * KILLS, f"{killed} of {tries} runs were still there to be killed"
            delay_s = moments.uniform(0, 0.8 * longest_s)
            was_there = kill_at(PROCESSES, delay_s, bring_up_to_date, settings, FIRST, FIRST)
            killed += was_there
            # A machine may be faster or slower than when it was timed: half of the runs are killed.
            longest_s *= 1.05 if was_there else 0.95
        bring_up_to_date(settings, FIRST, FIRST)
        assert made(folder) == undisturbed
        assert leftovers_of(folder) == []
        shutil.rmtree(folder)


def test_days_in_any_order_on_several_processes_give_the_same_bytes(
    city: Path, trained: Settings, tmp_path: Path
) -> None:
    in_order, at_once = (Path(shutil.copytree(city, tmp_path / name)) for name in "ab")
    for folder in (in_order, at_once):
        shutil.copyfile(fixes_of(trained, SECOND), fixes_of(in_folder(trained, folder), SECOND))
    for day in (FIRST, SECOND):
        bring_up_to_date(in_folder(trained, in_order), day, day)
    settings = in_folder(trained, at_once)
    both = [begun(PROCESSES, bring_up_to_date, settings, day, day) for day in (SECOND, FIRST)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    bring_up_to_date(settings, FIRST, SECOND)
    assert made(at_once) == made(in_order)
    assert leftovers_of(at_once) == []
