"""Drawn ratings with known variance components."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reports.stats.raters.variance_components import Components


def long(table: NDArray[np.float64]) -> pl.DataFrame:
    """A row a cell of images by raters; NaN is a blank."""
    m, r = table.shape
    images, raters = np.repeat([f"i{i:03}" for i in range(m)], r), np.tile([f"r{j:03}" for j in range(r)], m)
    frame = pl.DataFrame({"image_id": images, "rater_id": raters, "rating": table.ravel()})
    return frame.with_columns(pl.col("rating").fill_nan(None))


def drawn(
    random: np.random.Generator, shape: tuple[int, int], variances: Components, blank: float = 0, again: float = 0
) -> pl.DataFrame:
    """Ratings with these components; a part of the cells is blank, and of all a part is given twice."""
    m, r = shape
    image, rater = random.normal(0, variances.image**0.5, (m, 1)), random.normal(0, variances.rater**0.5, (1, r))
    cell = image + rater + random.normal(0, variances.both**0.5, shape)
    one, two = (cell + random.normal(0, variances.error**0.5, shape) for _ in range(2))
    one[random.random(shape) < blank] = np.nan
    two[random.random(shape) >= again] = np.nan
    return long(one).with_columns(first_rating=pl.Series(two.ravel()).fill_nan(None))
