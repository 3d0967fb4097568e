"""How well raters agree, and whose taste a rating shows: coefficients by name, and variance components by REML.

Frames of ratings go in, one row an answer; see `ratings.py` for their columns and `agreement.py` and `variance.py` for
what comes out.
"""
