"""Scheduled batch runs: Dagster assets that only call roadgraph."""
