"""A store of slices after processes that were killed, and after two at the same time."""

import random
import shutil
import signal
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.slices.run import make_slices
from roadgraph.storage import alone
from roadgraph.workspace import Workspace
from tests.kills import begun, context, duration_s, kill_at, leftovers_of, tree_of
from tests.slices.toy import settings_of
from tests.toy import MONDAY_7, drive, straight_network, write_fixes

KILLS = 20
PROCESSES = context("tests.slices.test_kills")
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 1, 5 + number) for number in range(3))


def write_day(folder: Path, day: int, vehicles: int) -> None:
    """Write a file of some drives, the last of them over midnight."""
    drives = [
        drive(f"v{day}{place}", MONDAY_7 + timedelta(days=day, minutes=20 * place))
        for place in range(vehicles)
    ]
    night = drive(f"n{day}", MONDAY_7 + timedelta(days=day, hours=16, minutes=59, seconds=30))
    write_fixes(pl.concat([*drives, night]), folder / f"{day}.parquet")


SETTINGS = settings_of(Path("work"), Path("fixes"))
NETWORK = straight_network()


def slices_of_folder(folder: Path, days: Days = ALL_DAYS) -> None:
    """Bring the workspace in ``folder`` up to date with its files."""
    city = replace(SETTINGS.city, fixes=str(folder / "fixes"))
    settings = replace(SETTINGS, city=city, workspace=str(folder / "work"))
    make_slices(settings, NETWORK, Workspace.of(settings), days=days)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a city with a file in its store, which was replaced then, and another one came."""
    folder = tmp_path_factory.mktemp("city")
    (folder / "fixes").mkdir()
    write_day(folder / "fixes", 0, vehicles=1)
    slices_of_folder(folder)
    for day in range(2):
        write_day(folder / "fixes", day, vehicles=2)
    return folder


@pytest.fixture(scope="module")
def undisturbed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = Path(shutil.copytree(city, tmp_path_factory.mktemp("calm") / "city"))
    slices_of_folder(folder)
    return tree_of(folder)


def test_after_a_kill_at_any_moment_the_next_run_ends_in_the_same_bytes(
    city: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(city, tmp_path / "warm")
    duration_s(PROCESSES, slices_of_folder, tmp_path / "warm")  # the first one starts the server
    shutil.copytree(city, tmp_path / "timed")
    longest_s = duration_s(PROCESSES, slices_of_folder, tmp_path / "timed")
    moments = random.Random(6)
    killed = 0
    for number in range(KILLS):
        folder = Path(shutil.copytree(city, tmp_path / str(number)))
        killed += kill_at(PROCESSES, moments.uniform(0, longest_s), slices_of_folder, folder)
        slices_of_folder(folder)
        assert tree_of(folder) == undisturbed
        assert leftovers_of(folder) == []
        shutil.rmtree(folder)
    assert killed > 0


def test_two_runs_at_the_same_time_end_in_the_same_bytes(
    city: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(city, tmp_path / "city"))
    both = [begun(PROCESSES, slices_of_folder, folder) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert tree_of(folder) == undisturbed
    assert leftovers_of(folder) == []


def test_days_in_any_order_on_several_processes_give_the_same_bytes(
    city: Path, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(city, tmp_path / "city"))
    slices_of_folder(folder, Days(WEDNESDAY, WEDNESDAY))
    both = [
        begun(PROCESSES, slices_of_folder, folder, days)
        for days in (Days(TUESDAY, TUESDAY), Days(None, MONDAY))
    ]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert tree_of(folder) == undisturbed


def hold(path: Path, held: Path) -> None:
    """Hold a lock until the process is killed; ``held`` says that it is."""
    with alone(path):
        held.touch()
        signal.pause()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, held = tmp_path / "store", tmp_path / "held"
    process = begun(PROCESSES, hold, path, held)
    while not held.exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    with alone(path, patience_s=0):
        pass
    (record,) = caplog.records
    assert f"took over the lock of {path} from process {process.pid} on" in record.getMessage()
    assert leftovers_of(tmp_path) == []
