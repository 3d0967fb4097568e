"""An encoder in a folder: its description, and the network once it is opened."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from featurestore.errors import BundleError
from models.serialization import GRAPH, read_description
from models.untrusted import as_bundle_error

if TYPE_CHECKING:
    from models.encoders.run import Encoder


def encoder_id(name: str, weights_sha256: str, preprocessing: object) -> str:
    """The id of an encoder: `mobilenet_v3_small-1f2e3d4c`, a hash of weights and preprocessing at its end."""
    decides = json.dumps([weights_sha256, preprocessing], sort_keys=True)
    return f"{name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class EncoderSpec:
    """The description of an encoder in a folder; each worker process opens the network itself.

    networks  channels of the maps of each of its networks
    """

    folder: Path
    id: str
    name: str
    weights: str
    weights_sha256: str
    dim: int
    networks: tuple[int, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `EncoderNetwork.save` wrote. Raises BundleError when the folder holds no encoder."""
        with as_bundle_error(folder):
            if not (folder / GRAPH).is_file():
                raise BundleError(
                    f"{folder} holds no encoder: run `kallos extract` with --encoder and --weights again."
                )
            description = read_description(folder, "encoder")
            name, weights, sha256 = (str(description[key]) for key in ("name", "weights", "weights_sha256"))
            # one from before encoders had ids is known by its architecture
            return cls(
                folder,
                str(description.get("id", name)),
                name,
                weights,
                sha256,
                int(description["dim"]),
                # an earlier kallos had one network
                tuple(map(int, description.get("networks") or [description["channels"]])),
            )

    def open(self) -> Encoder:
        """The network. Raises BundleError when its graph is damaged."""
        from models.encoders.run import Encoder

        return Encoder(self.folder)
