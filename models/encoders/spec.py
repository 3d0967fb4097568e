"""An encoder kept in a folder: known by its description, and loaded only when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from featurestore.errors import BundleError
from models.serialization import GRAPH, read_description
from models.untrusted import distrusted

if TYPE_CHECKING:
    from models.encoders.run import Encoder


@dataclass(frozen=True)
class KeptEncoder:
    """What is known of an encoder without its network; worker processes open it for themselves."""

    folder: Path
    name: str
    weights: str
    weights_sha256: str
    dim: int
    channels: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `EncoderNetwork.save` wrote. Raises BundleError when the folder holds no encoder."""
        with distrusted(folder):
            if not (folder / GRAPH).is_file():
                raise BundleError(
                    f"{folder} holds no encoder: run `kallos extract` with --encoder and --weights again."
                )
            said = read_description(folder, "encoder")
            name, weights, sha256 = (str(said[key]) for key in ("name", "weights", "weights_sha256"))
            return cls(folder, name, weights, sha256, int(said["dim"]), int(said["channels"]))

    def open(self) -> Encoder:
        """The network. Raises BundleError when its graph is damaged."""
        from models.encoders.run import Encoder

        return Encoder(self.folder)
