"""Numbers to scores: the networks, the baseline and how they are trained. Knows arrays, not the store."""
