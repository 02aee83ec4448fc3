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
FIRST, SECOND = DAYS[:2]
PROCESSES = context("tests.batch.test_kills")
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
    """A city whose stores have half a day; the whole day and another one have come since."""
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
    for day in (FIRST, SECOND):
        shutil.copyfile(fixes_of(trained, day), fixes_of(settings, day))
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    city: Path, trained: Settings, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = Path(shutil.copytree(city, tmp_path_factory.mktemp("calm") / "city"))
    bring_up_to_date(in_folder(trained, folder), FIRST, SECOND)
    return made(folder)


def test_after_a_kill_at_any_moment_the_next_run_ends_in_the_same_bytes(
    city: Path, undisturbed: dict[str, str], trained: Settings, tmp_path: Path
) -> None:
    longest_s = 0.0
    for name in ("warm", "timed"):  # the first one starts the server of the processes
        folder = Path(shutil.copytree(city, tmp_path / name))
        asked = (in_folder(trained, folder), FIRST, SECOND)
        longest_s = duration_s(PROCESSES, bring_up_to_date, *asked)
        assert made(folder) == undisturbed
    moments = random.Random(6)
    killed = 0
    for number in range(KILLS):
        folder = Path(shutil.copytree(city, tmp_path / str(number)))
        settings = in_folder(trained, folder)
        delay_s = moments.uniform(0, longest_s)
        killed += kill_at(PROCESSES, delay_s, bring_up_to_date, settings, FIRST, SECOND)
        bring_up_to_date(settings, FIRST, SECOND)
        assert made(folder) == undisturbed
        assert leftovers_of(folder) == []
        shutil.rmtree(folder)
    assert killed > KILLS // 2


def test_days_in_any_order_on_several_processes_give_the_same_bytes(
    city: Path, undisturbed: dict[str, str], trained: Settings, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(city, tmp_path / "city"))
    settings = in_folder(trained, folder)
    both = [begun(PROCESSES, bring_up_to_date, settings, day, day) for day in (SECOND, FIRST)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    bring_up_to_date(settings, FIRST, SECOND)
    assert made(folder) == undisturbed
    assert leftovers_of(folder) == []
