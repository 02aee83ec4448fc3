from dataclasses import replace
from pathlib import Path

from roadgraph.batch.asked import Asked
from roadgraph.batch.plan import Task, plan_batch
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.batch.city import DAYS, NOW, copy_of, fixes_of, run, with_fifth_day
from tests.kills import tree_of

FOURTH, FIFTH = DAYS[3], DAYS[4]


def plan(settings: Settings, *steps: str) -> list[Task]:
    asked = Asked(FIFTH, FIFTH, steps) if steps else Asked(FIFTH, FIFTH)
    return plan_batch(settings, asked, NOW)


def test_before_the_first_run_the_network_comes_first(fed: Settings, tmp_path: Path) -> None:
    settings = replace(fed, workspace=str(tmp_path))
    assert [(task.step, task.reason) for task in plan(settings)] == [
        ("network", "none yet"),
        ("slices", "the network is imported first; the rest follows from it"),
    ]


def test_a_plan_says_what_a_run_would_make_and_why_and_writes_nothing(
    trained: Settings, tmp_path: Path
) -> None:
    settings = with_fifth_day(trained, tmp_path)
    before = tree_of(Workspace.of(settings).root)
    tasks = plan(settings)
    assert tree_of(Workspace.of(settings).root) == before
    assert Task("slices", "files to read", f"fixes {FIFTH}.parquet is new") in tasks
    of_day = {task.step: task.reason for task in tasks if task.partition == str(FIFTH)}
    assert of_day["predictions"] == "24 times: none yet"
    run(settings, FIFTH, FIFTH)
    assert plan(settings) == []


def test_a_changed_setting_makes_stale_what_depends_on_it_and_says_so(
    trained: Settings, tmp_path: Path
) -> None:
    settings = copy_of(trained, tmp_path)
    asked = Asked(DAYS[0], FOURTH)
    assert plan_batch(settings, asked, NOW) == []
    parking = replace(settings, probes=replace(settings.probes, parked_minutes=20.0))
    tasks = plan_batch(parking, asked, NOW)
    assert {task.step for task in tasks} == {"slices", "quality", "predictions", "evaluation"}
    days = [task for task in tasks if task.step == "slices" and task.partition == str(FOURTH)]
    assert [task.reason for task in days] == ["probes.parked_minutes 15.0 -> 20.0"]
    learning = replace(settings, training=replace(settings.training, learning_rate=0.01))
    (task,) = plan_batch(learning, asked, NOW)
    assert task == Task("model", str(FOURTH), "training.learning_rate 0.001 -> 0.01")
    unsure = replace(settings, evaluation=replace(settings.evaluation, abstain_below=0.5))
    assert {task.step for task in plan_batch(unsure, asked, NOW)} == {"predictions"}


def test_a_plan_is_of_the_steps_that_were_asked_for(trained: Settings, tmp_path: Path) -> None:
    settings = with_fifth_day(trained, tmp_path)
    assert {task.step for task in plan(settings, "predictions")} == {"predictions"}


def test_a_changed_file_of_a_day_is_named(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    fixes_of(settings, FOURTH).write_bytes(fixes_of(settings, DAYS[2]).read_bytes())
    tasks = plan_batch(settings, Asked(FOURTH, FOURTH), NOW)
    assert tasks[0] == Task("slices", "files to read", f"fixes {FOURTH}.parquet changed")
