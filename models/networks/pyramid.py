"""A backbone without trainable weights: fixed filters, for some hundred photos and no weights to start from."""

import torch
import torch.nn.functional as F
from torch import nn

LEVELS, GRID = 4, 12
FAINTEST = 0.01
"""Added to a cell's detail before its logarithm, in standard deviations of ImageNet's pixels: half a level of 255."""


class LaplacianPyramid(nn.Module):
    """How much detail of each size a face has, and where (Burt & Adelson 1983).

    (n, 3, h, w) normalised images to (n, dim): the mean absolute value of each level of the Laplacian pyramid in each
    cell of a grid and each colour, as a logarithm, then as z-scores, which batch normalisation keeps.
    """

    blur: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        self.register_buffer("blur", torch.outer(row, row).repeat(3, 1, 1, 1))
        self.norm = nn.BatchNorm2d(LEVELS * 3 * GRID * GRID, affine=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, enabled=False):  # small differences of near values
            level, details = images.float(), []
            for _ in range(LEVELS):
                smooth = F.conv2d(F.pad(level, (2, 2, 2, 2), mode="reflect"), self.blur, groups=3)
                details.append((_in_cells((level - smooth).abs()) + FAINTEST).log())
                level = F.avg_pool2d(smooth, 2)
            features: torch.Tensor = self.norm(torch.cat(details, 1).flatten(1)[:, :, None, None]).flatten(1)
        return features


def _in_cells(values: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) to its means in GRID x GRID cells of one size, which overlap where the side does not divide."""
    side = values.shape[-1]
    step = side // GRID
    return F.avg_pool2d(values, side - (GRID - 1) * step, step)
