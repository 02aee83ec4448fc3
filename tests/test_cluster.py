"""Slices on Spark, a training by ``torchrun``, runs and models on an MLflow server: all together.

What each of them does when it fails stands beside its own tests.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from roadgraph.config import load_settings
from roadgraph.prediction import run_prediction
from roadgraph.settings import SparkSettings
from roadgraph.workflow import run_network, run_slices
from tests.slices.test_spark import QUICK_JAVA, what_is_missing
from tests.toy_city import write_city
from tests.tracking.server import running_server

pytestmark = pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing())


def test_slices_by_spark_a_model_by_two_processes_and_a_forecast_with_what_the_server_has(
    tmp_path: Path, empty_store: Path
) -> None:
    overrides = [*write_city(tmp_path / "city"), "model=mlp", "size=simple"]
    settings = load_settings([*overrides, "engine=spark"])
    run_network(settings)
    spark = SparkSettings("local[1]", {"spark.driver.extraJavaOptions": QUICK_JAVA})
    report, _ = run_slices(replace(settings, spark=spark))
    assert len(report.built) == 5
    database = tmp_path / "server.db"
    shutil.copy(empty_store, database)
    with running_server(database, tmp_path / "artifacts") as server:
        overrides.append(f"tracking.uri={server.address}")
        command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", "2", "-m", "tests.cluster_toy", "train", *overrides]
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.count(f"MLflow store: {server.address}") == 1
        client = MlflowClient(server.address, server.address)
        experiment = client.get_experiment_by_name("toy")
        assert experiment is not None
        trained = [
            found
            for found in client.search_runs([experiment.experiment_id])
            if found.info.run_name == "mlp-simple seed 1"
        ]
        assert [found.info.status for found in trained] == ["FINISHED"]
        assert trained[0].data.params["training.devices"] == "2"
        champion = client.get_model_version_by_alias("toy", "champion")
        assert champion.run_id == trained[0].info.run_id
        predicted = run_prediction(load_settings(overrides), None, tmp_path / "forecast.parquet")
        assert str(predicted.registered) == "toy version 1 (champion)"
        assert pq.read_metadata(predicted.files[0]).num_rows == 3 * 4
