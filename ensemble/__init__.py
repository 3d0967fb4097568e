"""What people deploy: the combiner over frozen models, the bundle and the predictor."""
