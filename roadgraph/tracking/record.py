"""What there is to record of one run, as files beside it, so that no server is needed to keep it.

The folder of a record holds ``record.json``, ``progress.jsonl`` (figures of epochs and of the
machine as they came, each with its time) and ``sent.json`` (what each MLflow store has of it). The
times are part of the record, so that sending it again gives no second point of any curve.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import psutil

from roadgraph.storage import fingerprint, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)

RECORD_FILE, PROGRESS_FILE, SENT_FILE = "record.json", "progress.jsonl", "sent.json"
FAILURE_TAG = "failure"
"""Why a run broke off; it is gone when the run is taken up again."""
NOTE_CHARACTERS = 8000  # MLflow's limit of a tag, which a note is

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class DataUsed:
    """Data that a run rests on, as MLflow shows it.

    Attributes:
        name: such as ``slices of sample``.
        digest: at most 36 characters that change with the data.
        source: where it lies, relative to the workspace.
        profile: facts about it: days, rows, fingerprint.
        context: what it was used for, such as ``training``.
    """

    name: str
    digest: str
    source: str
    profile: Mapping[str, Any]
    context: str


@dataclass(frozen=True)
class Record:
    """What there is to record of one run.

    Attributes:
        record_id: of this record, unlike any other; MLflow's run carries it as a tag.
        experiment: name of the MLflow experiment, the city's.
        title: name of the run, such as ``gcn-enhanced seed 2``.
        status: of the run; ``RUNNING`` while it is trained, ``KILLED`` when it was interrupted and
            may be taken up again.
        started_ms: when it began, in ms since 1970.
        ended_ms: when it ended, or None.
        parent: the folder of the record that it stands under, relative to the folder around this
            one's, or "".
        process: that trains it (:func:`this_process`).
        parameters: flat settings by name.
        metrics: final figures by name.
        tags: texts by name.
        data: that it rests on.
        artifacts: files and folders to keep, by their folder in the run ("" the top), relative to
            the folder around the record's.
        network: the folder of the network that the model ``bundle`` in the folder around the
            record's is to be served with; "" logs no served model.
    """

    record_id: str
    experiment: str
    title: str
    status: Status
    started_ms: int
    ended_ms: int | None = None
    parent: str = ""
    process: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    data: tuple[DataUsed, ...] = ()
    artifacts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    network: str = ""


@dataclass(frozen=True)
class Progress:
    """Figures at one moment of a run.

    Attributes:
        step: epoch, or number of the sample.
        at_ms: when, in ms since 1970.
        figures: by the name of their metric.
        kind: of what they are: of an epoch's training or of the machine.
    """

    step: int
    at_ms: int
    figures: Mapping[str, float]
    kind: Literal["epoch", "machine"] = "epoch"


def write_record(record: Record, folder: Path) -> None:
    """Write ``record`` into ``folder``, whole or not at all."""
    write_json(folder / RECORD_FILE, asdict(record))


def read_record(folder: Path) -> Record | None:
    """Return the record in ``folder``, or None when there is none."""
    path = folder / RECORD_FILE
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    content["data"] = tuple(DataUsed(**item) for item in content["data"])
    content["artifacts"] = {name: tuple(paths) for name, paths in content["artifacts"].items()}
    # What is no number is null in JSON.
    content["metrics"] = {
        name: value for name, value in content["metrics"].items() if value is not None
    }
    return Record(**content)


def append_progress(progress: Progress, folder: Path) -> None:
    """Add a line to the progress in ``folder``, also behind one that was cut off."""
    line = json.dumps(asdict(progress))
    with (folder / PROGRESS_FILE).open("ab+") as file:
        whole = file.seek(0, 2) == 0
        if not whole:
            file.seek(-1, 2)
            whole = file.read() == b"\n"
        file.write(("" if whole else "\n").encode() + line.encode() + b"\n")


def read_progress(folder: Path) -> list[Progress]:
    """Return the progress in ``folder``; lines that a kill or a full disk cut off are left out."""
    path = folder / PROGRESS_FILE
    if not path.is_file():
        return []
    found = []
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            found.append(Progress(**json.loads(line)))
        except (ValueError, TypeError):
            logger.info("%s: a line was cut off and is left out", path)
    return found


@dataclass(frozen=True)
class Sent:
    """What an MLflow store has of a record.

    Attributes:
        run_id: of its run there, or "" before there is one.
        experiment: that the run belongs to.
        digest: of the record, as it was when all of it had been sent; "" before.
        model_id: of its served model, or "".
        version: of the registered model that it became, "" before, or why there is none.
        register_digest: of what it was registered by.
    """

    run_id: str = ""
    experiment: str = ""
    digest: str = ""
    model_id: str = ""
    version: str = ""
    register_digest: str = ""


def read_sent(folder: Path) -> dict[str, Sent]:
    """Return what each store, by its address without password, has of the record in ``folder``."""
    path = folder / SENT_FILE
    if not path.is_file():
        return {}
    return {store: Sent(**sent) for store, sent in json.loads(path.read_text("utf-8")).items()}


def write_sent(store: str, sent: Sent, folder: Path) -> None:
    """Keep what ``store`` has of the record in ``folder``."""
    every = {**read_sent(folder), store: sent}
    write_json(folder / SENT_FILE, {name: asdict(each) for name, each in every.items()})


def digest_of(folder: Path, name: str) -> str:
    """Return a digest of a file in ``folder``, or "" where it is not there."""
    path = folder / name
    return fingerprint([path.read_text("utf-8")]) if path.is_file() else ""


def now_ms() -> int:
    """Return the time in ms since 1970."""
    return int(time.time() * 1000)


def this_process() -> str:
    """Return a text that stands for this process and for no other, also after a restart."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def is_abandoned(record: Record) -> bool:
    """Return whether a record still says that it runs, but its process on this machine is gone."""
    host, _, process = record.process.rpartition(":")[0].rpartition(":")
    if record.status != "RUNNING" or host != socket.gethostname():
        return False
    try:
        began = psutil.Process(int(process)).create_time()
    except psutil.NoSuchProcess:
        return True
    return record.process != f"{host}:{process}:{began:.2f}"


def set_aside(folder: Path) -> None:
    """Make room for another record in ``folder``: one that a store lacks moves beside it."""
    record, digest = read_record(folder), digest_of(folder, RECORD_FILE)
    sent = read_sent(folder)
    if record is None or all(each.digest == digest for each in sent.values()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    aside = folder.with_name(f"{folder.stem}-{record.record_id[:8]}{folder.suffix}")
    artifacts = {
        place: tuple(path.replace(folder.name, aside.name, 1) for path in paths)
        for place, paths in record.artifacts.items()
    }
    folder.rename(aside)
    write_record(replace(record, artifacts=artifacts), aside)


def record_folder(run: Path) -> Path:
    """Return where the record of the run in the folder ``run`` lies: beside it.

    So it is there before the run's own folder, which is written when the run is complete.
    """
    return run.with_name(f"{run.name}.tracking")
