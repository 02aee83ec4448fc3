"""What was forecast against what was observed: the error of every day."""
