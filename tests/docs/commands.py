"""Runs the commands of the documentation where a reader would: in the folder of the project.

A command of roadgraph runs in this process, everything else as :data:`TOOLS` says. A command that
nothing here can run is an error.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pandas as pd
import torch
import yaml
from typer.testing import CliRunner

from roadgraph import config
from roadgraph.batch import plan, run
from roadgraph.cli import app
from roadgraph.config import REPOSITORY, load_settings
from roadgraph.settings import Settings
from tests.tracking.server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = pd.Timestamp("2026-01-09T00:01", tz="Asia/Bangkok")
"""What the clock shows where a command goes by it: the last day of ``tests.docs.city`` is over."""

BESIDE = ("Makefile", "pyproject.toml", "requirements.lock", "pipelines", "data/sample")
"""Of the project, what a command may look for in the folder that it is run in."""

SYSTEM = "/etc/systemd/system"
OURS = re.compile(r"(?:(?:/opt/roadgraph/)?\.venv/bin/)?(\w[\w-]*)")
SERVER_START_S = 120
QUICK_MLFLOW = {
    "PYTHONWARNINGS": "ignore",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eight processes that nothing here needs
}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    output: str


DONE = Ran(0, "")


@dataclass(frozen=True)
class Place:
    """A folder that stands for the project's own, with settings and data that tests may write."""

    folder: Path

    @property
    def conf(self) -> Path:
        """The settings."""
        return self.folder / "conf"

    def settings(self, *overrides: str) -> Settings:
        """Return the settings as a command here finds them."""
        return load_settings(overrides, self.conf)

    def write(self, text: str) -> list[str]:
        """Write a block of settings into the file that its comment names; return how to choose it.

        ``# conf/city/mycity.yaml`` is the whole file, ``# in conf/city/mycity.yaml`` a part of it.
        """
        named = re.search(r"^# (in )?(conf/(\w+)/(\w+)\.yaml)$", text, re.MULTILINE)
        assert named, f"no comment names the file of these settings:\n{text}"
        part, path, group, choice = named.groups()
        file = self.folder / path
        if part:
            old = file.read_text("utf-8")
            head = "".join(line for line in old.splitlines(True) if line.startswith("# @"))
            merged = _merged(yaml.safe_load(old), yaml.safe_load(text))
            text = head + yaml.safe_dump(merged, sort_keys=False)
        file.write_text(text, "utf-8")
        return [f"{group}={choice}"]

    def run(self, line: str) -> Ran:
        """Run a line as a shell would; its variables, if any, come first."""
        words = shlex.split(line, comments=True)
        variables = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, variables[name] = words.pop(0).partition("=")
        words = words[1:] if words[:1] == ["sudo"] else words
        with chdir(self.folder), mock.patch.dict(os.environ, variables):
            return self._run(words)

    def _run(self, words: list[str]) -> Ran:
        tool = OURS.fullmatch(words[0]) if words else None
        name = tool[1] if tool else (words or [""])[0]
        assert name in TOOLS, f"the tests have no way to run {name!r}"
        return TOOLS[name](self, words[1:])


def commands_of(text: str) -> list[str]:
    """Return the commands of a block; lines that go on are joined, comments left out."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def cron_commands_of(text: str) -> list[str]:
    """Return the commands of the lines of a crontab; their times must be some that cron knows."""
    found = []
    for line in commands_of(text):
        if line.startswith("CRON_TZ="):
            pd.Timestamp("2026-01-05", tz=line.partition("=")[2])
            continue
        *times, command = line.split(None, 5)
        for field, (low, high) in zip(times, CRON_FIELDS, strict=True):
            for part in field.split(","):
                limits = [int(number) for number in re.findall(r"\d+", part.partition("/")[0])]
                assert re.fullmatch(r"(\*|\d+(-\d+)?)(/\d+)?", part), f"cron: {line}"
                assert all(low <= number <= high for number in limits), f"cron: {line}"
        folder, _, command = command.partition(" && ")
        assert folder.startswith("cd /"), f"cron: {line}"
        found.append(re.sub(r"\s*>>.*$", "", command))
    return found


CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@contextmanager
def a_set_clock() -> Iterator[None]:
    """Let scheduled runs take :data:`NOW` for the moment."""
    planned, ran = plan.plan_batch, run.run_batch

    def plan_now(settings: Settings, asked: Any, now: pd.Timestamp) -> Any:
        return planned(settings, asked, NOW)

    with (
        mock.patch.object(plan, "plan_batch", plan_now),
        mock.patch.object(run, "run_batch", partial(ran, now=NOW)),
    ):
        yield


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {key: _merged(old.get(key), value) for key, value in new.items()}


def _roadgraph(place: Place, words: list[str]) -> Ran:
    wants_gpu = "training.device=gpu" in words and not torch.cuda.is_available()
    here = partial(load_settings, conf=place.conf)
    with mock.patch.object(config, "load_settings", here), a_set_clock():
        result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    error = result.exception
    output = result.output
    if error is not None and not isinstance(error, SystemExit):
        output += f"\n{type(error).__name__}: {error}"
    if wants_gpu:  # what the page says of a machine without one
        assert "training.device=gpu: no GPU was found" in output, output
        return Ran(0, output)
    return Ran(result.exit_code, output)


def _make(place: Place, words: list[str]) -> Ran:
    """Let make say what it would do."""
    del place
    return _ran(["make", "--dry-run", *words], REPOSITORY)


def _pip(place: Place, words: list[str]) -> Ran:
    """See that the project has the extras and the file of versions that a line names."""
    del place
    assert words[0] == "install", words
    extras = re.fullmatch(r"\.\[([\w,-]+)\]", words[words.index("-e") + 1])
    assert extras, words
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    missing = set(extras[1].split(",")) - set(project["optional-dependencies"])
    assert not missing, f"pyproject.toml has no extra {missing}"
    assert (REPOSITORY / words[words.index("-c") + 1]).is_file(), words
    return DONE


def _activate(place: Place, words: list[str]) -> Ran:
    """See that the virtual environment can be entered."""
    del place
    assert words == [".venv/bin/activate"], words
    assert Path(sys.prefix, "bin", "activate").is_file()
    return DONE


def _mlflow(place: Place, words: list[str]) -> Ran:
    """Start the pages on a port of this machine, ask them once, and end them."""
    assert words[0] == "ui", words
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words, "--port", str(port), "--workers", "1"],
        cwd=place.folder,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUICK_MLFLOW},
    )
    try:
        deadline = time.monotonic() + SERVER_START_S
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    return Ran(0, answer.read().decode())
            except (urllib.error.URLError, OSError):
                if server.poll() is not None or time.monotonic() > deadline:
                    return Ran(1, "the pages of MLflow do not answer")
                time.sleep(0.1)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 9)  # of a group of its own, because it has children
        server.wait()


def _dagster(place: Place, words: list[str]) -> Ran:
    """Let Dagster read the line and the definitions that it names; its server is not started."""
    from dagster import Definitions
    from dagster._cli import cli

    overrides = os.environ.pop("ROADGRAPH_OVERRIDES")  # of this folder; they are read on import
    from pipelines.definitions import definitions_of

    name, *options = words
    context = cli.commands[name].make_context(name, options)
    assert context.params["module_name"] == ("pipelines.definitions",), words
    settings = place.settings(*shlex.split(overrides))
    Definitions.validate_loadable(definitions_of(settings, NOW.tz_convert("UTC")))
    return DONE


def _torchrun(place: Place, words: list[str]) -> Ran:
    """Let torchrun read the line, and do in one process what it would start in several."""
    from torch.distributed.run import parse_args

    asked = parse_args(words)
    assert asked.module, f"torchrun: {words}"
    assert asked.training_script == "roadgraph", words
    return _roadgraph(place, asked.training_script_args)


def _systemctl(place: Place, words: list[str]) -> Ran:
    """See that the units are there, and run what the services of the timers would."""
    if words == ["daemon-reload"]:
        return DONE
    assert words[:2] == ["enable", "--now"], words
    for timer in words[2:]:
        unit = Path(f"{place.folder}{SYSTEM}", timer)
        assert unit.suffix == ".timer", timer
        assert "OnCalendar=" in unit.read_text("utf-8")
        service = unit.with_suffix(".service").read_text("utf-8")
        started = re.findall(r"^ExecStart=(.+)$", service, re.MULTILINE)
        for line in started:
            ran = place.run(line)
            if ran.code:
                return ran
    return DONE


def _plain(tool: str, place: Place, words: list[str]) -> Ran:
    """Run a small tool for real; a folder of the system's is one below the place."""
    found: list[str] = []
    for word in words:
        if word.startswith(f"{SYSTEM}/"):
            folder = Path(f"{place.folder}{word}")
            folder.mkdir(parents=True, exist_ok=True)
            found.append(str(folder))
        elif "*" in word:
            found += sorted(str(path) for path in Path().glob(word))
        else:
            found.append(word)
    return _ran([tool, *found], place.folder)


def _ran(command: list[str], folder: Path) -> Ran:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout + done.stderr)


TOOLS: dict[str, Callable[[Place, list[str]], Ran]] = {
    "roadgraph": _roadgraph,
    "make": _make,
    "pip": _pip,
    ".": _activate,
    "mlflow": _mlflow,
    "dagster": _dagster,
    "torchrun": _torchrun,
    "systemctl": _systemctl,
    **{tool: partial(_plain, tool) for tool in ("cp", "head", "ls", "mkdir", "tail")},
}
