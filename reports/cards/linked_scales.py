"""How a run on several data sets linked their scales."""

from __future__ import annotations

import numpy as np

from featurestore.scale import MODEL_SCALE
from featurestore.scale_maps import FEWEST_SHARED, ScaleMaps
from reports.render.layout import number
from reports.render.markdown import escape, grid

STEPS = 9
"""Shared scores that are shown, from the lowest to the highest."""


def linked_scales(maps: ScaleMaps) -> str | None:
    """The section; None for a run on one data set."""
    if not maps.maps:
        return None
    shared = np.linspace(*MODEL_SCALE, STEPS)
    titles = [f"{escape(name)}, {each.scale}" for name, each in maps.maps.items()]
    columns = [each.scale.from_models(each.from_shared(shared)) for each in maps.maps.values()]
    rows = (tuple(number(score, 2) for score in row) for row in zip(*columns, strict=True))
    reading = (
        f"The models learnt one shared score, on the scale of {escape(str(maps.reference))}. The quantiles of the "
        "training scores were linked: the scores of one row stand for the same. Where fewer than "
        f"{FEWEST_SHARED} photos were rated in both data sets, that assumes that their photos are as attractive on the "
        "whole, which no figure here can test. Figures are on the scale of each photo's own data set."
    )
    return f"## Several data sets\n\n{reading}\n\n{grid(titles, rows)}"
