"""Multi-task models on a static road graph: ``forward(x, graph) -> dict`` of one entry a task."""
