"""Slices into arrays over one static graph: features, labels and splits by time. No torch."""
