"""Baselines and scores, the same for every forecast. No torch."""
