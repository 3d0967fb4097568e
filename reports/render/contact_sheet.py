"""Photos side by side, with their landmarks where it matters what the features are measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.decode import decode
from extractors.points import OPEN_CONTOURS, REGION_CONTOURS, Landmarks
from extractors.regions import REGIONS
from reports.render.figures import Figure
from reports.render.palette import ACCENT, REGION_COLOURS
from reports.render.plots import Panel
from reports.render.plots.plot import Axes

COLUMNS = 4
CAPTION = 28
"""Characters that are as wide as a photo."""


@dataclass(frozen=True, eq=False)
class Photo(Panel):
    """One photo of the sheet.

    caption    as many lines as wanted, of at most `CAPTION` characters
    landmarks  (P, 3) in its pixels, None where they should not be drawn
    framed     whether it stands out, such as the one that others are compared with
    """

    path: Path
    caption: str
    landmarks: NDArray[np.float32] | None = None
    framed: bool = False
    size = 2.2, 2.45

    def draw(self, axes: Axes) -> None:
        """Raises InputError or PhotoError when it can no longer be read."""
        axes.imshow(decode(self.path))
        axes.set(xticks=[], yticks=[])
        axes.set_axis_off()
        if self.landmarks is not None:
            for region, line in contour_lines(self.landmarks):
                axes.plot(*line.T, color=REGION_COLOURS[region], linewidth=0.9)
            axes.plot(*self.landmarks[:, :2].T, ".", color="white", markersize=0.8, alpha=0.6)
        if self.framed:
            axes.set_axis_on()
            axes.spines[:].set(visible=True, color=ACCENT, linewidth=4)
        axes.set_title(self.caption, fontsize=8, loc="center")


def contact_sheet(photos: Sequence[Photo], title: str, name: str = "") -> Figure:
    """The photos in rows of four."""
    return Figure(name, title, [("", photo) for photo in photos], COLUMNS)


def contour_lines(landmarks: NDArray[np.float32]) -> list[tuple[str, NDArray[np.float64]]]:
    """(region, (k, 2) pixels) of every contour that stands for a region, closed ones end where they begin."""
    face = Landmarks(landmarks[None])
    lines = []
    # symmetry comes first: its oval runs along the jawline and should lie beneath it
    for region in reversed(REGIONS):
        for name in REGION_CONTOURS[region]:
            lines.append((region, drawn_contour(face, name)))
    return lines


def drawn_contour(face: Landmarks, name: str) -> NDArray[np.float64]:
    """(k, 2) pixels of a contour of one face, where a closed one ends where it begins."""
    line = face.contour(name)[0]
    return line if name in OPEN_CONTOURS else np.concatenate([line, line[:1]])
