import logging
from pathlib import Path

from roadgraph.tracking.console import console_kept


def test_what_is_logged_meanwhile_is_kept_without_passwords(tmp_path: Path) -> None:
    logger = logging.getLogger("roadgraph.somewhere")
    logger.warning("before")
    with console_kept(tmp_path):
        logger.warning("the server %s is down", "http://ann:geheim@host/")
        logging.getLogger("elsewhere").warning("not ours")
    logger.warning("after")
    with console_kept(tmp_path):
        logger.warning("taken up again")
    text = (tmp_path / "console.log").read_text("utf-8")
    messages = [line.partition("roadgraph.somewhere: ")[2] for line in text.splitlines()]
    assert messages == ["the server http://ann:***@host/ is down", "taken up again"]


def test_handlers_are_gone_afterwards(tmp_path: Path) -> None:
    before = list(logging.getLogger("roadgraph").handlers)
    with console_kept(tmp_path):
        assert len(logging.getLogger("roadgraph").handlers) == len(before) + 1
    assert logging.getLogger("roadgraph").handlers == before
