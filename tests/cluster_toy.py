"""The ``roadgraph`` command for ``torchrun``, without its pictures: ``-m tests.cluster_toy``."""

from __future__ import annotations

import os

from roadgraph.cli import main


def draw_nothing() -> None:
    """Leave out what takes longer than the training of a toy."""
    from roadgraph.comparison import compare, results

    vars(compare)["draw_pictures"] = lambda run, scene: None
    for name in ("plot_coverage", "plot_scores"):
        vars(results)[name] = lambda *arguments, **named: None


if __name__ == "__main__":
    if os.environ["RANK"] == "0":
        draw_nothing()
    main()
