"""Records a comparison in MLflow while it goes on, without holding it up."""

from __future__ import annotations

import logging
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from roadgraph.comparison.account import is_trivial
from roadgraph.comparison.candidate import candidate_tags, candidate_title
from roadgraph.comparison.observer import Observer
from roadgraph.comparison.records import Common
from roadgraph.models.registry import model_title
from roadgraph.storage import alone, whole_folder, write_json
from roadgraph.tracking.console import CONSOLE_FILE, console_kept
from roadgraph.tracking.outbox import Left, Outbox
from roadgraph.tracking.record import (
    FAILURE_TAG,
    Progress,
    append_progress,
    now_ms,
    read_progress,
    read_record,
    read_sent,
    record_folder,
    set_aside,
    this_process,
    write_record,
)
from roadgraph.tracking.sending import REGISTER_FILE, reason_of
from roadgraph.tracking.versions import registered_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.judging import Judge
    from roadgraph.comparison.runs import Run
    from roadgraph.settings import Settings
    from roadgraph.tracking.record import Record, Status
    from roadgraph.tracking.sending import Serve
    from roadgraph.tracking.store import Store

logger = logging.getLogger(__name__)

PATIENCE_AFTER_A_FAILURE_S = 5.0


@dataclass(frozen=True)
class Recorded:
    """Where a comparison was recorded.

    Attributes:
        store: its address, without password.
        pages: address of the page of each run by its title, such as ``gcn-enhanced seed 2``; the
            comparison's own under "".
        registered: name and version of the registered model that was put forward, or "".
        left: what could not be sent.
    """

    store: str
    pages: dict[str, str]
    registered: str
    left: Left


class Recorder(Observer):
    """Keeps a record of each run beside it, and has the records sent from another thread.

    Args:
        settings: of the city.
        members: settings of each model.
        seeds: of the trainings.
        store: to record in.
        serve: see :class:`~roadgraph.tracking.sending.Sender`.
    """

    def __init__(
        self,
        settings: Settings,
        members: Sequence[Settings],
        seeds: Sequence[int],
        store: Store,
        serve: Serve | None = None,
    ) -> None:
        self._settings = settings
        self._members, self._seeds = list(members), list(seeds)
        self._store = store
        self._outbox = Outbox(store, serve)
        self._common: Common | None = None
        self._baselines: list[Run] = []
        self._baselines_left: list[Run] = []
        self._places: list[Path] = []
        self._candidate: Path | None = None

    def data(self, judge: Judge, key: str) -> None:
        """Begin the record that those of all runs on these data stand under."""
        common = Common.of(judge, key, self._settings, self._members, self._seeds)
        self._common = common
        known = read_record(common.folder)
        begun = common.begun()
        if known is not None:
            begun = replace(begun, started_ms=known.started_ms)
        self._post(begun, common.folder)

    @contextmanager
    def training(
        self, member: Settings, key: str, folder: Path
    ) -> Iterator[Callable[[dict[str, float]], None]]:
        """Record a training as it goes on; one that is taken up again goes on in its record."""
        assert self._common is not None
        self._post_baselines()
        place = record_folder(folder)
        record = read_record(place)
        if record is not None and record.status in ("RUNNING", "KILLED"):
            process, parent = this_process(), self._common.parent_of(place)
            tags = {name: text for name, text in record.tags.items() if name != FAILURE_TAG}
            record = replace(
                record, status="RUNNING", ended_ms=None, process=process, parent=parent, tags=tags
            )
        else:
            set_aside(place)
            record = self._common.of_training(member, key, place)
        write_record(record, place)
        lines = read_progress(place)
        epochs = {line.step for line in lines if line.kind == "epoch"}
        self._outbox.follow(place, sum(line.kind == "machine" for line in lines))
        try:
            with console_kept(place):
                logger.info("%s begins", record.title)
                yield lambda figures: self._epoch(figures, place, epochs)
                logger.info("%s is complete", record.title)
        except Exception as error:
            self._broken(record, "FAILED", error, place)
            raise
        except BaseException as error:
            self._broken(record, "KILLED", error, place)
            raise
        finally:
            self._outbox.unfollow(place)

    def finished(self, run: Run) -> None:
        """Record a run that is complete, unless that was done; baselines wait for each other."""
        if run.facts.baseline:
            self._baselines.append(run)
            self._baselines_left.append(run)
            return
        self._post_baselines()
        titled = (
            member
            for member in self._members
            if model_title(member.model, member.size) == run.facts.title
        )
        self._post_run(run, next(titled, None))

    def ended(self, compared: Compared, results: Path) -> None:
        """Record the comparison with a copy of its ``results``; put its best model forward."""
        assert self._common is not None
        self._post_baselines()
        common = self._common
        with alone(common.kept), whole_folder(common.kept) as temporary:
            shutil.copytree(results, temporary, dirs_exist_ok=True)
        begun = read_record(common.folder) or common.begun()
        self._post(common.ended(begun, compared), common.folder)
        self._put_forward(compared)

    def close(self) -> Recorded:
        """Send what is left and return where everything is; wait for a slow store for a while."""
        return self._recorded(self._outbox.close(self._settings.tracking.patience_s))

    def give_up(self, error: BaseException) -> None:
        """Record that the comparison ended by ``error``, and send what can be sent soon."""
        if self._common is not None:
            self._post_baselines()
            record = read_record(self._common.folder)
            if record is not None and record.status == "RUNNING":
                failed = isinstance(error, Exception)
                self._broken(record, "FAILED" if failed else "KILLED", error, self._common.folder)
        self._outbox.close(PATIENCE_AFTER_A_FAILURE_S)

    def _epoch(self, figures: dict[str, float], place: Path, known: set[int]) -> None:
        step = int(figures["epoch"])
        if step in known:  # of a training that was begun anew, or of its refit
            return
        known.add(step)
        values = {name: value for name, value in figures.items() if name != "epoch"}
        try:
            append_progress(Progress(step, now_ms(), values), place)
        except OSError as error:
            # The run's history has it too, and is recorded when the run is complete.
            logger.warning("epoch %d is not recorded yet (%s)", step, error)
        shown = ", ".join(
            f"{name} {values[name]:.4g}"
            for name in ("train_loss", "val_loss", "learning_rate")
            if name in values
        )
        logger.info("epoch %d: %s", step, shown)

    def _broken(self, record: Record, status: Status, error: BaseException, place: Path) -> None:
        log = place / CONSOLE_FILE
        broken = replace(
            record,
            status=status,
            ended_ms=now_ms(),
            tags={**record.tags, FAILURE_TAG: reason_of(error)},
            artifacts={"": (f"{place.name}/{CONSOLE_FILE}",)} if log.is_file() else {},
        )
        self._post(broken, place)

    def _post_baselines(self) -> None:
        waiting, self._baselines_left = self._baselines_left, []
        for run in waiting:
            self._post_run(run, None)

    def _post_run(self, run: Run, member: Settings | None) -> None:
        assert self._common is not None
        place = self._common.place_of(run)
        self._places.append(place)
        # Two comparisons at once may have a run in common, which is recorded once.
        with alone(place):
            record = read_record(place)
            if record is None or record.status != "FINISHED":
                _complete_progress(run, place)
                record = self._common.of_run(run, record, member, self._baselines)
            write_record(replace(record, parent=self._common.parent_of(place)), place)
        self._outbox.post(place)

    def _post(self, record: Record, place: Path) -> None:
        write_record(record, place)
        self._outbox.post(place)

    def _put_forward(self, compared: Compared) -> None:
        """Have the model that is best on the validation span registered as challenger."""
        metric = self._settings.promotion.metric
        title = None if is_trivial(self._settings) else candidate_title(compared, metric)
        if title is None:
            return
        best = compared.best_of(title)
        place = record_folder(best.folder)
        tags = candidate_tags(compared, best, metric)
        content = {"name": registered_name(self._settings), "tags": tags}
        write_json(place / REGISTER_FILE, content)
        self._outbox.post(place)
        self._candidate = place

    def _recorded(self, left: Left) -> Recorded:
        assert self._common is not None
        pages, registered = {}, ""
        if self._candidate is not None:
            sent = read_sent(self._candidate).get(self._store.name)
            if sent is not None and sent.version.isdecimal():
                registered = f"{registered_name(self._settings)} version {sent.version}"
        for place in [self._common.folder, *self._places]:
            record, sent = read_record(place), read_sent(place).get(self._store.name)
            if record is not None and sent is not None and sent.run_id:
                title = "" if place == self._common.folder else record.title
                pages[title] = self._store.page(sent.experiment, sent.run_id)
        return Recorded(self._store.name, pages, registered, left)


def _complete_progress(run: Run, place: Path) -> None:
    """Add the epochs of a run's history that nobody wrote down when they ended."""
    known = {line.step for line in read_progress(place) if line.kind == "epoch"}
    for epoch in run.history:
        step = int(epoch["epoch"])
        if step not in known:
            figures = {
                name: value
                for name, value in epoch.items()
                if name != "epoch" and value is not None
            }
            place.mkdir(parents=True, exist_ok=True)
            append_progress(Progress(step, now_ms(), figures), place)
