import json
import logging
import os
import re
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roadgraph.errors import LockError
from roadgraph.locking import Owner, alone, forget_dead_owners
from tests.kills import ended_process


def since(age: timedelta) -> Owner:
    return Owner("h", 7, "roadgraph run", (datetime.now(UTC) - age).isoformat())


def test_those_who_ended_are_forgotten_and_no_others(tmp_path: Path) -> None:
    begun = "2026-01-05T00:00:00+00:00"
    here = socket.gethostname()
    for name, owner in {
        "dead": Owner(here, ended_process(), "roadgraph run", begun),
        "alive": Owner(here, os.getpid(), "roadgraph run", begun),
        "elsewhere": Owner(f"not-{here}", ended_process(), "roadgraph run", begun),
    }.items():
        owner.write(tmp_path / f".{name}.owner")
    (tmp_path / ".torn.owner").write_text("{", "utf-8")
    forget_dead_owners(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".alive.owner", ".elsewhere.owner"]


def test_who_holds_a_lock_stands_beside_it_until_the_end(tmp_path: Path) -> None:
    with alone(tmp_path / "deep" / "store"):
        owner = Owner.of(tmp_path / "deep" / ".store.owner")
        assert owner is not None
        assert owner.pid == os.getpid()
        assert str(owner).startswith(f"process {os.getpid()} on {owner.host} (")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [".store.lock"]


def test_the_lock_goes_with_a_failure_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), alone(tmp_path / "store"):
        raise KeyError
    with alone(tmp_path / "store", patience_s=0):
        pass


def test_whoever_waits_too_long_is_told_for_whom_and_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store"
    with (
        alone(path),
        pytest.raises(LockError) as error,
        alone(path, patience_s=0),
    ):
        pass
    told = str(error.value)
    assert told.startswith(f"process {os.getpid()} on ")
    assert re.search(rf"has held {path} for \d+ s, and others wait for it 0 s at most", told)
    assert f"remove {tmp_path / '.store.lock'}" in told
    (record,) = caplog.records
    assert (record.levelno, record.msg) == (
        logging.WARNING, "waiting for %s, which has held %s for %s",
    )  # fmt: skip


def test_whoever_waits_gets_the_lock_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadgraph.locking.QUIET_S", 0.0)
    waits, order = threading.Event(), []
    monkeypatch.setattr("roadgraph.locking.log.warning", lambda *args: waits.set())

    def second() -> None:
        with alone(tmp_path / "store"):
            order.append("second")

    with alone(tmp_path / "store"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_values_of_settings_and_secrets_do_not_stand_beside_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["pipeline.alert_webhook=https://hooks/SECRET", "tracking.uri=http://user:SECRET@h"]
    others = ["--from", "2026-01-05", "--webhook=https://SECRET", "https://user:SECRET@host/a b"]
    monkeypatch.setattr(sys, "argv", ["/venv/bin/roadgraph", "run", *others, *settings])
    with alone(tmp_path / "store"):
        text = (tmp_path / ".store.owner").read_text()
    assert "SECRET" not in text
    assert json.loads(text)["command"] == (
        "roadgraph run --from 2026-01-05 --webhook 'https://user:***@host/a b' "
        "pipeline.alert_webhook tracking.uri"
    )


def test_an_owner_that_did_not_let_go_is_named_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dead = Owner("gone", 12, "roadgraph run", "2026-01-05T00:00:00+00:00")
    dead.write(tmp_path / ".store.owner")
    with alone(tmp_path / "store"):
        pass
    assert caplog.messages == [
        f"took over the lock of {tmp_path / 'store'} from process 12 on gone (roadgraph run), "
        "which ended without letting go of it"
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", "\x00"])
def test_an_owner_that_is_half_written_is_none(content: str, tmp_path: Path) -> None:
    path = tmp_path / ".store.owner"
    path.write_text(content)
    assert Owner.of(path) is None
    with alone(tmp_path / "store"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_an_owner_that_cannot_be_written_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory") as error:
        Owner.here().write(tmp_path)
    assert error.value.filename == str(tmp_path)


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=-5), "0 s"), (timedelta(seconds=100), "100 s"),
        (timedelta(minutes=3), "3 min"), (timedelta(hours=5), "5 h"), (timedelta(days=3), "3 days"),
    ],
)  # fmt: skip
def test_ages_are_told_in_the_unit_that_fits(age: timedelta, told: str) -> None:
    assert since(age).age() == told
