"""Model A with the options that people chose."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from extractors.file_hash import sha256_of_file
from featurestore.records import FaceBatch
from models.image.computing import Computing
from models.image.model import AppearanceConfig, AppearanceModel
from models.image.train import check_settings, choose_computing, starting_backbone, train_appearance
from models.networks.architectures import check_size_of
from models.spec import Listener, Options


class ImageFitter:
    def __init__(self, options: Options) -> None:
        self._config = AppearanceConfig(**asdict(options))
        check_settings(self._config)
        check_size_of(options.backbone, options.image_size)
        weights = Path(options.weights)
        self.weights = weights.name
        # weights by their content: a file may lie elsewhere tomorrow
        self.identity: Mapping[str, Any] = asdict(self._config) | {
            "weights": sha256_of_file(weights) if weights.is_file() else str(weights)
        }

    def check(self) -> None:
        """Raises UsageError and WeightsError as `starting_backbone`."""
        starting_backbone(self._config)

    def computing(self) -> Mapping[str, Any]:
        """Precision, layout and threads: as chosen, or as a trial finds fastest here."""
        return asdict(choose_computing(self._config, starting_backbone(self._config)))

    def fit(
        self, train: FaceBatch, held_out: FaceBatch, listener: Listener, computing: Mapping[str, Any]
    ) -> AppearanceModel:
        """As `train_appearance`, which goes on from a checkpoint."""
        return train_appearance(
            starting_backbone(self._config),
            train,
            held_out,
            self._config,
            listener.on_epoch,
            listener.on_step,
            listener.checkpoint,
            Computing(**computing),
        )
