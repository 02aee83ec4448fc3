import ctypes
import subprocess
import sys

import pytest

from roadgraph.training.memory import keep_freed_memory

STEPS = """
import resource
import torch
from roadgraph.training.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        kept = [torch.ones(3_000_000) for _ in range(4)]
        kept = [part * 2 for part in kept]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
given_back = faults()
assert keep_freed_memory()
faults()
print(given_back, faults())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt: nothing to set"
)
def test_pages_are_taken_from_the_system_once() -> None:
    found = subprocess.run(
        [sys.executable, "-c", STEPS], capture_output=True, text=True, check=True
    ).stdout
    given_back, kept = map(int, found.split())
    assert kept < given_back / 2


def test_without_mallopt_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_freed_memory() is False
