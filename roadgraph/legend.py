"""What people see of a congestion class, in every plot, page and map: its title and its colour."""

from __future__ import annotations

from roadgraph.schema import CONGESTION_CLASSES

CLASS_COLOURS = dict(
    zip(CONGESTION_CLASSES, ("#7a0403", "#e8590c", "#f2c14e", "#2c7fb8"), strict=True)
)
"""Dark red to blue: colour-blind readers tell them apart, whichever cones they lack."""

CLASS_TITLES = dict(
    zip(CONGESTION_CLASSES, ("gridlock", "congested", "moderate", "free flow"), strict=True)
)

NO_ANSWER = "#b8bcc0"
"""Grey, of no class: none was sure enough, or none was asked for."""
NO_ANSWER_TITLE = "no answer"
