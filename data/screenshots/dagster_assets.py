"""The sample city's assets in Dagster, materialised on a copy of its stores and served."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSTANCE = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
COPIED = ("network", "fixes", "slices")
"""What the runs begin with; forecasts and models are made anew in seconds."""

SETTINGS = "model=mlp training.max_epochs=2 tracking.enabled=true"
RUNS = (
    ("nightly", "2026-01-05", "2026-01-13"),
    ("newest_predictions", "2026-01-12T00:00", "2026-01-13T23:45"),
    ("nightly", "2026-01-12", "2026-01-13"),
)
"""A model, the forecasts that it issues, and what became of them."""

MATERIALISE = """
import sys
import dagster as dg
from pipelines.definitions import defs
from pipelines.schedules import RANGE_END, RANGE_START

job, first, last = sys.argv[1:]
with dg.DagsterInstance.get() as instance:
    defs.resolve_job_def(job).execute_in_process(
        instance=instance, tags={RANGE_START: first, RANGE_END: last}
    )
"""


@contextmanager
def served_assets(
    city: str,
    workspace: Path,
    port: int,
    wait: Callable[[subprocess.Popen[bytes], str, Path], None],
) -> Iterator[str]:
    """Materialise the city's assets on a copy, serve Dagster's pages and yield their address.

    Args:
        city: of ``conf/city``.
        workspace: folder with the city's stores.
        port: that is free.
        wait: returns when the server at an address answers.
    """
    with tempfile.TemporaryDirectory() as name:
        home, copy, log = Path(name, "home"), Path(name, "work"), Path(name, "server.log")
        home.mkdir()
        (home / "dagster.yaml").write_text(INSTANCE, "utf-8")
        for part in COPIED:
            shutil.copytree(workspace / city / part, copy / city / part)
        overrides = shlex.join([f"city={city}", f"workspace={copy}", *SETTINGS.split()])
        environment = {**os.environ, "DAGSTER_HOME": str(home), "ROADGRAPH_OVERRIDES": overrides}
        for run in RUNS:
            print(f"dagster: {' '.join(run)}")
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", MATERIALISE, *run],
                env=environment,
                check=True,
                stderr=subprocess.DEVNULL,
            )
        command = [
            sys.executable, "-m", "dagster_webserver", "--module-name", "pipelines.definitions",
            "--host", "127.0.0.1", "--port", str(port),
        ]  # fmt: skip
        with log.open("wb") as lines:
            server = subprocess.Popen(command, env=environment, stdout=lines, stderr=lines)
        address = f"http://127.0.0.1:{port}"
        try:
            wait(server, f"{address}/server_info", log)
            yield address
        finally:
            server.terminate()
            server.wait()
