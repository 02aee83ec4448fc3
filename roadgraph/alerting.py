"""Tells people what failed in a run: one JSON document to a webhook, a command or both."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from roadgraph.masking import MASK, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from roadgraph.settings import PipelineSettings

WEBHOOK = "ROADGRAPH_ALERT_WEBHOOK"
"""Environment variable with the address of the webhook, where the settings have none."""

TRIES = 3
PAUSE_S = 1.0  # before the second try; twice as long before the third
LONGEST_COMPLAINT = 500  # letters of a command's standard error that are passed on

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """One thing that somebody should look at.

    Attributes:
        city: whose run it was.
        step: that failed, or the check.
        partition: local day, span of days or time of issue; "" for a step without any.
        reason: what happened, one sentence.
        kind: a step that failed, or a check of what was made.
        at: moment of the failure.
        log: where more stands: a file, or an address of the scheduler; may be "".
    """

    city: str
    step: str
    partition: str
    reason: str
    kind: Literal["failure", "check"]
    at: datetime
    log: str = ""


def send_alert(alerts: Sequence[Alert], settings: PipelineSettings) -> list[str]:
    """Send the alerts of one run as one JSON document to all who are to know.

    The document has ``text``, which chat services show as it is, ``host`` and ``alerts`` with the
    fields of :class:`Alert`. Credentials are masked. Nothing is sent where there are no alerts.

    Args:
        alerts: of the run.
        settings: ``alert_webhook`` (or the environment's ``ROADGRAPH_ALERT_WEBHOOK``),
            ``alert_command`` and ``alert_timeout_s`` are used.

    Returns:
        A sentence for each way that did not work; they are logged as errors too. It raises
        nothing, so that an alert that cannot be sent does not end the run that it is about.
    """
    if not alerts:
        return []
    address = settings.alert_webhook or os.environ.get(WEBHOOK, "")
    document = json.dumps(_document(alerts, address), ensure_ascii=False).encode()
    faults = []
    if address:
        faults.append(_post(address, document, settings.alert_timeout_s))
    if settings.alert_command:
        fault = _run(settings.alert_command, document, settings.alert_timeout_s)
        faults.append(_without(address, fault))
    told = [f"the alert was not sent: {fault}" for fault in faults if fault]
    for sentence in told:
        logger.error("%s", sentence)
    return told


def _document(alerts: Sequence[Alert], address: str) -> dict[str, Any]:
    host = socket.gethostname()
    shown = []
    for alert in alerts:
        fields = asdict(alert) | {"at": alert.at.isoformat()}
        shown.append({name: _without(address, value) for name, value in fields.items()})
    cities = ", ".join(sorted({alert.city for alert in alerts}))
    lines = [f"roadgraph {cities} on {host}:", *(_line(fields) for fields in shown)]
    return {"text": "\n".join(lines), "host": host, "alerts": shown}


def _line(alert: dict[str, str]) -> str:
    name = alert["step"] if alert["kind"] == "failure" else f"check {alert['step']}"
    day = f" {alert['partition']}" if alert["partition"] else ""
    log = f" ({alert['log']})" if alert["log"] else ""
    return f"- {name}{day} failed: {alert['reason']}{log}"


def _without(address: str, text: str) -> str:
    """Return ``text`` without credentials and without the address, which is one."""
    return without_secrets(text.replace(address, MASK) if address else text)


def _post(address: str, document: bytes, timeout_s: float) -> str:
    """Post the document; return what went wrong, without the address, or an empty text."""
    import requests

    fault = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
        try:
            with (
                _address_not_logged(),
                requests.post(
                    address,
                    data=document,
                    headers={"Content-Type": "application/json"},
                    timeout=timeout_s,
                    allow_redirects=False,
                    stream=True,  # what it answers beside the status is not read
                ) as answer,
            ):
                status = answer.status_code
        except requests.Timeout:
            return f"the webhook did not answer within {timeout_s:g} s"
        except requests.ConnectionError:
            fault = f"the webhook could not be reached ({TRIES} tries)"
            continue
        except (requests.RequestException, ValueError):
            return "the webhook's address is none that can be posted to; it begins with https://"
        if status < 300:
            return ""
        fault = f"the webhook answered with status {status}"
        if status < 500:
            return fault
    return fault


@contextmanager
def _address_not_logged() -> Iterator[None]:
    """Keep urllib3's debug messages, which name the path of the address, out of the log."""
    lines = logging.getLogger("urllib3.connectionpool")

    def quiet(record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG

    lines.addFilter(quiet)
    try:
        yield
    finally:
        lines.removeFilter(quiet)


def _run(command: Sequence[str], document: bytes, timeout_s: float) -> str:
    """Hand the document to a command; return what went wrong, or an empty text."""
    name = command[0]
    # A file, because a child that the command leaves behind would keep a pipe open.
    with tempfile.TemporaryFile() as complaints:
        try:
            ended = subprocess.run(
                list(command),
                input=document,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{name} was not done within {timeout_s:g} s"
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"{name} could not be started: {reason}"
        if ended.returncode == 0:
            return ""
        complaints.seek(0)
        said = complaints.read().decode(errors="replace").strip()[-LONGEST_COMPLAINT:]
    return f"{name} ended with {ended.returncode}: {said or 'it said nothing'}"
