"""Model A: a network of torchvision or timm with a regression head, from face crops to the raters' mean score."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from featurestore.errors import PrerequisiteError
from featurestore.records import FaceBatch
from featurestore.scale import RATINGS
from models.image.crop import centre_of
from models.image.tensors import as_images, resize_faces
from models.networks.architectures import MAP_STRIDES
from models.networks.backbones import Backbone
from models.networks.weights import fill
from models.serialization import read_description, read_tensors, write_model
from models.spec import DEFAULT_NETWORK
from models.untrusted import check_side

PREDICTED_AT_ONCE = 32


@dataclass(frozen=True)
class AppearanceConfig:
    """How Model A is trained. The number of epochs is fixed: nothing is chosen by looking at held-out rows.

    weights     of the backbone: "imagenet" or others that kallos knows, a safetensors file or "none"
    image_size  side of the square that the network sees, in pixels
    view        share of the crop's side that the network sees, in the middle: 0.875 of the store's crops leaves a
                margin of 16 % around the landmarks, and 224 of their 256 pixels
    lr_body     peak learning rate of a backbone with weights
    lr_folded   the same where the statistics of batch normalisation are folded into its weights
    lr_head     that of the head, which starts from a ridge regression then
    lr_random   that of both where the backbone has no weights, and so nothing to keep
    cells       cells a side, in which the head sees the map of stride 16 beside the features of the whole face
    dropout     before the last layer
    histogram   weight of the cross-entropy with the raters' histogram, where it is known
    ema         decay of the moving average of the weights, which is what predicts
    precision   number format of the products in training: "float32", "bfloat16", or "auto" for the fastest here
    """

    backbone: str = DEFAULT_NETWORK
    weights: str = "imagenet"
    download: bool = False
    image_size: int = 224
    view: float = 0.875
    epochs: int = 12
    batch_size: int = 32
    optimizer: str = "adamw"
    lr_body: float = 5e-4
    lr_folded: float = 1e-4
    lr_head: float = 1e-4
    lr_random: float = 2e-3
    weight_decay: float = 0.01
    cells: int = 4
    dropout: float = 0.1
    histogram: float = 0.3
    ema: float = 0.998
    seed: int = 0
    precision: str = "auto"


class Regressor(nn.Module):
    """(n, 3, h, w) normalised images to (n,) scores and (n, H) logits of RATINGS.

    Faces are levelled, so that a cell of a map shows the same part of each: the head sees what is where, which the
    features of the whole face have averaged away.
    """

    def __init__(self, backbone: Backbone, config: AppearanceConfig) -> None:
        super().__init__()
        self.body, self._cells = backbone.network, config.cells
        width = backbone.dim
        self._maps = dict[str, torch.Tensor]()
        if stages := list(backbone.card.maps.items())[len(MAP_STRIDES) - 1 :]:
            ((stage, channels),) = stages
            self.body.get_submodule(stage).register_forward_hook(self._remember)
            width += channels * config.cells**2
        self.centre, self.spread = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, 1 + len(RATINGS))

    def _remember(self, _module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        self._maps["last"] = output

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """(n, width): those of the whole face, then the map's, cell by cell."""
        whole: torch.Tensor = self.body(images)
        with torch.autocast(images.device.type, enabled=False):
            features = [whole.float()]
            while self._maps:  # none stays: a network that holds one cannot be copied
                _, found = self._maps.popitem()
                # a graph has no pooling into cells that do not divide a map: it is a product with what each covers
                covers = F.adaptive_avg_pool1d(torch.eye(found.shape[-1], device=found.device)[None], self._cells)[0]
                features.append(torch.einsum("nchw,hi,wj->ncij", found.float(), covers, covers).flatten(1))
            return torch.cat(features, dim=1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = (self.features(images) - self.centre) / self.spread
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 knows scores around 3 only to 1/64
            out = self.head(self.dropout(features))
        return out[:, 0], out[:, 1:]


class AppearanceModel:
    """A trained Model A. `weights` and `weights_sha256` are what its backbone started from."""

    kind = "appearance"

    def __init__(self, config: AppearanceConfig, backbone: Backbone, network: nn.Module) -> None:
        self.config, self.backbone, self.network = config, backbone, network.eval()
        self.weights, self.weights_sha256 = backbone.weights, backbone.weights_sha256

    def predict(self, batch: FaceBatch) -> NDArray[np.float64]:
        """(n,) scores. Raises PrerequisiteError without faces."""
        return self.predict_images(network_view(faces_of(batch), self.config))

    def predict_images(self, faces: NDArray[np.uint8], *, mirrored: bool = True) -> NDArray[np.float64]:
        """(n, size, size, 3) uint8 RGB to (n,) scores, in float32 on every processor.

        The mean over each face and, with `mirrored`, its mirror image. A network that was trained on histograms
        predicts the mean of its score and of the expectation over the ratings.
        """
        scores = np.empty(len(faces))
        place = next(self.network.parameters()).device
        with torch.inference_mode():
            for start in range(0, len(faces), PREDICTED_AT_ONCE):
                images = self.backbone.normalise(as_images(faces[start : start + PREDICTED_AT_ONCE])).to(place)
                view_scores = [self.scores_of(view) for view in ([images, images.flip(3)] if mirrored else [images])]
                scores[start : start + PREDICTED_AT_ONCE] = torch.stack(view_scores).double().mean(0).cpu().numpy()
        return scores

    def scores_of(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) normalised images to (n,) scores."""
        score, logits = self.network(images)
        if not self.config.histogram:
            return torch.as_tensor(score)
        expected = logits.softmax(1) @ torch.from_numpy(RATINGS).float().to(images.device)
        return torch.as_tensor((score + expected) / 2)

    def save(self, folder: Path) -> None:
        # the weights by name: a path would reveal the machine that it was trained on
        config = asdict(self.config) | {"weights": self.weights}
        described = {"kind": self.kind, "config": config, "backbone": self.backbone.describe()}
        tensors = {name: tensor.cpu().numpy() for name, tensor in self.network.state_dict().items()}
        write_model(folder, described, tensors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A model that `save` wrote. Raises BundleError when the folder holds none."""
        described = read_description(folder, cls.kind)
        config = AppearanceConfig(**described["config"])
        check_side(config.image_size, folder)
        backbone = Backbone.blank(described["backbone"])
        with torch.device("meta"):
            network = Regressor(backbone, config)
        fill(network, {name: torch.from_numpy(array) for name, array in read_tensors(folder).items()}, folder)
        return cls(config, backbone, network.requires_grad_(False))


def network_view(faces: NDArray[np.uint8], config: AppearanceConfig) -> NDArray[np.uint8]:
    """What the network sees of each face without augmentation."""
    return resize_faces(centre_of(faces, config.view), config.image_size)


def faces_of(batch: FaceBatch) -> NDArray[np.uint8]:
    if batch.faces is None:
        raise PrerequisiteError("Model A needs face crops and this batch has none: read the faces of its photos first.")
    return batch.faces
