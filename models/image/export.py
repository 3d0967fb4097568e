"""Model A written as graphs, one for each of its networks, preprocessing included."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from models.image.graph import AppearanceGraph
from models.image.model import AppearanceModel
from models.networks.onnx_graphs import export, write_graph
from models.serialization import DESCRIPTION, TENSORS, read_description, write_description


class _Scores(nn.Module):
    """(1, S, S, 3) uint8 RGB of what is in view to (1,) scores: what `AppearanceModel.predict` computes."""

    def __init__(self, model: AppearanceModel) -> None:
        super().__init__()
        self._model, self.network = model, model.network

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        size = self._model.config.image_size
        planes = faces.permute(0, 3, 1, 2).float()
        # pixels are whole numbers in training, too
        scaled = F.interpolate(planes, (size, size), mode="bilinear", antialias=True, align_corners=False).round()
        images = self._model.backbone.normalise(scaled)
        # the mean over the face and its mirror image, in one pass through the network
        return self._model.scores_of(torch.cat([images, images.flip(3)])).mean(0, keepdim=True)


def replace_by_graphs(folder: Path) -> None:
    """Write every network of Model A below a folder as a graph, in place of its tensors; what is one stays one."""
    program = None
    for description in sorted(folder.rglob(DESCRIPTION)):
        place, described = description.parent, read_description(description.parent)
        if described.get("kind") != AppearanceModel.kind:
            continue
        # one face: torch takes up to twice as long to write a graph for any number, which on one core is no faster
        scores, faces = _Scores(AppearanceModel.load(place)), np.zeros((1, 256, 256, 3), dtype=np.uint8)
        # the parts of one cross-fitting differ in their weights alone
        program = program or export(scores, {"faces": faces}, ["scores"], {"faces": (1, 2)})
        write_graph(program, scores, place)
        write_description(place, described | {"kind": AppearanceGraph.kind})
        (place / TENSORS).unlink()
