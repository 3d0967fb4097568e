"""What is deployed: the combiner of trained models, the bundle and the predictor."""
