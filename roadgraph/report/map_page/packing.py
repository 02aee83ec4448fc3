"""Arrays of the map page as bytes: numbers in few bits, one block, compressed."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NONE = 255
"""Stands for no number in an array of ``uint8``."""
NO_AGE = 65_535
"""Stands for no age in an array of ``uint16``."""
PROBABILITY_STEP = 0.005
SPEED_STEPS_KPH = (0.5, 1.0)
"""The first holds speeds up to 127 km/h, the second up to 254 km/h."""
ALIGNMENT = 4  # bytes, of the widest type that a page reads
COMPRESSION = 6  # 9 takes seven times as long and saves one or two hundredths


def quantised(values: np.ndarray, step: float) -> np.ndarray:
    """Return ``values`` in units of ``step`` as ``uint8``: rounded half to even, ``NONE`` for NaN.

    What lies outside of 0 to 254 steps becomes the nearest of these, never ``NONE``.
    """
    steps = np.clip(np.rint(values.astype(np.float64) / step), 0, NONE - 1)
    return np.where(np.isnan(steps), NONE, steps).astype(np.uint8)


def speed_step_kph(fastest_kph: float) -> float:
    """Return the smallest step in which speeds up to ``fastest_kph`` can be told."""
    fine, coarse = SPEED_STEPS_KPH
    return fine if fastest_kph <= fine * (NONE - 1) else coarse


def joined(texts: Sequence[str]) -> np.ndarray:
    r"""Return texts as UTF-8 in one array of bytes, joined by ``\n``; theirs become blanks."""
    text = "\n".join(" ".join(text.splitlines()) for text in texts)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def packed(arrays: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, dict[str, object]]]:
    """Return arrays one after the other as compressed bytes, and where each lies.

    Args:
        arrays: by name.

    Returns:
        The block, little-endian and compressed by gzip, the same for the same arrays; and by name
        ``type``, ``offset`` in the block as it was before and ``shape``.
    """
    parts, places, offset = [], {}, 0
    for name, array in arrays.items():
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        shape = list(array.shape)
        places[name] = {"type": array.dtype.name, "offset": offset, "shape": shape}
        content = little.tobytes()
        content += bytes(-len(content) % ALIGNMENT)
        parts.append(content)
        offset += len(content)
    return gzip.compress(b"".join(parts), COMPRESSION, mtime=0), places
