"""One photo's answer as the page shows it: numbers and outlines, which the browser draws over the photo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from featurestore.records import Explanation
from featurestore.scale import Scale
from reports.pages.explanation import render
from reports.pages.explanation_data import ExplanationReport
from reports.pages.explanation_overlay import colour_of, measures, shades
from reports.render.layout import plural
from reports.render.meaning import MEANING
from reports.render.plots.plot import ticks
from reports.render.scales import interval_on, score_on, shown_on

AROUND = ((0.35, 0.45), (0.35, 0.25))
"""How much is shown left of and above the face, right of and below it, in faces."""


def answer_view(report: ExplanationReport, explained: Explanation) -> dict[str, Any]:
    """What `answer.html` fills in."""
    own = shown_on(report.origin.scale)
    # what stands above in pictures is not told again below
    behind = render(replace(report, raters=(), notes=(), doubts=()))
    return {
        "name": report.photo.name,
        "title": f"{score_on(own, report.score)} on {own.words}",
        "sentence": _sentence(report, own),
        "meaning": MEANING,
        "warnings": [*report.notes, *report.doubts],
        "place": _place(report, own),
        "regions": _regions(report, own),
        "face": _face(explained),
        "behind": Group(*behind.parts),
    }


def _sentence(report: ExplanationReport, own: Scale) -> str:
    photos = f"photos of {report.group}" if report.group else "rated photos"
    above = "" if report.below is None else f", more than {report.below:.0f} % of {sum(report.raters):,} {photos} got"
    interval = f"between {interval_on(own, report.low, report.high)}".replace(" to ", " and ")
    within = "" if report.low is None else f"; in nine cases of ten their average lies {interval}"
    return f"Raters would give this photo {score_on(own, report.score)} on average{above}{within}."


def _place(report: ExplanationReport, own: Scale) -> dict[str, Any]:
    """The raters' distribution with the score and its interval; places and sizes in percent of the plot."""
    top, edges = max(report.raters, default=1) or 1, np.linspace(*own, len(report.raters) + 1)
    columns = [
        (100 * own.share(low), 100 * count / top, f"{low:.2f} to {high:.2f}: {plural(count, 'photo')}")
        for count, low, high in zip(report.raters, edges, edges[1:], strict=False)
    ]
    score = 100 * own.share(own.from_models(report.score))
    ends = None
    if report.low is not None and report.high is not None:
        ends = [100 * own.share(own.from_models(end)) for end in (report.low, report.high)]
    whose = f"how the raters' scores of {report.group or 'all photos'} are distributed, " if columns else ""
    return {
        "columns": columns,
        "width": 100 / max(len(columns), 1),
        "score": score,
        "ends": ends,
        "ticks": [(100 * own.share(value), f"{value:g}") for value in ticks(*own)],
        "caption": f"On {own.words}: {whose}this photo{', and its 90 % interval' if ends else ''}",
    }


def _regions(report: ExplanationReport, own: Scale) -> list[dict[str, Any]]:
    """A row a region, the heaviest first: where its sub-score lies, and that of an average face, in percent."""
    return [
        {
            "name": region.region,
            "score": score_on(own, region.sub_score),
            "at": 100 * own.share(own.from_models(region.sub_score)),
            "average": 100 * own.share(own.from_models(region.average / region.weight)) if region.weight else None,
            "colour": colour_of(region.moved),
            "weight": f"{100 * region.weight:.0f} %",
        }
        for region in sorted(report.regions, key=lambda region: -region.weight)
    ]


def _face(explained: Explanation) -> dict[str, Any]:
    """The face with its regions and measures, in pixels of the photo; `unit` is a hundredth of the width shown."""
    points = explained.prediction.landmarks[:, :2].astype(np.float64)
    face = np.ptp(points, axis=0)
    (left, top), (right, bottom) = points.min(0) - face * AROUND[0], points.max(0) + face * AROUND[1]
    unit = (right - left) / 100
    x = right + 6 * unit
    labelled = measures(explained, x - 3 * unit, top, bottom)
    features = explained.prediction.features
    return {
        "left": left,
        "top": top,
        "width": right - left,
        "height": bottom - top,
        "unit": unit,
        "x": x,
        "shades": [(_path(line), colour_of(moved), opacity) for _, line, moved, opacity in shades(explained)],
        "measures": [
            {
                "name": measure.feature.plain_name,
                "about": f"{measure.feature.summary} Here {features[measure.feature.name]:.3g} {measure.feature.unit}.",
                "moved": f"{measure.moved:+.3f}",
                "colour": measure.colour,
                "lines": [_path(line) for line in measure.lines],
                "leader": _path([measure.anchor, np.array([x - 3 * unit, y])]),
                "y": y,
            }
            for measure, y in labelled
        ],
    }


def _path(points: Iterable[NDArray[np.float64]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
