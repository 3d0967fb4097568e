"""Face crops made ready for networks: one size for all, and varied during training."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

JITTER = 0.2
"""Brightness and contrast vary by up to this share."""


def resize_faces(faces: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(n, S, S, 3) uint8 to (n, side, side, 3), bilinear with antialiasing."""
    if faces.shape[1:3] == (side, side):
        return faces
    resized = np.empty((len(faces), side, side, 3), dtype=np.uint8)
    for row, face in enumerate(faces):
        planes = torch.from_numpy(face.copy()).permute(2, 0, 1)[None]
        scaled = F.interpolate(planes, (side, side), mode="bilinear", antialias=True, align_corners=False)
        resized[row] = scaled[0].permute(1, 2, 0).numpy()
    return resized


def side_for(size: int) -> int:
    """Side of the faces out of which `size` x `size` views are cut: 256 for the usual 224."""
    return round(size * 256 / 224)


def centre(faces: NDArray[np.uint8], size: int) -> torch.Tensor:
    """(n, S, S, 3) uint8 to (n, 3, size, size) uint8: the middle of each face."""
    start = (faces.shape[1] - size) // 2
    views = faces[:, start : start + size, start : start + size].copy()
    return torch.from_numpy(views).permute(0, 3, 1, 2)


def augment(faces: NDArray[np.uint8], size: int, random: np.random.Generator) -> torch.Tensor:
    """(n, S, S, 3) uint8 to (n, 3, size, size) float32 in [0, 255]: each face cropped, flipped, relit at random."""
    room = faces.shape[1] - size + 1
    tops, lefts = random.integers(room, size=(2, len(faces)))
    flips = random.random(len(faces)) < 0.5
    views = np.empty((len(faces), size, size, 3), dtype=np.uint8)
    for row, (face, top, left, flip) in enumerate(zip(faces, tops, lefts, flips, strict=True)):
        view = face[top : top + size, left : left + size]
        views[row] = view[:, ::-1] if flip else view
    images = torch.from_numpy(views).permute(0, 3, 1, 2).float()
    brightness, contrast = torch.from_numpy(
        random.uniform(1 - JITTER, 1 + JITTER, (2, len(faces), 1, 1, 1)).astype(np.float32)
    )
    middle = images.mean((1, 2, 3), keepdim=True)
    relit: torch.Tensor = ((images - middle) * contrast + middle) * brightness
    return relit.clamp(0, 255)
