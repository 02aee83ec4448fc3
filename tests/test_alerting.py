import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from roadgraph import alerting
from roadgraph.alerting import WEBHOOK, Alert, send_alert
from roadgraph.settings import PipelineSettings

AT = datetime(2026, 1, 7, 3, 20, tzinfo=UTC)
FAILED = Alert("toy", "slices", "2026-01-06", "a.csv is no table", "failure", AT, "run 7")
CHECK = Alert("toy", "coverage", "2026-01-06", "12 % of the cells, 40 % before", "check", AT)
NOBODY = PipelineSettings()
SECRET = "T0/B0/xyz"


class Webhook:
    """A server on this machine that gives the answers it is told and keeps what it gets."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.got: list[dict[str, Any]] = []
        self.held = threading.Event()
        self.held.set()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.got.append(json.loads(body))
                webhook.held.wait()
                statuses = webhook.statuses
                self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    told = Webhook()
    thread = threading.Thread(target=told.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    told.held.set()
    told.server.shutdown()
    thread.join()
    told.server.server_close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "PAUSE_S", 0.0)
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    monkeypatch.delenv(WEBHOOK, raising=False)


def test_the_alerts_of_a_run_are_one_document_with_a_text(webhook: Webhook) -> None:
    assert send_alert([FAILED, CHECK], replace(NOBODY, alert_webhook=webhook.address)) == []
    assert webhook.got == [
        {
            "text": "roadgraph toy on box:\n"
            "- slices 2026-01-06 failed: a.csv is no table (run 7)\n"
            "- check coverage 2026-01-06 failed: 12 % of the cells, 40 % before",
            "host": "box",
            "alerts": [
                {
                    "city": "toy", "step": "slices", "partition": "2026-01-06",
                    "reason": "a.csv is no table", "kind": "failure",
                    "at": "2026-01-07T03:20:00+00:00", "log": "run 7",
                },
                {
                    "city": "toy", "step": "coverage", "partition": "2026-01-06",
                    "reason": "12 % of the cells, 40 % before", "kind": "check",
                    "at": "2026-01-07T03:20:00+00:00", "log": "",
                },
            ],
        }
    ]  # fmt: skip


def test_without_alerts_nothing_is_sent(webhook: Webhook) -> None:
    assert send_alert([], replace(NOBODY, alert_webhook=webhook.address)) == []
    assert webhook.got == []


def test_without_anybody_to_tell_nothing_is_wrong() -> None:
    assert send_alert([FAILED], NOBODY) == []


def test_the_address_may_stand_in_the_environment(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK, webhook.address)
    assert send_alert([replace(CHECK, partition="")], NOBODY) == []
    assert webhook.got[0]["text"].endswith(
        "- check coverage failed: 12 % of the cells, 40 % before"
    )


def test_a_server_that_fails_is_asked_again_twice(webhook: Webhook) -> None:
    settings = replace(NOBODY, alert_webhook=webhook.address)
    webhook.statuses = [503, 500, 204]
    assert send_alert([FAILED], settings) == []
    assert len(webhook.got) == 3
    webhook.statuses = [502]
    assert send_alert([FAILED], settings) == [
        "the alert was not sent: the webhook answered with status 502"
    ]
    assert len(webhook.got) == 6


@pytest.mark.parametrize("status", [302, 404])
def test_a_server_that_does_not_want_it_is_not_asked_again(webhook: Webhook, status: int) -> None:
    webhook.statuses = [status]
    assert send_alert([FAILED], replace(NOBODY, alert_webhook=webhook.address)) == [
        f"the alert was not sent: the webhook answered with status {status}"
    ]
    assert len(webhook.got) == 1


def test_a_slow_server_is_given_up(webhook: Webhook) -> None:
    webhook.held.clear()
    settings = replace(NOBODY, alert_webhook=webhook.address, alert_timeout_s=0.1)
    assert send_alert([FAILED], settings) == [
        "the alert was not sent: the webhook did not answer within 0.1 s"
    ]
    webhook.held.set()


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (f"http://127.0.0.1:1/{SECRET}", "the webhook could not be reached (3 tries)"),
        (SECRET, "the webhook's address is none that can be posted to; it begins with https://"),
    ],
)
def test_what_could_not_be_sent_is_logged_without_the_address(
    address: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = send_alert([FAILED], replace(NOBODY, alert_webhook=address))
    assert told == [f"the alert was not sent: {fault}"]
    assert [line.getMessage() for line in caplog.records if line.levelno == logging.ERROR] == told
    assert SECRET not in caplog.text


def test_the_address_is_in_no_log_and_no_alert(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    alert = replace(FAILED, reason=f"no {webhook.address}, password=abc")
    assert send_alert([alert], replace(NOBODY, alert_webhook=webhook.address)) == []
    assert SECRET not in caplog.text
    assert webhook.got[0]["alerts"][0]["reason"] == "no ***, password=***"
    assert SECRET not in webhook.got[0]["text"]


def script(folder: Path, *lines: str) -> PipelineSettings:
    """Return settings whose command runs these lines of Python."""
    path = folder / "tell.py"
    path.write_text("\n".join(["import sys, time", *lines]), "utf-8")
    return replace(NOBODY, alert_command=(sys.executable, "-S", str(path), str(folder / "said")))


def test_a_command_gets_the_document_on_its_standard_input(tmp_path: Path) -> None:
    settings = script(tmp_path, "open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())")
    assert send_alert([CHECK], settings) == []
    document = json.loads((tmp_path / "said").read_bytes())
    assert document["text"].startswith("roadgraph toy on box:")
    assert document["alerts"][0]["kind"] == "check"


def test_a_command_that_fails_is_told_with_what_it_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = script(tmp_path, "sys.exit('no mail server, token=abc')")
    told = send_alert([CHECK], settings)
    assert told == [
        f"the alert was not sent: {sys.executable} ended with 1: no mail server, token=***"
    ]
    assert told[0] in caplog.text


def test_a_command_that_fails_in_silence_is_told_too(tmp_path: Path) -> None:
    told = send_alert([CHECK], script(tmp_path, "sys.exit(4)"))
    assert told == [f"the alert was not sent: {sys.executable} ended with 4: it said nothing"]


def test_a_slow_command_is_ended(tmp_path: Path) -> None:
    settings = replace(script(tmp_path, "time.sleep(60)"), alert_timeout_s=0.1)
    assert send_alert([CHECK], settings) == [
        f"the alert was not sent: {sys.executable} was not done within 0.1 s"
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("no-such-command", "No such file or directory"), ("a\0b", "embedded null byte")],
)
def test_a_command_that_is_not_there_is_told(name: str, reason: str) -> None:
    assert send_alert([CHECK], replace(NOBODY, alert_command=(name,))) == [
        f"the alert was not sent: {name} could not be started: {reason}"
    ]


def test_one_way_that_fails_does_not_keep_the_other(webhook: Webhook) -> None:
    settings = replace(NOBODY, alert_webhook=webhook.address, alert_command=("no-such-command",))
    assert len(send_alert([FAILED], settings)) == 1
    assert len(webhook.got) == 1
