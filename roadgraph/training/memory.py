"""Freed memory stays with the process, ready for the next step."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4

LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, until it ends; return whether its allocator can.

    The C library gives a large tensor's memory back to the system as soon as it is freed, and a
    training step that asks for the same sizes again and again has every page cleared again and
    again. On a GPU torch keeps memory anyway. What the process takes at its peak stays the same,
    but it no longer falls between the peaks.

    (glibc manual, "Malloc Tunable Parameters": without areas of their own, large blocks lie in the
    heap, which is trimmed only above the threshold.) Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST))
    return all(mallopt(parameter, value) == 1 for parameter, value in wanted)
