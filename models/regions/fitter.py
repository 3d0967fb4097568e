"""Model B with the options that people chose."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from featurestore.records import FaceBatch
from models.regions.model import SubscoreConfig, SubscoreModel
from models.regions.train import train_subscores
from models.spec import Listener, Options, PlainFitter


class _Fitter(PlainFitter):
    use_embedding: bool
    epochs: int
    joint, hidden = False, 32

    def __init__(self, options: Options) -> None:
        self._config = SubscoreConfig(
            use_embedding=self.use_embedding,
            joint=self.joint,
            hidden=self.hidden,
            epochs=self.epochs,
            seed=options.seed,
        )
        super().__init__(asdict(self._config))

    def fit(self, train: FaceBatch, held_out: FaceBatch, listener: Listener, _: Mapping[str, Any]) -> SubscoreModel:
        return train_subscores(train, held_out, self._config, listener.on_epoch)


class WithEncoder(_Fitter):
    """Each region's network also sees the encoder's maps in that region's windows."""

    use_embedding, epochs = True, 60


class Joint(_Fitter):
    """One network for all sub-scores sees all features and the encoder's features of the whole face."""

    use_embedding, epochs = True, 60
    joint, hidden = True, 128


class FeaturesAlone(_Fitter):
    """Each region's network sees the region's features."""

    use_embedding, epochs = False, 100
