"""roadgraph: from raw vehicle GPS fixes to congestion forecasts for every road segment."""

__version__ = "0.1.0"
