"""A float RGB canvas for smooth shapes with soft or hard edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Field = NDArray[np.float32]

STEPS = 8
_FRACTION_BITS = 4
_BASIS = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
_CATMULL_ROM = np.vander(np.arange(STEPS) / STEPS, 4, increasing=True) @ _BASIS


def points(*pairs: tuple[float, float]) -> Points:
    """(n, 2) points from x, y pairs."""
    return np.array(pairs, np.float64)


def moved(shape: Points, x: float, y: float) -> Points:
    """The shape, translated."""
    return shape + np.array([x, y])


def smooth(shape: Points, closed: bool = True) -> Points:
    """A Catmull-Rom curve through (n, 2) points, as a polyline of about `n * STEPS` points."""
    n = len(shape)
    last = n if closed else n - 1
    index = np.arange(last)[:, None] + np.arange(-1, 3)[None, :]
    index = index % n if closed else np.clip(index, 0, n - 1)
    curve: Points = (_CATMULL_ROM @ shape[index]).reshape(-1, 2)
    return curve if closed else np.vstack([curve, shape[-1]])


def mix(a: NDArray[np.float32], b: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """The colour `amount` of the way from a to b."""
    return a + (b - a) * np.float32(amount)


class Canvas:
    """A square picture in 0..255, (3, size, size) float32: red, green, blue. Shapes are in its pixels."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pixels: Field = np.zeros((3, size, size), np.float32)

    def coverage(
        self, shapes: Points | list[Points], blur: float = 0.0, thickness: float = 0.0
    ) -> tuple[slice, slice, Field]:
        """Rows, columns and the share in 0..1 of each pixel there that the polygons (or lines) cover."""
        shapes = shapes if isinstance(shapes, list) else [shapes]
        corners = np.vstack(shapes)
        margin = 2 + 3 * blur + thickness
        x0, y0 = np.maximum(np.floor(corners.min(axis=0) - margin), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(corners.max(axis=0) + margin), self.size).astype(int)
        if x1 <= x0 or y1 <= y0:
            return slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32)
        # Sharp shapes are drawn larger and shrunk: OpenCV's own antialiasing alone leaves visible steps.
        times = 1 if blur >= 0.7 else 2
        fine = np.zeros(((y1 - y0) * times, (x1 - x0) * times), np.uint8)
        width = max(1, round(thickness * times))
        for shape in shapes:
            fixed = np.round((shape - (x0, y0)) * (times * 2**_FRACTION_BITS)).astype(np.int32)
            if thickness:
                cv2.polylines(fine, [fixed], False, (255,), width, cv2.LINE_AA, _FRACTION_BITS)
            else:
                cv2.fillPoly(fine, [fixed], (255,), cv2.LINE_AA, _FRACTION_BITS)
        mask = np.asarray(fine, np.float32)
        if times > 1:
            mask = np.asarray(cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA), np.float32)
        if blur:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.float32)
        mask /= np.float32(255)
        return slice(y0, y1), slice(x0, x1), mask

    def full_coverage(self, shapes: Points | list[Points], blur: float = 0.0) -> Field:
        """The same as one (size, size) mask."""
        full = np.zeros((self.size, self.size), np.float32)
        rows, columns, mask = self.coverage(shapes, blur)
        full[rows, columns] = mask
        return full

    def lay(
        self,
        shapes: Points | list[Points],
        colour: NDArray[np.float32],
        opacity: float = 1.0,
        blur: float = 0.0,
        thickness: float = 0.0,
        within: Field | None = None,
    ) -> None:
        """Lay polygons (or, with a thickness, lines) of one colour (3,) or of a picture (3, size, size).

        `within` is a (size, size) mask that clips the shapes.
        """
        rows, columns, mask = self.coverage(shapes, blur, thickness)
        if within is not None:
            mask *= within[rows, columns]
        mask *= np.float32(opacity)
        paint = colour[:, rows, columns] if colour.ndim == 3 else colour[:, None, None]
        below = self.pixels[:, rows, columns]
        change = paint - below
        change *= mask
        below += change

    def picture(self) -> NDArray[np.uint8]:
        """(size, size, 3) uint8 RGB."""
        planes = [cv2.convertScaleAbs(np.maximum(plane, 0)) for plane in self.pixels]
        return np.asarray(cv2.merge(planes), np.uint8)
