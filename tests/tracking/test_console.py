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


def test_more_is_kept_than_was_shown_and_nothing_else_is_shown(tmp_path: Path) -> None:
    shown: list[str] = []

    class Screen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    screen, ours = Screen(), logging.getLogger("roadgraph.somewhere")
    logging.getLogger().addHandler(screen)
    try:
        with console_kept(tmp_path):
            ours.info("epoch 1")
            ours.warning("look out")
            ours.debug("never")
    finally:
        logging.getLogger().removeHandler(screen)
    text = (tmp_path / "console.log").read_text("utf-8")
    assert "epoch 1" in text
    assert "look out" in text
    assert "never" not in text
    assert shown == ["look out"]


def test_everything_is_as_before_afterwards(tmp_path: Path) -> None:
    logger = logging.getLogger("roadgraph")
    before = list(logger.handlers), logger.level, [h.filters[:] for h in logging.root.handlers]
    with console_kept(tmp_path):
        assert len(logger.handlers) == len(before[0]) + 1
    after = list(logger.handlers), logger.level, [h.filters[:] for h in logging.root.handlers]
    assert after == before
