"""The Spark session of a run: what it needs, how it starts, how its work is watched."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from roadgraph.errors import DataError, RoadgraphError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    from roadgraph.settings import SparkSettings

    T = TypeVar("T")

LEAST_JAVA = 17
INSTALL_PYSPARK = "pip install 'roadgraph[spark]'"
INSTALL_JAVA = (
    "install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless) and put it on the "
    "PATH or into JAVA_HOME"
)
MASTER_SECONDS = 5.0
LOOK_SECONDS = 0.5
IDLE_SECONDS = 30.0
USUAL = {
    "spark.app.name": "roadgraph",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    # A day's traversals come to the driver program as they are; memory is the only limit.
    "spark.driver.maxResultSize": "0",
    # A task has one core; Polars would take all of them in every worker process.
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
}
"""Options that ``spark.options`` may change."""
FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
logger = logging.getLogger(__name__)


def java_version() -> str | None:
    """Return the version of the Java that Spark would start, such as ``17.0.15``, or None."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "([^"]+)"', said.stderr)
    return found[1] if found else None


def check_installed() -> None:
    """Make sure that Spark can be started at all.

    Raises:
        SettingsError: PySpark or Java is missing, or Java is too old.
    """
    if find_spec("pyspark") is None:
        raise SettingsError(f"engine=spark needs PySpark, which is missing: {INSTALL_PYSPARK}")
    found = java_version()
    if found is None:
        raise SettingsError(f"engine=spark needs Java, which is missing: {INSTALL_JAVA}")
    if int(re.match(r"\d*", found)[0] or 0) < LEAST_JAVA:  # type: ignore[index]
        raise SettingsError(f"engine=spark needs Java {LEAST_JAVA}, found {found}: {INSTALL_JAVA}")


def check_master(master: str) -> None:
    """Make sure that a standalone master answers.

    Spark itself would knock for a minute and then fail with a traceback.

    Raises:
        SettingsError: none of the addresses answers.
    """
    if not master.startswith("spark://"):
        return
    reasons = []
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), MASTER_SECONDS).close()
        except (OSError, ValueError) as error:
            reasons.append(f"{address}: {error}")
        else:
            return
    raise SettingsError(
        f"no Spark master answers at {master} ({'; '.join(reasons)}); is spark.master right, and "
        "is the cluster up?"
    )


class Cluster:
    """A Spark session that starts with its first use and stops with the block.

    Where a Spark context is active before, in a notebook or in a program that uses roadgraph, its
    own is used instead and goes on afterwards; ``spark.master`` and ``spark.options`` have no say
    then.

    Args:
        settings: of the cluster.
    """

    def __init__(self, settings: SparkSettings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._session: SparkSession | None = None

    def __enter__(self) -> Cluster:
        """Start nothing yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the session if it is ours."""
        self._session = None
        self._stack.close()

    @property
    def session(self) -> SparkSession:
        """The session.

        Raises:
            SettingsError: PySpark or Java is missing, or the cluster cannot be reached.
        """
        if self._session is None:
            check_installed()
            with pandas_unnoticed():
                self._session = self._start()
        return self._session

    @property
    def context(self) -> SparkContext:
        """The context of the session."""
        return self.session.sparkContext

    def _start(self) -> SparkSession:
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        if SparkContext._active_spark_context is not None:
            session = SparkSession.builder.getOrCreate().newSession()
            for key, value in FIXED.items():
                session.conf.set(key, value)
            return session
        check_master(self._settings.master)
        log = self._stack.enter_context(
            tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by the stack
        )
        try:
            context = _started(self._conf(), log)
            self._stack.callback(context.stop)
            return SparkSession(context)
        except Exception as error:
            log.seek(0)
            reason = reason_of_start(_said(error), log.read())
            raise SettingsError(
                f"Spark does not start on {self._settings.master}: {reason}; are spark.master and "
                "spark.options right? (roadgraph -v shows Spark's log)"
            ) from error

    def _conf(self) -> SparkConf:
        from pyspark import SparkConf

        options = {**USUAL, **self._settings.options, **FIXED}
        return SparkConf().setMaster(self._settings.master).setAll(list(options.items()))

    def run(
        self,
        action: Callable[[], T],
        tasks: int = 1,
        progress: Callable[[float], None] = lambda share: None,
    ) -> T:
        """Run ``action`` on the cluster, while telling how much of it is done.

        Args:
            action: to run; it gives back what it collected.
            tasks: of which it is made up.
            progress: called with the share of the tasks that is done.

        Raises:
            SettingsError: the workers lack a package, or run another Python.
            DataError: the workers do not see the files, or Spark gave up.
        """
        context = self.context
        watch = _Watch(context, tasks)

        def grouped() -> T:
            context.setJobGroup(watch.group, "roadgraph")
            return action()

        try:
            with ThreadPoolExecutor(1) as pool:
                job = pool.submit(grouped)
                while not job.done():
                    wait([job], LOOK_SECONDS)
                    progress(watch.share())
                return job.result()
        except RoadgraphError:
            raise
        except Exception as error:
            mendable = mendable_error(str(error))
            if mendable is None:
                raise
            raise mendable from error


class _Watch:
    """Looks at the tasks of one job group; says so when none gets a worker for a while."""

    def __init__(self, context: SparkContext, tasks: int) -> None:
        self.group = f"roadgraph-{os.urandom(8).hex()}"
        self._tracker = context.statusTracker()
        self._tasks = max(tasks, 1)
        self._share = 0.0
        self._idle: float | None = 0.0

    def share(self) -> float:
        """Return the share of the tasks that is done, 0-1."""
        jobs = map(self._tracker.getJobInfo, self._tracker.getJobIdsForGroup(self.group))
        stages = {stage for job in jobs if job for stage in job.stageIds}
        infos = [info for info in map(self._tracker.getStageInfo, stages) if info]
        done = sum(info.numCompletedTasks for info in infos)
        if done or any(info.numActiveTasks for info in infos):
            self._idle = None
        elif self._idle is not None:
            self._idle += LOOK_SECONDS
            if self._idle >= IDLE_SECONDS:
                logger.warning("Spark has given no worker to this job yet; is the cluster busy?")
                self._idle = None
        self._share = max(self._share, min(done / self._tasks, 1.0))
        return self._share


def _started(conf: SparkConf, log: IO[str]) -> SparkContext:
    """Start Java, unless it runs in this process already, and the context; its log goes away."""
    from pyspark import SparkContext
    from pyspark.java_gateway import launch_gateway

    gateway = SparkContext._gateway
    python = conf.get("spark.pyspark.python", sys.executable)
    with _environment("PYSPARK_PYTHON", os.environ.get("PYSPARK_PYTHON", str(python))):
        if gateway is None:
            shown = logging.getLogger().isEnabledFor(logging.INFO)
            gateway = launch_gateway(conf, {"stderr": None if shown else log})
        return SparkContext(conf=conf, gateway=gateway)


@contextmanager
def pandas_unnoticed() -> Iterator[None]:
    """Keep PySpark from warning of a pandas newer than it knows: no pandas is used with it here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _said(error: Exception) -> str:
    """Return what an error says; of one in Java, what its first cause says."""
    java: Any = getattr(error, "java_exception", None)
    while java is not None and java.getCause() is not None:
        java = java.getCause()
    return str(error if java is None else java.getMessage() or java.toString())


def reason_of_start(said: str, log: str) -> str:
    """Return why Spark did not start, in one line.

    Args:
        said: the message of the failure.
        log: what Java wrote; it knows more where Java ended at once, or gave the master up.
    """
    lines = [line.strip() for line in log.splitlines()]
    telling = [line for line in lines if re.search(r"\bERROR\b(?!\")|Exception|[Ee]rror:", line)]
    if telling and re.search("JAVA_GATEWAY_EXITED|stopped SparkContext", said):
        said = telling[0]
    said = re.sub(r'^Exception in thread "main" [\w.$]+: ', "", said.strip())
    return said.splitlines()[0] if said else "it gives no reason"


def mendable_error(text: str) -> RoadgraphError | None:
    """Return what the user can do about the failure of a job, or None where it is a fault of ours.

    Args:
        text: the message of the failure; that of a worker ends with its traceback.
    """
    lacks = re.findall(r"(?:ModuleNotFoundError|ImportError): (.+)", text)
    if lacks or "PYTHON_VERSION_MISMATCH" in text:
        reason = lacks[-1].strip() if lacks else "they run another version of Python"
        return SettingsError(
            f"the Spark workers cannot run roadgraph: {reason}; install the same Python and "
            "roadgraph there, and name it in PYSPARK_PYTHON"
        )
    unseen = re.findall(r"(?:FileNotFoundError|PermissionError|OSError): (.+)", text)
    if unseen:
        return DataError(
            f"a Spark worker cannot use a file: {unseen[-1].strip()}; fixes and workspace must "
            "lie on storage that all workers see"
        )
    if "Traceback (most recent call last)" in text:
        return None
    first = next((line.strip() for line in text.splitlines() if "Exception" in line), text)
    return DataError(f"Spark gave up: {first.strip(': ')[:300]} (roadgraph -v shows its log)")
