"""Every command of the documentation is run, in the order of its page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from roadgraph.cli import app
from tests.docs.commands import Place, Ran, commands_of, cron_commands_of
from tests.docs.pages import DOCS, PAGES, Block, blocks_of, code_of, name_of
from tests.slices.test_spark import what_is_missing

TUTORIAL = DOCS / "tutorial.md"
SPARK = DOCS / "how-to" / "spark.md"
COMMANDS = {"sh": commands_of, "crontab": cron_commands_of}
"""How the commands of a block are found, by its language."""
PRINTED, SETTINGS, DOCTEST = "text", "yaml", "python"
NUMBER = r"\d+(?:[.,:]\d+)*"


@pytest.fixture(scope="session")
def after_the_tutorial(place: Place) -> Place:
    """The folder when the tutorial has been followed to its end."""
    follow(TUTORIAL, place)
    return place


def follow(page: Path, place: Place) -> None:
    """Do what a page says, block by block, and see that it prints what the page shows."""
    printed = ""
    for block in blocks_of(page):
        if block.language in COMMANDS:
            printed = "".join(ran.output for ran in _run(block, place))
        elif block.language == SETTINGS:
            place.settings(*place.write(block.text))
        elif block.language == PRINTED:
            missing = not_printed(block.text, printed)
            assert not missing, f"{block.place}: not printed: {missing}\nprinted was:\n{printed}"
        else:
            assert block.language == DOCTEST, f"{block.place}: what is {block.language}?"


def _run(block: Block, place: Place) -> Iterator[Ran]:
    for line in COMMANDS[block.language](block.text):
        ran = place.run(line)
        assert ran.code == 0, f"{block.place}: {line}\nended with {ran.code}:\n{ran.output}"
        yield ran


def not_printed(shown: str, printed: str) -> list[str]:
    """Return the lines that a page shows and a command did not print, in their order.

    Figures may differ, and ``...`` stands for anything.
    """
    rest = " ".join(printed.split())
    missing = []
    for line in shown.splitlines():
        found = re.search(_pattern(line), rest)
        if found:
            rest = rest[found.end() :]
        else:
            missing.append(line)
    return missing


def _pattern(line: str) -> str:
    words = [
        ".*?" if word == "..." else re.sub(NUMBER, lambda _: NUMBER, re.escape(word))
        for word in re.sub(r"\.\.\.", " ... ", line).split()
    ]
    return r"\s*".join(words)


def test_the_tutorial_leads_to_its_end(after_the_tutorial: Place) -> None:
    city = after_the_tutorial.folder / "data" / "work" / "mycity"
    named = re.findall(r"`data/work/mycity/([^`]+)`", TUTORIAL.read_text("utf-8"))
    assert len(named) >= 5
    for name in named:
        assert list(city.glob(name.replace("<day>", "*"))), name


@pytest.mark.parametrize("page", [page for page in PAGES if page != TUTORIAL], ids=name_of)
def test_what_a_page_says_can_be_done(page: Path, after_the_tutorial: Place) -> None:
    if page == SPARK and what_is_missing():
        pytest.skip(what_is_missing())
    follow(page, after_the_tutorial)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_command_that_is_named_in_a_sentence_exists(page: Path) -> None:
    for code in code_of(page):
        if not code.startswith("roadgraph ") or code == "roadgraph ...":
            continue
        words = code.split()[1:]
        command = get_command(app).commands[words[0]]  # type: ignore[attr-defined]
        options = {name for parameter in command.params for name in parameter.opts}
        options |= {name for parameter in command.params for name in parameter.secondary_opts}
        asked = {word for word in words if word.startswith("--")} - {"--help"}
        assert asked <= options, f"{name_of(page)}: {code}"


def test_figures_may_differ_from_what_a_page_shows_and_words_may_not() -> None:
    printed = "slices toy: 1,440 rows in\n  matched 100.0% of 7 fixes\nwrote a/b\n"
    assert not_printed("slices toy: 9 rows in\nmatched 98.5% of ...\nwrote a/b\n", printed) == []
    assert not_printed("slices mycity: 9 rows in\n", printed) == ["slices mycity: 9 rows in"]
    assert not_printed("wrote a/b\nmatched 1% of 2 fixes\n", printed) == ["matched 1% of 2 fixes"]


@pytest.mark.parametrize("line", ["curl localhost", "sudo reboot", "roadgraph | cat", "X=1"])
def test_a_command_that_cannot_be_run_is_an_error(line: str, place: Place) -> None:
    if "|" in line:
        assert place.run(line).code == 2
        return
    with pytest.raises(AssertionError, match="the tests have no way to run"):
        place.run(line)


def test_commands_are_found_line_by_line() -> None:
    text = "# a comment\nroadgraph run \\\n  --to now\n\nls  # and another\n"
    assert commands_of(text) == ["roadgraph run    --to now", "ls  # and another"]
    cron = "CRON_TZ=Asia/Bangkok\n1,16 3-5 * * *  cd /opt/x && ls a >>log 2>&1\n"
    assert cron_commands_of(cron) == ["ls a"]


@pytest.mark.parametrize("times", ["61 * * * *", "* 24 * * *", "x * * * *", "* * * *"])
def test_times_that_cron_does_not_know_are_an_error(times: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        cron_commands_of(f"{times} cd /opt/x && ls\n")
