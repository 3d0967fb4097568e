"""Faces varied during training, as other cameras, crops and files would show them: what must not change the score.

Everything is drawn from one NumPy generator and done by torch, so that a training goes the same way anywhere.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

ROOM = 16
"""Parts of the side that the edge is repeated around a face, so that it can be made smaller and moved."""

ZOOM, SHIFT = 0.12, 0.05
"""Faces are scaled by up to e to this power and moved by up to this part of the side. They are level already."""

LOW_RESOLUTION, COMPRESSION, GREY = 0.2, 0.15, 0.1
"""Shares of the faces that lose pixels, detail and colour."""

QUALITY = (25, 90)
SATURATION, TINT, LIGHT = 0.3, 0.1, 0.2
"""Saturation, each colour channel, brightness and contrast vary by up to this share."""

LUMA = np.array([0.299, 0.587, 0.114])


def augment(faces: NDArray[np.uint8], size: int, random: np.random.Generator) -> torch.Tensor:
    """(n, S, S, 3) uint8 to (n, 3, size, size) float32 in [0, 255]: each face placed, degraded and lit at random."""
    views = torch.stack([_degraded(view, random) for view in _placed(faces, size, random)])
    return _lit(views.float(), random)


def _placed(faces: NDArray[np.uint8], size: int, random: np.random.Generator) -> list[torch.Tensor]:
    """(3, size, size) uint8 each: mirrored, scaled and moved; beyond the crop its edge is repeated."""
    side = faces.shape[1]
    room = side // ROOM
    padded = torch.from_numpy(np.pad(faces, ((0, 0), (room, room), (room, room), (0, 0)), "edge")).permute(0, 3, 1, 2)
    seen = side * np.exp(random.uniform(-ZOOM, ZOOM, len(faces)))
    centres = side / 2 + room + random.uniform(-SHIFT, SHIFT, (2, len(faces))) * side
    views = []
    for face, reach, (top, left), flip in zip(
        padded, seen / 2, centres.T, random.random(len(faces)) < 0.5, strict=True
    ):
        rows, columns = (slice(max(round(c - reach), 0), round(c + reach)) for c in (top, left))
        view = F.interpolate(face[None, :, rows, columns], (size, size), mode="bilinear", align_corners=False)[0]
        views.append(view.flip(2) if flip else view)
    return views


def _degraded(view: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Some with fewer pixels, some as a small JPEG file keeps them."""
    low, compressed = random.random(2) < (LOW_RESOLUTION, COMPRESSION)
    if low:
        few = round(view.shape[1] * random.uniform(0.25, 0.8))
        small = F.interpolate(view[None], (few, few), mode="bilinear", antialias=True)
        view = F.interpolate(small, view.shape[1:], mode="bilinear", align_corners=False)[0]
    if compressed:
        file = BytesIO()
        Image.fromarray(view.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=int(random.integers(*QUALITY)))
        view = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
    return view


def _lit(views: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """In other colours, brightness and contrast: one colour matrix a face, about its mean colour."""
    n = len(views)
    saturation = np.where(random.random(n) < GREY, 0.0, random.uniform(1 - SATURATION, 1 + SATURATION, n))
    tint = random.uniform(1 - TINT, 1 + TINT, (n, 3, 1))
    contrast, brightness = random.uniform(1 - LIGHT, 1 + LIGHT, (2, n, 1, 1))
    colours = tint * (np.eye(3) * saturation[:, None, None] + LUMA * (1 - saturation)[:, None, None])
    means = colours @ views.mean((2, 3)).double().numpy()[:, :, None]
    offsets = brightness * (1 - contrast) * means.mean(axis=1, keepdims=True)
    matrices, offsets = (torch.from_numpy(a).float() for a in (brightness * contrast * colours, offsets))
    return (matrices @ views.flatten(2) + offsets).clamp(0, 255).view_as(views)
