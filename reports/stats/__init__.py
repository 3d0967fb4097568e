"""What reports compute: agreement of raters, confidence intervals, and figures of runs."""
