"""A photo with its explanation drawn on it: regions by what they move, the measures that moved them, the mesh."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extractors.catalogue import FeatureDefinition
from extractors.decode import decode
from extractors.definitions import catalogue
from extractors.points import OPEN_CONTOURS, Landmarks
from featurestore.records import Explanation, RegionParts
from featurestore.scale import MODEL_SCALE
from reports.render.contact_sheet import contour_lines
from reports.render.figures import Figure, jpeg, write
from reports.render.layout import Picture
from reports.render.palette import ACCENT, WARM
from reports.render.plots.plot import INK, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRONGEST = 0.65
"""Opacity of the region that moves the score most."""
DISTANCE = re.compile(r"\|(\w+) - (\w+)\|")
LEGEND = f"blue: above an average face, orange: below; the strongest measure of each region, points on {MODEL_SCALE}"

Line = NDArray[np.float64]


def write_picture(explanation: Explanation, file: Path) -> Path:
    """Write the drawing as .png or .svg. Raises InputError or PhotoError when the photo can no longer be read."""
    return write(Figure("", "", [("", _ExplainedPhoto(explanation))]), file)


def picture(explanation: Explanation) -> Picture:
    """The drawing for a page. Raises as `write_picture`."""
    content = jpeg(Figure("", "", [("", _ExplainedPhoto(explanation))]))
    return Picture(content, "The photo with its landmarks, regions shaded by how far they move the score.")


@dataclass(frozen=True)
class _ExplainedPhoto(Panel):
    explanation: Explanation
    size = 9.4, 6.4

    def draw(self, axes: Axes) -> None:
        prediction = self.explanation.prediction
        photo = decode(prediction.photo)
        # finding a layout would draw everything once more, and the page waits for this
        axes.get_figure(root=True).set_layout_engine("none")  # type: ignore[union-attr]
        axes.set_position((0.01, 0.01, 0.64, 0.95))
        axes.set_axis_off()
        axes.set_anchor("W")
        axes.imshow(photo)
        axes.plot(*prediction.landmarks[:, :2].T, ".", color="white", markersize=1.2, alpha=0.7)
        _shade(axes, self.explanation)
        _measures(axes, self.explanation, photo.shape[1], photo.shape[0])
        axes.set_title(LEGEND, fontsize=8)


def _moved(parts: RegionParts) -> float:
    return parts.contribution - parts.average


def _colour(moved: float) -> str:
    return ACCENT if moved > 0 else WARM


def _shade(axes: Axes, explanation: Explanation) -> None:
    limit = max(abs(_moved(parts)) for parts in explanation.regions.values()) or 1.0
    for region, line in contour_lines(explanation.prediction.landmarks):
        moved = _moved(explanation.regions[region])
        # symmetry stands for the whole face: its oval is drawn and not filled
        if region != "symmetry":
            axes.fill(*line.T, color=_colour(moved), alpha=STRONGEST * abs(moved) / limit, linewidth=0)
        axes.plot(*line.T, color=_colour(moved), linewidth=0.8)


def _measures(axes: Axes, explanation: Explanation, width: int, height: int) -> None:
    """For each region the measure that moved it most, with its name beside the photo."""
    definitions = {definition.name: definition for definition in catalogue()}
    face = Landmarks(explanation.prediction.landmarks[None])
    measures = []
    for parts in explanation.regions.values():
        drawable = {name: lines for name in parts.features if (lines := _lines(face, definitions[name]))}
        if drawable:
            name = max(drawable, key=lambda candidate: abs(parts.features[candidate]))
            measures.append((float(np.mean(drawable[name][0][:, 1])), name, parts.features[name], drawable[name]))
    measures.sort(key=lambda candidate: candidate[0])
    for row, (_, name, moved, lines) in enumerate(measures):
        for line in lines:
            axes.plot(*line.T, color=_colour(moved), linewidth=2.2)
        x, y = lines[0].mean(axis=0)
        beside, level = width * 1.03, height * (row + 0.5) / len(measures)
        axes.plot([x, beside], [y, level], color=_colour(moved), linewidth=0.8, clip_on=False)
        axes.text(beside, level, f" {name}  {moved:+.3f}", fontsize=8, color=INK, va="center")


def _lines(face: Landmarks, feature: FeatureDefinition) -> list[Line]:
    """What a feature is measured on: its outlines and the distances in its formula, else its points joined in order."""
    named, outlines = face.topology.points, []
    for name in feature.points:
        if name in face.topology.contours:
            line = face.contour(name)[0]
            outlines.append(line if name in OPEN_CONTOURS else np.concatenate([line, line[:1]]))
    ends = [pair for pair in DISTANCE.findall(feature.formula) if named.keys() >= set(pair)]
    points = [name for name in feature.points if name in named]
    joined = ends or ([points] if len(points) > 1 else [])
    return [*outlines, *(np.array([face[name][0] for name in names]) for names in joined)]
