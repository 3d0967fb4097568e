"""Faces made comparable: a levelled crop of the pixels, and Procrustes shapes of the landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from extractors.points import Landmarks, Reals
from extractors.topologies.registry import topology_of

VERSION = 1
CROP_SIZE = 256
MARGIN = 0.25
RECIPE = {"crop_size": CROP_SIZE, "crop_margin": MARGIN, "alignment": VERSION}
"""What decides the levelled crop."""

Shapes = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Crop:
    """A levelled face.

    image      (size, size, 3) uint8 RGB
    landmarks  (P, 2) float32, pixels of the crop
    on_photo   (P,) whether each landmark lies on the photo; beyond its edge the crop repeats the edge
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    on_photo: NDArray[np.bool_]

    @property
    def visible(self) -> NDArray[np.float32]:
        """The landmarks, NaN for those that lie off the photo."""
        return np.where(self.on_photo[:, None], self.landmarks, np.float32(np.nan))


def align_face(
    image: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    size: int = CROP_SIZE,
    margin: float = MARGIN,
) -> Crop:
    """Level the eyes and cut out the square around the landmarks, widened by `margin` of it on every side.

    `image` is (h, w, 3) uint8 RGB, `landmarks` (P, 3) in its pixels. Off the photo its edge is repeated.
    """
    height, width = image.shape[:2]
    points = landmarks[:, :2]
    matrix, placed = levelling(landmarks, size, margin)
    on_photo = np.asarray(((points >= 0) & (points <= (width, height))).all(axis=1))

    # one bilinear step may shrink by two at most; beyond that pixels would be skipped
    shrink = int(1 / np.hypot(matrix[0, 0], matrix[0, 1]))
    if shrink > 1:
        image = cv2.resize(image, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
        matrix[:, :2] *= (width / image.shape[1], height / image.shape[0])
    # OpenCV counts from the centre of the first pixel, landmarks from its edge
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    crop = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Crop(np.asarray(crop, dtype=np.uint8), placed, on_photo)


def levelling(
    landmarks: NDArray[np.float32], size: int = CROP_SIZE, margin: float = MARGIN
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(2, 3) similarity from the photo to the crop, and the (P, 2) landmarks in pixels of the crop."""
    face = Landmarks(landmarks[None])
    eyes = (face["left_eye_centre"] - face["right_eye_centre"])[0]
    cos, sin = eyes / np.hypot(*eyes)
    turn = np.stack([np.stack([cos, sin]), np.stack([-sin, cos])])
    level = landmarks[:, :2] @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    scale = size / ((high - low).max() * (1 + 2 * margin))
    shift = size / 2 - scale * (low + high) / 2
    matrix = np.column_stack([scale * turn, shift])
    placed = landmarks[:, :2].astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return matrix, placed.astype(np.float32)


def procrustes_shape(landmarks: Reals) -> NDArray[np.float32]:
    """Ordinary Procrustes shapes: (n, P, 3) landmarks -> (n, 2M) float32, x of the mesh, then y (down).

    Centred, unit Frobenius size, turned (never mirrored) onto the frontal canonical mesh
    (Dryden & Mardia 2016, ch. 7).
    """
    topology = topology_of(landmarks)
    shapes = turned_onto(unit_shapes(topology.of_mesh(landmarks)), unit_shapes(topology.mesh[None]))
    return np.hstack([shapes.real, shapes.imag]).astype(np.float32)


def unit_shapes(landmarks: Reals) -> Shapes:
    """(n, M) complex x + iy of (n, M, 3) landmarks, centred, unit size: to turn one is a multiplication."""
    points: Shapes = (landmarks[..., 0] + 1j * landmarks[..., 1]).astype(np.complex128, copy=False)
    points = points - points.mean(axis=1, keepdims=True)
    shapes: Shapes = points / np.sqrt((np.abs(points) ** 2).sum(axis=1, keepdims=True))
    return shapes


def mirrored(shapes: Shapes, mirror: NDArray[np.int64]) -> Shapes:
    """The mirrored shapes, with each landmark under its own number again."""
    return np.take(-shapes.conj(), mirror, axis=1)


def turned_onto(shapes: Shapes, targets: Shapes) -> Shapes:
    """The least-squares rotation of each unit shape onto its target; `targets` broadcasts."""
    inner = (shapes.conj() * targets).sum(axis=1, keepdims=True)
    turned: Shapes = shapes * (inner / np.abs(inner))
    return turned
