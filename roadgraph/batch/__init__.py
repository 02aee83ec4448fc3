"""The scheduled run: what is missing or stale is made, step by step, and nothing else."""
