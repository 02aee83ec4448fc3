import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from roadgraph.errors import BundleError
from roadgraph.storage import write_json
from roadgraph.tracking import sending
from roadgraph.tracking.record import (
    Progress,
    Sent,
    Status,
    append_progress,
    digest_of,
    read_record,
    this_process,
    write_record,
    write_sent,
)
from roadgraph.tracking.sending import (
    PARENT_TAG,
    RECORD_TAG,
    Sender,
    end_abandoned,
    is_settled,
    is_unreachable,
    reason_of,
    resend,
    waiting,
)
from roadgraph.tracking.store import Store
from tests.tracking.toy import store_of, toy_workspace
from tests.tracking.toy_records import curve, inputs_of, runs_of, sent_to, toy_record, write_toy

LOSSES = [(0, 1_000_100, 2.0), (1, 1_000_200, 1.0), (2, 1_000_300, 0.0)]


@pytest.fixture
def client(store: Store) -> MlflowClient:
    return store.client()


def test_a_run_in_mlflow_holds_all_of_its_record(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    place = write_toy(toy_record("gcn-simple seed 2"), tmp_path)
    sent = Sender(store).send(place)
    assert sent == sent_to(store, place)
    assert is_settled(place, store)
    run = runs_of(client)["gcn-simple seed 2"]
    assert run.info.run_id == sent.run_id
    assert run.info.experiment_id == sent.experiment
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED",
        1_000_000,
        1_001_500,
    )
    assert run.data.params == {"training.seed": "2", "city.name": "toy"}
    assert run.data.tags["kind"] == "model"
    assert run.data.tags[RECORD_TAG] == "gcn-simple-seed-2"
    assert curve(client, run, "val_loss") == LOSSES
    assert curve(client, run, "test/congestion/macro_f1/30min") == [(0, 1_001_500, 0.5)]
    inputs = {item.dataset.name: item for item in inputs_of(run)}
    assert json.loads(inputs["slices of toy"].dataset.profile or "") == {"rows": 3}
    assert json.loads(inputs["slices of toy"].dataset.source) == {"path": "toy/slices"}
    assert inputs["network of toy"].dataset.digest == "def"
    assert [tag.value for tag in inputs["slices of toy"].tags] == ["training"]
    paths = {item.path for item in client.list_artifacts(sent.run_id)}
    assert paths == {"classes.json", "bundle"}
    assert [item.path for item in client.list_artifacts(sent.run_id, "bundle")] == [
        "bundle/scaler.json"
    ]


def test_nothing_is_sent_twice(store: Store, client: MlflowClient, tmp_path: Path) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    first = Sender(store).send(place)
    # As after a loss of power: nobody knows any more what arrived.
    for known in (Sent(), Sent(first.run_id, first.experiment)):
        write_sent(store.name, known, place)
        assert Sender(store).send(place) == first
    run = runs_of(client)["one"]
    assert curve(client, run, "val_loss") == LOSSES
    assert curve(client, run, "test/congestion/macro_f1/30min") == [(0, 1_001_500, 0.5)]
    assert len(inputs_of(run)) == 2


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_run_that_is_taken_up_again_runs_again(
    store: Store, client: MlflowClient, tmp_path: Path, status: Status
) -> None:
    place = write_toy(toy_record("one", status=status), tmp_path)
    Sender(store).send(place)
    assert runs_of(client)["one"].info.status == status
    write_record(toy_record("one", status="RUNNING", ended_ms=None), place)
    assert not is_settled(place, store)
    Sender(store).send(place)
    assert runs_of(client)["one"].info.status == "RUNNING"


def test_a_record_that_changes_while_it_is_sent_is_sent_again(
    store: Store, client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    terminate = MlflowClient.set_terminated

    def change(self: MlflowClient, *arguments: Any) -> None:
        terminate(self, *arguments)
        write_record(toy_record("one", tags={"kind": "changed"}), place)

    with monkeypatch.context() as changing:
        changing.setattr(MlflowClient, "set_terminated", change)
        Sender(store).send(place)
    assert not is_settled(place, store)
    Sender(store).send(place)
    assert runs_of(client)["one"].data.tags["kind"] == "changed"


def test_a_run_that_was_deleted_in_the_pages_stays_deleted(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    client.delete_run(Sender(store).send(place).run_id)
    write_record(toy_record("one", tags={"kind": "changed"}), place)
    write_json(place / "register.json", {"name": "toy", "tags": {}})
    Sender(store).send(place)
    assert is_settled(place, store)
    assert runs_of(client) == {}
    assert sent_to(store, place).version == "none: its run was deleted"


def test_a_store_that_lost_its_runs_gets_them_again(
    store: Store, tmp_path: Path, empty_store: Path
) -> None:
    above = write_toy(toy_record("above"), tmp_path)
    below = write_toy(toy_record("one", parent=f"../{above.relative_to(tmp_path)}"), tmp_path)
    for place in (above, below):
        Sender(store).send(place)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    other = store_of(toy_workspace(tmp_path, empty_store))
    Sender(other).send(below)
    runs = runs_of(other.client())
    assert set(runs) == {"above", "one"}
    assert runs["one"].data.tags[PARENT_TAG] == runs["above"].info.run_id


def test_what_failed_once_and_does_not_any_more_is_not_said_any_more(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    place = write_toy(toy_record("one", tags={"failed/gcn seed 1": "a", "failure": "b"}), tmp_path)
    run_id = Sender(store).send(place).run_id
    client.set_tag(run_id, "mine", "stays")
    write_record(toy_record("one"), place)
    Sender(store).send(place)
    tags = runs_of(client)["one"].data.tags
    assert tags["mine"] == "stays"
    assert not {"failed/gcn seed 1", "failure"} & set(tags)


def test_a_run_whose_folder_was_deleted_keeps_its_figures(
    store: Store, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    (place.parent / "run" / "classes.json").unlink()
    Sender(store).send(place)
    assert is_settled(place, store)
    assert runs_of(client)["one"].data.tags["artifacts.missing"] == "run/classes.json"
    assert "logged without what is gone" in caplog.text


@pytest.mark.parametrize(
    "call", ["create_run", "log_batch", "log_inputs", "log_artifact", "set_terminated"]
)
@pytest.mark.parametrize("arrived", [False, True])
def test_sending_that_breaks_off_anywhere_is_made_good(
    store: Store,
    client: MlflowClient,
    tmp_path: Path,
    call: str,
    arrived: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    do: Callable[..., object] = getattr(MlflowClient, call)

    def breaks(self: MlflowClient, *arguments: object, **named: object) -> None:
        if arrived:
            do(self, *arguments, **named)
        raise ConnectionError("the line is cut")

    with monkeypatch.context() as cut:
        cut.setattr(MlflowClient, call, breaks)
        with pytest.raises(ConnectionError):
            Sender(store).send(place)
    assert not is_settled(place, store)
    Sender(store).send(place)
    run = runs_of(client)["one"]
    assert run.info.status == "FINISHED"
    assert curve(client, run, "val_loss") == LOSSES
    assert len(inputs_of(run)) == 2
    assert is_settled(place, store)


def test_a_run_grows_with_its_record(store: Store, client: MlflowClient, tmp_path: Path) -> None:
    running = toy_record("one", status="RUNNING", ended_ms=None, metrics={}, artifacts={})
    place = write_toy(running, tmp_path)
    sender = Sender(store)
    sender.send(place)
    assert not is_settled(place, store)
    assert runs_of(client)["one"].info.status == "RUNNING"
    append_progress(Progress(3, 1_000_400, {"val_loss": float("nan"), "train_loss": 1.0}), place)
    sender.send(place)
    run = runs_of(client)["one"]
    assert curve(client, run, "val_loss") == LOSSES, "what is no number is no point"
    assert curve(client, run, "train_loss") == [(3, 1_000_400, 1.0)]
    write_record(toy_record("one", tags={"kind": "model", "diagnosis": "fine"}), place)
    sender.send(place)
    assert is_settled(place, store)
    run = runs_of(client)["one"]
    assert (run.info.status, run.data.tags["diagnosis"]) == ("FINISHED", "fine")


def test_a_run_stands_under_that_of_its_comparison(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    above = write_toy(toy_record("comparison"), tmp_path)
    parent = f"../{above.relative_to(tmp_path)}"
    below = write_toy(toy_record("one", parent=parent), tmp_path)
    alone = write_toy(toy_record("two", parent="../gone/run.tracking"), tmp_path)
    sender = Sender(store)
    # Whichever comes first: the one above is made when it is needed.
    for place in (below, above, alone):
        sender.send(place)
    runs = runs_of(client)
    assert runs["one"].data.tags[PARENT_TAG] == runs["comparison"].info.run_id
    assert PARENT_TAG not in runs["two"].data.tags
    assert curve(client, runs["comparison"], "val_loss") == LOSSES


def test_a_run_goes_under_another_comparison(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    first, second = (write_toy(toy_record(name), tmp_path) for name in ("first", "second"))
    record = toy_record("one", parent=f"../{first.relative_to(tmp_path)}")
    place = write_toy(record, tmp_path)
    Sender(store).send(place)
    write_record(replace(record, parent=f"../{second.relative_to(tmp_path)}"), place)
    Sender(store).send(place)
    runs = runs_of(client)
    assert runs["one"].data.tags[PARENT_TAG] == runs["second"].info.run_id
    assert curve(client, runs["one"], "val_loss") == LOSSES


def test_under_a_comparison_that_was_deleted_a_run_stands_alone(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    above = write_toy(toy_record("comparison"), tmp_path)
    client.delete_run(Sender(store).send(above).run_id)
    below = write_toy(toy_record("one", parent=f"../{above.relative_to(tmp_path)}"), tmp_path)
    Sender(store).send(below)
    assert PARENT_TAG not in runs_of(client)["one"].data.tags


def test_more_figures_and_parameters_than_a_call_takes_all_arrive(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    parameters = {f"p{place:03}": "x" * 7000 for place in range(130)}
    figures = {f"m{place:04}": float(place) for place in range(1100)}
    place = write_toy(toy_record("one", parameters=parameters, metrics=figures), tmp_path)
    Sender(store).send(place)
    run = runs_of(client)["one"]
    assert set(run.data.params) == set(parameters)
    assert {len(value) for value in run.data.params.values()} == {6000}
    assert {name: run.data.metrics[name] for name in figures} == figures


def test_another_store_gets_the_run_too(tmp_path: Path, empty_store: Path) -> None:
    place = write_toy(toy_record("one"), tmp_path)
    stores = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        stores.append(store_of(toy_workspace(tmp_path / name, empty_store)))
        Sender(stores[-1]).send(place)
    assert len({sent_to(store, place).run_id for store in stores}) == 2
    assert all(is_settled(place, store) for store in stores)
    assert all("one" in runs_of(store.client()) for store in stores)


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Stands for the upload of models, which has tests of its own; returns its calls."""
    calls: list[tuple[object, ...]] = []

    def upload(client: MlflowClient, *arguments: object, **named: object) -> str:
        calls.append(arguments)
        experiment, run_id, *_ = arguments
        model = client.create_logged_model(str(experiment), "model", source_run_id=str(run_id))
        return str(model.model_id)

    monkeypatch.setattr(sending, "upload_served_model", upload)
    return calls


def serve(bundle: Path, network: Path, folder: Path) -> Path:
    assert (bundle / "scaler.json").is_file()
    assert network.name == "network"
    folder.mkdir()
    return folder


def test_a_model_is_served_and_registered_once(
    store: Store, client: MlflowClient, tmp_path: Path, uploads: list[tuple[object, ...]]
) -> None:
    place = write_toy(toy_record("one", network="../network"), tmp_path)
    sender = Sender(store, serve)
    first = sender.send(place)
    assert first.model_id
    assert len(uploads) == 1
    write_json(place / "register.json", {"name": "toy", "tags": {"model": "mlp"}})
    assert not is_settled(place, store)
    registered = sender.send(place)
    assert registered.version == "1"
    assert registered.run_id == first.run_id
    assert is_settled(place, store)
    assert Sender(store, serve).send(place) == registered
    (version,) = client.search_model_versions("name='toy'")
    assert (version.run_id, version.tags["model"]) == (first.run_id, "mlp")
    assert len(uploads) == 1
    # Its spread becomes known when more seeds are trained.
    write_json(place / "register.json", {"name": "toy", "tags": {"spread/macro_f1": "0.01"}})
    assert not is_settled(place, store)
    assert sender.send(place).version == "1"
    (version,) = client.search_model_versions("name='toy'")
    assert version.tags["spread/macro_f1"] == "0.01"


def test_figures_are_kept_although_the_model_cannot_be_served(
    store: Store, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(bundle: Path, network: Path, folder: Path) -> Path:
        raise BundleError("it was trained on another network")

    place = write_toy(toy_record("one", network="../network"), tmp_path)
    write_json(place / "register.json", {"name": "toy", "tags": {}})
    sent = Sender(store, fail).send(place)
    assert (sent.model_id, sent.version) == ("", "none: it has no served model")
    assert is_settled(place, store)
    tags = runs_of(client)["one"].data.tags
    assert tags["served_model"] == "none: it was trained on another network"
    assert "one is logged without a served model" in caplog.text


def test_a_folder_without_a_record_sends_nothing(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    assert Sender(store).send(tmp_path) == Sent()
    assert runs_of(client) == {}


def test_what_waits_are_complete_records_meant_for_the_store_those_above_first(
    store: Store, tmp_path: Path
) -> None:
    below = write_toy(toy_record("one", parent="x", started_ms=5), tmp_path, store)
    above = write_toy(toy_record("above", started_ms=7), tmp_path, store)
    running = write_toy(toy_record("two", status="RUNNING"), tmp_path, store)
    elsewhere = write_toy(toy_record("three"), tmp_path)
    done = write_toy(toy_record("four"), tmp_path, store)
    write_sent(store.name, Sent("r", "1", digest_of(done, "record.json")), done)
    folders = [below, above, running, elsewhere, done]
    assert waiting(folders, store) == [above, below]


def test_a_record_that_is_refused_does_not_hold_up_the_others(
    store: Store, client: MlflowClient, tmp_path: Path
) -> None:
    bad = write_toy(toy_record("bad", parameters={"no/such(name)": "1"}), tmp_path, store)
    good = write_toy(toy_record("good"), tmp_path, store)
    sent: list[Path] = []
    left, reason = resend([bad, good], Sender(store), sent.append)
    assert (left, sent) == ([bad], [good])
    assert "no/such(name)" in reason
    assert is_settled(good, store)
    assert not is_settled(bad, store)


def test_when_the_store_does_not_answer_the_rest_is_left(store: Store, tmp_path: Path) -> None:
    class Down(Sender):
        def send(self, folder: Path) -> Sent:
            raise MlflowException("it failed") from ConnectionRefusedError(111, "refused")

    folders = [write_toy(toy_record(name), tmp_path, store) for name in ("one", "two")]
    assert resend(folders, Down(store)) == (folders, "refused")


def test_a_reason_is_one_line_without_passwords() -> None:
    assert reason_of(OSError("no http://ann:pw@host/\nand more")) == "no http://ann:***@host/"
    assert reason_of(ValueError()) == "ValueError"


def test_the_reason_of_a_broken_connection_is_what_broke_it() -> None:
    error = MlflowException("API request to http://host/ failed with exception ...")
    error.__cause__ = requests.exceptions.ConnectionError("Max retries exceeded")
    error.__cause__.__context__ = ConnectionRefusedError(111, "Connection refused")
    assert reason_of(error) == "Connection refused"
    assert is_unreachable(error)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "no such file"), MlflowException("no"), ValueError("bad")]
)
def test_what_a_store_refuses_is_no_broken_connection(error: Exception) -> None:
    assert not is_unreachable(error)


def test_a_record_whose_process_is_gone_ends_as_killed(store: Store, tmp_path: Path) -> None:
    host, process, _ = this_process().rsplit(":", 2)
    dead = toy_record("dead", status="RUNNING", ended_ms=None, process=f"{host}:{process}:1.00")
    alive = toy_record("alive", status="RUNNING", ended_ms=None, process=this_process())
    places = [write_toy(record, tmp_path, store) for record in (dead, alive, toy_record("done"))]
    end_abandoned(places, at_ms=7)
    records = [read_record(place) for place in places]
    assert [record.status for record in records if record] == ["KILLED", "RUNNING", "FINISHED"]
    assert records[0] is not None
    assert records[0].ended_ms == 1_000_300, "when it last said something"
    assert waiting(places, store) == [places[0], places[2]]
