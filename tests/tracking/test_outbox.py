import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roadgraph.tracking import outbox as outbox_module
from roadgraph.tracking.machine import MachineMonitor
from roadgraph.tracking.outbox import Left, Outbox
from roadgraph.tracking.record import (
    Progress,
    Sent,
    append_progress,
    digest_of,
    read_progress,
    read_sent,
    write_record,
    write_sent,
)
from roadgraph.tracking.sending import Sender, is_settled
from roadgraph.tracking.store import Store
from tests.tracking.toy_records import curve, runs_of, toy_record, write_toy

PATIENCE_S = 60


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, which another thread brings about."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_posted_is_sent_while_others_work(store: Store, tmp_path: Path) -> None:
    box = Outbox(store)
    place = write_toy(toy_record("one"), tmp_path)
    box.post(place)
    until(lambda: is_settled(place, store))
    assert box.close(PATIENCE_S) == Left((), "")
    assert runs_of(store.client())["one"].info.status == "FINISHED"


def test_a_run_is_to_be_seen_while_it_goes_on_with_figures_of_the_machine(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        outbox_module, "SAMPLE_S", 10 * PATIENCE_S
    )  # one sample, however slow the machine
    box = Outbox(store, tick_s=0.05)
    running = toy_record("one", status="RUNNING", ended_ms=None, metrics={}, artifacts={})
    place = write_toy(running, tmp_path)
    box.follow(place, samples=4)
    client = store.client()
    until(lambda: "one" in runs_of(client))
    append_progress(Progress(3, 1_000_400, {"val_loss": 0.25}), place)
    until(lambda: runs_of(client)["one"].data.metrics.get("val_loss") == 0.25)
    (sample,) = [line for line in read_progress(place) if line.kind == "machine"]
    assert sample.step == 4
    assert "system/cpu_utilization_percentage" in sample.figures
    until(lambda: "system/cpu_utilization_percentage" in runs_of(client)["one"].data.metrics)
    write_record(toy_record("one"), place)
    box.post(place)
    assert box.close(PATIENCE_S) == Left((), "")
    run = runs_of(client)["one"]
    assert run.info.status == "FINISHED"
    assert [step for step, *_ in curve(client, run, "val_loss")] == [0, 1, 2, 3]


def test_a_run_that_nobody_follows_any_more_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    box = Outbox(store, tick_s=0.05)
    place = write_toy(toy_record("one", status="RUNNING", ended_ms=None), tmp_path)
    box.follow(place)
    client = store.client()
    until(lambda: "one" in runs_of(client))
    box.unfollow(place)
    assert box.close(PATIENCE_S) == Left((), "")
    assert runs_of(client)["one"].info.status == "RUNNING"


class Broken:
    """Stands for a sender whose store fails for some records, and counts what it is asked."""

    def __init__(
        self, fails: Callable[[Path], bool], error: type[Exception] = ConnectionError
    ) -> None:
        self.fails = fails
        self.error = error
        self.asked: list[Path] = []

    def send(self, folder: Path) -> Sent:
        self.asked.append(folder)
        if self.fails(folder):
            raise self.error("no route to http://ann:pw@host/")
        return Sent()


def boxed(
    store: Store, sender: Broken, monkeypatch: pytest.MonkeyPatch, tick_s: float = 5.0
) -> Outbox:
    monkeypatch.setattr(outbox_module, "Sender", lambda *arguments: sender)
    return Outbox(store, tick_s=tick_s)


def test_what_a_store_does_not_take_is_kept_and_said_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sender = Broken(lambda folder: True)
    box = boxed(store, sender, monkeypatch)
    places = [write_toy(toy_record(name), tmp_path) for name in ("one", "two", "three")]
    with caplog.at_level(logging.WARNING):
        for place in places:
            box.post(place)
        left = box.close(PATIENCE_S)
    assert left == Left(tuple(places), "no route to http://ann:***@host/")
    assert [record.message for record in caplog.records] == [
        f"the MLflow store {store.name} does not take what it is sent "
        "(no route to http://ann:***@host/); it is kept and tried again"
    ]
    assert all(read_sent(place) == {store.name: Sent()} for place in places)


def test_one_record_at_fault_does_not_hold_up_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good, fine = (write_toy(toy_record(name), tmp_path) for name in ("bad", "good", "fine"))
    sender = Broken(lambda folder: folder == bad, ValueError)
    box = boxed(store, sender, monkeypatch)
    for place in (bad, good, fine):
        box.post(place)
    box.close(PATIENCE_S)
    assert {good, fine} <= set(sender.asked)


def test_when_the_store_does_not_answer_the_others_are_not_tried(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [write_toy(toy_record(str(place)), tmp_path) for place in range(9)]
    sender = Broken(lambda folder: True)
    box = boxed(store, sender, monkeypatch)
    for place in places:
        box.post(place)
    left = box.close(PATIENCE_S)
    # One of the first look, which saw some or all of them, and one of the last.
    assert 1 <= len(sender.asked) <= 2
    assert left.folders == tuple(places)


def test_a_store_that_comes_back_gets_everything(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.05)
    down = [True]
    sender = Broken(lambda folder: down[0])
    box = boxed(store, sender, monkeypatch, tick_s=0.02)
    place = write_toy(toy_record("one"), tmp_path)
    box.post(place)
    until(lambda: len(sender.asked) >= 2)
    down[0] = False
    asked = len(sender.asked)
    until(lambda: len(sender.asked) > asked)
    write_sent(store.name, Sent("r", "1", digest_of(place, "record.json")), place)
    assert box.close(PATIENCE_S) == Left((), "")


def test_a_slow_store_is_waited_for_no_longer_than_patience(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    class Slow(Broken):
        def send(self, folder: Path) -> Sent:
            released.wait(PATIENCE_S)
            return Sent()

    box = boxed(store, Slow(lambda folder: False), monkeypatch)
    place = write_toy(toy_record("one"), tmp_path)
    box.post(place)
    left = box.close(0.1)
    released.set()
    assert left == Left((place,), "it took longer than 0.1 s")


def test_a_machine_whose_figures_cannot_be_read_costs_no_more_than_them(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: MachineMonitor) -> dict[str, float]:
        raise OSError("no /proc")

    monkeypatch.setattr(MachineMonitor, "sample", fail)
    box = Outbox(store, tick_s=0.02)
    place = write_toy(toy_record("one", status="RUNNING", ended_ms=None), tmp_path)
    box.follow(place)
    until(lambda: "the machine's figures cannot be kept (no /proc)" in caplog.text)
    write_record(toy_record("one"), place)
    box.post(place)
    assert box.close(PATIENCE_S) == Left((), "")


def test_a_record_is_meant_for_the_store_before_anything_is_sent(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Looks(Broken):
        def send(self, folder: Path) -> Sent:
            seen.append(read_sent(folder))
            return Sender(store).send(folder)

    box = boxed(store, Looks(lambda folder: False), monkeypatch)
    box.post(write_toy(toy_record("one"), tmp_path))
    assert box.close(PATIENCE_S) == Left((), "")
    assert seen[0] == {store.name: Sent()}
