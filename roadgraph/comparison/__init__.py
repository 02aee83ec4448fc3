"""Several models over several seeds, judged on the same cells beside the baselines."""
