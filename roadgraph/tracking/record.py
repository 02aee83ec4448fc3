"""What there is to record of one run, as files beside it, so that no server is needed to keep it.

The folder of a record holds ``record.json``, ``progress.jsonl`` (figures of epochs and of the
machine as they came, each with its time) and ``sent.json`` (what each MLflow store has of it). The
times are part of the record, so that sending it again gives no second point of any curve.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from roadgraph.storage import write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RECORD_FILE, PROGRESS_FILE, SENT_FILE = "record.json", "progress.jsonl", "sent.json"
NOTE_CHARACTERS = 8000  # MLflow's limit of a tag, which a note is

Status = Literal["RUNNING", "FINISHED", "FAILED"]


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
        status: of the run; ``RUNNING`` while it is trained.
        started_ms: when it began, in ms since 1970.
        ended_ms: when it ended, or None.
        parent: ``record_id`` of the run that it stands under, or "".
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
    """Add a line to the progress in ``folder``."""
    line = json.dumps(asdict(progress))
    with (folder / PROGRESS_FILE).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_progress(folder: Path) -> list[Progress]:
    """Return the progress in ``folder``; a last line that was cut off by a kill is left out."""
    path = folder / PROGRESS_FILE
    if not path.is_file():
        return []
    lines = path.read_text("utf-8").split("\n")[:-1]
    return [Progress(**json.loads(line)) for line in lines]


@dataclass(frozen=True)
class Sent:
    """What an MLflow store has of a record.

    Attributes:
        run_id: of its run there, or "" before there is one.
        experiment: that the run belongs to.
        finished: whether everything was sent.
        model_id: of its served model, or "".
        version: of the registered model that it became, "" before, or why there is none.
    """

    run_id: str = ""
    experiment: str = ""
    finished: bool = False
    model_id: str = ""
    version: str = ""


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


def reopen(store: str, folder: Path) -> None:
    """Have ``store`` get the record in ``folder`` anew: it has changed since it was sent."""
    sent = read_sent(folder).get(store)
    if sent is not None and sent.finished:
        write_sent(store, replace(sent, finished=False), folder)


def record_folder(run: Path) -> Path:
    """Return where the record of the run in the folder ``run`` lies: beside it.

    So it is there before the run's own folder, which is written when the run is complete.
    """
    return run.with_name(f"{run.name}.tracking")
