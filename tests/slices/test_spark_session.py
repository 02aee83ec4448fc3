import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.settings import SparkSettings
from roadgraph.slices import spark_session
from roadgraph.slices.spark_session import (
    Cluster,
    check_installed,
    check_master,
    java_version,
    mendable_error,
    reason_of_start,
)


def install_java(folder: Path, says: str) -> None:
    """Put a Java into ``folder`` that answers ``java -version``."""
    (folder / "bin").mkdir()
    java = folder / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)


@pytest.fixture
def java_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', "17.0.15"),
        ('java version "1.8.0_202"', "1.8.0_202"),
        ('openjdk version "21" 2023-09-19', "21"),
        ("no such thing", None),
    ],
)
def test_the_version_is_that_of_the_java_in_java_home(
    java_home: Path, says: str, version: str | None
) -> None:
    install_java(java_home, says)
    assert java_version() == version


def test_a_missing_java_is_one_message_that_says_what_to_install(java_home: Path) -> None:
    assert java_version() is None
    with pytest.raises(SettingsError, match="needs Java, which is missing: install Java 17"):
        check_installed()


def test_the_java_on_the_path_serves_where_java_home_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_java(tmp_path, 'openjdk version "99.1"')
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert java_version() == "99.1"
    check_installed()


def test_a_java_that_is_too_old_is_refused_with_its_version(java_home: Path) -> None:
    install_java(java_home, 'java version "1.8.0_202"')
    with pytest.raises(SettingsError, match=r"needs Java 17, found 1\.8\.0_202: install Java 17"):
        check_installed()


def test_a_missing_pyspark_is_one_message_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spark_session, "find_spec", lambda name: None)
    expected = r"needs PySpark, which is missing: pip install 'roadgraph\[spark\]'"
    with pytest.raises(SettingsError, match=expected):
        check_installed()


def test_no_session_starts_without_what_it_needs(java_home: Path) -> None:
    with pytest.raises(SettingsError, match="needs Java"), Cluster(SparkSettings()) as cluster:
        _ = cluster.session


@pytest.mark.skipif(java_version() is None, reason="needs Java 17")
def test_a_master_that_spark_does_not_know_is_one_message() -> None:
    expected = r"Spark does not start on nonsense: .*[mM]aster.*; are spark\.master and"
    with (
        pytest.raises(SettingsError, match=expected),
        Cluster(SparkSettings("nonsense")) as cluster,
    ):
        _ = cluster.session


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("localhost", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_a_standalone_master_is_asked_first_and_one_of_several_is_enough(listening: int) -> None:
    check_master(f"spark://localhost:{listening}")
    check_master(f"spark://localhost:{closed_port()},localhost:{listening}")


@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,1024]", "yarn", "k8s://x"])
def test_other_masters_are_left_to_spark(master: str) -> None:
    check_master(master)


def test_a_master_that_does_not_answer_is_one_message() -> None:
    master = f"spark://localhost:{closed_port()}"
    with pytest.raises(SettingsError, match=rf"no Spark master answers at {master} .*refused"):
        check_master(master)
    with pytest.raises(SettingsError, match="no Spark master answers at spark://localhost "):
        check_master("spark://localhost")


@pytest.mark.parametrize(
    ("said", "log", "reason"),
    [
        ("Could not parse Master URL: 'x'", "ERROR something else", "Could not parse Master URL"),
        (
            "[JAVA_GATEWAY_EXITED] Java gateway process exited",
            'WARN x\nException in thread "main" org.apache.spark.SparkException: no such master',
            "no such master",
        ),
        ("[JAVA_GATEWAY_EXITED] Java gateway process exited", "", "[JAVA_GATEWAY_EXITED]"),
        (
            "Cannot call methods on a stopped SparkContext.\nThis stopped",
            'Setting Spark log level to "ERROR".\n'
            "26/11/21 ERROR StandaloneSchedulerBackend: All masters are unresponsive! Giving up.",
            "26/11/21 ERROR StandaloneSchedulerBackend: All masters are unresponsive",
        ),
        ("", "", "it gives no reason"),
    ],
)
def test_the_reason_of_a_failed_start_is_one_line_of_whoever_knows_it(
    said: str, log: str, reason: str
) -> None:
    found = reason_of_start(said, log)
    assert found.startswith(reason)
    assert "\n" not in found


TRACE = 'Job aborted\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n'


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            f"{TRACE}ModuleNotFoundError: No module named 'roadgraph'\n\n\tat org.apache",
            SettingsError,
            "workers cannot run roadgraph: No module named 'roadgraph'; install the same",
        ),
        (
            f"{TRACE}PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker ...",
            SettingsError,
            "they run another version of Python; install the same",
        ),
        (
            f"{TRACE}FileNotFoundError: [Errno 2] No such file: '/a/b.csv'\n",
            DataError,
            "cannot use a file: .*'/a/b.csv'; fixes and workspace must lie on storage that all",
        ),
        (
            "An error occurred.\n: org.apache.spark.SparkException: executor lost\n\tat x",
            DataError,
            r"Spark gave up: org\.apache\.spark\.SparkException: executor lost \(roadgraph -v",
        ),
    ],
)
def test_what_the_user_can_mend_is_told_from_the_failure_of_a_job(
    text: str, kind: type[Exception], message: str
) -> None:
    found = mendable_error(text)
    assert type(found) is kind
    with pytest.raises(kind, match=message):
        raise found


def test_a_fault_of_ours_in_a_worker_keeps_its_traceback() -> None:
    assert mendable_error(f"{TRACE}ZeroDivisionError: division by zero\n") is None


class Tracker:
    """What a cluster without free workers tells, and one that works."""

    active, completed = 0, 0

    def getJobIdsForGroup(self, group: str) -> list[int]:  # noqa: N802 - Spark's name
        return [1]

    def getJobInfo(self, job: int) -> SimpleNamespace:  # noqa: N802 - Spark's name
        return SimpleNamespace(stageIds=[1])

    def getStageInfo(self, stage: int) -> SimpleNamespace:  # noqa: N802 - Spark's name
        return SimpleNamespace(numActiveTasks=self.active, numCompletedTasks=self.completed)


def watch_of(tracker: Tracker, tasks: int) -> spark_session._Watch:
    context: object = SimpleNamespace(statusTracker=lambda: tracker)
    return spark_session._Watch(context, tasks)  # type: ignore[arg-type]


def test_a_job_that_gets_no_worker_for_a_while_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = watch_of(Tracker(), 4)
    looks = int(spark_session.IDLE_SECONDS / spark_session.LOOK_SECONDS)
    with caplog.at_level(logging.WARNING):
        assert {watch.share() for _ in range(looks - 1)} == {0.0}
        assert caplog.messages == []
        for _ in range(2 * looks):
            watch.share()
    assert len(caplog.messages) == 1
    assert "no worker" in caplog.messages[0]


def test_the_share_that_is_done_never_falls_and_ends_at_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = Tracker()
    watch = watch_of(tracker, 4)
    shares = []
    for tracker.completed in (1, 3, 2, 4, 5):
        shares.append(watch.share())
    assert shares == [0.25, 0.75, 0.75, 1.0, 1.0]
    assert caplog.messages == []


def test_the_python_of_the_workers_is_ours_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    with spark_session._environment("PYSPARK_PYTHON", sys.executable):
        assert os.environ["PYSPARK_PYTHON"] == sys.executable
    assert "PYSPARK_PYTHON" not in os.environ
    monkeypatch.setenv("PYSPARK_PYTHON", "other")
    with spark_session._environment("PYSPARK_PYTHON", "mine"):
        pass
    assert os.environ["PYSPARK_PYTHON"] == "other"
