import os
import re
import subprocess
import sys

import pytest

from roadgraph.processes import has_ended, host_mark


def test_the_machine_has_one_mark_of_8_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{8}", host_mark())
    assert host_mark() == host_mark()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere it is not known")
def test_a_process_has_ended_once_it_was_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not has_ended(process.pid)
    process.communicate(b"\n")
    assert has_ended(process.pid)
    assert not has_ended(os.getpid())
    assert not has_ended(10**30)
