"""A real MLflow server over HTTP, on this machine alone."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 120


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


ALONE = {
    "PYTHONWARNINGS": "ignore",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""Without the eight processes for jobs, which nobody gives it here."""


class MlflowServer:
    """An MLflow server on ``database`` whose artifacts go through it into ``artifacts``."""

    def __init__(self, database: Path, artifacts: Path, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{database}"]
        command += ["--artifacts-destination", str(artifacts)]
        # A group of its own, because the server has children.
        self._process = subprocess.Popen(
            command,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ALONE},
        )

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)

    def kill(self) -> None:
        """End it as a loss of power does."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running_server(
    database: Path, artifacts: Path, port: int | None = None
) -> Iterator[MlflowServer]:
    """Yield a server that answers, and kill it at the end."""
    server = MlflowServer(database, artifacts, port or free_port())
    try:
        server.wait()
        yield server
    finally:
        server.kill()
