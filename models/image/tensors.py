"""Face crops made ready for networks: one size for all, as tensors."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


def resize_faces(faces: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(n, S, S, 3) uint8 to (n, side, side, 3), bilinear with antialiasing."""
    if faces.shape[1:3] == (side, side):
        return faces
    resized = np.empty((len(faces), side, side, 3), dtype=np.uint8)
    for row, face in enumerate(faces):
        # torch's own arithmetic on whole numbers is one off now and then, and no graph has it
        planes = torch.from_numpy(face.copy()).permute(2, 0, 1)[None].float()
        scaled = F.interpolate(planes, (side, side), mode="bilinear", antialias=True, align_corners=False).round()
        resized[row] = scaled[0].permute(1, 2, 0).numpy()
    return resized


def as_images(faces: NDArray[np.uint8]) -> torch.Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) uint8."""
    return torch.from_numpy(faces.copy()).permute(0, 3, 1, 2)
