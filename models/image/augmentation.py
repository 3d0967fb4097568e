"""Data augmentation: faces as other cameras, crops and files would show them, which must not change the score.

Everything is drawn from one NumPy generator and done by torch, so that a training goes the same way anywhere.
"""

from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms.v2.functional import gaussian_blur

ZOOM, TURN, SHIFT = 0.12, 0.14, 0.05
"""Faces are scaled by up to e to this power, turned by up to these radians, moved by up to this part of the side."""

LOW_RESOLUTION, BLUR, COMPRESSION, GREY = 0.12, 0.12, 0.2, 0.1
"""Shares of the faces that lose pixels, sharpness, detail and colour."""

RESOLUTION, SIGMA, QUALITY = (0.3, 0.8), (0.4, 1.6), (25, 90)
SATURATION, TINT, LIGHT = 0.3, 0.1, 0.2
"""Saturation, each colour channel, brightness and contrast vary by up to this share."""

LUMA = np.array([0.299, 0.587, 0.114])


def augment(faces: NDArray[np.uint8], size: int, view: float, random: np.random.Generator) -> torch.Tensor:
    """(n, S, S, 3) uint8 to (n, 3, size, size) float32 in [0, 255]: each face placed, degraded and lit at random.

    About `view` of each side is visible.
    """
    images = torch.stack([_degraded(image, random) for image in _placed(faces, size, view, random)])
    return _lit(images, random)


def _placed(faces: NDArray[np.uint8], size: int, view: float, random: np.random.Generator) -> torch.Tensor:
    """(n, 3, size, size) in [0, 255]: mirrored, scaled, turned and moved; beyond the crop its edge is repeated."""
    n = len(faces)
    mirror = np.where(random.random(n) < 0.5, -1.0, 1.0)
    scale, angle = view * np.exp(random.uniform(-ZOOM, ZOOM, n)), random.uniform(-TURN, TURN, n)
    across, down = 2 * view * random.uniform(-SHIFT, SHIFT, (2, n))  # the side is 2 long in a grid of torch's
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    matrices = np.array([[mirror * cos, -mirror * sin, across], [sin, cos, down]]).transpose(2, 0, 1)
    grid = F.affine_grid(torch.from_numpy(matrices).float(), [n, 3, size, size], align_corners=False)
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _degraded(image: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Some with fewer pixels or out of focus, some as a small JPEG file keeps them."""
    loss = random.random()
    if loss < LOW_RESOLUTION:
        few = round(image.shape[1] * random.uniform(*RESOLUTION))
        small = F.interpolate(image[None], (few, few), mode="bilinear", antialias=True)
        image = F.interpolate(small, image.shape[1:], mode="bilinear", align_corners=False)[0]
    elif loss < LOW_RESOLUTION + BLUR:
        sigma = random.uniform(*SIGMA)
        image = gaussian_blur(image, [2 * round(3 * sigma) + 1] * 2, [sigma] * 2)
    if random.random() < COMPRESSION:
        file = BytesIO()
        pixels = image.round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(random.integers(*QUALITY)))
        image = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float()
    return image


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
