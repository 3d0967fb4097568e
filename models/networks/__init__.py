"""Networks that others made, their weights, and how they are run."""
