"""A real server on the model's folder, started once."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Predict = Callable[..., pd.DataFrame]
PATIENCE_S = 120
JSON = "application/json"


def asked(
    port: int, method: str, path: str, body: bytes = b"", kind: str = JSON
) -> tuple[int, Any]:
    """Return the status and the JSON of an answer; JSON has no NaN."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {"Content-Type": kind})
        response = connection.getresponse()
        text = response.read().decode().strip()
        return response.status, json.loads(text or "null", parse_constant=pytest.fail)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def port(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    # MLflow starts uvicorn by its name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", str(served),
        "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PATH": path}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(server, port, folder / "log")
        yield port
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(PATIENCE_S)


def wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            if asked(port, "GET", "/ping")[0] == 200:
                return
        except ConnectionError:
            time.sleep(0.1)
    pytest.fail(f"the server does not answer:\n{log.read_text('utf-8')}")


def split(slices: pd.DataFrame, **params: float) -> bytes:
    table = json.loads(slices.to_json(orient="split", date_format="iso", index=False))
    return json.dumps({"dataframe_split": table, "params": params}).encode()


def as_json(answer: pd.DataFrame) -> list[dict[Hashable, Any]]:
    times = {name: [time.isoformat() for time in answer[name]] for name in answer.columns[:2]}
    return answer.assign(**times).to_dict(orient="records")


def test_the_server_answers_json_with_what_the_model_predicts(
    port: int, slices: pd.DataFrame, predict: Predict
) -> None:
    status, answer = asked(port, "POST", "/invocations", split(slices))
    assert status == 200
    assert answer == {"predictions": as_json(predict(slices))}
    assert answer["predictions"][0]["issued_at"] == "2026-01-09T17:00:00+00:00"


def test_the_server_answers_a_file_of_slices(
    port: int, slices: pd.DataFrame, predict: Predict
) -> None:
    file = BytesIO()
    slices.to_parquet(file)
    kind = "application/vnd.apache.parquet"
    status, answer = asked(port, "POST", "/invocations", file.getvalue(), kind)
    assert status == 200
    assert answer == {"predictions": as_json(predict(slices))}


def test_the_server_answers_null_for_a_class_that_is_withheld(
    port: int, slices: pd.DataFrame
) -> None:
    status, answer = asked(port, "POST", "/invocations", split(slices, abstain_below=1))
    assert status == 200
    assert {row["congestion"] for row in answer["predictions"]} == {None}


def test_the_server_says_what_is_wrong_with_a_request(port: int, slices: pd.DataFrame) -> None:
    body = split(slices.assign(segment_id="nowhere"))
    status, answer = asked(port, "POST", "/invocations", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "slices name segment 'nowhere', which the network does not have" in answer["message"]
