"""An encoder kept in a folder: known by its description, and loaded, with torch, only when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from featurestore.errors import BundleError
from models.foreign import read_json

if TYPE_CHECKING:
    from models.encoder import Encoder


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
        """What `Encoder.save` wrote. Raises BundleError when the folder holds no encoder."""
        try:
            card = read_json(folder / "model.json")["backbone"]
            channels = sum(card["maps"].values())
            return cls(folder, card["name"], card["weights"], card["weights_sha256"], card["dim"], channels)
        except (BundleError, LookupError, TypeError, AttributeError) as problem:
            raise BundleError(
                f"{folder} holds no encoder: run `kallos extract` with --encoder and --weights again."
            ) from problem

    def open(self) -> Encoder:
        """The network. Raises BundleError when its tensors are missing or damaged."""
        from models.encoder import Encoder

        return Encoder.load(self.folder)
