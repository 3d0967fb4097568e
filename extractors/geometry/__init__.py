"""One module a region; one decorated function a feature (or a pair of features, right and left)."""
