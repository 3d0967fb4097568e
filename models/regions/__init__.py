"""Model B: a sub-score for each region of the face."""
