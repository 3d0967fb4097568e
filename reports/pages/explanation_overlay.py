"""A photo with its explanation drawn on it: regions by what they move, the measures that moved them, the mesh."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.catalogue import FeatureDefinition
from extractors.decode import decode
from extractors.definitions import catalogue
from extractors.points import Landmarks
from featurestore.records import Explanation, RegionParts
from featurestore.scale import MODEL_SCALE
from reports.render.contact_sheet import contour_lines, drawn_contour
from reports.render.figures import Figure, jpeg, write
from reports.render.layout import Picture
from reports.render.palette import ACCENT, WARM
from reports.render.plots.plot import INK, Axes, Panel

STRONGEST = 0.65
"""Opacity of the region that moves the score most."""
DISTANCE = re.compile(r"\|(\w+) - (\w+)\|")
LEGEND = f"blue: above an average face, orange: below; the strongest measure of each region, points on {MODEL_SCALE}"

Line = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measure:
    """The measure that moved a region most: `lines`, (k, 2) pixels each, are what it is measured on."""

    feature: FeatureDefinition
    moved: float
    lines: list[Line]

    @property
    def colour(self) -> str:
        """Whether it moves the score up or down."""
        return colour_of(self.moved)

    @property
    def anchor(self) -> Line:
        """(2,) pixels: the end furthest right, where the line to its label begins."""
        points = np.concatenate(self.lines)
        return np.asarray(points[np.argmax(points[:, 0])])


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
        for _, line, moved, opacity in shades(self.explanation):
            if opacity:
                axes.fill(*line.T, color=colour_of(moved), alpha=opacity, linewidth=0)
            axes.plot(*line.T, color=colour_of(moved), linewidth=0.8)
        _measures(axes, self.explanation, photo.shape[1], photo.shape[0])
        axes.set_title(LEGEND, fontsize=8)


def moved_by(parts: RegionParts) -> float:
    """Points by which a region lies above that of an average face."""
    return parts.contribution - parts.average


def colour_of(moved: float) -> str:
    """Of what lies above an average face, or below."""
    return ACCENT if moved > 0 else WARM


def shades(explanation: Explanation) -> list[tuple[str, Line, float, float]]:
    """(region, (k, 2) pixels of its contour, points moved, opacity), what lies beneath first.

    Symmetry stands for the whole face: its oval is drawn and not filled.
    """
    limit = max(abs(moved_by(parts)) for parts in explanation.regions.values()) or 1.0
    found = []
    for region, line in contour_lines(explanation.prediction.landmarks):
        moved = moved_by(explanation.regions[region])
        found.append((region, line, moved, 0.0 if region == "symmetry" else STRONGEST * abs(moved) / limit))
    return found


def measures(explanation: Explanation, x: float, top: float, bottom: float) -> list[tuple[Measure, float]]:
    """For each region the measure that moved it most, from top to bottom, with the height of its label at x.

    Labels stand at equal distances between top and bottom. No two of the straight lines from anchors to labels cross:
    all together are as short as can be, and two that cross would be shorter with their labels exchanged.
    """
    definitions = {definition.name: definition for definition in catalogue()}
    face = Landmarks(explanation.prediction.landmarks[None])
    found = []
    for parts in explanation.regions.values():
        drawable = {name: lines for name in parts.features if (lines := _lines(face, definitions[name]))}
        if drawable:
            name = max(drawable, key=lambda candidate: abs(parts.features[candidate]))
            found.append(Measure(definitions[name], parts.features[name], drawable[name]))
    anchors = np.array([measure.anchor for measure in found]).reshape(-1, 2)
    heights = labels(anchors, x, np.linspace(top, bottom, 2 * len(found) + 1)[1::2])
    return sorted(zip(found, heights, strict=True), key=lambda pair: pair[1])


def labels(anchors: Line, x: float, heights: Line) -> Line:
    """(n,) the height out of (n,) `heights` of the label at x of each of (n, 2) anchors, so that no lines cross."""
    from scipy.optimize import linear_sum_assignment

    lengths = np.hypot(anchors[:, None, 0] - x, anchors[:, None, 1] - heights[None])
    return np.asarray(heights[linear_sum_assignment(lengths)[1]])


def _measures(axes: Axes, explanation: Explanation, width: int, height: int) -> None:
    right = width * 1.03
    for measure, level in measures(explanation, right, 0, height):
        for line in measure.lines:
            axes.plot(*line.T, color=measure.colour, linewidth=2.2)
        x, y = measure.anchor
        axes.plot([x, right], [y, level], color=measure.colour, linewidth=0.8, clip_on=False)
        label = f" {measure.feature.plain_name}  {measure.moved:+.3f}"
        axes.text(right, level, label, fontsize=8, color=INK, va="center")


def _lines(face: Landmarks, feature: FeatureDefinition) -> list[Line]:
    """What a feature is measured on: its outlines and the distances in its formula, else its points joined in order."""
    named = face.topology.points
    outlines = [drawn_contour(face, name) for name in feature.points if name in face.topology.contours]
    ends = [pair for pair in DISTANCE.findall(feature.formula) if named.keys() >= set(pair)]
    points = [name for name in feature.points if name in named]
    joined = ends or ([points] if len(points) > 1 else [])
    return [*outlines, *(np.array([face[name][0] for name in names]) for names in joined)]
