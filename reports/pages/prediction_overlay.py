"""A photo with its landmarks and prediction: contours by region, the scores beside the face."""

from textwrap import wrap

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageColor import getrgb

from featurestore.records import Prediction
from featurestore.scale import MODEL_SCALE
from reports.render.contact_sheet import contour_lines
from reports.render.layout import number
from reports.render.meaning import MEANING
from reports.render.palette import ACCENT, REGION_COLOURS
from reports.render.scales import score_on, shown_on, titled_interval

SMALLEST, LARGEST = 700, 1400
"""Pixels of the shorter side: small photos are enlarged so that lines and text are crisp, huge ones reduced."""
PANEL = 0.6
"""Width of the panel as a part of the photo's shorter side."""
PAPER, INK, FAINT, TRACK = (22, 25, 30), (236, 239, 242), (150, 158, 166), (62, 68, 76)
LINE = 42
"""Characters of small print that the panel is wide."""


def draw_overlay(image: NDArray[np.uint8], prediction: Prediction) -> NDArray[np.uint8]:
    """(h, w, 3) RGB photo to a larger RGB picture: the photo with landmarks and contours, a panel to its right."""
    height, width = image.shape[:2]
    shorter = min(max(min(height, width), SMALLEST), LARGEST)
    scale = shorter / min(height, width)
    size = round(width * scale), round(height * scale)
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    photo = np.asarray(cv2.resize(image, size, interpolation=interpolation), dtype=np.uint8)
    marked = _marked(photo, prediction.landmarks * np.float32(scale))
    return np.concatenate([marked, _panel(shorter / SMALLEST, size[1], prediction)], axis=1)


def _marked(photo: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The photo with a dot for each landmark and a line for each region's contours; weights follow the face's size."""
    lines = [(region, np.round(line * 16).astype(np.int32)) for region, line in contour_lines(landmarks)]
    filled = photo.copy()
    for region, line in lines:
        # symmetry stands for the whole face, which should keep its colour
        if region != "symmetry":
            cv2.fillPoly(filled, [line], getrgb(REGION_COLOURS[region]), cv2.LINE_AA, shift=4)
    tinted = cv2.addWeighted(filled, 0.12, photo, 0.88, 0)
    dotted = tinted.copy()
    thickness = max(round(float(np.ptp(landmarks[:, 0])) / 160), 1)
    for x, y in np.round(landmarks[:, :2] * 16).astype(int):
        cv2.circle(dotted, (int(x), int(y)), 10 + 6 * thickness, (255, 255, 255), -1, cv2.LINE_AA, shift=4)
    drawn = cv2.addWeighted(dotted, 0.55, tinted, 0.45, 0)
    for region, line in lines:
        cv2.polylines(drawn, [line], False, getrgb(REGION_COLOURS[region]), thickness, cv2.LINE_AA, shift=4)
    return np.asarray(drawn, dtype=np.uint8)


def _panel(unit: float, height: int, prediction: Prediction) -> NDArray[np.uint8]:
    """(height, w, 3); `unit` is the length that is one pixel in a panel 700 high."""
    sheet = _Sheet(round(PANEL * SMALLEST * unit), height, unit)
    own = shown_on(prediction.origin.scale)
    sheet.text(30, 34, "score", 20, FAINT)
    right = 15 + sheet.text(30, 56, score_on(own, prediction.score), 78, INK)
    is_models = own == MODEL_SCALE
    sheet.text(right, 106 if is_models else 80, f"on {own.words}", 20, INK)
    if not is_models:
        sheet.text(right, 106, f"{number(prediction.score, 2)} on {MODEL_SCALE}", 20, FAINT)
    sheet.bar(30, 158, 360, 8, MODEL_SCALE.share(prediction.score), getrgb(ACCENT))
    interval = titled_interval(own, prediction.low, prediction.high)
    a, b = (score_on(own, prediction.members.get(member)) for member in "ab")
    sheet.text(30, 178, f"{interval}     a {a}   b {b}", 16, FAINT)
    for row, region in enumerate(sorted(prediction.sub_scores, key=lambda r: -prediction.weights[r])):
        y, colour = 228 + 47 * row, getrgb(REGION_COLOURS[region])
        sheet.text(30, y, region, 20, colour)
        sheet.text(240, y + 3, f"weight {100 * prediction.weights[region]:.0f} %", 15, FAINT)
        sheet.text(390, y, score_on(own, prediction.sub_scores[region]), 20, INK, right=True)
        sheet.bar(30, y + 26, 360, 5, MODEL_SCALE.share(prediction.sub_scores[region]), colour)
    for row, line in enumerate(wrap(MEANING, LINE)):
        sheet.text(30, 618 + 20 * row, line, 15, FAINT)
    return sheet.pixels()


class _Sheet:
    """A dark sheet with text and bars; lengths are in units, the content stands in the middle of the height."""

    def __init__(self, width: int, height: int, unit: float) -> None:
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._unit = unit
        self._top = (height - SMALLEST * unit) / 2

    def text(
        self, x: float, y: float, text: str, size: float, colour: tuple[int, ...], *, right: bool = False
    ) -> float:
        """One line whose left (or right) upper corner lies at (x, y); returns x of its other end, where left."""
        font = ImageFont.load_default(size * self._unit)
        self._draw.text(self._at(x, y), text, fill=colour, font=font, anchor="ra" if right else "la")
        return x + font.getlength(text) / self._unit

    def bar(self, x: float, y: float, width: float, height: float, part: float, colour: tuple[int, ...]) -> None:
        for share, ink in ((1.0, TRACK), (min(max(part, 0.0), 1.0), colour)):
            corners = (self._at(x, y), self._at(x + max(width * share, height), y + height))
            self._draw.rounded_rectangle(corners, height * self._unit / 2, fill=ink)

    def pixels(self) -> NDArray[np.uint8]:
        """(h, w, 3) RGB."""
        return np.asarray(self._image)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self._unit, y * self._unit + self._top
