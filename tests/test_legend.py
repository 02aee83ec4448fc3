from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from roadgraph.legend import CLASS_COLOURS, CLASS_TITLES, NO_ANSWER
from roadgraph.schema import CONGESTION_CLASSES


def test_every_class_has_a_colour_and_a_title_of_its_own() -> None:
    assert tuple(CLASS_COLOURS) == tuple(CLASS_TITLES) == CONGESTION_CLASSES
    assert len({*CLASS_COLOURS.values(), NO_ANSWER}) == len(CONGESTION_CLASSES) + 1


# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", table 1 at full severity, for linear RGB.
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopes": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopes": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopes": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
TOLD_APART = 20  # CIELAB; 2 to 3 can just be noticed side by side


def lab(colour: str, vision: np.ndarray) -> np.ndarray:
    """Return the CIELAB coordinates of an sRGB colour as someone sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(vision @ linear, 0, 1) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("who", SEEN_BY)
def test_colour_blind_people_tell_the_classes_apart(who: str) -> None:
    seen = [lab(colour, SEEN_BY[who]) for colour in (*CLASS_COLOURS.values(), NO_ANSWER)]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > TOLD_APART
