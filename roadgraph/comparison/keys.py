"""What the figures of a run depend on, and what they do not."""

from __future__ import annotations

NOT_IN_KEY = ("device", "resume", "seed", "data_on", "compile", "keep_memory")
"""Settings of a training that its figures do not depend on, or that stand beside the key."""

LIBRARIES = ("torch", "torch-geometric", "pytorch-lightning", "lightgbm", "numpy")
"""Other versions of these may give other figures."""
