"""LightGBM and ridge regression on stored numbers."""
