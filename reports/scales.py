"""Scores on the data set's own scale beside the one from 1 to 5 that models learn."""

from __future__ import annotations

from featurestore.records import SCALE
from reports.layout import number

Scale = tuple[float, float]


def own(score: float, scale: Scale) -> float:
    """A score from 1 to 5 on the data set's own scale: the inverse of how it was mapped at ingest."""
    (low, high), (bottom, top) = scale, SCALE
    return low + (high - low) * (score - bottom) / (top - bottom)


def on_both(score: float, scale: Scale | None, digits: int = 2) -> str:
    """`4.90 on 1-7 (3.60 on 1-5)`; one number where both scales are the same, or there is no other."""
    if scale is None or scale == SCALE:
        return number(score, digits)
    return f"{number(own(score, scale), digits)} on {named(scale)} ({number(score, digits)} on {named(SCALE)})"


def named(scale: Scale) -> str:
    """`1-7`; `-3 to 3` where the lowest is negative."""
    low, high = scale
    return f"{low:g} to {high:g}" if low < 0 else f"{low:g}-{high:g}"
