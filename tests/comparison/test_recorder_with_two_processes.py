"""Two trainings at once, each a process of its own, on one SQLite store."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from roadgraph.config import settings_to_dict
from roadgraph.settings import Settings
from roadgraph.tracking.sending import PARENT_TAG
from roadgraph.workspace import Workspace
from tests.comparison.conftest import in_a_copy
from tests.tracking.toy_records import curve

TRAIN = """
import json, sys
from roadgraph.comparison import compare
from roadgraph.comparison.members import members_of
from roadgraph.config import settings_from_dict
from roadgraph.workflow import run_comparison

compare.draw_pictures = lambda run, scene: None
settings = settings_from_dict(json.loads(sys.argv[1]))
recorded = run_comparison(settings, members_of(settings, [sys.argv[2]]), [1]).recorded
assert recorded.left.folders == (), recorded.left
"""


def test_two_trainings_at_once_on_one_sqlite_store_both_end_with_everything_logged(
    imported: Settings, tmp_path: Path
) -> None:
    settings = in_a_copy(imported, tmp_path)
    # Slow machines take long to send the last of it.
    settings = replace(settings, tracking=replace(settings.tracking, patience_s=600))
    content = json.dumps(settings_to_dict(settings))
    titles = ("mlp-simple", "gcn-simple")
    # The store does not exist yet: both want to make it.
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", TRAIN, content, title],
            stderr=subprocess.PIPE,
            text=True,
        )
        for title in titles
    ]
    for process in processes:
        _, said = process.communicate(timeout=400)
        assert process.returncode == 0, said
    address = f"sqlite:///{Workspace.of(settings).store}/mlflow.db"
    client = MlflowClient(address, address)
    experiment = client.get_experiment_by_name("toy")
    assert experiment is not None
    all_runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in all_runs} == {"FINISHED"}
    baselines = ["gradient boosting", "historical average", "majority class", "persistence"]
    runs: dict[str, Run] = {}
    for title in titles:
        (above,) = (
            run for run in all_runs if str(run.info.run_name).startswith(f"comparison of {title}")
        )
        below = [run for run in all_runs if run.data.tags.get(PARENT_TAG) == above.info.run_id]
        names = sorted(str(run.info.run_name) for run in below)
        assert names == sorted([*baselines, f"{title} seed 1"])
        runs |= {str(run.info.run_name): run for run in below}
    assert len(all_runs) == 2 * (1 + len(baselines) + 1)
    for title in titles:
        run = runs[f"{title} seed 1"]
        assert [step for step, *_ in curve(client, run, "val_loss")] == [0, 1]
        assert run.outputs is not None
        assert len(run.outputs.model_outputs) == 1
        assert "bundle" in {item.path for item in client.list_artifacts(run.info.run_id)}
    versions = client.search_model_versions("name='toy'")
    assert {version.tags["model"] for version in versions} == set(titles)
