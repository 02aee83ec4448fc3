"""What the README says is there."""

import re
import shlex
from pathlib import Path

from roadgraph.cli import app
from roadgraph.config import load_settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_every_command_of_the_readme_exists_and_every_command_is_in_it() -> None:
    commands = {info.callback.__name__ for info in app.registered_commands if info.callback}
    named = set(re.findall(r"`?roadgraph ([a-z]+)", README)) - {"is"}
    assert named >= commands
    assert set(re.findall(r"^roadgraph ([a-z]+)", README, re.MULTILINE)) <= commands


def test_every_setting_on_a_line_of_the_readme_is_one() -> None:
    lines = re.findall(r"^roadgraph [a-z]+ (.*)$", README, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        load_settings([word for word in shlex.split(line) if "=" in word])


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) - {"are"} <= targets
