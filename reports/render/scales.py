"""Scores on the data set's own scale beside the one from 1 to 5 that models are trained on."""

from __future__ import annotations

from featurestore.ingest.labels import UNNAMED_TRAIT
from featurestore.records import SCALE
from featurestore.traits import Target
from reports.render.layout import number

Scale = tuple[float, float]


def rescaled(score: float, scale: Scale) -> float:
    """A score from 1 to 5 on the data set's own scale: the inverse of how it was mapped at ingest."""
    (low, high), (bottom, top) = scale, SCALE
    return low + (high - low) * (score - bottom) / (top - bottom)


def on_both(score: float, scale: Scale | None, digits: int = 2) -> str:
    """`4.90 on 1-7 (3.60 on 1-5)`; one number where both scales are the same, or there is no other."""
    if scale is None or scale == SCALE:
        return number(score, digits)
    theirs = f"{number(rescaled(score, scale), digits)} on {scale_name(scale)}"
    return f"{theirs} ({number(score, digits)} on {scale_name(SCALE)})"


def target_line(target: Target) -> str | None:
    """The trait of the training, and errors on the raters' own scale; None if there is nothing to add."""
    named_trait = "" if target.trait == UNNAMED_TRAIT else f"Trait: {target.trait}."
    if target.scale is None or target.scale == SCALE:
        return named_trait or None
    factor = (target.scale[1] - target.scale[0]) / (SCALE[1] - SCALE[0])
    scales = f"Raters used {scale_name(target.scale)}; figures are on {scale_name(SCALE)}"
    return f"{named_trait} {scales}: an error times {factor:g} is on theirs.".strip()


def scale_name(scale: Scale) -> str:
    """`1-7`; `-3 to 3` where the lowest is negative."""
    low, high = scale
    return f"{low:g} to {high:g}" if low < 0 else f"{low:g}-{high:g}"
